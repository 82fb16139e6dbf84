"""Whether the forecast comes true: from indexes of up to a tenth of the rows, those of a fifth, of half and of all of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from evals.bench.figures import Case, Figure
from evals.bench.options import Options
from evals.bench.scale import Scaled, lifelike
from evals.capacity import Sized, latency
from evals.sizes import measured
from index.embedder import Vectors
from index.policy import IndexPolicy
from index.search import View

PART = "capacity"
ROWS = 100_000
QUESTIONS = 400
FITTED = (160, 80, 40, 20, 10)
FORETOLD = (5, 2, 1)


def capacity(options: Options) -> list[Figure]:
    """p95 at `rows` / 5, / 2 and all `rows`, forecast from a tenth of them and less, beside what it then is."""
    rows = options.rows or ROWS
    with TemporaryDirectory(prefix="groundwork-bench-") as folder:
        made = Scaled.make(Path(folder), lifelike(options), rows, QUESTIONS)
        return list(foretold(made.store.reader().view(), made.questions.vectors, Path(folder) / "scratch"))


def foretold(view: View, questions: Vectors, scratch: Path) -> Iterator[Figure]:
    """Each size, forecast and measured; the ratio is the measured one to the forecast."""
    rows = view.release.rows
    fitted = list(_sizes(view, questions, [rows // part for part in FITTED], scratch))
    curve = latency(fitted)
    for size in fitted:
        yield from _of(size)
    for size in _sizes(view, questions, [rows // part for part in FORETOLD], scratch):
        expected = curve.at(size.rows)
        forecast = Case(PART, f"{size.rows:,} rows, forecast").figure("p95", expected.value, "ms")
        yield forecast
        yield Case(PART, f"{size.rows:,} rows").figure("p95", size.p95_ms, "ms").against(forecast)
        yield Case(PART, f"{size.rows:,} rows, forecast").figure("p95 at least", expected.low, "ms")
        yield Case(PART, f"{size.rows:,} rows, forecast").figure("p95 at most", expected.high, "ms")
        yield from _of(size)


def _sizes(view: View, questions: Vectors, sizes: Sequence[int], scratch: Path) -> Iterator[Sized]:
    return measured(view, questions, sizes, IndexPolicy(), scratch)


def _of(size: Sized) -> Iterator[Figure]:
    case = Case(PART, f"{size.rows:,} rows")
    yield case.figure("p50", size.p50_ms, "ms")
    yield case.figure("p95 measured", size.p95_ms, "ms")
    yield case.figure("built in", size.built_s, "s")
    yield case.figure("index", size.index_bytes / 1e6, "MB")
