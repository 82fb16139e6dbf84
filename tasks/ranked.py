"""The passages of one release in the order that a question puts them, as deep as somebody looks."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from index import filters
from index.embedder import Vectors
from index.policy import SearchSettings
from index.search import Candidate, Owner, View
from tasks.fuse import weighted_min_max
from tasks.meanwhile import meanwhile

DEEPEST = 1_000
MOST_LOOKS = 12
Scores = dict[int, float]
Scored = tuple[int, float]


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for: without a `vector` no vectors are searched, without `words` no text; `depth` candidates of each kind.

    `vector` gives the question's, shape (dimensions,): words are looked for while it is embedded, which takes as long.
    `told_apart`: documents that say the same are known only when they are found.
    """

    text: str
    vector: Callable[[], Vectors] | None
    words: bool
    terms: tuple[filters.Term, ...]
    without_aliases: bool
    told_apart: bool
    one_per_document: bool
    exact: bool
    settings: SearchSettings | None
    depth: int


@dataclass(frozen=True, slots=True)
class Look:
    """What both searches found, by row."""

    by_vector: Scores
    by_text: Scores


@dataclass(slots=True)
class Ranked:
    """Rows with their scores, best first, and the looks that they come from."""

    rows: list[Scored] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    is_all: bool = False

    def similarity(self, row: int) -> float | None:
        """The cosine to the question, where the search by vector found the row."""
        return next((look.by_vector[row] for look in self.looks if row in look.by_vector), None)


def ranked(view: View, sought: Sought, wanted: int) -> Ranked:
    """The best rows, `wanted` or more of them where there are so many, without repeats of documents that say the same.

    Where a look for candidates does not yield enough, another one goes deeper, or among the documents that were not found yet. What it
    finds comes after what there was and is scored below it, so that the order stays the same however much of it is asked for.
    """
    found = Ranked()
    keeps = _keeper(sought)
    known: set[int] = set()
    documents: dict[str, None] = {}
    depth = sought.depth
    while len(found.looks) < MOST_LOOKS:
        look = _look(view, sought, depth, list(documents) if sought.one_per_document else ())
        found.looks.append(look)
        new = [pair for pair in _order(look, sought, len(found.looks) - 1) if pair[0] not in known]
        known |= look.by_vector.keys() | look.by_text.keys()
        if sought.told_apart or sought.one_per_document:
            owners = view.owners([row for row, _ in new])
            documents |= dict.fromkeys(owner.doc_id for owner in owners)
            new = [pair for pair, owner in zip(new, owners, strict=True) if keeps(owner)]
        found.rows += new if not found.rows else _never_above(new, found.rows[-1][1])
        found.is_all = len(look.by_vector) < depth and len(look.by_text) < depth
        deeper = depth if sought.one_per_document else max(sought.depth, DEEPEST)
        if found.is_all or len(found.rows) >= wanted or (deeper == depth and not sought.one_per_document):
            break
        depth = deeper
    return found


def _look(view: View, sought: Sought, depth: int, without: Sequence[str]) -> Look:
    condition = filters.condition(
        sought.terms, view.hidden, without_aliases=sought.without_aliases, with_facets=view.has_facets, without=without
    )
    settings = sought.settings
    if sought.vector is None:
        return Look({}, _scores(view.by_text(sought.text, depth, condition)))
    by_text = meanwhile(partial(view.by_text, sought.text, depth, condition)) if sought.words else list
    by_vector = view.by_vector(sought.vector(), depth, condition, sought.exact, settings)
    return Look(_scores(by_vector), _scores(by_text()))


def _scores(candidates: Iterable[Candidate]) -> Scores:
    return {candidate.row: candidate.score for candidate in candidates}


def _order(look: Look, sought: Sought, earlier: int) -> list[Scored]:
    """Best first. Equal scores fall back on the place in the release, so that the same question always gets the same order."""
    if sought.vector is None or not sought.words:
        scores = look.by_text if sought.vector is None else look.by_vector
    else:
        scores = weighted_min_max(look.by_vector, look.by_text)
        if earlier:  # each look has a scale of its own, from 0 to 1: those of later ones lie below
            scores = {row: score - earlier for row, score in scores.items()}
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def _keeper(sought: Sought) -> Callable[[Owner], bool]:
    """Says of passage after passage whether it is shown: not those of documents that say the same as one that was found before."""
    shown: dict[str, str] = {}
    passages: set[str] = set()

    def keeps(owner: Owner) -> bool:
        first = shown.setdefault(owner.duplicate_of or owner.doc_id, owner.doc_id) == owner.doc_id
        repeats = sought.one_per_document and owner.doc_id in passages
        passages.add(owner.doc_id)
        return first and not repeats

    return keeps


def _never_above(new: Iterable[Scored], highest: float) -> Iterator[Scored]:
    """An approximate search that looks deeper may find what it missed before: it comes later all the same."""
    return ((row, min(score, highest)) for row, score in new)
