"""The real thing, once from its start to its end: every process, the real model, Prefect with its server."""

import os
import signal
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from tests.proofs.platform import START_S, RunningPlatform

pytestmark = pytest.mark.thorough

MINE = "The great copper mine of Falun closed in 1992."
LAKE = "Lake Siljan fills the rim of an old crater."
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


@pytest.mark.timeout(600)
def test_a_day_in_the_life_of_the_platform(tmp_path):
    with RunningPlatform(tmp_path / "home") as platform:
        documents_are_searchable_when_they_have_been_waited_for(platform)
        asked = an_evaluation_is_started(platform)
        questions_are_answered_with_quotes(platform)
        the_api_is_reloaded_while_it_is_asked(platform)
        what_is_live_can_be_moved_and_what_is_deleted_is_gone(platform)
        the_pages_for_people_are_there(platform)
        prefect_is_for_this_machine_and_its_own_pages(platform)
        platform.start_run("rollback/rollback", to=2, reason="from the Prefect UI")
        the_burst_is_a_flow_run_with_a_report(platform)
        the_evaluation_has_ended_as_a_flow_run_with_a_report(platform, asked)
        the_rollback_from_prefect_has_moved_what_is_live(platform)
        assert platform.stop() < 10
        assert platform.processes() == []
        assert "Groundwork is ready" in platform.console
        assert "Traceback" not in platform.console


def documents_are_searchable_when_they_have_been_waited_for(platform: RunningPlatform) -> None:
    for doc_id, text in (("falun", MINE), ("lakes/siljan", LAKE)):
        reply = platform.put(doc_id, text, wait=60, title=doc_id)
        assert (reply.status, reply.json["state"], reply.json["served"]) == (200, "indexed", True)
    for mode in ("hybrid", "vector", "text"):
        assert platform.found("When was the copper mine closed?", mode=mode)[0] == "falun"
    assert platform.found("the rim of a crater")[0] == "lakes/siljan"


def an_evaluation_is_started(platform: RunningPlatform) -> str:
    """As soon as the flows are served; until then the API says that it is too early."""
    replies = []

    def started() -> bool:
        replies.append(platform.call("POST", "/v1/evaluations", {"sample": 10}))
        assert replies[-1].status in (202, 503), replies[-1]
        return replies[-1].status == 202

    platform.until(started)
    asked = str(replies[-1].json["id"])
    assert platform.call("GET", f"/v1/evaluations/{asked}").json["state"] in ("queued", "running")
    assert asked in [each["id"] for each in platform.call("GET", "/v1/evaluations").json["items"]]
    return asked


def questions_are_answered_with_quotes(platform: RunningPlatform) -> None:
    answer = platform.call("POST", "/v1/answers", {"question": "When did the copper mine of Falun close?"}).json
    assert (answer["grounded"], answer["degraded"]) == (True, [])
    assert (answer["citations"][0]["doc_id"], answer["citations"][0]["quote"]) == ("falun", MINE)
    unknown = platform.call("POST", "/v1/answers", {"question": "How do I cook rice?"}).json
    assert (unknown["grounded"], unknown["citations"]) == (False, [])


def the_api_is_reloaded_while_it_is_asked(platform: RunningPlatform) -> None:
    before = platform.api_workers()
    os.kill(int((platform.home / "run" / "api.pid").read_text()), signal.SIGHUP)

    def is_new() -> bool:
        assert platform.found("When was the copper mine closed?")[0] == "falun"
        return len(now := platform.api_workers()) == 1 and not set(now) & set(before)

    platform.until(is_new)


def what_is_live_can_be_moved_and_what_is_deleted_is_gone(platform: RunningPlatform) -> None:
    before = platform.call("GET", "/v1/releases/live").json["release"]
    shown = platform.put("late", "The glimmerfax protocol was ratified in Ostend.", wait=60).json["release"]
    assert platform.call("POST", "/v1/rollback", {"to": before, "reason": "test"}).json["live"] == before
    assert "late" not in platform.found("glimmerfax protocol")
    platform.call("POST", "/v1/resume", {"reason": "test"})
    assert platform.found("glimmerfax protocol")[0] == "late"
    assert platform.call("DELETE", "/v1/documents/late", wait=60).status == 200
    for release in (None, shown):
        assert "late" not in platform.found("glimmerfax protocol", release=release)


def the_pages_for_people_are_there(platform: RunningPlatform) -> None:
    assert "swagger" in platform.call("GET", "/schema").json.lower()
    assert "groundwork_live_release" in platform.call("GET", "/metrics").json
    wanted = [
        *("canaries", "capacity", "drift", "evaluate", "evaluate-retrieval", "exam", "maintain", "rebuild", "resume", "rollback", "tune"),
    ]
    platform.until(lambda: sorted(deployment["name"] for deployment in platform.prefect("deployments")) == wanted)


def prefect_is_for_this_machine_and_its_own_pages(platform: RunningPlatform) -> None:
    listening = [address for address, port in listeners() if port == platform.prefect_port]
    assert listening == ["0100007F"]  # 127.0.0.1
    url = f"http://127.0.0.1:{platform.prefect_port}"
    for origin, allowed in (("https://evil.example", None), (url, url)):
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        reply = httpx.options(f"{url}/api/deployments/filter", headers=asked, trust_env=False)
        assert reply.headers.get("access-control-allow-origin") == allowed
    no_page_of_another_site_deletes_what_prefect_has(platform, url)
    no_page_of_another_site_hears_of_events(url)


def no_page_of_another_site_deletes_what_prefect_has(platform: RunningPlatform, url: str) -> None:
    """A browser asks nobody before it sends a POST without Content-Type, and Prefect takes its body for JSON."""
    there = sorted(deployment["name"] for deployment in platform.prefect("deployments"))
    of_a_page = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    by_a_name_of_its_own = {"Host": f"evil.example:{platform.prefect_port}"}
    for headers in (of_a_page, by_a_name_of_its_own, of_a_page | by_a_name_of_its_own):
        reply = httpx.post(f"{url}/api/deployments/bulk_delete", content=b"{}", headers=headers, trust_env=False)
        assert "content-type" not in reply.request.headers
        assert reply.status_code == 403, reply.text
    assert sorted(deployment["name"] for deployment in platform.prefect("deployments")) == there
    own = httpx.post(f"{url}/api/deployments/filter", json={}, headers={"Origin": url, "Sec-Fetch-Site": "same-origin"}, trust_env=False)
    assert sorted(deployment["name"] for deployment in own.raise_for_status().json()) == there


def no_page_of_another_site_hears_of_events(url: str) -> None:
    events = f"{url.replace('http', 'ws')}/api/events/out"
    with connect(events, origin=Origin(url), subprotocols=[Subprotocol("prefect")], proxy=None):
        pass
    with pytest.raises(InvalidStatus, match="403"):
        connect(events, origin=Origin("https://evil.example"), subprotocols=[Subprotocol("prefect")], proxy=None)


def listeners() -> list[tuple[str, int]]:
    """The addresses (as the kernel writes them) and the ports that somebody on this machine listens on."""
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return [(row[1].partition(":")[0], int(row[1].partition(":")[2], 16)) for row in rows if row[3] == "0A"]


def the_burst_is_a_flow_run_with_a_report(platform: RunningPlatform) -> None:
    platform.until(
        lambda: [run for run in platform.runs_of("ingest") if run["name"] == "from release 2" and run["state_type"] == "COMPLETED"]
    )
    *_, first = platform.runs_of("ingest")
    assert (first["name"], first["tags"]) == ("from release 2", ["ingest"])
    assert first["state"]["message"].endswith("embedded")
    assert "Where the time went" in artifact_of(platform, first["id"])


def the_evaluation_has_ended_as_a_flow_run_with_a_report(platform: RunningPlatform, asked: str) -> None:
    """None of the golden questions is about these documents: that is said, and nothing is scored."""
    platform.until(lambda: platform.call("GET", f"/v1/evaluations/{asked}").json["state"] in ("completed", "failed"), START_S)
    evaluation = platform.call("GET", f"/v1/evaluations/{asked}").json
    assert evaluation["state"] == "completed", evaluation["reason"]
    assert [row["id"] for row in evaluation["questions"] if row["answerable"] and not row["stale"]] == []
    assert {score["measured"] for score in evaluation["scores"] if score["metric"] == "nDCG@10"} == {0}
    states = {"": ""}

    def ended() -> bool:
        states.update({run["id"]: run["state_type"] for run in platform.runs_of("evaluate")})
        return states.get(asked) in ENDED

    platform.until(ended)
    assert states[asked] == "COMPLETED"
    assert evaluation["url"].endswith(f"/runs/flow-run/{asked}")
    assert "# " in artifact_of(platform, asked, key="evaluation-report")


def the_rollback_from_prefect_has_moved_what_is_live(platform: RunningPlatform) -> None:
    platform.until(lambda: platform.call("GET", "/v1/releases/live").json["release"] == 2)
    assert platform.call("GET", "/v1/releases/live").json["pinned"] is True
    assert platform.found("the rim of a crater") == ["falun"]


def artifact_of(platform: RunningPlatform, run: str, key: str | None = None) -> str:
    """The Markdown that a flow run has left, under a key where it leaves several."""
    artifacts = platform.prefect("artifacts", artifacts={"flow_run_id": {"any_": [run]}, "type": {"any_": ["markdown"]}})
    artifacts = [each for each in artifacts if key in (None, each["key"])]
    assert len(artifacts) == 1, artifacts
    return str(artifacts[0]["data"])
