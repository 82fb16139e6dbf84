"""What becomes of documents, as a client of the API sees it."""

import base64
import json

import pytest

from tests.api.running import Reply, document

FALUN = "The great copper mine is in Falun."


def ids(reply: Reply) -> list[str]:
    return [item["doc_id"] for item in reply.json["items"]]


def test_a_document_that_is_waited_for_is_searchable_when_the_reply_comes(api):
    reply = api.put("waited", "Zinkgruvan is a zinc mine.", title="Mines", uri="https://mines.example/zinc")
    assert reply.status == 200
    facts = {name: reply.json[name] for name in ("doc_id", "state", "served", "chunks", "duplicate_of", "reason", "title", "uri")}
    assert facts == {
        "doc_id": "waited",
        "state": "indexed",
        "served": True,
        "chunks": 1,
        "duplicate_of": None,
        "reason": None,
        "title": "Mines",
        "uri": "https://mines.example/zinc",
    }
    assert reply.json["accepted_at"].endswith("Z")
    assert reply.json["accepted_at"] < reply.json["searchable_at"]
    assert api.found("zinc mine")[0] == "waited"
    assert api.status("waited").json == reply.json


def test_a_document_that_is_not_waited_for_is_accepted_at_once(api):
    reply = api.put("unwaited", "Silver was mined in Sala.", wait=0)
    assert (reply.status, set(reply.json)) == (202, {"doc_id", "accepted_at"})
    api.until(lambda: api.status("unwaited").json["state"] == "indexed")
    assert "unwaited" in api.found("silver in Sala")


@pytest.mark.thorough
def test_what_waits_is_accepted_durable_and_listed(own):
    reply = own.put("patient", FALUN, wait=0.1)
    assert (reply.status, set(reply.json)) == (202, {"doc_id", "accepted_at"})
    waiting = own.status("patient").json
    assert (waiting["state"], waiting["served"], waiting["release"], waiting["searchable_at"]) == ("accepted", False, None, None)
    assert ids(own.get("/v1/documents?state=accepted")) == ["patient"]
    assert ids(own.get("/v1/documents?state=indexed")) == []
    own.start_ingester()
    own.until(lambda: own.status("patient").json["served"])
    assert own.status("patient").json["revision"] == waiting["revision"]
    assert ids(own.get("/v1/documents?state=accepted")) == []


@pytest.mark.thorough
def test_a_document_that_can_not_be_indexed_is_set_aside_with_its_reason(api):
    reply = api.call("PUT", "/v1/documents/paper?wait=30", content=b"%PDF-1.7", headers={"Content-Type": "application/pdf"})
    assert (reply.status, reply.json["state"], reply.json["served"]) == (200, "quarantined", False)
    assert reply.json["reason"].startswith("corrupt: the PDF can't be read")
    assert "paper" in ids(api.get("/v1/documents?state=quarantined"))


def test_a_replacement_that_fails_leaves_the_old_text_served(api):
    api.put("stable", "Stable granite.")
    assert api.put("stable", " ").json["state"] == "quarantined"
    assert api.found("stable granite")[0] == "stable"


def test_a_changed_document_is_found_by_its_new_text_only(api):
    first = api.put("changing", "Quartzite was mined here.").json
    second = api.put("changing", "Feldspar is mined here.").json
    assert second["revision"] > first["revision"]
    assert second["release"] > first["release"]
    hits = [hit for hit in api.post("/v1/search", {"query": "quartzite feldspar", "k": 1000}).json["hits"] if hit["doc_id"] == "changing"]
    assert [hit["text"] for hit in hits] == ["Feldspar is mined here."]


def test_raw_bytes_are_taken_by_their_content_type(api):
    page = "<title>Gruvan</title><p>Åkerns malm är järn.</p>".encode("latin-1")
    reply = api.call("PUT", "/v1/documents/page?wait=30", content=page, headers={"Content-Type": "text/html; charset=iso-8859-1"})
    assert (reply.json["state"], reply.json["title"]) == ("indexed", "Gruvan")
    [hit] = [hit for hit in api.post("/v1/search", {"query": "järn malm"}).json["hits"] if hit["doc_id"] == "page"]
    assert hit["text"] == "Åkerns malm är järn."


def test_base64_is_taken_by_its_media_type(api):
    content = base64.b64encode(b"# Silver\n\nSala had silver.").decode()
    reply = api.call("PUT", "/v1/documents/encoded?wait=30", {"content_base64": content, "media_type": "text/markdown"})
    assert (reply.json["state"], reply.json["title"]) == ("indexed", "Silver")


@pytest.mark.parametrize(
    "doc_id",
    [
        "a/b//c",
        "../../etc/passwd",
        "/a",
        ".",
        "..",
        "end/",
        "x/replay",
        "replay",
        "a b+c&d=e?f#g",
        "100%",
        "%41",
        "malm/järn/鉄",
        "x" * 512,
    ],
)
def test_an_id_comes_back_as_it_was_sent(api, doc_id):
    assert api.put(doc_id, FALUN, wait=0).json["doc_id"] == doc_id
    assert api.status(doc_id).json["doc_id"] == doc_id
    assert not (api.home / "etc").exists()


def test_a_slash_in_an_id_is_the_same_encoded_or_not(api):
    api.put("folder/file.md", FALUN, wait=0)
    assert api.get("/v1/documents/folder/file.md").json["doc_id"] == "folder/file.md"


def test_an_escape_that_is_none_stands_for_itself(api):
    assert api.call("PUT", "/v1/documents/50%zz", {"text": FALUN}).json["doc_id"] == "50%zz"


def test_ids_that_differ_by_an_encoded_slash_only_at_first_sight_are_two(api):
    api.put("a%2Fb", FALUN, wait=0)
    api.put("a/b", FALUN, wait=0)
    assert api.status("a%2Fb").json["revision"] < api.status("a/b").json["revision"]


@pytest.mark.thorough
def test_pages_hold_each_document_once_in_order(own):
    names = [f"page/{n:02}" for n in range(7)]
    own.post("/v1/documents", content=b"\n".join(json.dumps({"doc_id": name, "text": name}).encode() for name in reversed(names)))
    own.start_ingester()
    own.until(lambda: own.status(names[0]).json["served"])
    seen, cursor, sizes = [], "", []
    while cursor is not None:
        page = own.get(f"/v1/documents?limit=3&cursor={cursor}")
        seen += ids(page)
        sizes.append(len(page.json["items"]))
        cursor = page.json["next"]
    assert (seen, sizes) == (names, [3, 3, 1])


@pytest.mark.thorough
def test_pages_go_on_past_documents_that_are_about_to_change(own):
    own.start_ingester()
    own.post(
        "/v1/documents", content=b"\n".join(b'{"doc_id": "%s", "text": "iron %s"}' % (name, name) for name in (b"a", b"b", b"c", b"d"))
    )
    own.until(lambda: own.status("d").json["served"])
    own.stop_ingester()
    own.put("a", "copper a", wait=0)
    own.put("b", "copper b", wait=0)
    first = own.get("/v1/documents?state=indexed&limit=2")
    assert ids(first) == []
    assert ids(own.get(f"/v1/documents?state=indexed&limit=2&cursor={first.json['next']}")) == ["c", "d"]
    assert ids(own.get("/v1/documents?state=accepted")) == ["a", "b"]


def test_lines_are_accepted_one_by_one(api):
    good = b'{"doc_id": "line/1", "text": "Pyrite."}'
    reply = api.post(
        "/v1/documents", content=b"\n".join([good, b"", b"nonsense", b'{"doc_id": "//"}', b'{"doc_id": "line/5", "size": 1}', good])
    )
    assert (reply.status, reply.json["accepted"]) == (202, 2)
    reasons = {rejection["line"]: rejection["reason"] for rejection in reply.json["rejected"]}
    assert list(reasons) == [3, 4, 5]
    assert "JSON is malformed" in reasons[3]
    assert "more than slashes" in reasons[4]
    assert "unknown field `size`" in reasons[5]
    assert api.status("line/5").status == 404
    assert api.status("line/1").status == 200


def test_files_of_a_form_are_documents_named_by_the_file(api):
    files = [
        ("files", ("ores.md", b"# Ores\n\nGalena holds lead.")),
        ("files", ("notes/galena.txt", b"Galena.")),
        ("files", ("x" * 513, b".")),
    ]
    reply = api.post("/v1/documents", files=files)
    assert (reply.status, reply.json["accepted"]) == (202, 2)
    assert [rejection["line"] for rejection in reply.json["rejected"]] == [3]
    api.until(lambda: api.status("ores.md").json["served"])
    assert api.status("ores.md").json["title"] == "ores.md"
    assert "ores.md" in api.found("galena lead")


def test_a_quarantined_document_goes_through_the_pipeline_again(api):
    before = api.put("again/replay", "").json
    assert before["state"] == "quarantined"
    reply = api.post(document("again/replay") + "/replay")
    assert (reply.status, reply.json) == (202, {"replayed": 1})
    api.until(lambda: api.status("again/replay").json["revision"] > before["revision"])


@pytest.mark.thorough
def test_the_quarantine_is_replayed_by_reason(own):
    own.start_ingester()
    for doc_id, text, media_type in (
        ("a", "", "text/plain"),
        ("b", " ", "text/plain"),
        ("c", "x", "image/png"),
        ("d", "Gold.", "text/plain"),
    ):
        own.put(doc_id, text, media_type=media_type)
    assert own.post("/v1/quarantine/replay?reason=empty").json == {"replayed": 2}
    assert own.post("/v1/quarantine/replay?reason=too_large").json == {"replayed": 0}
    own.until(lambda: own.get("/health/ready").json["waiting"] == 0)
    assert own.post("/v1/quarantine/replay").json == {"replayed": 3}


@pytest.mark.thorough
def test_the_reason_to_replay_may_stand_in_the_body_too_where_nothing_else_may(own):
    own.start_ingester()
    own.put("a", "")
    own.put("c", "x", media_type="image/png")
    path = "/v1/quarantine/replay"
    assert own.post(path, {"reason": "no-such-reason"}).json == {"replayed": 0}
    assert own.post(f"{path}?reason=empty", {"reason": "empty"}).json == {"replayed": 1}
    own.until(lambda: own.get("/health/ready").json["waiting"] == 0)
    assert own.post(f"{path}?reason=unsupported", {}).json == {"replayed": 1}
    own.until(lambda: own.get("/health/ready").json["waiting"] == 0)
    twice = own.post(f"{path}?reason=empty", {"reason": "unsupported"})
    assert (twice.status, "'reason' is given twice" in twice.detail) == (400, True)
    unknown = own.post(path, {"reasons": "empty"})
    assert (unknown.status, "unknown field `reasons`" in unknown.detail) == (400, True)
    assert own.post(path, {}).json == {"replayed": 2}


@pytest.mark.thorough
def test_a_deleted_document_is_gone_from_old_releases_too(api):
    shown = api.put("secret", "The password is malachite.").json["release"]
    assert api.found("malachite", release=shown) == ["secret"] or "secret" in api.found("malachite", release=shown)
    reply = api.delete("secret")
    assert (reply.status, reply.json["state"], reply.json["chunks"]) == (200, "deleted", 0)
    assert "secret" not in api.found("malachite")
    assert "secret" not in api.found("malachite", release=shown)
    assert api.status("secret").json["state"] == "deleted"
    assert "secret" in ids(api.get("/v1/documents?state=deleted"))


@pytest.mark.thorough
def test_a_document_put_again_after_its_deletion_does_not_bring_the_old_text_back(api):
    old = api.put("phoenix", "Old ashes of cinnabar.").json["release"]
    api.delete("phoenix")
    api.put("phoenix", "New feathers of vermilion.")
    assert "phoenix" in api.found("vermilion feathers")
    assert "phoenix" not in api.found("cinnabar ashes", release=old)


@pytest.mark.thorough
def test_a_deletion_that_is_not_waited_for_is_accepted(api):
    api.put("leaving", FALUN, wait=0)
    reply = api.delete("leaving", wait=0)
    assert (reply.status, set(reply.json)) == (202, {"doc_id", "accepted_at"})
    api.until(lambda: api.status("leaving").json["state"] == "deleted")


@pytest.mark.thorough
def test_a_purged_document_leaves_no_byte_in_the_home_and_says_what_had_to_go(own):
    own.start_ingester().put("secret", "The vault opens with xylophonic zeppelins of the harbour bank.")
    own.put("other", "The ferry leaves at nine.")
    reply = own.call("DELETE", "/v1/documents/secret?purge=true&wait=30")
    assert (reply.status, reply.json["state"]) == (200, "deleted")
    own.until(lambda: own.status("secret").json["purged"] is not None)
    told = own.status("secret").json["purged"]
    assert (told["originals"], told["searched"]["found"], len(told["releases"]) > 1) == (1, [], True)
    assert not [path for path in own.home.rglob("*") if path.is_file() and b"xylophon" in path.read_bytes()]
    assert own.found("ferry") == ["other"]
    assert [deed["what"] for deed in own.get("/v1/audit").json["items"]][:2] == ["purged", "asked for a purge"]


@pytest.mark.thorough
def test_nothing_is_purged_while_an_older_release_is_pinned(own):
    own.start_ingester().put("secret", "The vault opens.")
    own.post("/v1/rollback", {"to": 1})
    reply = own.call("DELETE", "/v1/documents/secret?purge=true")
    assert (reply.status, "resume first" in reply.detail) == (409, True)


@pytest.mark.parametrize(("number", "size", "lane"), [(10, 100, "express"), (11, 100, "bulk"), (2, 600_000, "bulk")])
def test_a_few_documents_in_one_request_do_not_wait_behind_bulk_loads(own, number, size, lane):
    lines = "".join(json.dumps({"doc_id": f"few-{n}", "text": "a" * size}) + "\n" for n in range(number))
    reply = own.call("POST", "/v1/documents", content=lines.encode(), headers={"Content-Type": "application/x-ndjson"})
    assert reply.json["accepted"] == number
    waiting = {each: sum(segment.writes for segment in own.store.inbox.segments(each)) for each in ("express", "bulk")}
    assert waiting == {"express": 0, "bulk": 0} | {lane: number}
