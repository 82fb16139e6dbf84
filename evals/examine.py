"""The gate of a rebuild: whether a candidate may take the place of what is live, by its health and by what both find."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any
from uuid import uuid4

from evals.evaluate import Request, evaluate
from evals.gate import Judgement, Verdict, judged
from evals.prove import values_of
from evals.ranking import NDCG
from evals.recall import Recall, measure, probe, questions, sentence
from index.embedder import Embedder
from index.reader import Opened, Reader
from index.releases import Release
from index.search import View
from index.store import Store
from tasks.health import Finding, documents, examined, passages
from tasks.prepare import Tools
from tasks.retrieve import Query, Retrieved, retrieve

K = 10
KNOWN_ITEMS = 300
RECALL_QUESTIONS = 200
# Of the live search; a millisecond is within what a machine does to an index that is searched in two.
SLOWER = 1.25
NOISE_MS = 2.0


@dataclass(frozen=True, slots=True)
class Side:
    """A release with the embedder that made it."""

    view: View
    embedder: Embedder


@dataclass(frozen=True, slots=True)
class Report:
    """What the gate found. `verdict` is of the questions, `findings` are the checks; it lets pass what has no fault in either."""

    verdict: Verdict
    findings: Sequence[Finding]
    judgements: Mapping[str, Judgement]

    @property
    def passed(self) -> bool:
        """Whether the candidate may go live."""
        return self.verdict is Verdict.PROMOTE and not self.faults

    @property
    def faults(self) -> list[Finding]:
        """The checks that did not hold."""
        return [finding for finding in self.findings if not finding.ok]

    def __str__(self) -> str:
        """In a sentence or two."""
        faults = [f"{finding.name}: {finding.detail}" for finding in self.faults]
        return "; ".join([*faults, *(f"{name}, {judgement}" for name, judgement in self.judgements.items())])

    def as_json(self) -> dict[str, Any]:
        """As it is kept with the release."""
        return {
            "verdict": "promote" if self.passed else "hold" if self.faults else str(self.verdict),
            "findings": [asdict(finding) for finding in self.findings],
            "judgements": {name: asdict(judgement) for name, judgement in self.judgements.items()},
        }


def examine(store: Store, live: Release, candidate: Release, live_tools: Tools, tools: Tools, recall_target: float) -> Report:
    """Asks both the same questions and looks the candidate over; minutes on a large index, in bounded memory.

    The questions are the golden ones that can be measured on both, and sentences of stored passages, whose answers are known:
    also people without golden questions have those. When there are enough golden questions to decide, they decide.
    """
    reader = store.reader()
    reader.follow()
    here = Side(reader.view(live.number), live_tools.embedder)
    there = Side(reader.view(candidate.number), tools.embedder)
    shown, stored = here.view.passages(), there.view.passages()
    findings = [documents(shown, stored), *examined(there.view, there.embedder)]
    if live_tools.chunker.fingerprint == tools.chunker.fingerprint:
        findings.append(passages(shown, stored))
    golden = judged(_golden(store, reader, there), _golden(store, reader, here))
    known, speed = _known_items(here, there)
    findings += [speed, *_recall(store, there, recall_target)]
    return Report(overall(golden, known), findings, {"golden questions": golden, "known items": known})


def overall(golden: Judgement, known: Judgement) -> Verdict:
    """What both say together: one that holds, holds; else the golden questions, unless those are too few to say anything."""
    if Verdict.HOLD in (golden.verdict, known.verdict):
        return Verdict.HOLD
    return known.verdict if golden.delta is None else golden.verdict


def _golden(store: Store, reader: Reader, side: Side) -> dict[str, float]:
    """nDCG@10 by golden question; none where too few can be measured on the release for a verdict."""
    evaluation = evaluate(reader, side.embedder, Request(uuid4().hex, side.view.release.number, golden=store.golden))
    score = evaluation.score(NDCG)
    return values_of(evaluation) if score and score.covered else {}


def _known_items(live: Side, candidate: Side) -> tuple[Judgement, Finding]:
    """The reciprocal rank of the passage that each sentence was taken from; and how long both took for it, asked in turns.

    By vector: its words alone would find the passage whatever the model is worth.
    """
    texts = [found for text in live.view.sample_texts(2 * KNOWN_ITEMS) if (found := sentence(text))][:KNOWN_ITEMS]
    ranks: dict[str, list[float]] = {}
    times: tuple[list[float], list[float]] = ([], [])
    for text in dict.fromkeys(texts):
        query = Query(text, k=K, mode="vector")
        both = [retrieve(Opened(side.view), side.embedder, query) for side in (live, candidate)]
        ranks[text] = [_rank(text, reply) for reply in both]
        for reply, spent in zip(both, times, strict=True):
            spent.append(reply.timings_ms["search"])
    judgement = judged({text: rank[1] for text, rank in ranks.items()}, {text: rank[0] for text, rank in ranks.items()})
    return judgement, speed(*(median(spent) if spent else 0.0 for spent in times))


def speed(live_ms: float, candidate_ms: float) -> Finding:
    """Whether a search of the candidate takes about as long as one of what is live."""
    ok = candidate_ms <= SLOWER * live_ms + NOISE_MS
    return Finding("latency", ok, f"p50 of a search {live_ms:.1f} ms -> {candidate_ms:.1f} ms")


def _rank(text: str, found: Retrieved) -> float:
    words = " ".join(text.split())
    places = [place for place, hit in enumerate(found.hits, 1) if words in " ".join(hit.chunk.text.split())]
    return 1 / places[0] if places else 0.0


def _recall(store: Store, side: Side, target: float) -> list[Finding]:
    """Whether the approximate search finds enough, where it is approximate."""
    if side.view.vector_index is None:
        return []
    found: Recall = measure(side.view, probe(side.view, questions(side.view, side.embedder, RECALL_QUESTIONS, store.golden)))
    recall = found.recall
    ok = recall.high is None or recall.high >= target
    return [Finding("recall", ok, f"recall@10 {recall.mean:.3f} ({recall.low:.3f} to {recall.high:.3f}), target {target}")]
