import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from api import upload
from api.cli import main
from api.files import FILE_BYTES, files_under
from index.settings import Settings

KEY = "gw_secret"
NOON = "2026-01-02T12:00:00.123456Z"


Json = dict[str, Any]
Reply = tuple[int, Json | None]


@dataclass(frozen=True)
class Question:
    """A request: what the pattern of its path caught, its query and its body."""

    name: str
    query: dict[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        return dict(json.loads(self.body))


class FakeGroundwork(ThreadingHTTPServer):
    """Speaks the contract over memory: text with "bad" in it is quarantined, an id with "no" in it is rejected."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.documents: dict[str, Json] = {}
        self.asked: list[tuple[str, str, bytes]] = []
        self.live, self.ready = 3, True
        self.stuck = False  # documents stay in the inbox
        self.busy, self.retry_after = 0, "0"  # so many requests are answered 503 first
        self.evaluation_ends = "completed"

    def request(self, nth: int = -1) -> tuple[str, str, Json]:
        method, path, body = self.asked[nth]
        return method, path, json.loads(body or "{}")

    def reply_to(self, method: str, target: str, body: bytes) -> Reply:
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        for known, pattern, answer in ROUTES:
            found = re.fullmatch(pattern, url.path)
            if known == method and found:
                return answer(self, Question(unquote("".join(found.groups())), query, body))
        return 400, {"detail": f"nothing is at {method} {url.path}"}

    def release(self, n: int) -> Json:
        scores = [{"metric": "nDCG@10", "value": 0.7126}]
        facts = {"release": n, "generation": "g1", "version": n, "rows": 1200 + n, "created_at": NOON, "status": "proven", "scores": scores}
        return facts | {"live": n == self.live, "pinned": n == self.live and n < 3, "checks": {}, "search": {}}

    def state_of(self, doc_id: str) -> Json:
        text = base64.b64decode(self.documents[doc_id]["content_base64"]).decode(errors="replace")
        state = "accepted" if self.stuck else "quarantined" if "bad" in text else "indexed"
        reason = "empty: the document holds no text" if state == "quarantined" else None
        facts = {"doc_id": doc_id, "revision": 7, "state": state, "accepted_at": NOON, "searchable_at": NOON}
        return facts | {"served": True, "release": 3, "chunks": 1, "duplicate_of": None, "reason": reason}

    def health(self, _: Question) -> Reply:
        if self.ready:
            return 200, {"status": "ready", "waiting": 5}
        return 503, {"detail": "search: no model yet", "progress": {"done": 3, "of": 80}}

    def live_release(self, _: Question) -> Reply:
        return 200, self.release(self.live)

    def capacity(self, _: Question) -> Reply:
        return 200, {"rows": 1203, "p95_ms": 8.25, "goal_ms": 50.0, "breaks_at_rows": 2300000, "breaks_on": "2027-05-01T00:00:00Z"}

    def releases(self, asked: Question) -> Reply:
        return 200, {"items": [self.release(n) for n in (3, 2, 1)][: int(asked.query["limit"])], "next": None}

    def bulk(self, asked: Question) -> Reply:
        lines = asked.body.splitlines()
        rejected = []
        for number, line in enumerate(lines, 1):
            document = json.loads(line)
            if "no" in document["doc_id"]:
                rejected.append({"line": number, "reason": "doc_id is not allowed"})
            else:
                self.documents[document["doc_id"]] = document
        return 202, {"accepted": len(lines) - len(rejected), "rejected": rejected}

    def page(self, asked: Question) -> Reply:
        """Pages of two."""
        found = [self.state_of(doc_id) for doc_id in sorted(self.documents)]
        items = [each for each in found if each["state"] == asked.query.get("state", each["state"])]
        start = int(asked.query.get("cursor", 0))
        end = start + min(int(asked.query["limit"]), 2)
        counts = {"indexed": 1204, "quarantined": 2}
        return 200, {"items": items[start:end], "next": str(end) if end < len(items) else None, "counts": counts}

    def document(self, asked: Question) -> Reply:
        if asked.name not in self.documents:
            return 404, {"detail": f"there is no document {asked.name}"}
        return 200, self.state_of(asked.name)

    def replay(self, _: Question) -> Reply:
        return 202, {"replayed": 1}

    def search(self, _: Question) -> Reply:
        text = "Open the\n[bold]valve\x1b[2J. " + "word " * 90
        place = {
            "chunk_id": "c1",
            "doc_id": "guide.md",
            "title": "Guide",
            "uri": None,
            "heading": ["Guide", "Start", "Valves"],
            "span": [0, 9],
        }
        hits = [place | {"score": 0.5, "text": text, "metadata": {}}]
        return 200, {"release": 3, "as_of": NOON, "degraded": ["text"], "hits": hits, "timings_ms": {"total": 12.4}}

    def answer(self, _: Question) -> Reply:
        citations = [{"n": 1, "doc_id": "guide.md", "chunk_id": "c1", "quote": "Open the valve.", "span": [0, 15]}]
        made = {"grounded": True, "release": 3, "generator": "extractive"}
        return 200, {"id": "a1", "answer": "Open the valve. [1]", "citations": citations} | made

    def plan(self, _: Question) -> Reply:
        return 200, {"added": 1200, "removed": 0, "examples": {"added": ["a.md", "b.md"], "removed": []}, "seconds": None}

    def evaluate(self, _: Question) -> Reply:
        return 202, {"id": "e1", "url": "http://127.0.0.1:4200/runs/e1"}

    def evaluation(self, _: Question) -> Reply:
        """Running when asked first."""
        scores = [
            {"metric": "nDCG@10", "value": 0.7126, "low": 0.65, "high": 0.77, "measured": 58, "of": 60},
            {"metric": "faithfulness", "value": None, "low": None, "high": None, "measured": 0, "of": 60, "note": "unexamined judge"},
        ]
        state = "running" if len(self.asked) < 3 else self.evaluation_ends
        return 200, {"id": "e1", "state": state, "release": 3, "reason": None, "scores": scores, "questions": []}

    def judge(self, _: Question) -> Reply:
        figure = {"value": 0.5, "low": 0.42, "high": 0.58, "of": 150}
        told = dict.fromkeys(("accuracy", "kappa", "repeatability"), figure) | {"coverage": 1.0, "asked": 372}
        found = {"model": "large", "endpoint": "http://localhost/v1", "state": "unqualified", "counts": False, "examined_at": NOON}
        return 200, found | {"reasons": ["accuracy is 0.50, below 0.85"], "exam": told | {"position": {"bias": 1.0, "of": 45}}}

    def rollback(self, asked: Question) -> Reply:
        self.live = asked.json.get("to") or 2
        return 200, {"live": self.live, "was": 3, "held": 1, "pinned": True}

    def resume(self, _: Question) -> Reply:
        return 200, {"live": 3, "was": 2, "held": 0, "pinned": False}

    def keys(self, _: Question) -> Reply:
        key: Json = {"id": "k1", "role": "reader", "name": "", "created_at": NOON, "expires_at": None, "filter": {}}
        return 200, {"items": [key], "next": None}

    def make_key(self, asked: Question) -> Reply:
        return 201, asked.json | {"id": "k2", "key": "gw_new"}

    def rotate(self, asked: Question) -> Reply:
        return 200, {"id": asked.name, "role": "writer", "key": "gw_newer"}

    def revoke(self, asked: Question) -> Reply:
        return (204, None) if asked.name == "k2" else (404, {"detail": "there is no such key"})


ROUTES: list[tuple[str, str, Callable[[FakeGroundwork, Question], Reply]]] = [
    ("GET", "/health/ready", FakeGroundwork.health),
    ("GET", "/v1/releases/live", FakeGroundwork.live_release),
    ("GET", "/v1/capacity", FakeGroundwork.capacity),
    ("GET", "/v1/releases", FakeGroundwork.releases),
    ("POST", "/v1/documents", FakeGroundwork.bulk),
    ("GET", "/v1/documents", FakeGroundwork.page),
    ("GET", "/v1/documents/([^/]+)", FakeGroundwork.document),
    ("POST", "/v1/documents/([^/]+)/replay", FakeGroundwork.replay),
    ("POST", "/v1/quarantine/replay", FakeGroundwork.replay),
    ("POST", "/v1/search", FakeGroundwork.search),
    ("POST", "/v1/answers", FakeGroundwork.answer),
    ("POST", "/v1/plans", FakeGroundwork.plan),
    ("POST", "/v1/evaluations", FakeGroundwork.evaluate),
    ("GET", "/v1/evaluations/e1", FakeGroundwork.evaluation),
    ("GET", "/v1/judge", FakeGroundwork.judge),
    ("POST", "/v1/judge/exam", FakeGroundwork.evaluate),
    ("POST", "/v1/rollback", FakeGroundwork.rollback),
    ("POST", "/v1/resume", FakeGroundwork.resume),
    ("GET", "/v1/keys", FakeGroundwork.keys),
    ("POST", "/v1/keys", FakeGroundwork.make_key),
    ("POST", "/v1/keys/([^/]+)/rotate", FakeGroundwork.rotate),
    ("DELETE", "/v1/keys/([^/]+)", FakeGroundwork.revoke),
]


class Handler(BaseHTTPRequestHandler):
    """Reads one request, lets the fake answer it."""

    server: FakeGroundwork

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        fake = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fake.asked.append((self.command, self.path, body))
        if self.headers["Authorization"] != f"Bearer {KEY}":
            self.reply(401, {"title": "Unauthorized", "detail": "this key is not known; is it revoked?"})
        elif fake.busy:
            fake.busy -= 1
            self.reply(503, {"detail": "the inbox is full"}, {"Retry-After": fake.retry_after})
        else:
            self.reply(*fake.reply_to(self.command, self.path, body))

    def do_POST(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def reply(self, status: int, body: Json | None, headers: dict[str, str] | None = None) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


class NotGroundwork(Handler):
    """Another program on the port: a page for everything."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"<p/>")


class Typed:
    """Types a command line and keeps what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], **settings: object) -> None:
        self.settings, self._capsys = Settings.model_validate(settings), capsys
        self.out = self.err = ""

    def __call__(self, *argv: str) -> int:
        code = main(argv, self.settings)
        self.out, self.err = self._capsys.readouterr()
        return code

    @property
    def reply(self) -> Json:
        reply: Json = json.loads(self.out)
        return reply


@pytest.fixture
def fake() -> Iterator[FakeGroundwork]:
    server = FakeGroundwork()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def groundwork(fake, tmp_path, capsys):
    return Typed(capsys, home=tmp_path / "home", url=fake.url, key=KEY)


@pytest.fixture
def folder(tmp_path):
    for name, text in {"a.md": "# A", "deep/b.html": "<p>B</p>", "deep/c d": "C", ".git/config": "x", ".hidden": "x"}.items():
        file = tmp_path / "docs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "docs"


def test_add_sends_a_folder_with_ids_relative_to_it_and_leaves_hidden_files_out(groundwork, fake, folder):
    assert groundwork("add", str(folder)) == 0
    assert groundwork.out == "Accepted 3 documents.\n"
    assert {doc_id: document["media_type"] for doc_id, document in fake.documents.items()} == {
        "a.md": "text/markdown",
        "deep/b.html": "text/html",
        "deep/c d": "text/plain",
    }
    assert fake.documents["deep/c d"]["uri"] == folder.as_uri() + "/deep/c%20d"
    assert base64.b64decode(fake.documents["a.md"]["content_base64"]) == b"# A"


def test_add_of_a_file_uses_its_name_after_the_prefix(groundwork, fake, folder):
    assert groundwork("add", str(folder / "deep" / "b.html"), "--prefix", "manual/", "--json") == 0
    assert groundwork.reply == {"accepted": 1, "rejected": []}
    assert list(fake.documents) == ["manual/b.html"]


def test_add_names_what_was_rejected_and_exits_4(groundwork, folder):
    (folder / "no.md").write_text("x")
    assert groundwork("add", str(folder)) == 4
    assert "Accepted 3 documents." in groundwork.out
    assert "no.md     doc_id is not allowed" in groundwork.out


def test_add_rejects_a_file_that_is_too_large_without_sending_it(groundwork, fake, folder):
    with (folder / "big.txt").open("wb") as file:
        file.truncate(FILE_BYTES + 1)
    assert groundwork("add", str(folder / "big.txt"), "--json") == 4
    assert groundwork.reply["accepted"] == 0
    assert groundwork.reply["rejected"][0]["reason"].startswith("too_large: 33554433 bytes")
    assert fake.asked == []


def test_add_sends_many_files_in_segments_of_200(groundwork, fake, tmp_path):
    (tmp_path / "many").mkdir()
    for n in range(401):
        (tmp_path / "many" / f"{n:03}.txt").write_text(str(n))
    assert groundwork("add", str(tmp_path / "many")) == 0
    assert groundwork.out == "Accepted 401 documents.\n"
    assert [len(body.splitlines()) for _, _, body in fake.asked] == [200, 200, 1]


def test_segments_stay_under_8_mb_and_a_larger_file_travels_alone(tmp_path):
    for name, size in {"a": 2_000_000, "b": 2_000_000, "c": 9_000_000, "d": 10}.items():
        (tmp_path / name).write_bytes(b"x" * size)
    segments = upload.segments(files_under([tmp_path]))
    assert [segment.doc_ids for segment in segments] == [("a", "b"), ("c",), ("d",)]


def test_add_with_wait_tells_what_was_quarantined_and_exits_4(groundwork, folder):
    (folder / "z.md").write_text("bad")
    assert groundwork("add", str(folder), "--wait", "5") == 4
    assert "Of these: indexed 3; quarantined 1." in groundwork.out
    assert "z.md      empty: the document holds no text" in groundwork.out


def test_add_with_wait_stops_waiting_in_time_and_exits_4(groundwork, fake, folder):
    fake.stuck = True
    assert groundwork("add", str(folder), "--wait", "0.1", "--json") == 4
    assert groundwork.reply == {"accepted": 3, "rejected": [], "documents": [], "waiting": 3}


def test_add_with_wait_exits_0_when_all_are_indexed(groundwork, folder):
    assert groundwork("add", str(folder), "--wait", "5", "--json") == 0
    assert [document["state"] for document in groundwork.reply["documents"]] == ["indexed"] * 3


def test_add_refuses_a_missing_path_an_empty_folder_and_two_files_with_one_id(groundwork, fake, folder, tmp_path):
    assert groundwork("add", str(tmp_path / "nowhere")) == 2
    assert groundwork.err == f"groundwork: there is no file or folder {tmp_path / 'nowhere'}\n"
    (tmp_path / "empty").mkdir()
    assert groundwork("add", str(tmp_path / "empty")) == 2
    (tmp_path / "a.md").write_text("another")
    assert groundwork("add", str(folder), str(tmp_path / "a.md")) == 2
    assert "would both be document 'a.md'" in groundwork.err
    assert fake.asked == []


def test_search_sends_its_options_and_shows_passages_within_80_columns(groundwork, fake):
    assert groundwork("search", "open", "the valve", "--k", "3", "--mode", "text", "--release", "2", "--filter", '{"source": "http"}') == 0
    assert fake.request() == (
        "POST",
        "/v1/search",
        {"query": "open the valve", "k": 3, "mode": "text", "release": 2, "filter": {"source": "http"}},
    )
    assert groundwork.out.startswith("1 hit in release 3, 12 ms\nDegraded: text\n\n 1  Guide › Start › Valves\n    0.5000  guide.md\n")
    assert max(map(len, groundwork.out.splitlines())) <= 80


def test_control_characters_of_a_document_do_not_reach_the_terminal(groundwork):
    groundwork("search", "valve")
    assert "\x1b" not in groundwork.out
    assert "Open the [bold]valve�[2J." in groundwork.out


def test_ask_shows_the_answer_and_its_numbered_citations(groundwork, fake):
    assert groundwork("ask", "How?", "--k", "4") == 0
    assert fake.request() == ("POST", "/v1/answers", {"question": "How?", "k": 4, "release": None})
    lines = [line.rstrip() for line in groundwork.out.splitlines()]
    assert lines == [
        "Open the valve. [1]",
        "",
        "[1] guide.md",
        "    “Open the valve.”",
        "",
        "grounded in the sources; release 3, extractive, answer a1",
    ]


def test_status_shows_health_live_release_and_counts(groundwork):
    assert groundwork("status") == 0
    facts = dict(line.split(maxsplit=1) for line in groundwork.out.splitlines())
    assert facts["ready"].strip() == "yes"
    assert facts["live"].strip() == "release 3, proven, 2026-01-02 12:00:00Z"
    assert facts["documents"].strip() == "indexed 1,204; quarantined 2"
    assert facts["waiting"].strip() == "5"
    assert facts["capacity"].strip() == "p95 8.2 ms; passes 50 ms at about 2,300,000 rows on 2027-05-01"


def test_status_of_a_platform_that_is_not_ready_names_the_part_and_exits_3(groundwork, fake):
    fake.ready = False
    assert groundwork("status") == 3
    assert "no: search: no model yet" in groundwork.out
    assert "3 of 80 documents" in groundwork.out


def test_status_of_a_document_percent_encodes_its_id(groundwork, fake, folder):
    groundwork("add", str(folder))
    assert groundwork("status", "deep/c d", "--json") == 0
    assert groundwork.reply["doc_id"] == "deep/c d"
    assert fake.request()[:2] == ("GET", "/v1/documents/deep%2Fc%20d")


def test_status_of_an_unknown_document_exits_1_with_the_servers_words(groundwork):
    assert groundwork("status", "lost") == 1
    assert groundwork.err == "groundwork: there is no document lost (HTTP 404)\n"
    assert groundwork("--json", "status", "lost") == 1
    assert groundwork.reply == {"detail": "there is no document lost"}


def test_plan_sends_full_paths_and_leaves_uris_alone(groundwork, fake):
    assert groundwork("plan", "docs", "s3://bucket/docs") == 0
    assert fake.request() == ("POST", "/v1/plans", {"paths": [str(Path("docs").absolute()), "s3://bucket/docs"]})
    assert [line.split() for line in groundwork.out.splitlines()] == [
        ["added", "1,200"],
        ["removed", "0"],
        ["examples", "added", "a.md,", "b.md"],
        ["seconds", "—"],
    ]


ASKED = {"release": None, "dataset": "default", "sample": None, "part": None, "answers": True, "minutes": None}


def test_evaluate_waits_and_shows_scores_with_intervals(groundwork, fake):
    assert groundwork("evaluate", "--release", "3", "--sample", "60") == 0
    assert fake.request(0) == ("POST", "/v1/evaluations", ASKED | {"release": 3, "sample": 60})
    rows = [line.split() for line in groundwork.out.splitlines()]
    assert ["nDCG@10", "0.713", "0.650–0.770", "58/60"] in rows
    assert ["faithfulness", "—", "—", "0/60"] in rows
    assert "faithfulness: shown, but nothing rests on it (unexamined judge)." in groundwork.out
    assert groundwork.err == "evaluation e1: http://127.0.0.1:4200/runs/e1\n"


def test_evaluate_takes_a_part_a_budget_and_leaves_the_answers_out(groundwork, fake):
    assert groundwork("evaluate", "--no-wait", "--part", "held_out", "--minutes", "5", "--no-answers") == 0
    assert fake.request(0) == ("POST", "/v1/evaluations", ASKED | {"part": "held_out", "minutes": 5.0, "answers": False})


def test_evaluate_without_waiting_prints_where_it_runs(groundwork):
    assert groundwork("evaluate", "--no-wait", "--json") == 0
    assert groundwork.reply == {"id": "e1", "url": "http://127.0.0.1:4200/runs/e1"}


@pytest.mark.parametrize("ends", ["failed", "running"])
def test_evaluate_exits_4_when_it_failed_or_was_not_done_in_time(groundwork, fake, ends):
    fake.evaluation_ends = ends
    assert groundwork("evaluate", "--timeout", "0.3", "--json") == 4


def test_judge_says_whether_its_scores_count_and_can_be_examined(groundwork, fake):
    assert groundwork("judge") == 0
    rows = [line.split() for line in groundwork.out.splitlines()]
    assert ["state", "unqualified"] in rows
    assert ["because", "accuracy", "is", "0.50,", "below", "0.85"] in rows
    assert ["kappa", "0.500", "0.420–0.580", "150"] in rows
    assert groundwork("judge", "--exam") == 0
    assert fake.request()[:2] == ("POST", "/v1/judge/exam")
    assert "Started exam e1: http://127.0.0.1:4200/runs/e1" in groundwork.out


def test_releases_are_a_table_within_80_columns(groundwork):
    assert groundwork("releases", "--limit", "2") == 0
    lines = groundwork.out.splitlines()
    assert lines[1].split() == ["3", "2026-01-02", "12:00:00Z", "1,203", "g1", "proven", "0.713", "live"]
    assert len(lines) == 3
    assert max(map(len, lines)) <= 80


def test_rollback_and_resume_say_what_is_live(groundwork, fake):
    assert groundwork("rollback", "--to", "1", "--reason", "wrong text") == 0
    assert fake.request() == ("POST", "/v1/rollback", {"to": 1, "reason": "wrong text", "requeue": False})
    assert groundwork.out.splitlines()[0] == "Live is release 1; it was 3."
    assert groundwork("rollback", "--before", NOON, "--reason", "r", "--requeue") == 0
    assert fake.request()[2] == {"before": NOON, "reason": "r", "requeue": True}
    assert groundwork("resume") == 0
    assert groundwork.out == "Live is release 3; it was 2.\n"


def test_quarantine_lists_over_all_pages_and_replays(groundwork, fake, tmp_path):
    for name in ("q1", "q2", "q3", "q4"):
        (tmp_path / name).write_text("bad")
        groundwork("add", str(tmp_path / name))
    assert groundwork("quarantine", "--json") == 0
    assert [each["doc_id"] for each in groundwork.reply["items"]] == ["q1", "q2", "q3", "q4"]
    assert groundwork("quarantine", "list", "--limit", "3") == 0
    assert "empty: the document holds no text" in groundwork.out
    assert groundwork.out.endswith("There are more: use --limit.\n")
    assert groundwork("quarantine", "replay", "a/q1") == 0
    assert fake.request()[:2] == ("POST", "/v1/documents/a%2Fq1/replay")
    assert groundwork("quarantine", "replay", "--reason", "empty") == 0
    assert fake.request() == ("POST", "/v1/quarantine/replay?reason=empty", {})


def test_keys_are_made_listed_and_revoked(groundwork, fake):
    assert groundwork("keys", "create", "--role", "writer", "--expires-days", "30", "--name", "cron") == 0
    assert groundwork.out.splitlines()[0] == "gw_new"
    assert fake.request()[2]["role"] == "writer"
    assert fake.request()[2]["expires_at"].endswith("+00:00")
    assert groundwork("keys") == 0
    assert groundwork.out.splitlines()[1].split()[:2] == ["k1", "reader"]
    assert groundwork("keys", "rotate", "k2", "--grace-hours", "24") == 0
    assert fake.request() == ("POST", "/v1/keys/k2/rotate", {"grace_seconds": 86400.0, "expires_at": None})
    assert groundwork.out.splitlines()[0] == "gw_newer"
    assert groundwork("keys", "revoke", "k2", "--json") == 0
    assert groundwork.reply == {}


@pytest.mark.parametrize(
    "argv",
    [
        ("search",),
        ("nonsense",),
        ("search", "x", "--k", "many"),
        ("search", "x", "--nonsense"),
        ("search", "x", "--filter", "source=http"),
        ("rollback",),
        ("rollback", "--to", "1", "--before", NOON, "--reason", "r"),
        ("quarantine", "replay"),
        ("add",),
        ("plan",),
    ],
)
def test_wrong_usage_exits_2_with_one_line_and_asks_nothing(groundwork, fake, argv):
    assert groundwork(*argv) == 2
    assert groundwork.err.startswith("groundwork: ")
    assert groundwork.err.count("\n") == 1
    assert fake.asked == []


def test_a_503_is_asked_again_after_its_retry_after(groundwork, fake):
    fake.busy = 2
    assert groundwork("search", "valve", "--json") == 0
    assert groundwork.reply["release"] == 3
    assert groundwork.err == "the inbox is full (HTTP 503): trying again for up to 30 s\n"
    assert len(fake.asked) == 3


def test_a_503_that_lasts_longer_than_our_patience_exits_3(groundwork, fake):
    fake.busy, fake.retry_after = 1, "60"
    assert groundwork("search", "valve", "--json") == 3
    assert groundwork.reply == {"detail": "the inbox is full"}
    assert groundwork.err == "groundwork: the inbox is full (HTTP 503)\n"


def test_a_server_that_does_not_answer_exits_3_and_says_what_to_do(tmp_path, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    groundwork = Typed(capsys, home=tmp_path, url=url, key=KEY)
    assert groundwork("search", "valve", "--json") == 3
    assert groundwork.out == ""
    assert groundwork.err == f"groundwork: Groundwork does not answer at {url}; is `make run` running?\n"


def test_a_server_that_is_something_else_exits_3(tmp_path, capsys):
    with ThreadingHTTPServer(("127.0.0.1", 0), NotGroundwork) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        groundwork = Typed(capsys, home=tmp_path, url=f"http://127.0.0.1:{server.server_port}", key=KEY)
        assert groundwork("search", "valve") == 3
        thread.join()
    assert "is not Groundwork" in groundwork.err


def test_the_admin_keys_file_is_used_when_no_key_is_set(fake, tmp_path, capsys):
    groundwork = Typed(capsys, home=tmp_path, url=fake.url)
    assert groundwork("releases") == 3
    assert groundwork.err.startswith(f"groundwork: no key: {tmp_path / 'admin.key'} does not exist.")
    (tmp_path / "admin.key").write_text(KEY + "\n")
    assert groundwork("releases") == 0


def test_a_wrong_key_exits_1_and_is_never_printed(fake, tmp_path, capsys):
    groundwork = Typed(capsys, home=tmp_path, url=fake.url, key="gw_wrong")
    assert groundwork("releases") == 1
    assert groundwork.err == "groundwork: this key is not known; is it revoked? (HTTP 401)\n"
    groundwork = Typed(capsys, home=tmp_path, url=fake.url, key="gw_two\nlines")
    assert groundwork("releases") == 2
    assert "gw_two" not in groundwork.out + groundwork.err


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "http://[", "ftp://localhost"])
def test_a_url_that_is_none_exits_2(tmp_path, capsys, url):
    groundwork = Typed(capsys, home=tmp_path, url=url, key=KEY)
    assert groundwork("releases") == 2
    assert groundwork.err.startswith("groundwork: GROUNDWORK_URL: ")


def test_help_needs_no_server_and_lists_commands_and_exit_codes(tmp_path, capsys):
    groundwork = Typed(capsys, home=tmp_path)
    assert groundwork("--help") == 0
    for word in ("add", "search", "ask", "status", "plan", "evaluate", "releases", "rollback", "quarantine", "--json", "Exit codes"):
        assert word in groundwork.out
    assert groundwork("search", "--help") == 0
    assert "--filter" in groundwork.out


@pytest.mark.thorough
def test_ctrl_c_exits_130_without_a_traceback(fake, tmp_path):
    (tmp_path / "a.md").write_text("x")
    fake.stuck = True
    environment = {"GROUNDWORK_HOME": str(tmp_path), "GROUNDWORK_URL": fake.url, "GROUNDWORK_KEY": KEY}
    # As in a terminal: what is started in the background inherits that Ctrl-C is ignored.
    heeding = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{heeding}; from api.cli import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", program, "add", str(tmp_path / "a.md"), "--wait", "60"], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        while not any(method == "GET" for method, *_ in list(fake.asked)):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == ""


@pytest.mark.parametrize(
    ("argv", "errors"), [("keys list --json", None), ("releases", None), ("--help", None), ("nowhere", subprocess.STDOUT)]
)
@pytest.mark.thorough
def test_a_command_whose_reader_has_gone_ends_quietly(fake, tmp_path, argv, errors):
    environment = {"GROUNDWORK_HOME": str(tmp_path), "GROUNDWORK_URL": fake.url, "GROUNDWORK_KEY": KEY}
    program = "import sys; from api.cli import main; sys.exit(main())"
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(
        [sys.executable, "-c", program, *argv.split()], env=environment, stdout=writer, stderr=errors or subprocess.PIPE
    ) as process:
        os.close(writer)
        said = process.communicate(timeout=60)[1]
    assert (process.returncode, said or b"") == (141, b"")


@pytest.mark.thorough
def test_importing_the_command_line_loads_nothing_heavy():
    heavy = {"lancedb", "torch", "litestar", "pyarrow", "numpy", "pandas", "prefect"}
    program = f"import sys, api.cli; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "[]\n"
