"""A real platform that gets worse by a batch: it sees it, says why, tells others, and goes back by itself."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

import httpx
import pytest

from tests.proofs.platform import RunningPlatform
from tests.receiver import Receiver

QUESTIONS, SPOILED, RIVALS = 60, 25, 12
LONG_S = 900.0
SECRET = "a secret of the proof"
WORDS = "copper ferry orchard harbour tower market theatre garden lantern anchor".split()  # noqa: SIM905 - it reads better
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def said_of(number: int) -> str:
    return f"The {WORDS[number % 10]} of district {number} was built in {1500 + 7 * number} by the guild of {WORDS[number // 10]} keepers."


def asked_about(number: int) -> str:
    return f"When did the guild of {WORDS[number // 10]} keepers build the {WORDS[number % 10]} of district {number}?"


def test_a_bad_batch_is_rolled_back_with_its_reason_on_record_and_told(tmp_path):
    with Receiver() as receiver:
        settings = {"GROUNDWORK_AUTO_ROLLBACK": "1", "GROUNDWORK_WEBHOOK_URL": receiver.url, "GROUNDWORK_WEBHOOK_SECRET": SECRET}
        with RunningPlatform(tmp_path / "home", **settings) as platform:
            good = a_good_release_is_scored(platform)
            began = monotonic()
            documents_are_replaced(platform)
            bad, worse = evaluated(platform)
            judged = monotonic()
            platform.start_run("drift/drift")
            platform.until(lambda: live(platform)["release"] < bad)
            print(f"worse by release {bad}: nDCG@10 {worse:.2f}; the evaluation took {judged - began:.0f} s with the batch")
            print(f"back at release {live(platform)['release']} (good: {good}) {monotonic() - judged:.0f} s after drift was started")
            assert live(platform)["pinned"] is True
            hits = platform.call("POST", "/v1/search", {"query": asked_about(3), "k": 10}).json["hits"]
            assert "d3" in [hit["doc_id"] for hit in hits]
            the_reason_is_on_record(platform, bad)
            it_was_told_with_a_signature(platform, receiver, bad)
            prefect_has_the_event(platform)
            platform.stop()


def a_good_release_is_scored(platform: RunningPlatform) -> int:
    """Documents, some pages that say nothing, sixty golden questions, and an evaluation of what is live."""
    texts = {f"d{number}": said_of(number) for number in range(QUESTIONS)}
    texts |= {f"page/{number}": f"Page {number} of the calendar of tides." for number in range(SPOILED * RIVALS)}
    put_all(platform, texts)
    passages = [{"doc_id": f"d{n}", "quote": said_of(n)} for n in range(QUESTIONS)]
    lines = [{"id": f"q{n}", "question": asked_about(n), "passages": [passages[n]]} for n in range(QUESTIONS)]
    send(platform, "PUT", "/v1/golden/default", lines)
    release, score = evaluated(platform)
    assert score > 0.8
    return release


def documents_are_replaced(platform: RunningPlatform) -> None:
    """Makes of the pages what stands before the answers of some questions."""
    put_all(
        platform, {f"page/{n}": f"{asked_about(n % SPOILED)} Ask desk {n}, room {7 * n}, on day {n % 31}." for n in range(SPOILED * RIVALS)}
    )


def put_all(platform: RunningPlatform, texts: Mapping[str, str]) -> None:
    """Puts the texts as one request, and waits until the last of them is served."""
    send(platform, "POST", "/v1/documents", [{"doc_id": doc_id, "text": text} for doc_id, text in texts.items()])
    last, text = list(texts.items())[-1]
    assert platform.put(last, text, wait=60).status == 200
    settled(platform)


def settled(platform: RunningPlatform) -> None:
    """Waits until the inbox is empty and what came of it is live."""
    platform.until(lambda: platform.call("GET", "/health/ready").json["waiting"] == 0, LONG_S)
    newest = platform.call("GET", "/v1/releases", limit=1).json["items"][0]["release"]
    platform.until(lambda: live(platform)["release"] >= newest)


def send(platform: RunningPlatform, method: str, path: str, lines: Sequence[Mapping[str, Any]]) -> None:
    key = (platform.home / "admin.key").read_text().strip()
    body = "\n".join(map(json.dumps, lines))
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    url = f"http://127.0.0.1:{platform.port}{path}"
    reply = httpx.request(method, url, content=body, headers=headers, timeout=60, trust_env=False)
    assert reply.status_code in (200, 202), reply.text


def evaluated(platform: RunningPlatform) -> tuple[int, float]:
    """The live release and its nDCG@10, when its evaluation has ended."""
    replies = []

    def started() -> bool:
        replies.append(platform.call("POST", "/v1/evaluations", {"answers": False}))
        return bool(replies[-1].status == 202)

    platform.until(started, LONG_S)
    path = f"/v1/evaluations/{replies[-1].json['id']}"
    platform.until(lambda: platform.call("GET", path).json["state"] in ("completed", "failed"), LONG_S)
    found = platform.call("GET", path).json
    assert found["state"] == "completed", found["reason"]
    return int(found["release"]), float(next(score["value"] for score in found["scores"] if score["metric"] == "nDCG@10"))


def live(platform: RunningPlatform) -> dict[str, Any]:
    """The live release."""
    return dict(platform.call("GET", "/v1/releases/live").json)


def the_reason_is_on_record(platform: RunningPlatform, bad: int) -> None:
    deed = platform.call("GET", "/v1/audit").json["items"][0]
    print(f"audit: {deed['what']} by {deed['by']}: {deed['reason']}")
    assert (deed["by"], deed["pinned"]) == ("drift", True)
    assert f"since release {bad}" in deed["reason"]
    assert "the corpus changed" in deed["reason"]


def it_was_told_with_a_signature(platform: RunningPlatform, receiver: Receiver, bad: int) -> None:
    """The signature is computed anew here, from the standard."""
    platform.until(lambda: receiver.got)
    headers, body = receiver.got[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"
    message = json.loads(body)
    assert (message["type"], message["data"]["monitor"], message["data"]["release"]) == ("groundwork.drift.alarm", "golden questions", bad)
    print(f"webhook: {message['data']['detail']}; {message['data']['cause']}")


def prefect_has_the_event(platform: RunningPlatform) -> None:
    def told() -> bool:
        reply = httpx.post(
            f"http://127.0.0.1:{platform.prefect_port}/api/events/filter",
            json={"filter": {"event": {"name": ["groundwork.drift.alarm"]}}},
            timeout=30,
            trust_env=False,
        )
        return bool(reply.raise_for_status().json()["events"])

    platform.until(told)
