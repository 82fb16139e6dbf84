"""Plans: what a sweep would do."""

import pytest

from tests.api.running import RunningApi


@pytest.fixture
def folder(tmp_path):
    ores = tmp_path / "ores"
    (ores / "deep").mkdir(parents=True)
    (ores / "iron.md").write_text("# Iron\n\nMagnetite holds iron.")
    (ores / "deep" / "lead.txt").write_text("Galena holds lead.")
    (ores / "photo.png").write_bytes(b"\x89PNG")
    return ores


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


def test_a_plan_of_paths_compares_with_what_was_added_from_them(folder, own):
    own.start_ingester().put("iron.md", "# Iron\n\nMagnetite holds iron.", media_type="text/markdown")
    planned = own.post("/v1/plans", {"paths": [str(folder), str(folder / "deep" / "lead.txt")]}).json
    assert (planned["added"], planned["unchanged"], planned["examples"]["added"]) == (2, 1, ["deep/lead.txt", "lead.txt"])
    assert (planned["chunks"], planned["embed"]) == (2, 1)


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


def test_a_configured_source_can_be_named_by_its_uri_and_no_other_can(folder, tmp_path):
    with RunningApi(tmp_path / "home", sources=str(folder)) as running:
        running.start_ingester()
        assert running.post("/v1/plans", {"paths": [folder.as_uri()]}).json["source"] == "ores"
        refused = running.post("/v1/plans", {"paths": ["git+https://me:secret@host/repo"]})
        assert (refused.status, "secret" in refused.json["detail"]) == (400, False)
        assert "no source 'git+https://host/repo' is configured; there are: ores" in refused.json["detail"]
