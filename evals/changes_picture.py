"""Which questions won and which lost, as a picture and as Markdown (pure)."""

from collections.abc import Sequence

import altair as alt

from evals.changes import Change, Changes
from evals.chart import GRID, INK, LINE, MUTED, STYLE

LOST = "#dc2626"
SHOWN = 15
LETTERS = 70
WIDTH, ROW = 320, 22


def draw(changes: Changes) -> alt.VConcatChart:
    """Two panels, what was lost and what was won: a line a question, from its nDCG@10 before to that now."""
    panels = [_panel(name, rows, colour) for name, rows, colour in (("Lost", changes.lost, LOST), ("Won", changes.won, LINE)) if rows]
    title = alt.TitleParams("Questions that won and lost", subtitle=_told(changes), anchor="start", offset=16)
    return alt.vconcat(*(panels or [_nothing()]), spacing=24, title=title, config=STYLE)


def markdown(changes: Changes, picture: str) -> str:
    """The report; `picture` is an address."""
    lines = ["# Questions that won and lost", " ".join(_told(changes)), f"![Questions that won and lost]({picture})"]
    for name, moved in (("Lost", changes.lost), ("Won", changes.won)):
        if moved:
            rows = [f"| {_inline(each.question)} | {each.was:.2f} | {each.now:.2f} |" for each in moved[:SHOWN]]
            lines.append("\n".join([f"| {name} | before | now |", "|:--|--:|--:|", *rows]))
    return "\n\n".join(lines) + "\n"


def _told(changes: Changes) -> list[str]:
    counted = f"{len(changes.lost)} lost, {len(changes.won)} won, {changes.same} the same"
    only = f", {changes.unmeasured} measured only once" if changes.unmeasured else ""
    was, now = (f"release {each.release} ({each.ended_at:%Y-%m-%d})" for each in (changes.before, changes.after))
    first = f"nDCG@10 on {was} and on {now}, golden set {changes.after.dataset}:"
    return [first, f"{counted}{only}. Hollow: before, filled: now."]


def _panel(name: str, moved: Sequence[Change], colour: str) -> alt.LayerChart | alt.FacetChart:
    rows = [{"place": place, "text": _short(each.question), "was": each.was, "now": each.now} for place, each in enumerate(moved[:SHOWN])]
    # Two questions may begin alike: each has a row of its own.
    y = alt.Y("place:O", title=None, axis=None)
    x = alt.X("was:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=5, format=".2f"))
    base = alt.Chart(alt.InlineData(values=rows)).encode(y=y)
    rail = base.mark_rule(color=GRID).encode(x=alt.XDatum(0), x2=alt.X2Datum(1))
    way = base.mark_rule(color=colour, strokeWidth=2.5, opacity=0.5).encode(x=x, x2="now:Q")
    was = base.mark_point(color=colour, size=44, filled=False, fill="white").encode(x="was:Q")
    now = base.mark_circle(color=colour, size=50, opacity=1).encode(x="now:Q")
    names = base.mark_text(color=INK, fontSize=11, align="right").encode(x=alt.value(-10), text="text:N")
    more = f", the {SHOWN} largest" if len(moved) > SHOWN else ""
    title = alt.TitleParams(f"{name} · {len(moved)}{more}", anchor="start", color=colour)
    return alt.layer(rail, way, was, now, names).properties(title=title, width=WIDTH, height=alt.Step(ROW))


def _nothing() -> alt.LayerChart | alt.FacetChart:
    said = alt.Chart(alt.InlineData(values=[{"text": "No question finds more or less than before."}]))
    text = said.mark_text(color=MUTED, fontSize=12, align="left").encode(text="text:N", x=alt.value(0))
    return alt.layer(text).properties(width=WIDTH, height=ROW)


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= LETTERS else f"{plain[: LETTERS - 1]}…"


def _inline(text: str) -> str:
    """Text of people on one line, with nothing in it that Markdown or HTML would act on."""
    escaped = "".join(f"\\{character}" if character in "\\`*_[]#|~" else character for character in " ".join(text.split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;")
