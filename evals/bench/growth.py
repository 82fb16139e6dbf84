"""What indexing a document costs by the number of documents that are indexed already; a fake embedder, all else as it is shipped."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from evals.bench import corpus, progress
from evals.bench.figures import Case, Figure, Stopwatch, median
from evals.bench.options import Options
from evals.bench.variants import Variants, passages
from index.documents import Draft
from index.store import Store, open_store
from tasks.batch import run_batch
from tasks.prepare import Tools
from tasks.publish import Publisher

PART = "growth"
DOCUMENTS = 100_000
BATCH = 100
# As many as the ingester takes from one folding to the next.
BATCHES = 20
FILLED_AT_ONCE = 10_000
WHOLE, FOLDED = "a document", "a document, folding included"


@dataclass(slots=True)
class Spent:
    """Seconds of each batch: in all, and by step; and of the folding after them."""

    batches: Stopwatch = field(default_factory=Stopwatch)
    steps: dict[str, list[float]] = field(default_factory=dict)
    folding: Stopwatch = field(default_factory=Stopwatch)

    def note(self, steps: Mapping[str, float]) -> None:
        """Adds the steps of one batch."""
        for name, seconds in steps.items():
            self.steps.setdefault(name, []).append(seconds)


@dataclass(slots=True)
class Growing:
    """An index that grows, and what writes to it."""

    folder: Path
    tools: Tools
    variants: Variants
    store: Store
    publisher: Publisher
    documents: int = 0

    @classmethod
    def open(cls, folder: Path, tools: Tools, texts: Sequence[str]) -> Self:
        """An empty index in a folder, for variants of these texts."""
        store = open_store(str(folder), folder)
        publisher = Publisher(store, tools)
        publisher.take_over()
        return cls(folder, tools, Variants(texts), store, publisher)

    def fill(self, documents: int) -> None:
        """Brings the index to so many documents in bulk, past inbox and pipeline, and folds it."""
        while (missing := documents - self.documents) > 0:
            texts = list(islice(self.variants, min(missing, FILLED_AT_ONCE)))
            corpus.fill(self.store, self.publisher, texts, self.tools.embedder.embed(texts), first=self.documents)
            self.documents += len(texts)
        self.fold()

    def take(self, batches: int, documents: int) -> Spent:
        """Takes batches of so many documents from the inbox to a release each, after one that does not count; then folds."""
        spent = Spent()
        for number in range(-1, batches):
            drafts = list(self.variants.drafts(documents, f"at-{self.documents}-{number}"))
            if number < 0:
                self._ingest(drafts)
                continue
            with spent.batches:
                steps = self._ingest(drafts)
            spent.note({**steps, "inbox and the rest": spent.batches.last - sum(steps.values())})
        self.documents += (batches + 1) * documents
        with spent.folding:
            self.fold()
        return spent

    def fold(self) -> None:
        """What the ingester does every 20 batches."""
        self.publisher.table.fold()
        self.store.ledger.fold()
        self.publisher.publish_maintenance()

    def reopen(self) -> float:
        """Seconds that a restarted ingester takes to know what it writes to."""
        watch = Stopwatch()
        with watch:
            self.publisher = Publisher(self.store, self.tools)
            self.publisher.take_over()
        return watch.last

    def _ingest(self, drafts: Sequence[Draft]) -> dict[str, float]:
        self.store.inbox.accept(drafts)
        names = [segment.name for segment in self.store.inbox.segments()]
        writes = [write for name in names for write in self.store.inbox.read(name)]
        [outcome] = run_batch(self.store, self.publisher, self.tools, writes)
        self.store.inbox.acknowledge(names)
        return outcome.seconds


def growth(options: Options) -> list[Figure]:
    """Batches of 100 documents of about 150 words, at a hundredth, a tenth and all of `docs` documents.

    Goal: the cost of a document at the largest size within 20 % of that at the smallest.
    """
    largest = options.docs or DOCUMENTS
    sizes = sorted({max(1, largest // 100), max(1, largest // 10), largest})
    with TemporaryDirectory(prefix="groundwork-bench-") as folder:
        index = Growing.open(Path(folder), corpus.modelless_tools(corpus.ModellessEmbedder()), passages(options.data))
        return costs(index, progress.steps("growing", sizes), BATCHES, BATCH)


def costs(index: Growing, sizes: Iterable[int], batches: int, documents: int) -> list[Figure]:
    """The cost of a document at each size, beside that at the first."""
    figures: list[Figure] = []
    for size in sizes:
        index.fill(size)
        case = Case(PART, f"{size:,} documents in the index, fake embedder")
        reopened = index.reopen()
        found = [*cost(case, index.take(batches, documents), documents), case.figure("opening it again", reopened, "s")]
        first = {figure.metric: figure for figure in figures[: len(found)]}
        figures += [figure.against(first[figure.metric]) if figure.metric in first else figure for figure in found]
    return figures


def cost(case: Case, spent: Spent, documents: int) -> Iterator[Figure]:
    """Milliseconds a document: the median of the batches, in all and by step."""
    whole = median(spent.batches.seconds) / documents
    folding = spent.folding.last / (len(spent.batches.seconds) * documents)
    yield case.figure(WHOLE, whole * 1000, "ms")
    yield case.figure(FOLDED, (whole + folding) * 1000, "ms")
    for name, seconds in spent.steps.items():
        yield case.figure(f"{WHOLE}, {name}", median(seconds) / documents * 1000, "ms")
