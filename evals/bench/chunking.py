"""What retrieval finds when documents are cut by their structure, beside windows of fixed size.

Exact search with the real embedder, over the vectors of all passages: what differs is where the text is cut and
what is embedded with it. Ways are compared question by question with the best of those of fixed size.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain

import ir_measures
import numpy as np

from evals.bench import progress
from evals.bench.collection import Collection, Question, beir, sample
from evals.bench.figures import Case, Figure
from evals.bench.options import Options
from evals.bench.passages import Coverage, Passage, Text, Way, blocks, broken, coverage, cutter, sentences, texts
from evals.bench.quality import DEPTH, NDCG
from evals.intervals import mean_interval
from index.embedder import Embedder, SentenceTransformerEmbedder, Vectors
from index.errors import Misconfigured
from index.golden import GoldenQuestion
from index.settings import Settings

PART = "chunking"
SAMPLE_DOCUMENTS = 20
BUDGETS = (256, 1024)
BUDGET = BUDGETS[-1]
MOST_PASSAGES = 500  # of a ranking: enough for the budget however short they are
AT_ONCE = 256
WAYS = (
    *(Way(tokens, overlap, headers=False) for tokens in (64, 128, 256) for overlap in (0.0, 0.25)),
    *(Way(tokens, 0.0, headers=True) for tokens in (64, 128, 256)),
    *(Way(tokens, None, headers=headers) for tokens in (96, 128, 192, 256) for headers in (False, True)),
)

# One value per question, by metric.
Values = dict[str, list[float]]


@dataclass(slots=True)
class Vectorizer:
    """Embeds each string once, whichever way brought it up."""

    embedder: Embedder
    made: dict[bytes, Vectors] = field(default_factory=dict)

    def passages(self, strings: Sequence[str]) -> Vectors:
        """Vectors of strings, shape (len(strings), dimensions)."""
        keys = [sha256(string.encode()).digest() for string in strings]
        missing = {key: string for key, string in zip(keys, strings, strict=True) if key not in self.made}
        batches = [list(missing)[start : start + AT_ONCE] for start in range(0, len(missing), AT_ONCE)]
        for batch in progress.steps("embedding", batches):
            self.made.update(zip(batch, self.embedder.embed([missing[key] for key in batch]), strict=True))
        return np.stack([self.made[key] for key in keys])


@dataclass(frozen=True, slots=True)
class Exam:
    """The documents, the questions about them with their vectors, how found passages are scored, and the metrics that decide."""

    documents: Sequence[Text]
    questions: Sequence[Question]
    vectors: Vectors
    score: Callable[[Question, Sequence[Passage]], Mapping[str, float]]
    compared: Sequence[str]


def chunking(options: Options) -> list[Figure]:
    """The ways over the collection `data`, else over a part of the sample. `docs` limits the documents, those with answers first."""
    collection = beir(options.data) if options.data else sample()
    collection = limited(collection, options.docs or (len(collection.documents) if options.data else SAMPLE_DOCUMENTS))
    vectorizer = Vectorizer(SentenceTransformerEmbedder(Settings().embedder))
    examined = exam(collection, vectorizer.embedder)
    values: dict[Way, Values] = {}
    figures: dict[Way, list[Figure]] = {}
    for way in WAYS:
        passages = cut(examined.documents, way, vectorizer.embedder)
        values[way] = answered(examined, passages, vectorizer.passages([passage.embedded for passage in passages]))
        figures[way] = shape(way, examined.documents, passages)
        _say(way, values[way])
    best = {metric: best_of_fixed_size(values, metric) for metric in examined.compared}
    about = Case(PART, collection.name)
    return [
        about.figure("documents", len(collection.documents), "documents"),
        about.figure("questions", len(examined.questions), "questions"),
        *(figure for way in WAYS for figure in [*compared(way, values, best), *figures[way]]),
    ]


def limited(collection: Collection, count: int) -> Collection:
    """At most so many of the documents, those that answer something first, and the questions that they answer."""
    judged = {doc_id for question in collection.questions for doc_id in question.grades}
    ordered = sorted(collection.documents, key=lambda draft: draft.doc_id not in judged)[:count]
    kept = {draft.doc_id for draft in ordered}
    questions = tuple(question for question in collection.questions if question.grades.keys() <= kept)
    if not questions:
        raise Misconfigured(f"no question of {collection.name} is answered by {count} documents; ask for more")
    return Collection(collection.name, tuple(ordered), questions, collection.judged)


def exam(collection: Collection, embedder: Embedder) -> Exam:
    """What is asked of each way; questions whose passages don't stand in the documents are left out."""
    documents = texts(collection.documents, embedder.tokenizer())
    if collection.judged == "documents":
        questions: Sequence[Question] = collection.questions
        score, decisive = _document_score, [f"nDCG@{DEPTH}"]
    else:
        by_id = {text.draft.doc_id: text for text in documents}
        answers = {question.id: _answer(question.golden, by_id) for question in collection.questions if question.golden}
        questions = [question for question in collection.questions if answers.get(question.id)]
        score, decisive = _Coverages(answers), [f"recall in {budget:,} tokens" for budget in BUDGETS]
    return Exam(documents, questions, np.stack([embedder.embed_query(question.text) for question in questions]), score, decisive)


def cut(documents: Sequence[Text], way: Way, embedder: Embedder) -> list[Passage]:
    """The passages of all documents that hold a token."""
    cuts = cutter(way, embedder.tokenizer())
    return [passage for text in documents for passage in cuts(text) if passage.tokens]


def answered(examined: Exam, passages: Sequence[Passage], vectors: Vectors) -> Values:
    """The scores of all questions."""
    values: Values = {}
    for question, vector in zip(examined.questions, examined.vectors, strict=True):
        nearest = np.argsort(-(vectors @ vector), kind="stable")[:MOST_PASSAGES]
        for metric, value in examined.score(question, [passages[place] for place in nearest]).items():
            values.setdefault(metric, []).append(value)
    return values


def best_of_fixed_size(values: Mapping[Way, Values], metric: str) -> Way:
    """The way of fixed size that did best, known only afterwards: the hardest to beat."""
    return max((way for way in values if way.overlap is not None), key=lambda way: float(np.mean(values[way][metric])))


def compared(way: Way, values: Mapping[Way, Values], best: Mapping[str, Way]) -> list[Figure]:
    """The means, and the 95 % interval of how much more the way finds than the best of fixed size (paired bootstrap)."""
    case = Case(PART, way.name)
    found = []
    for metric, ours in values[way].items():
        mean = case.figure(metric, float(np.mean(ours)), "")
        if best.get(metric, way) == way:
            found.append(mean)
            continue
        theirs = values[best[metric]][metric]
        more = mean_interval([our - their for our, their in zip(ours, theirs, strict=True)])
        found.append(mean.against(Case(PART, best[metric].name).figure(metric, float(np.mean(theirs)), "")))
        for part, value in (("", more.mean), (", low", more.low), (", high", more.high)):
            found.append(case.figure(f"{metric}, more than fixed size{part}", value or 0.0, ""))
    return found


def shape(way: Way, documents: Sequence[Text], passages: Sequence[Passage]) -> list[Figure]:
    """How many passages there are, how long, and what they break though there is room for it."""
    case = Case(PART, way.name)
    of: dict[str, list[Passage]] = {}
    for passage in passages:
        of.setdefault(passage.doc_id, []).append(passage)
    lengths = [len(passage.tokens) for passage in passages]
    found = [
        case.figure("passages", len(passages), "passages"),
        case.figure("text of a passage p50", float(np.median(lengths)), "tokens"),
        case.figure("text stored twice", sum(lengths) / sum(len(text.starts) for text in documents) - 1, ""),
    ]
    for unit, units in (("sentences", sentences), ("tables and code blocks", blocks)):
        counts = [broken(units(text), of.get(text.draft.doc_id, []), way.room) for text in documents]
        if fitting := sum(count for _, count in counts):
            found.append(case.figure(f"{unit} cut though they fit", sum(count for count, _ in counts) / fitting, ""))
    return found


def _document_score(question: Question, found: Sequence[Passage]) -> dict[str, float]:
    """The best passage stands for its document."""
    ranked = list(dict.fromkeys(passage.doc_id for passage in found))[:DEPTH]
    run = {question.id: {doc_id: float(-rank) for rank, doc_id in enumerate(ranked)}}
    [result] = ir_measures.iter_calc([NDCG], {question.id: dict(question.grades)}, run)
    return {f"nDCG@{DEPTH}": float(result.value)}


@dataclass(frozen=True, slots=True)
class _Coverages:
    """Scores by the tokens of the answers, by question."""

    answers: Mapping[str, frozenset[int]]

    def __call__(self, question: Question, found: Sequence[Passage]) -> dict[str, float]:
        """Recall within each budget; precision and intersection over union within the largest."""
        ranked = [passage.tokens for passage in found]
        by_budget: dict[int, Coverage] = {budget: coverage(ranked, self.answers[question.id], budget) for budget in BUDGETS}
        recalls = {f"recall in {budget:,} tokens": by_budget[budget].recall for budget in reversed(BUDGETS)}
        return recalls | {"precision": by_budget[BUDGET].precision, "intersection over union": by_budget[BUDGET].iou}


def _answer(golden: GoldenQuestion, documents: Mapping[str, Text]) -> frozenset[int]:
    """The tokens of the passages of a golden question, where each first stands; none when one can't be found."""
    spans = []
    for passage in golden.passages:
        text = documents.get(passage.doc_id)
        start = text.parsed.text.find(passage.quote) if text else -1
        if text is None or start < 0:
            return frozenset()
        spans.append(text.tokens(start, start + len(passage.quote)))
    return frozenset(chain.from_iterable(spans))


def _say(way: Way, values: Values) -> None:
    """One line per way: a study takes long, and a terminal may not be there."""
    means = ", ".join(f"{metric} {np.mean(value):.4f}" for metric, value in values.items())
    print(f"{way.name}: {means}", file=sys.stderr, flush=True)
