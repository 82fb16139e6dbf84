"""The picture of a forecast: p95 against rows, measured and expected, and the goal."""

import altair as alt
import numpy as np

from evals.capacity import FEWEST_SIZES, Forecast, latency
from evals.chart import GRID, INK, MUTED, STYLE, Panel

SIZE = {"width": 480, "height": 280}
POINTS = 60
BEYOND = 4.0


def draw(told: Forecast) -> Panel | None:
    """Points for what was measured, the curve with its interval, the goal dashed; None when too little was measured."""
    if len(told.sizes) < FEWEST_SIZES:
        return None
    curve = latency(told.sizes)
    smallest = min(size.rows for size in told.sizes)
    farthest = BEYOND * max(told.rows, told.breaks_at_rows or told.rows)
    expected = [(rows, curve.at(rows)) for rows in np.geomspace(smallest, farthest, POINTS)]
    band = [{"rows": rows, "ms": found.value, "low": found.low, "high": found.high} for rows, found in expected]
    points = [{"rows": size.rows, "ms": size.p95_ms} for size in told.sizes]
    x = alt.X("rows:Q", title="rows", scale=alt.Scale(type="log"), axis=alt.Axis(format="~s"))
    y = alt.Y("ms:Q", title="p95 of one search, ms")
    data = alt.InlineData(values=band)
    doubt = alt.Chart(data).mark_area(color=GRID, opacity=0.6).encode(x=x, y=alt.Y("low:Q", title="p95 of one search, ms"), y2="high:Q")
    line = alt.Chart(data).mark_line(color=INK).encode(x=x, y=y)
    seen = alt.Chart(alt.InlineData(values=points)).mark_point(filled=True, size=70, color=INK).encode(x=x, y=y)
    goal = alt.Chart(alt.InlineData(values=[{"ms": told.goal_ms}])).mark_rule(color=MUTED, strokeDash=[4, 4]).encode(y="ms:Q")
    subtitle = [f"Points: measured here. Dashed: the goal, {told.goal_ms:g} ms."]
    title = alt.TitleParams("Latency against rows", subtitle=subtitle, anchor="start")
    return alt.layer(doubt, line, goal, seen).properties(**SIZE, title=title, config=STYLE)
