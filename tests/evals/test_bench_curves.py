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


def test_the_pictures_show_what_was_measured(tmp_path: Path):
    file = written(tmp_path / "bench.json", growth(1_000, 6.0) + growth(10_000, 6.5) + fresh("at a steady pace", 0.1, 0.4, 0.9))
    assert main([str(file), "--to", str(tmp_path)]) == 0
    cost = (tmp_path / "cost-per-document.svg").read_text()
    assert ">chunk<" in cost
    assert ">in all, folding included<" in cost
    assert ">at a steady pace<" in (tmp_path / "freshness.svg").read_text()


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
