"""What is written about a judge and its exam: Markdown for people."""

from collections.abc import Mapping
from typing import Any

from index.exams import Exam, Standing

WORTH = {
    "qualified": "Its scores count.",
    "unqualified": "Its scores are shown, and gate nothing.",
    "unexamined": "Its scores are shown, and gate nothing.",
}
Figure = Mapping[str, Any]


def section(standing: Standing) -> str:
    """The part of an evaluation's report that says what the judge's scores are worth."""
    judge = standing.judge
    lines = [f"The judge `{_code(judge.model)}` at `{_code(judge.endpoint)}` is **{standing.state}**. {WORTH[standing.state]}"]
    lines += [_list(standing.reasons)] if standing.reasons else []
    if exam := standing.exam:
        changed = [f"**The judge changed**: {exam.changed}. Its scores before and after that can't be compared."] if exam.changed else []
        lines += [*changed, f"Exam of {exam.at:%Y-%m-%d %H:%M} UTC: {in_short(exam)}."]
    return "\n\n".join(["## The judge", *lines])


def markdown(standing: Standing) -> str:
    """The report of an exam."""
    exam = standing.exam
    if exam is None:
        return section(standing) + "\n"
    told = exam.figures
    rows = [
        ("accuracy", told["accuracy"]),
        ("Cohen's kappa", told["kappa"]),
        ("repeatability", told["repeatability"]),
        *((f"accuracy in {name}", part) for name, part in told["by_metric"].items()),
        *((f"accuracy, {name}", part) for name, part in told["by_kind"].items()),
    ]
    table = ["| | value | 95 % interval | decisions |", "|:--|--:|:--|--:|", *(_row(name, figure) for name, figure in rows)]
    failed = [f"{reason}: {count} times" for reason, count in told["unmeasured"].items()]
    parts = [section(standing), "\n".join(table), f"{_position(told['position'])} {_cost(told)}"]
    return "\n\n".join([*parts, *(["### No usable reply", _list(failed)] if failed else [])]) + "\n"


def in_short(exam: Exam) -> str:
    """The numbers of an exam in a line."""
    told = exam.figures
    named = {"accuracy": told["accuracy"], "kappa": told["kappa"], "repeatability": told["repeatability"]}
    bias = told["position"]["bias"]
    figures = [f"{name} {_shown(figure)}" for name, figure in named.items()]
    return ", ".join([*figures, f"position bias {'unmeasured' if bias is None else f'{bias:+.2f}'}", f"coverage {told['coverage']:.2f}"])


def _row(name: str, figure: Figure) -> str:
    if figure["value"] is None:
        return f"| {name} | – | unmeasured | {figure['of']} |"
    interval = "" if figure["low"] is None else f"{figure['low']:.2f} – {figure['high']:.2f}"
    return f"| {name} | {figure['value']:.2f} | {interval} | {figure['of']} |"


def _shown(figure: Figure) -> str:
    if figure["value"] is None:
        return "unmeasured"
    return f"{figure['value']:.2f} ({figure['low']:.2f} to {figure['high']:.2f})"


def _position(told: Figure) -> str:
    if told["bias"] is None:
        return "No two texts were compared in both orders."
    return (
        f"Of {told['of']} pairs compared in both orders {told['consistent']:.0%} came out alike, {told['right']:.0%} of the comparisons "
        f"were right, and the position bias is {told['bias']:+.2f} (1: always the first, -1: always the second)."
    )


def _cost(told: Figure) -> str:
    counted = "estimated" if told["estimated"] else "counted by the endpoint"
    return (
        f"{told['asked']} questions took {told['calls']} calls, {told['tokens']:,} tokens ({counted}) and {told['seconds']:.0f} s: "
        f"{told['tokens_per_question']:,.0f} tokens and {told['seconds_per_question']:.2f} s a question."
    )


def _list(lines: tuple[str, ...] | list[str]) -> str:
    return "\n".join(f"- {_inline(line)}" for line in lines)


def _inline(text: str) -> str:
    """Text of an endpoint on one line, with nothing in it that Markdown or HTML would act on."""
    escaped = "".join(f"\\{character}" if character in "\\`*_[]#|~" else character for character in " ".join(text.split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;")


def _code(text: str) -> str:
    return text.replace("`", "'")
