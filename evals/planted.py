"""The questions of the exam: pairs planted by us, of which one side is right and the other is not."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from evals.judge_metrics import ANSWER_RELEVANCY, COMPARISON, FAITHFULNESS, LLM_CONTEXT_PRECISION, LLM_CONTEXT_RECALL, Sample

FILE = Path(__file__).parent / "planted.jsonl"
CONTEXT_KINDS = ("near", "far")
# Relevancy takes three calls an answer: every second pair of passages does.
RELEVANCY_EVERY = 2
RIGHT, WRONG = "right", "wrong"


@dataclass(frozen=True, slots=True)
class Pair:
    """A question with something right and something wrong.

    Attributes:
        id: its name.
        kind: what is wrong: a number, negation, entity, something added, overgeneralised; or a passage that is near or far.
        question: what is asked.
        right, wrong: two answers to the question; or, of the kinds near and far, two passages.
        context: the passage that the answers are to be faithful to; "" where passages are compared.
        answer, other: where passages are compared, the right answer, and one that answers something else.
    """

    id: str
    kind: str
    question: str
    right: str
    wrong: str
    context: str = ""
    answer: str = ""
    other: str = ""

    @property
    def about_passages(self) -> bool:
        """Whether passages are compared, not answers."""
        return self.kind in CONTEXT_KINDS


@dataclass(frozen=True, slots=True)
class Item:
    """One question of the exam.

    Attributes:
        id: pair, metric and side.
        pair: that it is of.
        kind: of the pair.
        metric: that the judge is asked for.
        side: whether it is about the right or the wrong one; of a comparison, which of the two stands first.
        sample: what is judged.
    """

    id: str
    pair: str
    kind: str
    metric: str
    side: str
    sample: Sample

    @property
    def truth(self) -> bool:
        """What a judge should decide: that it is good; of a comparison, that the first is better."""
        return self.side == RIGHT


@cache
def pairs(file: Path = FILE) -> tuple[Pair, ...]:
    """All planted pairs."""
    return tuple(_pair(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines())


def items(of: Sequence[Pair]) -> tuple[Item, ...]:
    """All that is asked about the pairs."""
    relevant = {pair.id for pair in [pair for pair in of if pair.about_passages][::RELEVANCY_EVERY]}
    return tuple(item for pair in of for item in (_of_passages(pair, pair.id in relevant) if pair.about_passages else _of_answers(pair)))


def _of_answers(pair: Pair) -> Iterator[Item]:
    texts = {RIGHT: pair.right, WRONG: pair.wrong}
    for side, other in ((RIGHT, WRONG), (WRONG, RIGHT)):
        sample = Sample(pair.question, texts[side], (pair.context,), other=texts[other])
        for metric in (FAITHFULNESS, COMPARISON):
            yield _item(pair, metric, side, sample)


def _of_passages(pair: Pair, with_relevancy: bool) -> Iterator[Item]:
    texts, answers = {RIGHT: pair.right, WRONG: pair.wrong}, {RIGHT: pair.answer, WRONG: pair.other}
    for side, other in ((RIGHT, WRONG), (WRONG, RIGHT)):
        passage = Sample(pair.question, "", (texts[side],), reference=pair.answer)
        yield _item(pair, LLM_CONTEXT_PRECISION, side, passage)
        yield _item(pair, LLM_CONTEXT_RECALL, side, passage)
        yield _item(pair, COMPARISON, side, Sample(pair.question, texts[side], (), other=texts[other]))
        if with_relevancy:
            yield _item(pair, ANSWER_RELEVANCY, side, Sample(pair.question, answers[side], ()))


def _item(pair: Pair, metric: str, side: str, sample: Sample) -> Item:
    return Item(f"{pair.id}/{metric}/{side}", pair.id, pair.kind, metric, side, sample)


def _pair(row: Mapping[str, str]) -> Pair:
    if "faithful" in row:
        return Pair(row["id"], row["kind"], row["question"], row["faithful"], row["unfaithful"], context=row["context"])
    return Pair(**row)
