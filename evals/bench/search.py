"""How fast an index of any size is searched, and how much it finds; no HTTP and no model in it."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from evals.bench.figures import Case, Figure, p50_ms, p99_ms
from evals.bench.options import Options
from evals.bench.scale import Scaled, lifelike, rows_of
from evals.bench.serving import Served, Timed, in_fresh_process
from evals.recall import K

PART = "search"
ROWS = 20_000
QUESTIONS = 1_000


def search(options: Options) -> list[Figure]:
    """The 10 nearest of `rows` vectors like those of the bundled model (see `lifelike`), by words, by both, with filters, by 8 clients.

    From `IndexPolicy.flat_below` rows on with the index and the settings that the platform makes and finds by itself. The questions
    that it is measured with are others than those that it is tuned on; recall is against an exact search over every row.
    """
    rows = options.rows or ROWS
    vectors = lifelike(options)
    with TemporaryDirectory(prefix="groundwork-bench-") as folder:
        made = Scaled.make(Path(folder), vectors, rows, QUESTIONS)
        served = in_fresh_process(made.folder, made.questions)
        size = sum(path.stat().st_size for path in made.folder.rglob("*") if path.is_file())
    name = rows_of(options, rows)
    return [*of_making(made, name, size), *of_serving(served, name)]


def of_making(made: Scaled, name: str, size: int) -> Iterator[Figure]:
    """How hard the vectors are to search, and what it took to make the index."""
    hard = Case(PART, f"{name}, the vectors")
    yield hard.figure("contrast of the 10th nearest", made.hardness.contrast, "")
    yield hard.figure("cosine of the 10th nearest", made.hardness.tenth, "")
    yield hard.figure(f"nearest {K} that stay so at 16 bits a number", made.hardness.rounded, "")
    case = Case(PART, f"{name}, the index")
    yield case.figure("filled and folded in", made.filling.last, "s")
    yield case.figure("on disk", size / 1e9, "GB")
    if not (made.shape and made.tuned):
        return
    yield case.figure("built in", made.building.last, "s")
    yield case.figure("tuned in", made.tuning.last, "s")
    yield case.figure("partitions", made.shape.partitions, "")
    settings = made.tuned.chosen.settings
    for setting, value in (asdict(settings) if settings else {}).items():
        yield case.figure(setting, value, "")
    yield case.figure(f"recall@{K} on the tuner's questions", made.tuned.chosen.recall.mean or 0.0, "")


def of_serving(served: Served, name: str) -> Iterator[Figure]:
    """What a fresh process took; times beside those of a search that looks at every row."""
    fresh = Case(PART, f"{name}, a fresh process")
    yield fresh.figure("ready to search in", served.opened_s, "s")
    yield fresh.figure("first search", served.first_s * 1000, "ms")
    yield fresh.figure("memory of its own", served.memory / 1e9, "GB")
    scans = list(timed(Case(PART, f"{name}, every row"), served.scan))
    yield from scans
    case = Case(PART, f"{name}, by vector")
    by_vector = list(timed(case, served.vector))
    yield from (figure.against(scan) for figure, scan in zip(by_vector, scans, strict=True))
    yield case.figure(f"recall@{K}", served.vector.recall, "")
    for share, filtered in served.filtered.items():
        matching = Case(PART, f"{name}, by vector among {share} of them")
        yield from (figure.against(whole) for figure, whole in zip(timed(matching, filtered), by_vector, strict=True))
        yield matching.figure(f"recall@{K}", filtered.recall, "")
    yield from timed(Case(PART, f"{name}, by text"), served.text)
    yield from timed(Case(PART, f"{name}, hybrid, as asked by the API"), served.hybrid)
    crowd = Case(PART, f"{name}, by vector, 8 clients")
    yield crowd.figure("searches", served.per_s, "searches/s")
    yield from timed(crowd, served.clients)


def timed(case: Case, found: Timed) -> Iterator[Figure]:
    """The median and the 99th percentile."""
    yield case.figure("p50", p50_ms(found.seconds), "ms")
    yield case.figure("p99", p99_ms(found.seconds), "ms")
