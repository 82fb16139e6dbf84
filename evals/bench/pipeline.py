"""What the pipeline costs without the embedder: from Markdown files in a folder to a release that shows them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from evals.bench import corpus
from evals.bench.figures import Case, Figure, Stopwatch
from evals.bench.options import Options
from evals.bench.platform import PlatformFailed
from evals.bench.variants import MARKDOWN, Variants, markdown
from index.documents import Draft, Write
from index.inbox import Inbox
from index.store import Store, open_store
from tasks.batch import run_batch
from tasks.parse import parse
from tasks.prepare import Tools
from tasks.publish import Publisher
from tasks.sources.folder import FolderSource
from tasks.sweep import sweep
from tasks.upkeep import FOLD_EVERY

PART = "pipeline"
PASSAGES = 20_000
# So many of the texts tell how many passages a word is.
TOLD_BY = 50
# What the ingester takes at once when the embedder is no hindrance, and how often it folds.
BATCH_DOCUMENTS = 200
FILES_A_FOLDER = 100


def pipeline(options: Options) -> list[Figure]:
    """About `rows` passages (20,000) of Markdown: of `data`, or of the sample, each file with a third of its words replaced.

    Goal: 1.5 ms a passage for everything but the embedder. A fake is in its place, whose time is taken off.
    """
    embedder = corpus.ModellessEmbedder()
    tools = corpus.modelless_tools(embedder)
    tools.contract.documents({"warm up": "the first use loads the library"})
    return measured(markdown(options.data), options.rows or PASSAGES, embedder, tools)


def measured(texts: Sequence[str], passages: int, embedder: corpus.ModellessEmbedder, tools: Tools) -> list[Figure]:
    """The figures with variants of these texts, which are about so many passages."""
    with TemporaryDirectory(prefix="groundwork-bench-") as name:
        files, home = Path(name) / "files", Path(name) / "index"
        write(files, Variants(texts), round(passages * words_a_passage(tools, texts)))
        store = open_store(str(home), home)
        publisher = Publisher(store, tools)
        publisher.take_over()
        seconds = run(store, publisher, tools, files)
        rows = store.reader().view().release.rows
    if embedder.passages > rows:
        raise PlatformFailed(f"{embedder.passages} passages were embedded, the release shows {rows}")
    seconds["embed"] -= embedder.seconds
    return per_passage(seconds, rows)


def words_a_passage(tools: Tools, texts: Sequence[str]) -> float:
    """How many words a passage of these texts has, by some from all over them."""
    some = texts[:: max(1, len(texts) // TOLD_BY)]
    drafts = [Draft("a", media_type=MARKDOWN, content=text.encode()) for text in some]
    passages = [tools.chunker.chunks(Write(draft, 1, datetime.now(UTC)), parse(draft)) for draft in drafts]
    return sum(len(text.split()) for text in some) / sum(map(len, passages))


def write(folder: Path, variants: Variants, words: int) -> None:
    """Files of Markdown with about so many words in all."""
    for number in count():
        if words <= 0:
            return
        text = next(variants)
        path = folder / f"{number // FILES_A_FOLDER}" / f"{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        words -= len(text.split())


def run(store: Store, publisher: Publisher, tools: Tools, files: Path) -> dict[str, float]:
    """Takes the files into the index; seconds by step, which are all of the time."""
    seconds: defaultdict[str, float] = defaultdict(float)
    whole, watch = Stopwatch(), Stopwatch()
    with whole:
        with watch:
            sweep(store, FolderSource("files", files))
        seconds["sweep"] = watch.last
        for number, (names, writes) in enumerate(batches(store.inbox), 1):
            for outcome in run_batch(store, publisher, tools, writes):
                for step, spent in outcome.seconds.items():
                    seconds[step] += spent
            store.inbox.acknowledge(names)
            if number % FOLD_EVERY == 0:
                seconds["fold"] += fold(store, publisher)
        seconds["fold"] += fold(store, publisher)
    seconds["inbox and the rest"] = whole.last - sum(seconds.values())
    return seconds


def batches(inbox: Inbox) -> Iterator[tuple[list[str], list[Write]]]:
    """Segments of the inbox and their writes, about 200 at once."""
    names: list[str] = []
    writes: list[Write] = []
    for segment in inbox.segments():
        if writes and len(writes) + segment.writes > BATCH_DOCUMENTS:
            yield names, writes
            names, writes = [], []
        names.append(segment.name)
        writes += inbox.read(segment.name)
    if writes:
        yield names, writes


def fold(store: Store, publisher: Publisher) -> float:
    """Folds as the ingester does; its seconds."""
    began = perf_counter()
    publisher.table.fold()
    store.ledger.fold()
    publisher.publish_maintenance()
    return perf_counter() - began


def per_passage(seconds: Mapping[str, float], passages: int) -> list[Figure]:
    """Milliseconds a passage: in all, and by step, dearest first."""
    case = Case(PART, f"{passages:,} passages of Markdown, without the embedder")
    whole = case.figure("a passage", sum(seconds.values()) / passages * 1000, "ms")
    steps = sorted(seconds.items(), key=lambda step: -step[1])
    return [whole, *(case.figure(f"a passage, {name}", spent / passages * 1000, "ms").against(whole) for name, spent in steps)]
