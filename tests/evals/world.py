"""A small world of documents and people who ask, in vectors alone: it can live for months in seconds, and break in known ways."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from evals.asked import Day
from evals.causes import Loss
from evals.corpus import Corpus
from evals.watch import Facts

DIMENSIONS = 48
COVERED, UNCOVERED = 32, 8
DOCUMENTS = 1500
VOCABULARY = 30
K = 10
# How far a question is from its document; with these two thirds of the score of a perfect search are reached.
ASKED, KNOWN_ITEM = 1.05, 0.5
DECLINES = 0.42


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@dataclass
class World:
    """`vectors` are those of what documents say, `stored` those that the index has; `reachable` is what its partitions show."""

    seed: int
    golden: int = 150
    canaries: int = 100
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.topics = unit(self.rng.normal(size=(COVERED + UNCOVERED, DIMENSIONS)))
        self.topic = self.rng.integers(COVERED, size=DOCUMENTS)
        self.vectors = self._about(self.topic)
        self.stored = self.vectors.copy()
        self.said = np.zeros(DOCUMENTS, int)  # which text a document has; questions are about the first
        self.reachable = np.ones(DOCUMENTS, bool)
        self.born = np.ones(DOCUMENTS, int)
        self.release = 1
        self.asked = self._questions("g", self.golden, ASKED) | self._questions("c", self.canaries, KNOWN_ITEM)
        # A source of chance of its own: what is worded how changes nothing else.
        self.worded = np.random.default_rng((self.seed, 1))
        self.longer, self.german = 1.0, 0.0
        self.added = self.changed = 0
        self.corpora: list[Corpus] = []
        self.weekdays, self.weekends, self.later = (self.rng.dirichlet(np.full(COVERED, 0.6)) for _ in range(3))
        self.mix_moved = 0.0
        self.day = 0
        self.days: list[Day] = []
        self.values: dict[str, list[float]] = {name: [] for name in self.asked}
        self.gone: dict[str, list[float]] = {"g": [], "c": []}
        self.seen_at: list[int] = []

    def _about(self, topics: np.ndarray) -> np.ndarray:
        return unit(self.topics[topics] + unit(self.rng.normal(size=(len(topics), DIMENSIONS))) * 0.9)

    def _questions(self, kind: str, count: int, far: float) -> dict[str, tuple[int, int, np.ndarray]]:
        """By name: the document, the text of it that answers, the vector."""
        about = self.rng.choice(len(self.vectors), count, replace=False)
        vectors = unit(self.vectors[about] + far * unit(self.rng.normal(size=(count, DIMENSIONS))))
        return {f"{kind}{place}": (int(doc), int(self.said[doc]), vectors[place]) for place, doc in enumerate(about)}

    def values_now(self, *, exact: bool = False) -> dict[str, float]:
        """nDCG@10 of each question; nan when its passage is gone."""
        docs, said = (np.array([each[place] for each in self.asked.values()]) for place in (0, 1))
        scores = np.stack([each[2] for each in self.asked.values()]) @ self.stored.T
        if not exact:
            scores[:, ~self.reachable] = -9.0
        own = scores[np.arange(len(docs)), docs]
        ranks = (scores > own[:, None]).sum(axis=1) + 1
        found = np.where((ranks <= K) & (own > -9), 1 / np.log2(1 + ranks), 0.0)
        found[self.said[docs] != said] = np.nan
        return dict(zip(self.asked, found.tolist(), strict=True))

    def live(self, queries: tuple[int, int] = (150, 80)) -> None:
        """A day: documents are added and edited, people ask, everything is measured in the evening."""
        self._edit()
        self._ask(queries)
        self.measure()
        self.day += 1

    def measure(self) -> None:
        now = self.values_now()
        for kind in "gc":
            names = [name for name in self.asked if name[0] == kind]
            lost = [name for name in names if np.isnan(now[name]) and self.values[name] and not np.isnan(self.values[name][-1])]
            self.gone[kind].append(len(lost) / len(names))
        self._note_corpus()
        for name, value in now.items():
            self.values[name].append(value)
        self.seen_at.append(self.release)

    def _note_corpus(self) -> None:
        """What became of the documents today; a tenth of the passages that are looked at are German."""
        german = int(self.worded.binomial(1000, 0.1))
        before = len(self.vectors) - self.added
        self.corpora.append(Corpus(before, self.added, self.changed, languages={"en": 1000 - german, "de": german}))
        self.added = self.changed = 0

    def _edit(self) -> None:
        """Half a percent more documents, one percent edited a little, of which one in ten loses what a question is about."""
        self.release += 1
        edited = self.rng.choice(len(self.vectors), len(self.vectors) // 100, replace=False)
        self.vectors[edited] = unit(self.vectors[edited] + 0.1 * unit(self.rng.normal(size=(len(edited), DIMENSIONS))))
        self.stored[edited] = self.vectors[edited]
        self.changed += len(edited)
        self.said[edited[: max(1, len(edited) // 10)]] += 1
        self._add(self.rng.integers(COVERED, size=max(1, len(self.vectors) // 200)))

    def _add(self, topics: np.ndarray) -> None:
        new = self._about(topics)
        count = len(topics)
        self.added += count
        self.topic = np.concatenate([self.topic, topics])
        self.vectors, self.stored = (np.concatenate([old, new]) for old in (self.vectors, self.stored))
        self.said = np.concatenate([self.said, np.zeros(count, int)])
        self.reachable = np.concatenate([self.reachable, np.ones(count, bool)])
        self.born = np.concatenate([self.born, np.full(count, self.release)])

    def _ask(self, queries: tuple[int, int]) -> None:
        weekend = self.day % 7 in (5, 6)
        season = 0.3 * (1 - np.cos(2 * np.pi * self.day / 60)) / 2
        mix = (1 - season) * (self.weekends if weekend else self.weekdays) + season * self.later
        mix = self.rng.dirichlet(200 * mix + 0.05)
        shares = np.concatenate([(0.98 - self.mix_moved) * mix, np.full(UNCOVERED, (0.02 + self.mix_moved) / UNCOVERED)])
        topics = self.rng.choice(len(shares), self.rng.poisson(queries[weekend]), p=shares / shares.sum())
        vectors = unit(self._about(topics) + 0.7 * unit(self.rng.normal(size=(len(topics), DIMENSIONS))))
        best = np.where(self.reachable, vectors @ self.stored.T, -9.0).max(axis=1)
        texts = [" ".join(f"w{topic}x{word}" for word in self.rng.integers(VOCABULARY, size=5)) for topic in topics]
        lengths, languages = self._wording(len(topics), weekend=weekend)
        none = np.zeros(len(best))
        self.days.append(Day(texts, vectors, best, none, (best < DECLINES).astype(float), none, lengths, languages))

    def _wording(self, count: int, *, weekend: bool) -> tuple[np.ndarray, Counter[str]]:
        """Lengths differ by factors, and a little from day to day; of a third no language can be told, of some a wrong one is."""
        typical = (8 if weekend else 10) * self.longer * self.worded.lognormal(0, 0.05)
        german = (0.10 if weekend else 0.04) + self.german
        languages = self.worded.choice(["en", "de", "nl", "da", "?"], count, p=np.array([0.64 - german, german, 0.01, 0.01, 0.34]))
        told = Counter(str(each) for each in languages if each != "?")
        return np.maximum(2, self.worded.lognormal(np.log(typical), 0.5, count).round()), told

    # What may break, each in one release; `share` is about what precision loses.

    def replace_documents(self, share: float) -> None:
        """Other texts take the place of those that questions are about."""
        self.release += 1
        hit = self.rng.random(len(self.vectors)) < share
        self.vectors[hit] = self._about(self.rng.integers(COVERED, size=int(hit.sum())))
        self.stored[hit] = self.vectors[hit]
        self.said[hit] += 1
        self.changed += int(hit.sum())

    def crowd_out(self, share: float) -> None:
        """New documents that are nearer to the questions than what answers them."""
        self.release += 1
        hit = [name for name in self.asked if self.rng.random() < share]
        for name in hit:
            vector = self.asked[name][2]
            self._add(np.zeros(K + 2, int))
            self.vectors[-K - 2 :] = self.stored[-K - 2 :] = unit(vector + 0.1 * unit(self.rng.normal(size=(K + 2, DIMENSIONS))))

    def spoil_vectors(self, share: float) -> None:
        """Vectors that belong to other texts."""
        self.release += 1
        hit = np.flatnonzero(self.rng.random(len(self.vectors)) < share)
        self.stored[hit] = self.vectors[self.rng.permutation(hit)]

    def lose_recall(self, share: float) -> None:
        """Whole parts of the vector index that searches no longer look into."""
        self.release += 1
        corners = unit(self.rng.normal(size=(60, DIMENSIONS)))
        part = (self.vectors @ corners.T).argmax(axis=1)
        lost = np.cumsum(np.bincount(part, minlength=60)[order := self.rng.permutation(60)]) <= share * len(self.vectors)
        self.reachable = ~np.isin(part, order[lost])

    def move_mix(self, share: float) -> None:
        """People ask for what is not there."""
        self.mix_moved = share

    def ask_longer(self, factor: float) -> None:
        """People, or a program of theirs, ask in more words."""
        self.longer = factor

    def ask_in_german(self, share: float) -> None:
        """More of the questions are in another language."""
        self.german = share

    def load(self, share: float) -> None:
        """Many documents at once, about what there was."""
        self.release += 1
        self._add(self.rng.integers(COVERED, size=int(share * len(self.vectors))))

    def lost(self, kinds: str = "gc") -> list[str]:
        """The questions with less than half of their value before, or whose passage is gone since yesterday."""
        found = []
        for kind in kinds:
            before = self.reference(kind)
            for name in before:
                was, now = self.values[name][-2:]
                gone = bool(np.isnan(now) and not np.isnan(was))
                found += [name] if gone or now <= before[name] / 2 else []
        return found

    def reference(self, kind: str) -> Mapping[str, float]:
        """The mean value of each question before today."""
        found = {name: [value for value in values[:-1] if not np.isnan(value)] for name, values in self.values.items() if name[0] == kind}
        return {name: float(np.mean(values)) for name, values in found.items() if values}

    def now(self, kind: str) -> Mapping[str, float]:
        return {name: values[-1] for name, values in self.values.items() if name[0] == kind and not np.isnan(values[-1])}

    def facts(self, *, labels: bool = True, window: int = 28) -> Facts:
        """What monitors see; without `labels` there are no golden questions."""
        corpus = {f"w{topic}x" for topic in set(self.topic.tolist())}
        return Facts(
            golden=([self.now("g")], self.reference("g")) if labels else ((), {}),
            golden_gone=self.gone["g"][-window - 1 :] if labels else (),
            canaries=([self.now("c")], self.reference("c")),
            canaries_gone=self.gone["c"][-window - 1 :],
            corpus=self.corpora[-window - 1 :],
            days=self.days[-window - 1 :],
            in_corpus=lambda word: word.partition("x")[0] + "x" in corpus,
        )

    def losses(self, names: list[str]) -> list[Loss]:
        """What a look at the questions finds that lost their passage."""
        exact = self.values_now(exact=True)
        return [self._loss(name, exact[name]) for name in names]

    def _loss(self, name: str, exact: float) -> Loss:
        doc, said, vector = self.asked[name]
        before = self.reference(name[0]).get(name, 0.0)
        top = np.argsort(-np.where(self.reachable, self.stored @ vector, -9.0))[:K]
        since = self.seen_at[-2]
        return Loss(
            name,
            gone=bool(self.said[doc] != said),
            exact=exact > before / 2,
            likeness=float(self.stored[doc] @ self.vectors[doc]),
            rivals=float((self.born[top] > since).mean()),
            began=self.release,
        )
