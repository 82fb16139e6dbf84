"""Golden sets over HTTP and from the command line."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api import golden_review
from api.cli import main
from api.client import Client
from api.session import Session
from api.terminal import Terminal
from index.answers import AnswerRecord, new_id
from index.feedback import Feedback
from index.golden import GoldenQuestion, Passage
from index.settings import Settings
from tests.api.running import Reply, RunningApi

MINE = {"id": "q1", "question": "Where is the great copper mine?", "passages": [{"doc_id": "mine", "quote": "mine is in Falun"}]}
GONE = {"id": "q2", "question": "When does the ferry leave?", "passages": [{"doc_id": "ferry", "quote": ""}], "part": "held_out"}
NONE = {"id": "q3", "question": "Who is the king of the moon?", "passages": [], "part": "development"}


@pytest.fixture
def name(api: RunningApi, request: pytest.FixtureRequest) -> Iterator[str]:
    """A set of the test's own."""
    own = f"t{abs(hash(request.node.name)) % 10**9}"
    yield own
    api.call("DELETE", f"/v1/golden/{own}")


def put(api: RunningApi, name: str, *rows: Any, key: str | None = "", **params: Any) -> Reply:
    body = b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)
    return api.call("PUT", f"/v1/golden/{name}", key=key, content=body, params=params)


def ids(api: RunningApi, name: str, **params: Any) -> list[str]:
    return [each["id"] for each in api.call("GET", f"/v1/golden/{name}", params=params).json["items"]]


def test_a_set_is_put_read_in_pages_or_lines_and_dropped(api, name):
    reply = put(api, name, MINE, GONE, NONE)
    assert (reply.status, reply.json) == (200, {"name": name, "added": 3, "replaced": 0, "removed": 0})
    page = api.call("GET", f"/v1/golden/{name}", params={"limit": 2})
    assert [each["id"] for each in page.json["items"]] == ["q1", "q2"]
    assert ids(api, name, limit=2, cursor=page.json["next"]) == ["q3"]
    assert ids(api, name, part="held_out")[-1] == "q2"
    lines = api.call("GET", f"/v1/golden/{name}", headers={"Accept": "application/x-ndjson"})
    assert lines.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line)["id"] for line in lines.text.splitlines()] == ["q1", "q2", "q3"]
    assert put(api, name, *(line.encode() for line in lines.text.splitlines())).json["replaced"] == 3
    assert api.call("GET", f"/v1/golden/{name}", params={"format": "ndjson"}).text.count("\n") == 3
    assert put(api, name, MINE, replace="true").json == {"name": name, "added": 0, "replaced": 1, "removed": 2}
    [found] = [each for each in api.get("/v1/golden").json["items"] if each["name"] == name]
    assert (found["questions"], found["packaged"], found["proposed"]) == (1, False, 0)
    assert api.call("DELETE", f"/v1/golden/{name}").status == 204
    assert api.get(f"/v1/golden/{name}").status == 404


def test_the_set_that_came_along_can_be_read_but_not_dropped(api):
    [default] = [each for each in api.get("/v1/golden").json["items"] if each["name"] == "default"]
    assert (default["packaged"], default["questions"]) == (True, 143)
    assert len(ids(api, "default", limit=1000)) == 143
    assert api.call("DELETE", "/v1/golden/default").status == 404


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "there is no question"),
        ([MINE, b"{"], "line 2: "),
        ([MINE, b"\xff"], "line 2: "),
        ([b"[" * 100_000], "line 1: "),
        ([MINE, NONE, MINE], "line 3: the id 'q1' is that of line 1 too"),
        ([MINE, NONE | {"question": ""}], "line 2: no golden question"),
        ([b'{"id": "a", "question": "\\ud800", "passages": []}'], "line 1: "),
        ([MINE, NONE | {"state": "proposed"}], "line 2: no golden question: Object contains unknown field `state`"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_kept(api, name, rows, reason):
    reply = put(api, name, *rows)
    assert reply.status == 400
    assert reason in reply.json["detail"]
    assert api.get(f"/v1/golden/{name}").status == 404


@pytest.mark.parametrize("bad", ["A", "a.b", "%2e%2e", "=1+1", "a%20b", "%C3%A4", "a" * 65])
def test_a_name_that_no_set_can_have_is_refused(api, bad):
    assert put(api, bad, MINE).status == 400
    assert api.get(f"/v1/golden/{bad}/check").status == 400


def test_a_key_that_reads_only_some_documents_reads_no_golden_set(api, name):
    narrow = api.key("admin", {"metadata.lang": "en"})
    assert api.get("/v1/golden/default", narrow).status == 403
    assert "your key reads only some" in put(api, name, MINE, key=narrow).detail


def test_stale_questions_are_told_with_their_reason(api, name):
    put(api, name, MINE, GONE, NONE, MINE | {"id": "q4", "passages": [{"doc_id": "mine", "quote": "in Kiruna"}]})
    checked = api.get(f"/v1/golden/{name}/check").json
    assert (checked["questions"], checked["fresh"], checked["unanswerable"]) == (4, 1, 1)
    assert {each["id"]: each["reasons"] for each in checked["stale"]} == {
        "q2": ["ferry is not in this release"],
        "q4": ["mine no longer says “in Kiruna”"],
    }
    assert api.call("GET", f"/v1/golden/{name}/check", params={"release": 1}).json["fresh"] == 0


@pytest.fixture
def waiting(api: RunningApi, name: str) -> str:
    """A set with two proposals."""
    found = (Passage("mine", "The great copper mine is in Falun."),)
    for each in ("p1", "p2"):
        api.store.golden.propose(name, [GoldenQuestion(each, f"What about {each}?", (), None, note="why", found=found)])
    return name


def decide(api: RunningApi, name: str, identifier: str, **decision: Any) -> Reply:
    headers = {"Content-Type": "application/json"}  # httpx can't write lone surrogates, json.dumps can
    return api.call("POST", f"/v1/golden/{name}/proposals/{identifier}", content=json.dumps(decision).encode(), headers=headers)


def test_a_proposal_is_accepted_with_the_passages_that_answer_and_only_once(api, waiting):
    listed = api.get(f"/v1/golden/{waiting}/proposals").json["items"]
    assert [(each["id"], each["note"], each["found"][0]["doc_id"]) for each in listed] == [("p1", "why", "mine"), ("p2", "why", "mine")]
    passages = [{"doc_id": "mine", "quote": "in Falun"}]
    assert decide(api, waiting, "p1", decision="accept", passages=passages, question="Where?", reference="Falun.").status == 200
    [accepted] = api.get(f"/v1/golden/{waiting}").json["items"]
    assert (accepted["question"], accepted["passages"], accepted["reference"]) == ("Where?", passages, "Falun.")
    again = decide(api, waiting, "p1", decision="reject")
    assert (again.status, "is accepted" in again.detail) == (409, True)
    assert decide(api, waiting, "p2", decision="accept_unanswerable").status == 200
    assert api.get(f"/v1/golden/{waiting}/proposals").json["items"] == []


@pytest.mark.parametrize(
    ("decision", "reason"),
    [
        ({"decision": "accept"}, "give the passages"),
        ({"decision": "accept", "passages": []}, "give the passages"),
        ({"decision": "accept", "passages": [{"doc_id": "mine", "quote": "in kiruna"}]}, "no longer says"),
        ({"decision": "accept", "passages": [{"doc_id": "gone"}]}, "gone is not in this release"),
        ({"decision": "accept", "passages": [{"doc_id": "mine"}], "question": " "}, "the question is empty"),
        ({"decision": "accept", "passages": [{"doc_id": "mine"}], "note": "\ud800"}, "holds a lone surrogate"),
        ({"decision": "accept_unanswerable", "passages": [{"doc_id": "mine"}]}, "has no passages"),
        ({"decision": "perhaps"}, "decision"),
        ({}, "decision"),
    ],
)
def test_a_decision_that_says_too_little_or_what_is_not_so_is_refused(api, waiting, decision, reason):
    reply = decide(api, waiting, "p1", **decision)
    assert (reply.status, reason in reply.detail) == (400, True), reply
    assert len(api.get(f"/v1/golden/{waiting}/proposals").json["items"]) == 2


def test_proposals_come_from_feedback_with_what_a_search_finds(api, name):
    identifier = new_id(api.store.log.live().created_at)
    facts = {"question": "Where was copper dug?", "k": 1, "filter": {}, "always": {}, "release": 1, "generation": "g", "embedder": "e"}
    made = {"search": {}, "generator": "x", "prompt": None, "answer": "?", "grounded": True, "degraded": [], "citations": []}
    api.store.answers.write(AnswerRecord(identifier, "2026-01-01", "key", **facts, **made))
    api.store.feedback.write(Feedback(identifier, api.store.log.live().created_at, useful=False, comment=None, key="k", release=1))
    reply = api.post(f"/v1/golden/{name}/proposals", {"limit": 200})
    items = api.get(f"/v1/golden/{name}/proposals").json["items"]
    assert (reply.status, reply.json) == (201, {"proposed": len(items), "waiting": len(items)})
    [proposal] = [each for each in items if each["question"] == "Where was copper dug?"]
    assert proposal["origin"] == "feedback"
    assert any("copper mine is in Falun" in each["quote"] for each in proposal["found"])
    refused = api.post("/v1/golden/default/proposals")
    assert (refused.status, "take the place of all of it" in refused.detail) == (409, True)


class Typed:
    """Runs `groundwork golden` against the API."""

    def __init__(self, api: RunningApi, capsys: pytest.CaptureFixture[str]) -> None:
        self._api, self._capsys = api, capsys
        self.out = self.err = ""

    def __call__(self, *argv: str) -> int:
        url = str(self._api.client.base_url)
        settings = Settings.model_validate({"home": self._api.home, "url": url, "key": self._api.admin})
        code = main(["golden", *argv], settings)
        self.out, self.err = self._capsys.readouterr()
        return code


@pytest.fixture
def golden(api: RunningApi, capsys: pytest.CaptureFixture[str]) -> Typed:
    return Typed(api, capsys)


@pytest.mark.thorough
def test_a_beir_folder_goes_in_with_its_documents_and_comes_out(api, golden, name, tmp_path: Path):
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text('{"_id": "m", "title": "Mine", "text": "The silver mine is in Sala."}\n')
    (folder / "queries.jsonl").write_text('{"_id": "1", "text": "Where is the silver mine?"}\n{"_id": "2", "text": "?"}\n')
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\tm\t1\n")
    assert golden("import", name, str(folder), "--prefix", "b:", "--with-documents") == 0
    assert f"{name}: 1 added, 0 replaced, 0 removed.\nLeft out: 1 without a judgement.\nAccepted 1 documents, rejected 0." in golden.out
    api.until(lambda: api.status("b:m").json["state"] == "indexed")
    api.until(lambda: golden("check", name) == 0)
    assert "1 questions; 1 can be measured, 0 have no answer, 0 are stale." in golden.out
    assert golden("export", name, str(tmp_path / "out")) == 0
    assert (tmp_path / "out" / "qrels" / "test.tsv").read_text() == "query-id\tcorpus-id\tscore\n1\tb:m\t1\n"
    assert golden("export", name, str(tmp_path / "out")) == 2
    assert golden("export", name, str(tmp_path / "lines.jsonl"), "--json") == 0
    assert json.loads(golden.out)["questions"] == 1
    assert golden("drop", name) == 0
    assert golden("import", name, str(tmp_path / "lines.jsonl")) == 0
    assert golden("list") == 0
    assert any(line.split()[:2] == [name, "1"] for line in golden.out.splitlines())


def test_stale_questions_exit_4_and_what_can_not_be_read_exits_2(api, golden, name, tmp_path):
    put(api, name, GONE)
    assert golden("check", name) == 4
    assert "ferry is not in this release" in golden.out
    assert golden("check", "unknown") == 1
    assert golden("check", "../x") == 2
    (tmp_path / "bad.jsonl").write_bytes(b"\xff")
    assert golden("import", name, str(tmp_path / "bad.jsonl")) == 2
    assert golden.err == "groundwork: bad.jsonl, line 1 is not UTF-8\n"
    assert golden("import", name, str(tmp_path)) == 2


def test_proposals_are_listed_and_decided_by_options(api, golden, waiting):
    assert golden("review", waiting) == 0
    assert "What about p1?" in golden.out
    assert golden.out.endswith("2 proposals wait.\n")
    assert golden("review", waiting, "--accept", "p1") == 1
    assert golden("review", waiting, "--accept", "p1", "--reject", "p2") == 2
    assert golden("review", waiting, "--accept", "p1", "--passage", "nothing: here") == 2
    assert golden("review", waiting, "--accept", "p1", "--passage", "mine: is in Falun", "--passage", "1") == 0
    assert golden("review", waiting, "--reject", "p2", "--json") == 0
    assert json.loads(golden.out) == {"id": "p2", "decision": "reject"}
    [accepted] = api.get(f"/v1/golden/{waiting}").json["items"]
    assert [each["quote"] for each in accepted["passages"]] == ["is in Falun", "The great copper mine is in Falun."]


@pytest.fixture
def walk(api: RunningApi, waiting: str) -> Callable[..., dict[str, int]]:
    """Goes through the proposals with what is typed."""

    def typed(*answers: str) -> dict[str, int]:
        left = iter(answers)
        with Client(str(api.client.base_url), api.admin, print) as client:
            session = Session(client, Terminal())
            return golden_review.walk(session, waiting, golden_review.proposals(session, waiting), lambda _: next(left))

    return typed


def test_on_a_terminal_one_goes_through_them(api, waiting, walk, capsys):
    assert walk("x", "a", "a 7", "a mine: in Kiruna", "e", "Where is it?", "a 1", "s") == {
        "accept": 1,
        "accept_unanswerable": 0,
        "reject": 0,
        "skip": 1,
    }
    out = capsys.readouterr().out
    for told in ("1 of 2", "What about p1?", "give the passages", "there is no passage 7", "no longer says", "Where is it?"):
        assert told in out
    assert [each["question"] for each in api.get(f"/v1/golden/{waiting}").json["items"]] == ["Where is it?"]
    assert walk("u")["accept_unanswerable"] == 1


def test_on_a_terminal_one_may_reject_and_quit_at_any_time(api, waiting, walk):
    assert walk("r", "q") == {"accept": 0, "accept_unanswerable": 0, "reject": 1, "skip": 0}
    assert [each["id"] for each in api.get(f"/v1/golden/{waiting}/proposals").json["items"]] == ["p2"]
