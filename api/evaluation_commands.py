"""`groundwork evaluate` and `groundwork judge`: scores of releases, and who gives those of answers."""

import time
from collections.abc import Callable
from typing import Annotated, Literal

from cyclopts import Parameter

from api.client import Json
from api.session import PAUSE_S, Here, Outcome, Release
from api.terminal import Terminal, interval


def evaluate(
    *,
    release: Release = None,
    dataset: str = "default",
    sample: Annotated[int | None, Parameter(help="Use only this many golden questions.")] = None,
    part: Annotated[Literal["development", "held_out"] | None, Parameter(help="Use one part of the golden set.")] = None,
    answers: Annotated[bool, Parameter(help="Measure the answers too, not only what is found.")] = True,
    minutes: Annotated[float | None, Parameter(help="Leave unmeasured what is not done after so many minutes.")] = None,
    wait: Annotated[bool, Parameter(help="Wait for the scores.")] = True,
    timeout: Annotated[float, Parameter(help="Stop waiting after this many seconds; the evaluation goes on.")] = 3600.0,
    session: Here,
) -> Outcome:
    """Score a release on golden questions."""
    asked: Json = {"release": release, "dataset": dataset, "sample": sample, "part": part, "answers": answers, "minutes": minutes}
    reply = session.client.post("/v1/evaluations", asked)
    if not wait:
        return Outcome(reply, _started("evaluation"))
    session.terminal.note(f"evaluation {reply['id']}: {reply.get('url') or 'started'}")
    path, end = f"/v1/evaluations/{reply['id']}", time.monotonic() + timeout
    with session.terminal.progress("Evaluating", None) as advance:
        while (reply := session.client.get(path))["state"] in ("queued", "running") and time.monotonic() < end:
            advance(reply.get("done") or 0, reply.get("of"))
            time.sleep(PAUSE_S)
    return Outcome(reply, _scores, 0 if reply["state"] == "completed" else 4)


def judge(
    *,
    exam: Annotated[bool, Parameter(negative=(), help="Start an exam of it (admin); it costs some 400 calls.")] = False,
    session: Here,
) -> Outcome:
    """Show which LLM judges answers, and whether its scores count; --exam examines it."""
    if exam:
        return Outcome(session.client.post("/v1/judge/exam", {}), _started("exam"))
    return Outcome(session.client.get("/v1/judge"), _judge)


def _started(what: str) -> Callable[[Terminal, Json], None]:
    """Something that goes on elsewhere."""
    return lambda out, reply: out.line(f"Started {what} {reply['id']}" + (f": {reply['url']}" if reply.get("url") else ""))


def _scores(out: Terminal, reply: Json) -> None:
    """The scores of one evaluation with their 95 % intervals."""
    of = "" if reply["release"] is None else f" of release {reply['release']}"
    out.line(f"Evaluation {reply['id']}{of}: {reply['state']}")
    if reply.get("reason"):
        out.line(reply["reason"])
    scores = reply.get("scores") or []
    rows = [(each["metric"], each["value"], interval(each), f"{each['measured']}/{each['of']}") for each in scores]
    if rows:
        out.table(("metric", "value", "95 % interval", "questions"), rows, right=("value", "95 % interval", "questions"))
    notes: dict[str, list[str]] = {}
    for each in scores:
        if each.get("note"):
            notes.setdefault(each["note"], []).append(each["metric"])
    for note, metrics in notes.items():
        out.line(f"{', '.join(metrics)}: shown, but nothing rests on it ({note}).")
    if few := [each["metric"] for each in scores if not each.get("covered", True)]:
        out.line(f"Too few questions were measured for a verdict: {', '.join(few)}.")


def _judge(out: Terminal, reply: Json) -> None:
    """Which LLM judges answers, whether its scores count, and what its last exam came to."""
    facts = {"judge": reply["model"], "at": reply["endpoint"], "state": reply["state"], "because": "; ".join(reply["reasons"])}
    facts |= {"examined": reply.get("examined_at"), "changed": reply.get("changed")}
    out.facts((name, value) for name, value in facts.items() if value)
    if told := reply.get("exam"):
        rows = [(name, told[name]["value"], interval(told[name]), told[name]["of"]) for name in ("accuracy", "kappa", "repeatability")]
        rows += [("position bias", told["position"]["bias"], None, told["position"]["of"])]
        rows += [("coverage", told["coverage"], None, told["asked"])]
        out.table(("figure", "value", "95 % interval", "of"), rows, right=("value", "95 % interval", "of"))
