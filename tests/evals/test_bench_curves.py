import json
from pathlib import Path

import pytest

from evals.bench.curves import main, read
from evals.bench.figures import Case, Figure, as_json
from evals.bench.growth import FOLDED, WHOLE


def growth(documents: int, ms: float) -> list[Figure]:
    case = Case("growth", f"{documents:,} documents in the index, fake embedder")
    return [case.figure(WHOLE, ms, "ms"), case.figure(FOLDED, ms + 1, "ms"), case.figure(f"{WHOLE}, chunk", ms / 3, "ms")]


def fresh(name: str, *seconds: float) -> list[Figure]:
    return [Case("freshness", name).figure(f"p{percent}", value, "s") for percent, value in zip((1, 50, 99), seconds, strict=True)]


def written(path: Path, figures: list[Figure]) -> Path:
    path.write_text(json.dumps(as_json(figures)))
    return path


@pytest.mark.thorough
def test_the_pictures_show_what_was_measured(tmp_path: Path):
    file = written(tmp_path / "bench.json", growth(1_000, 6.0) + growth(10_000, 6.5) + fresh("at a steady pace", 0.1, 0.4, 0.9))
    assert main([str(file), "--to", str(tmp_path)]) == 0
    cost = (tmp_path / "cost-per-document.svg").read_text()
    assert ">chunk<" in cost
    assert ">in all, folding included<" in cost
    assert ">at a steady pace<" in (tmp_path / "freshness.svg").read_text()


def test_searches_are_drawn_by_rows_by_effort_and_by_batches(tmp_path: Path):
    figures = [
        Case("search", "1,000 rows, by vector").figure("p50", 4.0, "ms"),
        Case("search", "1,000 rows, by vector, 8 clients").figure("p50", 9.0, "ms"),
        Case("search", "1,000 rows, every row").figure("p50", 40.0, "ms"),
        Case("stores", "1,000 rows, faiss-hnsw").figure("p50", 1.0, "ms"),
        Case("stores", "1,000 rows, faiss-hnsw, effort 16").figure("p50", 1.0, "ms"),
        Case("stores", "1,000 rows, faiss-hnsw, effort 16").figure("recall@10", 0.9, ""),
        Case("tail", "2 batches, folded").figure("searches p50 after 1 batches", 4.0, "ms"),
        Case("tail", "2 batches, folded").figure("searches p50 after 2 batches", 5.0, "ms"),
    ]
    assert main([str(written(tmp_path / "bench.json", figures)), "--to", str(tmp_path)]) == 0
    by_rows = (tmp_path / "latency-by-rows.svg").read_text()
    assert all(f">{name}<" in by_rows for name in ("Groundwork", "every row", "faiss-hnsw"))
    assert "8 clients" not in by_rows
    assert ">faiss-hnsw<" in (tmp_path / "recall-by-latency.svg").read_text()
    assert ">2 batches, folded<" in (tmp_path / "tail.svg").read_text()


def test_only_the_parts_that_were_measured_are_drawn(tmp_path: Path):
    assert main([str(written(tmp_path / "bench.json", fresh("at a steady pace", 0.1, 0.4, 0.9))), "--to", str(tmp_path)]) == 0
    assert not (tmp_path / "cost-per-document.svg").exists()


def test_of_a_figure_in_several_files_the_last_counts(tmp_path: Path):
    files = [written(tmp_path / f"{number}.json", growth(1_000, float(number))) for number in (5, 7)]
    assert [figure.value for figure in read(files)][:2] == [7, 8]


@pytest.mark.parametrize("text", ["[]", "no JSON", '[{"part": "growth"}]'])
def test_files_with_nothing_to_draw_give_one_line(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "bench.json").write_text(text)
    assert main([str(tmp_path / "bench.json"), "--to", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
