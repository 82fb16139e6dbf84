"""Plans: what a sweep would do."""

import pytest

from api.files import files_under
from api.upload import segments
from tests.api.running import RunningApi


@pytest.fixture
def folder(tmp_path):
    ores = tmp_path / "ores"
    (ores / "deep").mkdir(parents=True)
    (ores / "iron.md").write_text("# Iron\n\nMagnetite holds iron.")
    (ores / "deep" / "lead.txt").write_text("Galena holds lead.")
    (ores / "photo.png").write_bytes(b"\x89PNG")
    return ores


@pytest.mark.thorough
def test_a_plan_of_a_source_counts_what_a_sweep_would_do_and_does_nothing(folder, tmp_path):
    with RunningApi(tmp_path / "home", sources=str(folder)) as running:
        running.start_ingester()
        planned = running.post("/v1/plans", {"source": "ores"}).json
        assert [planned[name] for name in ("source", "added", "changed", "removed", "unchanged", "chunks", "embed")] == [
            "ores",
            2,
            0,
            0,
            0,
            2,
            2,
        ]
        assert (planned["needs_confirmation"], planned["seconds"] >= 0, planned["disk_bytes"] > 0) == (False, True, True)
        assert sorted(planned["examples"]["added"]) == ["ores:deep/lead.txt", "ores:iron.md"]
        assert running.get("/v1/documents").json["items"] == []
        assert running.post("/v1/plans", {"source": "sample"}).status == 400


def add(api, *paths):
    """What `groundwork add` sends of these paths; each document is in the index, or set aside, when this returns."""
    for segment in segments(files_under(paths)):
        body = b"\n".join(segment.lines) + b"\n"
        assert api.call("POST", "/v1/documents", content=body, headers={"Content-Type": "application/x-ndjson"}).json["rejected"] == []
        api.until(lambda doc_ids=segment.doc_ids: all(api.status(doc_id).json["state"] != "accepted" for doc_id in doc_ids))


@pytest.mark.thorough
def test_a_plan_of_paths_compares_with_what_was_added_from_them(folder, own):
    add(own.start_ingester(), folder)
    (folder / "zinc.md").write_text("Sphalerite holds zinc.")
    planned = own.post("/v1/plans", {"paths": [str(folder), str(folder / "deep" / "lead.txt")]}).json
    assert (planned["added"], planned["changed"], sorted(planned["examples"]["added"])) == (2, 0, ["lead.txt", "zinc.md"])
    assert (planned["chunks"], planned["embed"]) == (2, 1)


@pytest.mark.thorough
def test_a_file_that_was_added_and_is_as_it_was_is_unchanged_in_a_plan(folder, own):
    add(own.start_ingester(), folder / "iron.md")
    counts = ("added", "changed", "unchanged", "embed")
    again = own.post("/v1/plans", {"paths": [str(folder / "iron.md")]}).json
    assert [again[name] for name in counts] == [0, 0, 1, 0]
    (folder / "iron.md").write_text("# Iron\n\nHematite holds iron.")
    edited = own.post("/v1/plans", {"paths": [str(folder / "iron.md")]}).json
    assert [edited[name] for name in counts] == [0, 1, 0, 1]


@pytest.mark.thorough
def test_a_plan_of_a_folder_is_of_each_file_that_would_be_added_and_tells_which_would_be_set_aside(folder, own):
    (folder / ".hidden.md").write_text("Nobody sees this.")
    (folder / "secret.txt").symlink_to("/proc/self/mem")  # its first byte can't be read, not even by root
    own.start_ingester()
    planned = own.post("/v1/plans", {"paths": [str(folder)]}).json
    assert [planned[name] for name in ("added", "skipped", "quarantined")] == [3, 1, 1]
    assert sorted(planned["examples"]["added"]) == ["deep/lead.txt", "iron.md", "photo.png"]
    assert planned["examples"]["skipped"] == ["secret.txt: unreadable: Input/output error"]
    assert planned["examples"]["quarantined"] == ["photo.png: unsupported"]
    (folder / "secret.txt").unlink()
    add(own, folder)
    assert {item["doc_id"]: item["state"] for item in own.get("/v1/documents").json["items"]} == {
        "deep/lead.txt": "indexed",
        "iron.md": "indexed",
        "photo.png": "quarantined",
    }


@pytest.mark.thorough
def test_a_plan_refuses_the_paths_that_could_not_be_added(folder, own):
    own.start_ingester()
    (folder / "empty").mkdir()
    empty = own.post("/v1/plans", {"paths": [str(folder / "empty")]})
    assert (empty.status, "there is no file in" in empty.detail) == (400, True)
    (folder / "lead.txt").write_text("Another.")
    twice = own.post("/v1/plans", {"paths": [str(folder / "deep"), str(folder / "lead.txt")]})
    assert (twice.status, "would both be document 'lead.txt'" in twice.detail) == (400, True)


@pytest.mark.thorough
def test_a_plan_tells_moves_skipped_documents_and_where_its_time_goes(folder, tmp_path):
    rows = tmp_path / "rows.ndjson"
    rows.write_text('{"doc_id": "a", "text": "Galena holds lead."}\n{"doc_id": "b"}\n')
    with RunningApi(tmp_path / "home", sources=f"{folder},{rows}#name=table") as running:
        running.start_ingester()
        planned = running.post("/v1/plans", {"source": "table"}).json
        assert [planned[name] for name in ("added", "moved", "skipped", "gaps", "embed", "measured", "estimated")] == [
            1,
            0,
            1,
            0,
            1,
            2,
            False,
        ]
        assert planned["seconds"] == pytest.approx(planned["parse_seconds"] + planned["embed_seconds"], abs=0.11)
        assert planned["bytes"] == len("Galena holds lead.")


@pytest.mark.thorough
def test_a_configured_source_can_be_named_by_its_uri_and_no_other_can(folder, tmp_path):
    with RunningApi(tmp_path / "home", sources=str(folder)) as running:
        running.start_ingester()
        assert running.post("/v1/plans", {"paths": [folder.as_uri()]}).json["source"] == "ores"
        refused = running.post("/v1/plans", {"paths": ["git+https://me:secret@host/repo"]})
        assert (refused.status, "secret" in refused.json["detail"]) == (400, False)
        assert "no source 'git+https://host/repo' is configured; there are: ores" in refused.json["detail"]
