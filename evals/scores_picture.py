"""Scores over time with what happened to the index meanwhile, as data and as a picture (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import altair as alt

from evals.chart import COMPARABLE, INK, LINE, MUTED, STYLE, asked
from index.audit import Deed
from index.evaluations import Evaluation

MAX_POINTS, MAX_EVENTS, NAMED = 60, 12, 6
# Before the first score little is of interest.
AROUND = timedelta(days=1)
# Within so many days several ticks fall on one.
FEW_DAYS = timedelta(days=5)
COLUMNS = 2
PANEL = {"width": 400, "height": 130}
COLOURS = {"promoted": "#15803d", "rolled back": "#dc2626", "resumed": "#b45309", "rebuilt": "#7c3aed"}


def data(evaluations: Sequence[Evaluation], deeds: Iterable[Deed]) -> dict[str, Any]:
    """What is shown: `points` (the last 60 of each metric, one a release) and `events` (the last 12 since the first point).

    Args:
        evaluations: of what was live, on one golden set, newest first; a sample is not comparable with all, and left out.
        deeds: what was done to what is served, oldest first.
    """
    largest = max(map(asked, evaluations), default=0)
    whole = [each for each in evaluations if asked(each) >= COMPARABLE * largest]
    newest: dict[tuple[str, int], dict[str, Any]] = {}
    for each in whole:
        for score in each.scores:
            if score.value is not None:
                newest.setdefault((score.metric, each.release), _point(each, score.metric))
    by_metric: dict[str, list[dict[str, Any]]] = {}
    for point in newest.values():
        by_metric.setdefault(point["metric"], []).append(point)
    points = [point for each in by_metric.values() for point in sorted(each, key=lambda point: point["at"])[-MAX_POINTS:]]
    first = min((point["at"] for point in points), default=None)
    events = [told for deed in deeds if (told := _event(deed)) and first and told["at"] >= first - AROUND]
    return {"dataset": whole[0].dataset if whole else None, "points": points, "events": events[-MAX_EVENTS:]}


def draw(shown: Mapping[str, Any]) -> alt.ConcatChart | None:
    """One panel a metric, all with the same times and events; None where nothing was measured."""
    metrics = list(dict.fromkeys(point["metric"] for point in shown["points"]))
    if not metrics:
        return None
    x = _times([row["at"] for row in (*shown["points"], *shown["events"])])
    panels = [_panel([point for point in shown["points"] if point["metric"] == metric], shown["events"], x) for metric in metrics]
    told = ["Mean of the golden questions of what was live, its 95 % interval, and its release; beside each name the newest value."]
    if shown["events"]:
        told.append("Dashed: promoted, rolled back, resumed or rebuilt; above it the release that was live then.")
    title = alt.TitleParams("Scores over releases", subtitle=told, anchor="start", offset=16)
    return alt.concat(*panels, columns=COLUMNS, spacing=28, title=title, config=STYLE)


def markdown(shown: Mapping[str, Any], picture: str) -> str:
    """The report: the picture (an address), the newest scores and the events."""
    newest = {point["metric"]: point for point in shown["points"]}
    rows = [
        f"| {name} | {point['value']:.3f} | {point['low']:.3f} – {point['high']:.3f} | {point['release']} | {point['at']:%Y-%m-%d %H:%M} |"
        for name, point in newest.items()
    ]
    table = "\n".join(["| metric | newest | 95 % interval | release | at (UTC) |", "|:--|--:|:--|--:|:--|", *rows])
    happened = [f"- {event['at']:%Y-%m-%d %H:%M}: {event['what']}, then release {event['live']} was live" for event in shown["events"]]
    events = "\n".join(happened)
    return "\n\n".join(part for part in ("# Scores over releases", f"![Scores over releases]({picture})", table, events) if part) + "\n"


def _point(evaluation: Evaluation, metric: str) -> dict[str, Any]:
    score = evaluation.score(metric)
    told = {name: getattr(score, name) for name in ("metric", "value", "low", "high", "measured", "of")}
    return told | {"release": evaluation.release, "at": evaluation.ended_at, "evaluation": evaluation.id}


def _event(deed: Deed) -> dict[str, Any] | None:
    event = deed.event
    rebuilt = event.kind == "rebuild_ended" and event.detail.get("state") == "done"
    what = "rebuilt" if rebuilt else deed.what
    if what not in COLOURS:
        return None
    return {"at": event.at, "what": what, "was": deed.was, "live": event.state.live, "by": event.by, "reason": event.reason}


def _times(shown: Sequence[datetime]) -> alt.X:
    first, last = min(shown), max(shown)
    form, ticks = ("%d %b %H:%M", 3) if last - first < FEW_DAYS else ("%d %b", 5)
    scale = alt.Scale(domain=[first.isoformat(), last.isoformat()], padding=14)
    return alt.X("at:T", title=None, scale=scale, axis=alt.Axis(format=form, labelAngle=0, labelOverlap=True, tickCount=ticks))


def _panel(points: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]], x: alt.X) -> alt.LayerChart | alt.FacetChart:
    every = max(1, -(-len(points) // NAMED))
    rows = [
        {name: point[name] for name in ("value", "low", "high")}
        | {"at": point["at"].isoformat(), "name": f"r{point['release']}" if (len(points) - 1 - place) % every == 0 else ""}
        for place, point in enumerate(points)
    ]
    y = alt.Y("value:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2f"))
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x)
    interval = base.mark_rule(strokeWidth=4, opacity=0.22, color=LINE, strokeCap="round").encode(y=alt.Y("low:Q", title=None), y2="high:Q")
    line = base.mark_line(color=LINE, strokeWidth=1.5, opacity=0.8).encode(y=y)
    dots = base.mark_circle(color=LINE, size=30, opacity=1).encode(y=y)
    # At the foot of the panel, where scores seldom are.
    names = base.mark_text(color=MUTED, fontSize=9, dy=-6).encode(y=alt.YDatum(0), text="name:N")
    title = alt.TitleParams(f"{points[0]['metric']} · {points[-1]['value']:.2f}", anchor="start", color=INK)
    return alt.layer(*_happened(events, x), interval, line, dots, names).properties(title=title, **PANEL)


def _happened(events: Sequence[Mapping[str, Any]], x: alt.X) -> list[alt.Chart]:
    if not events:
        return []
    rows = [{"at": event["at"].isoformat(), "what": event["what"], "name": f"→ r{event['live']}"} for event in events]
    scale = alt.Scale(domain=list(COLOURS), range=list(COLOURS.values()))
    colour = alt.Color("what:N", title=None, scale=scale, legend=alt.Legend(orient="top"))
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x, color=colour)
    rules = base.mark_rule(strokeWidth=1.2, strokeDash=[4, 3])
    names = base.mark_text(fontSize=9, dy=-5, baseline="bottom").encode(y=alt.value(0), text="name:N")
    return [rules, names]
