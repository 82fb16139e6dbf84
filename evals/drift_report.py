"""What a check found: Markdown for people, and the course of each monitor as a picture."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import altair as alt

from evals.alarms import Check, Status
from evals.chart import COLUMNS, GRID, INK, LINE, MUTED, PANEL, STYLE, Panel, as_data_uri

ALARM = "#dc2626"
MARKS = {"ok": "✓", "alarm": "**alarm**", "unmeasured": "–"}
History = Sequence[tuple[datetime, Mapping[str, Any]]]


def markdown(check: Check, svg: str | None) -> str:
    """The whole report; `svg` is the picture."""
    worst = check.worst
    head = f"**Retrieval is worse**: {_told(worst)}" if worst else "Nothing says that retrieval is worse than it was."
    parts = ["# Drift", f"> {head}", _table(check.monitors)]
    parts += [_alarm(status) for status in check.monitors if status.state == "alarm"]
    if check.closed:
        parts.append(f"Over: {', '.join(check.closed)}.")
    if svg:
        parts.append(f"![Each monitor over time]({as_data_uri(svg)})")
    return "\n\n".join(parts) + "\n"


def drawable(history: History) -> bool:
    """Whether some monitor has measured something."""
    return any(_points(history))


def draw(history: History) -> alt.ConcatChart:
    """One panel a monitor: what it measured beside what was expected (0), with its 95 % interval; alarms are red."""
    points = _points(history)
    names = list(dict.fromkeys(point["monitor"] for point in points))
    panels = [_panel(name, [point for point in points if point["monitor"] == name]) for name in names]
    title = alt.TitleParams(
        "Drift",
        subtitle=["What each monitor measured beside what was expected, and its 95 % interval. Red: an alarm."],
        anchor="start",
        offset=16,
    )
    return alt.concat(*panels, columns=COLUMNS, spacing=28, title=title, config=STYLE)


def data(history: History) -> dict[str, Any]:
    """What is drawn."""
    return {"points": _points(history)}


def _panel(name: str, points: Sequence[Mapping[str, Any]]) -> Panel:
    base = alt.Chart(alt.InlineData(values=list(points))).encode(
        x=alt.X("at:T", title=None, axis=alt.Axis(format="%d %b %H:%M", labelAngle=0, labelOverlap=True, tickCount=3))
    )
    colour = alt.condition("datum.state == 'alarm'", alt.value(ALARM), alt.value(LINE))
    zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(y="zero:Q")
    interval = base.mark_rule(strokeWidth=4, opacity=0.25, strokeCap="round").encode(
        y=alt.Y("low:Q", title=None), y2="high:Q", color=colour
    )
    line = base.mark_line(color=GRID, strokeWidth=1.5).encode(y=alt.Y("effect:Q", title=None, axis=alt.Axis(format="+.2~f")))
    dots = base.mark_circle(size=30, opacity=1).encode(y=alt.Y("effect:Q", title=None), color=colour)
    title = alt.TitleParams(f"{name} · {points[-1]['effect']:+.3f}", anchor="start", color=ALARM if points[-1]["state"] == "alarm" else INK)
    return alt.layer(zero, line, interval, dots).properties(title=title, **PANEL)


def _points(history: History) -> list[dict[str, Any]]:
    return [
        {"at": at.isoformat(), "monitor": row["name"], **{name: row[name] for name in ("state", "effect", "low", "high")}}
        for at, report in history
        for row in report["monitors"]
        if row["effect"] is not None
    ]


def _table(monitors: Sequence[Status]) -> str:
    lines = ["| monitor | | says |", "|:--|:--|:--|"]
    return "\n".join([*lines, *(f"| {status.name} | {MARKS[status.state]} | {_inline(status.detail)} |" for status in monitors)])


def _alarm(status: Status) -> str:
    lines = [f"## {status.name}", _told(status)]
    if status.runbook:
        lines.append(f"**What to do**: {status.runbook}")
    if status.examples:
        lines.append("\n".join(["For example:", "", *(f"- {_inline(example)}" for example in status.examples)]))
    return "\n\n".join(lines)


def _told(status: Status) -> str:
    since = f", since {status.since:%Y-%m-%d %H:%M} UTC" if status.since else ""
    release = f" (release {status.release})" if status.release else ""
    return f"{status.name}{since}{release}: {_inline(status.detail)}. Cause: {status.cause}."


def _inline(text: str) -> str:
    """Text of people on one line, with nothing in it that Markdown or HTML would act on."""
    escaped = "".join(f"\\{character}" if character in "\\`*_[]#|~" else character for character in " ".join(text.split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;")
