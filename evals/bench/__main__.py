"""Runs benchmarks, prints their figures and writes them as JSON: `python -m evals.bench --part search --rows 50000`."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from time import perf_counter

from rich.console import Console

from evals.bench.figures import Figure, as_json, as_table
from evals.bench.options import Options
from evals.bench.platform import PlatformFailed
from index.errors import Misconfigured

PARTS = (
    *("embed", "parse", "chunking", "pipeline", "search", "capacity", "releases", "growth", "tail", "retention"),
    *("ingest", "freshness", "pressure", "rebuild", "serve", "quality", "evaluation"),
)
# Need a network and minutes before they begin, or a collection that is not here: only run by name.
BY_NAME = ("peers", "stores", "drift")
OUT = Path("bench.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, 1 when the platform failed, 2 when the benchmark can't be run as asked."""
    asked = parser().parse_args(arguments)
    options = Options(rows=asked.rows, docs=asked.docs, data=asked.data, dims=asked.dims, seconds=asked.seconds)
    console = Console(width=None if sys.stdout.isatty() else 120)
    figures: list[Figure] = []
    try:
        for part in [asked.part] if asked.part else PARTS:
            began = perf_counter()
            measured = run(part, options)
            console.print(as_table(f"{part}, {perf_counter() - began:.0f} s", measured))
            figures += measured
    except Misconfigured as error:
        print(error, file=sys.stderr)
        return 2
    except PlatformFailed as error:
        print(error, file=sys.stderr)
        return 1
    asked.out.write_text(json.dumps(as_json(figures), indent=1) + "\n", encoding="utf-8")
    console.print(f"written to {asked.out}")
    return 0


def run(part: str, options: Options) -> list[Figure]:
    """The figures of one part. Its libraries are loaded only now: some take seconds."""
    measure: Callable[[Options], list[Figure]] = getattr(import_module(f"evals.bench.{part}"), part)
    return measure(options)


def parser() -> argparse.ArgumentParser:
    """What may be set."""
    found = argparse.ArgumentParser(prog="python -m evals.bench", description=__doc__)
    found.add_argument("--part", choices=(*PARTS, *BY_NAME), help=f"default: all but {', '.join(BY_NAME)}")
    found.add_argument(
        "--rows",
        type=positive,
        help="chunks in the index of `search` and `serve` (20000), "
        "of `capacity` (100000) and at the start of `releases` (20000) and `tail` (50000), "
        "passages of `pipeline` (20000) and `evaluation` (50000), "
        "documents in bulk of `freshness` (2000), of `rebuild` with drawn vectors (none: `docs` that are embedded)",
    )
    found.add_argument(
        "--docs",
        type=positive,
        help="documents of `ingest` (500), `rebuild` (2000), `freshness` (1667), `growth` at most (100000) and "
        "`pressure` (20000), "
        "passages of `embed` (256), requests of each case of `serve` (500), "
        "questions of `evaluation` (1000), batches of `releases` (500), `retention` (500) and `tail` (60), "
        "documents of each snapshot of `drift` at most",
    )
    found.add_argument("--data", type=Path, help="a folder in BEIR layout, for `quality` and as text of the others")
    found.add_argument("--dims", type=positive, help="dimensions of the vectors of `search`, `stores`, `capacity` and `tail` (384)")
    found.add_argument("--seconds", type=positive, help="of the overload of `serve` (60)")
    found.add_argument("--out", type=Path, default=OUT, help=f"the file of the figures (default {OUT})")
    return found


def positive(text: str) -> int:
    """A whole number above 0."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


if __name__ == "__main__":
    sys.exit(main())
