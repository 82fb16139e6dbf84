"""The picture of what recall costs: latency against recall of the settings that were tried."""

import altair as alt

from evals.chart import GRID, INK, MUTED, STYLE, Panel
from evals.tune import Tuning

SIZE = {"width": 480, "height": 280}


def draw(tuning: Tuning, target: float) -> Panel:
    """One point for each setting, with the interval of its recall; the target as a line, the chosen one filled."""
    rows = [
        {
            "recall": found.recall.mean,
            "low": found.recall.low,
            "high": found.recall.high,
            "ms": found.p50_ms,
            "refine": str(found.settings.refine_factor) if found.settings else "",
            "chosen": found == tuning.chosen,
        }
        for found in tuning.tried
    ]
    data = alt.InlineData(values=rows)
    x = alt.X("ms:Q", title="p50 of one search, ms", scale=alt.Scale(zero=True))
    y = alt.Y("recall:Q", title="recall@10", scale=alt.Scale(zero=False))
    intervals = alt.Chart(data).mark_rule(color=GRID, strokeWidth=2).encode(x=x, y=alt.Y("low:Q", title="recall@10"), y2="high:Q")
    points = alt.Chart(data).mark_point(filled=True, size=60).encode(x=x, y=y, color=alt.Color("refine:N", title="refine factor"))
    chosen = alt.Chart(data).transform_filter("datum.chosen").mark_point(size=260, color=INK).encode(x=x, y=y)
    line = alt.Chart(alt.InlineData(values=[{"target": target}])).mark_rule(color=MUTED, strokeDash=[4, 4]).encode(y="target:Q")
    subtitle = [f"Dashed: the target, {target}. Circled: the settings that are used."]
    title = alt.TitleParams("What recall costs", subtitle=subtitle, anchor="start")
    return alt.layer(intervals, line, points, chosen).properties(**SIZE, title=title, config=STYLE)
