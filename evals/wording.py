"""What an answer says beside its reference and its passages, without a language model."""

import asyncio
import re
from collections.abc import Mapping, Sequence

from rapidfuzz.distance import LCSseq

from evals import telemetry
from evals.answers import DECLINED, Attempt
from evals.judge import Verdict, Verdicts
from index.embedder import Embedder
from index.errors import GroundworkError

QUOTED_SPANS = "quoted_spans_alignment"
SIMILARITY = "semantic_similarity"
ROUGE_L = "rouge_l"
# Those beside a reference answer.
BY_REFERENCE = (SIMILARITY, ROUGE_L)
METRICS = (QUOTED_SPANS, *BY_REFERENCE)
NO_QUOTE = "the answer quotes nothing"
NO_REFERENCE = "the golden question has no reference answer"
_WORD = re.compile(r"\w+")
_MARK = re.compile(r"\[\d+\]")
_QUOTED = re.compile(r"[\"“„]([^\"“”„]+)[\"”“]")
# RAGAS takes each of them, the apostrophe of "don't" too, for the begin or the end of a quotation.
_QUOTATION_MARKS = str.maketrans(dict.fromkeys("\"“”„‟'‘’`´", ""))


def measure(embedder: Embedder, attempts: Sequence[Attempt]) -> Verdicts:
    """Each metric of each answer to an answerable question, by the question's id; None with the reason where there is none."""
    answerable = [attempt for attempt in attempts if attempt.question.answerable]
    given = [attempt for attempt in answerable if attempt.given]
    measured = asyncio.run(_quotes(given))
    compared = [attempt for attempt in given if attempt.question.reference]
    similar = similarities(embedder, [(_said(attempt), attempt.question.reference or "") for attempt in compared])
    for attempt, similarity in zip(compared, similar, strict=True):
        overlap = Verdict(rouge_l(_said(attempt), attempt.question.reference or ""))
        measured[attempt.question.id] |= {SIMILARITY: similarity, ROUGE_L: overlap}
    return {attempt.question.id: _filled(attempt, measured.get(attempt.question.id, {})) for attempt in answerable}


def similarities(embedder: Embedder, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
    """The cosine of each two texts, -1 to 1; of a long one the embedder sees the first part only.

    As RAGAS' semantic similarity, but each text is embedded once and all together.
    """
    if not pairs:
        return []
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    try:
        vectors = dict(zip(texts, embedder.embed(texts), strict=True))
    except GroundworkError as error:
        return [Verdict(None, str(error))] * len(pairs)
    return [Verdict(float(vectors[one] @ vectors[other])) for one, other in pairs]


def rouge_l(answer: str, reference: str) -> float:
    """F1 of the longest common subsequence of words (Lin, "ROUGE", ACL workshop 2004), 0 to 1; words of any script, in lower case."""
    said, wanted = _WORD.findall(answer.casefold()), _WORD.findall(reference.casefold())
    common = int(LCSseq.similarity(said, wanted))
    return 2 * common / (len(said) + len(wanted)) if common else 0.0


def quoted_spans(text: str, quotes: Sequence[str]) -> list[str]:
    """What an answer quotes: its citations, and what stands in quotation marks in its text; without quotation marks inside."""
    return [span.translate(_QUOTATION_MARKS).strip() for span in (*quotes, *_QUOTED.findall(text))]


async def _quotes(attempts: Sequence[Attempt]) -> dict[str, dict[str, Verdict]]:
    """The share of what each answer quotes that stands in its passages, by RAGAS."""
    telemetry.off()
    from ragas.metrics.collections import QuotedSpansAlignment
    from ragas.metrics.collections.quoted_spans.util import extract_quoted_spans

    metric = QuotedSpansAlignment()
    found: dict[str, dict[str, Verdict]] = {}
    for attempt in attempts:
        answer = attempt.given
        if answer is None:
            continue
        response = " ".join(f"“{span}”" for span in quoted_spans(answer.text, answer.quotes))
        contexts = [context.translate(_QUOTATION_MARKS) for context in answer.contexts]
        # RAGAS would call an answer that quotes nothing perfect.
        quotes_any = bool(extract_quoted_spans(response, metric.min_span_words))
        value = float((await metric.ascore(response=response, retrieved_contexts=contexts)).value) if quotes_any else None
        found[attempt.question.id] = {QUOTED_SPANS: Verdict(value, None if quotes_any else NO_QUOTE)}
    return found


def _said(attempt: Attempt) -> str:
    """The answer without the marks of its citations."""
    return " ".join(_MARK.sub(" ", attempt.given.text).split()) if attempt.given else ""


def _filled(attempt: Attempt, measured: Mapping[str, Verdict]) -> Mapping[str, Verdict]:
    """A verdict on each metric, with the reason where there is none."""
    missing = Verdict(None, attempt.reason or (DECLINED if attempt.given is None else NO_REFERENCE))
    return {metric: measured.get(metric, missing) for metric in METRICS}
