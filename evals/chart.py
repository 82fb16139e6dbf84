"""The chart of scores over releases, as an SVG that any page can show."""

import base64
from collections.abc import Sequence
from typing import Any

import altair as alt
import vl_convert

from index.evaluations import Evaluation, Score

# An evaluation of fewer questions than this share of the newest one's is a sample: its scores aren't comparable.
COMPARABLE = 0.9
MAX_RELEASES = 24
COLUMNS = 3
PANEL = {"width": 232, "height": 128}
INK, MUTED, GRID, LINE = "#1f2937", "#6b7280", "#e5e7eb", "#2563eb"
FONT = "Inter, Helvetica Neue, Helvetica, Arial, sans-serif"
STYLE = alt.Config(
    font=FONT,
    aria=False,  # descriptions of each mark are half of the file, and nothing reads them in a picture
    background="white",
    padding=20,
    title=alt.TitleConfig(color=INK, fontSize=13, subtitleColor=MUTED, subtitleFontSize=12, subtitlePadding=6),
    axis=alt.AxisConfig(gridColor=GRID, labelColor=MUTED, domain=False, tickColor=GRID, labelFontSize=10),
    axisX=alt.AxisConfig(grid=False, labelPadding=6),
    view=alt.ViewConfig(stroke=None),
)

Panel = alt.LayerChart | alt.FacetChart


def comparable(newest: Evaluation, earlier: Sequence[Evaluation]) -> list[Evaluation]:
    """The newest comparable evaluation of each release up to that of `newest`, by release; the last 24."""
    by_release = {newest.release: newest}
    for evaluation in sorted(earlier, key=lambda other: other.ended_at, reverse=True):
        same_set = evaluation.state == "completed" and evaluation.dataset == newest.dataset
        if same_set and evaluation.release <= newest.release and asked(evaluation) >= COMPARABLE * asked(newest):
            by_release.setdefault(evaluation.release, evaluation)
    return [by_release[release] for release in sorted(by_release)][-MAX_RELEASES:]


def draw(evaluations: Sequence[Evaluation]) -> alt.ConcatChart:
    """One small panel a metric: its mean over releases with 95 % intervals, all on the same scale from 0 to 1."""
    metrics = list(dict.fromkeys(score.metric for evaluation in evaluations for score in evaluation.scores))
    panels = [_panel(metric, points) for metric in metrics if (points := _points(metric, evaluations))]
    title = alt.TitleParams(
        "Scores over releases",
        subtitle=["Mean of the golden questions and its 95 % interval; beside each name its newest value."],
        anchor="start",
        offset=16,
    )
    return alt.concat(*panels, columns=COLUMNS, spacing=28, title=title, config=STYLE)


def as_svg(chart: alt.ConcatChart | alt.VConcatChart | Panel) -> str:
    """The chart as SVG, made without a browser."""
    return str(vl_convert.vegalite_to_svg(chart.to_dict()))


def as_png(chart: alt.ConcatChart | alt.VConcatChart | Panel) -> bytes:
    """The chart as PNG, twice as many pixels as units."""
    return bytes(vl_convert.vegalite_to_png(chart.to_dict(), scale=2))


def as_data_uri(svg: str) -> str:
    """An address that holds the picture itself, for Markdown."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _panel(metric: str, points: list[dict[str, Any]]) -> Panel:
    data = alt.InlineData(values=points)
    # A few releases are named each; among many, the axis picks which to name.
    x = alt.X("release:O", title=None, axis=alt.Axis(labelAngle=0, labelExpr="'r' + datum.value", labelOverlap=True))
    y = alt.Y("value:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2f"))
    base = alt.Chart(data).encode(x=x)
    interval = base.mark_rule(strokeWidth=5, opacity=0.22, color=LINE, strokeCap="round").encode(y=alt.Y("low:Q", title=None), y2="high:Q")
    line = base.mark_line(color=LINE, strokeWidth=1.5, opacity=0.8).encode(y=y)
    dots = base.mark_circle(color=LINE, size=34, opacity=1).encode(y=y)
    title = alt.TitleParams(f"{metric} · {points[-1]['value']:.2f}", anchor="start")
    return alt.layer(interval, line, dots).properties(title=title, **PANEL)


def _points(metric: str, evaluations: Sequence[Evaluation]) -> list[dict[str, Any]]:
    scores = [(evaluation.release, evaluation.score(metric)) for evaluation in evaluations]
    return [_point(release, score) for release, score in scores if score is not None and score.value is not None]


def _point(release: int, score: Score) -> dict[str, Any]:
    return {"release": release, "value": score.value, "low": score.low, "high": score.high}


def asked(evaluation: Evaluation) -> int:
    """How many questions it asked."""
    return max((score.of for score in evaluation.scores), default=0)
