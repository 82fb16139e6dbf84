"""Draws figures of benchmarks as pictures for the docs: `python -m evals.bench.curves bench.json ...`."""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from evals import chart
from evals.bench.figures import Figure
from evals.bench.growth import FOLDED, WHOLE
from index.errors import Misconfigured

DOCS = Path("docs")
WIDTH, HEIGHT = 560, 300
COLOURS = (
    "#2563eb",
    "#d97706",
    "#059669",
    "#7c3aed",
    "#dc2626",
    "#0891b2",
    "#6b7280",
    "#be185d",
    "#4d7c0f",
    "#1f2937",
    "#a16207",
    "#c084fc",
)
STYLE = alt.Config(
    font=chart.FONT,
    aria=False,
    background="white",
    padding=20,
    title=alt.TitleConfig(color=chart.INK, fontSize=15, subtitleColor=chart.MUTED, subtitleFontSize=12, subtitlePadding=6, anchor="start"),
    axis=alt.AxisConfig(gridColor=chart.GRID, labelColor=chart.MUTED, titleColor=chart.MUTED, titleFontWeight="normal", domain=False),
    legend=alt.LegendConfig(orient="bottom", labelColor=chart.INK, labelLimit=520, title=None),
    view=alt.ViewConfig(stroke=None),
)
PERCENTILE = re.compile(r"p(\d+)")
SIZED = re.compile(r"([\d,]+) documents in the index")
ROWS = re.compile(r"([\d,]+) rows, ([\w -]+)")
EFFORT = re.compile(r"([\d,]+) rows, ([\w -]+), effort (.+)")
AFTER = re.compile(r"searches p50 after (\d+) batches")
SYSTEMS = {"by vector": "Groundwork", "every row": "every row"}
FLAT = 0.2
MANY = 4  # lines, from which on the legend has columns


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, or 2 when there is nothing to draw."""
    found = argparse.ArgumentParser(prog="python -m evals.bench.curves", description=__doc__)
    found.add_argument("files", nargs="+", type=Path, help="what `make bench` wrote; of a figure that is in several, the last counts")
    found.add_argument("--to", type=Path, default=DOCS, help=f"the folder of the pictures (default {DOCS})")
    asked = found.parse_args(arguments)
    try:
        written = draw(read(asked.files), asked.to)
    except Misconfigured as error:
        print(error, file=sys.stderr)
        return 2
    print(*written, sep="\n")
    return 0


def read(files: Iterable[Path]) -> list[Figure]:
    """The figures of some result files; raises `Misconfigured` when one is none."""
    figures = {}
    for path in files:
        try:
            rows = [Figure(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
        except (OSError, ValueError, TypeError) as error:
            raise Misconfigured(f"{path} is no result of make bench ({type(error).__name__}: {error})") from error
        figures.update({(row.part, row.case, row.metric): row for row in rows})
    return list(figures.values())


def draw(figures: Sequence[Figure], folder: Path) -> list[Path]:
    """Writes a picture for each of the parts whose figures are there."""
    pictures = {
        "cost-per-document.svg": cost_per_document(figures),
        "freshness.svg": freshness(figures),
        "latency-by-rows.svg": latency_by_rows(figures),
        "recall-by-latency.svg": recall_by_latency(figures),
        "tail.svg": tail(figures),
    }
    written = []
    for name, picture in pictures.items():
        if picture is not None:
            (folder / name).write_text(as_svg(picture), encoding="utf-8")
            written.append(folder / name)
    if not written:
        raise Misconfigured("no figure that is drawn (growth, freshness, search, stores, tail) is in these files")
    return written


def cost_per_document(figures: Sequence[Figure]) -> alt.LayerChart | None:
    """Milliseconds a document by documents in the index; the band is 20 % around the first size."""
    points: list[dict[str, Any]] = [
        {"documents": int(size[1].replace(",", "")), "cost": label(figure.metric), "ms": figure.value}
        for figure in figures
        if figure.part == "growth" and figure.unit == "ms" and (size := SIZED.match(figure.case))
    ]
    if not points:
        return None
    whole = min((point for point in points if point["cost"] == label(WHOLE)), key=lambda point: point["documents"])
    band = alt.Chart(alt.InlineData(values=[{"low": whole["ms"] * (1 - FLAT), "high": whole["ms"] * (1 + FLAT)}]))
    lines = _lines(
        points, alt.X("documents:Q", title="documents in the index", scale=alt.Scale(type="log", nice=False)), "ms", "ms a document", "cost"
    )
    title = alt.TitleParams(
        "What a document costs, by what is there already", subtitle=["The band is 20 % around the cost at the first size."]
    )
    return _picture([band.mark_rect(color=COLOURS[0], opacity=0.1).encode(y="low:Q", y2="high:Q"), *lines], title)


def freshness(figures: Sequence[Figure]) -> alt.LayerChart | None:
    """The share of documents that are searchable after so many seconds, by case."""
    points: list[dict[str, Any]] = [
        {"case": figure.case, "share": int(percent[1]), "seconds": figure.value}
        for figure in figures
        if figure.part == "freshness" and figure.unit == "s" and (percent := PERCENTILE.fullmatch(figure.metric))
    ]
    # What the platform itself says are three percentiles: too few for a curve.
    cases = {point["case"] for point in points if point["share"] == 1}
    points = [point for point in points if point["case"] in cases]
    if not points:
        return None
    x = alt.X("seconds:Q", title="seconds until it is searchable", scale=alt.Scale(domainMin=0))
    title = alt.TitleParams(
        "How fresh the index is", subtitle=["Percent of single documents that are searchable so many seconds after they were sent."]
    )
    return _picture(_lines(points, x, "share", "% of the documents", "case", order="share", scale=alt.Scale(domain=[0, 100])), title)


def latency_by_rows(figures: Sequence[Figure]) -> alt.LayerChart | None:
    """Milliseconds of a search by rows of the index: with it, looking at every row, and of other stores."""
    points: list[dict[str, Any]] = [
        {"rows": _number(size[1]), "system": SYSTEMS.get(size[2], size[2]), "ms": figure.value}
        for figure in figures
        if figure.part in ("search", "stores")
        and figure.metric == "p50"
        and (size := ROWS.fullmatch(figure.case))
        and (figure.part == "stores" or size[2] in SYSTEMS)
    ]
    if not points:
        return None
    x = alt.X("rows:Q", title="rows", scale=alt.Scale(type="log", nice=False))
    title = alt.TitleParams(
        "What a search costs, by rows", subtitle=["p50 of one client, recall@10 of at least 0.95; both axes logarithmic."]
    )
    return _picture(_lines(points, x, "ms", "ms", "system", scale=alt.Scale(type="log")), title)


def recall_by_latency(figures: Sequence[Figure]) -> alt.LayerChart | None:
    """Recall against milliseconds of a search at the largest size, of each store at several efforts."""
    found: dict[tuple[int, str, str], dict[str, float]] = {}
    for figure in figures:
        if figure.part == "stores" and (size := EFFORT.fullmatch(figure.case)):
            found.setdefault((_number(size[1]), size[2], size[3]), {})[figure.metric] = figure.value
    if not found:
        return None
    largest = max(rows for rows, _, _ in found)
    points: list[dict[str, Any]] = [
        {"system": system, "ms": each["p50"], "recall": each["recall@10"]} for (rows, system, _), each in found.items() if rows == largest
    ]
    points = [point for point in points if not any(_beats(other, point) for other in points)]
    x = alt.X("ms:Q", title="p50 of one search, ms", scale=alt.Scale(type="log", nice=False))
    title = alt.TitleParams("What recall costs", subtitle=[f"{largest:,} rows, one client; efforts that no other one beats."])
    return _picture(_lines(points, x, "recall", "recall@10", "system", order="ms", scale=alt.Scale(zero=False)), title)


def _beats(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether the same system finds more in less time."""
    return bool(one["system"] == other["system"] and one["ms"] < other["ms"] and one["recall"] >= other["recall"])


def tail(figures: Sequence[Figure]) -> alt.LayerChart | None:
    """Milliseconds of a search while batches come, by how many have come."""
    points: list[dict[str, Any]] = [
        {"batches": int(after[1]), "index": figure.case, "ms": figure.value}
        for figure in figures
        if figure.part == "tail" and (after := AFTER.fullmatch(figure.metric))
    ]
    if not points:
        return None
    title = alt.TitleParams("What the tail costs", subtitle=["p50 of searches from another process while batches of 200 passages come in."])
    return _picture(_lines(points, alt.X("batches:Q", title="batches since the start"), "ms", "ms", "index"), title)


def as_svg(picture: alt.LayerChart) -> str:
    """The picture as SVG, made without a browser."""
    return str(vl_convert.vegalite_to_svg(picture.to_dict()))


def label(metric: str) -> str:
    """How a cost is named in the picture."""
    return {WHOLE: "in all", FOLDED: "in all, folding included"}.get(metric, metric.removeprefix(f"{WHOLE}, "))


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _lines(
    points: list[dict[str, Any]], x: alt.X, value: str, title: str, group: str, order: str | None = None, scale: alt.Scale | None = None
) -> list[alt.Chart]:
    names = list(dict.fromkeys(point[group] for point in points))
    legend = alt.Legend(columns=1 if len(names) <= MANY else 3)
    colour = alt.Color(f"{group}:N", sort=names, legend=legend, scale=alt.Scale(domain=names, range=list(COLOURS[: len(names)])))
    y = alt.Y(f"{value}:Q", title=title, scale=scale or alt.Scale(domainMin=0))
    base = alt.Chart(alt.InlineData(values=points)).encode(x=x, y=y, color=colour)
    line = base.encode(order=alt.Order(f"{order}:Q")) if order else base
    return [line.mark_line(strokeWidth=2), base.mark_circle(size=34, opacity=1)]


def _picture(layers: Sequence[alt.Chart], title: alt.TitleParams) -> alt.LayerChart:
    return alt.LayerChart(layer=list(layers), title=title, config=STYLE, width=WIDTH, height=HEIGHT)


if __name__ == "__main__":
    sys.exit(main())
