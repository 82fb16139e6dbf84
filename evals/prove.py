"""From an evaluation to a proven release: it must not be significantly worse than the last proven one."""

from dataclasses import dataclass
from typing import Any

from evals import dataset
from evals.gate import Judgement, Verdict, judged
from evals.ranking import NDCG
from index.evaluations import COVERAGE_FLOOR, Evaluation, as_json, covered
from index.golden_sets import GoldenSets
from index.store import Store

BY = "evaluate"


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether the release is proven by this evaluation, and why or why not; `judgement` is beside release `baseline`."""

    proven: bool
    reason: str
    judgement: Judgement | None = None
    baseline: int | None = None


def prove(store: Store, evaluation: Evaluation) -> Proof:
    """Marks the release as proven when the evaluation is complete and not significantly worse than the last proof."""
    store.log.refresh()
    status = store.log.get(evaluation.release).status
    if status != "checked":
        return Proof(proven=False, reason=f"release {evaluation.release} is {status}: only a checked release can become proven")
    if gap := coverage_gap(evaluation, store.golden):
        return Proof(proven=False, reason=gap)
    baseline = baseline_of(store, evaluation)
    proof = _decide(evaluation, baseline)
    if proof.proven:
        detail = {"scores": as_json(evaluation.scores), "evaluation": evaluation.id}
        store.log.append("proven", evaluation.release, BY, reason=proof.reason, detail=detail)
    return proof


def coverage_gap(evaluation: Evaluation, stored: GoldenSets | None = None) -> str | None:
    """What is missing for the evaluation to be a full one; None when nothing is. `stored`: the sets of the index."""
    if evaluation.state != "completed":
        return f"the evaluation {evaluation.state}"
    if evaluation.dataset != dataset.DEFAULT:
        return f"it was evaluated on {evaluation.dataset!r}; only the default golden set proves a release"
    golden = dataset.load(dataset.DEFAULT, stored)
    asked = {row["id"] for row in evaluation.questions}
    if missing := [question for question in golden if question.id not in asked]:
        return f"a sample of {len(asked)} questions was asked; all {len(asked) + len(missing)} are needed to prove a release"
    answerable = [question for question in golden if question.answerable]
    measured = len(values_of(evaluation))
    if not covered(measured, len(answerable)):
        return (
            f"only {measured} of {len(answerable)} golden questions could be measured, {COVERAGE_FLOOR:.0%} are needed: the report says "
            "why not the others"
        )
    return None


def baseline_of(store: Store, evaluation: Evaluation) -> Evaluation | None:
    """The evaluation that proved the newest proven release before this one."""
    proofs = [event for event in store.log.events if event.kind == "proven" and event.release < evaluation.release]
    if not proofs:
        return None
    newest = max(proofs, key=lambda event: (event.release, event.seq))
    return store.evaluations.get(newest.detail.get("evaluation", ""))


def values_of(evaluation: Evaluation) -> dict[str, float]:
    """nDCG@10 by question id, of the questions that were measured."""
    values: dict[str, Any] = {row["id"]: row["metrics"].get(NDCG) for row in evaluation.questions}
    return {question: value for question, value in values.items() if value is not None}


def _decide(evaluation: Evaluation, baseline: Evaluation | None) -> Proof:
    if baseline is None:
        return Proof(proven=True, reason="there is no earlier proof to compare with")
    judgement = judged(values_of(evaluation), values_of(baseline))
    worse = judgement.verdict is Verdict.HOLD
    told = "significantly worse" if worse else "not significantly worse"
    reason = f"{told} than proven release {baseline.release} in {NDCG}, {judgement}"
    return Proof(not worse, reason, judgement, baseline.release)
