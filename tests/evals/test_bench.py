import gzip
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from evals.bench import corpus
from evals.bench.__main__ import main
from evals.bench.collection import beir, real_documents
from evals.bench.figures import Case, Figure, as_json, as_table, p50_ms, readable
from evals.bench.footprint import Footprint, footprint
from evals.bench.fusions import FUSIONS, reciprocal_rank
from evals.bench.lifelike import Lifelike, hardness, still_found
from evals.bench.options import Options
from evals.bench.platform import command, free_ports
from evals.bench.quality import exact_documents, ndcg, rankings
from evals.bench.releases import releases
from evals.bench.scale import Scaled
from evals.bench.search import of_making, of_serving
from evals.bench.serving import in_fresh_process
from index.errors import Misconfigured
from index.policy import IndexPolicy

KEYS = {"part", "case", "metric", "value", "unit", "baseline", "ratio"}


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """Two documents; one question about the first, and one that nobody has judged."""
    folder = tmp_path / "pets"
    folder.mkdir()
    documents = [
        {"_id": "d1", "title": "Cats", "text": "Cats purr when they are content."},
        {"_id": "d2", "title": "", "text": "Dogs bark at strangers."},
    ]
    with gzip.open(folder / "corpus.jsonl.gz", "wt") as file:
        file.write("\n".join(map(json.dumps, documents)))
    questions = [{"_id": "q1", "text": "Which pets purr when content"}, {"_id": "q2", "text": "Who flies?"}]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, questions)))
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\n")
    return folder


def test_a_figure_beside_a_baseline_says_how_many_times_as_much_it_is():
    ours, theirs = Case("embed", "ours").figure("passages", 60, "passages/s"), Case("embed", "plain").figure("passages", 40, "passages/s")
    assert ours.against(theirs) == Figure("embed", "ours", "passages", 60, "passages/s", baseline="plain", ratio=1.5)


def test_nothing_is_a_multiple_of_zero():
    assert Figure("p", "c", "m", 5, "s").against(Figure("p", "b", "m", 0, "s")).ratio is None


def test_figures_of_different_units_are_not_compared():
    with pytest.raises(ValueError, match="can't be compared"):
        Figure("p", "c", "m", 5, "s").against(Figure("p", "b", "m", 5, "ms"))


def test_the_result_file_has_the_fields_of_the_contract():
    [row] = as_json([Figure("search", "c", "p50", 5.0, "ms")])
    assert row == {"part": "search", "case": "c", "metric": "p50", "value": 5.0, "unit": "ms", "baseline": None, "ratio": None}


def test_the_table_names_a_case_once():
    table = as_table("search", [Figure("search", "by vector", "p50", 5.0, "ms"), Figure("search", "by vector", "p99", 9.0, "ms")])
    assert list(table.columns[0].cells) == ["by vector", ""]


@pytest.mark.parametrize(("value", "text"), [(20_000, "20,000"), (1234.56, "1,234.6"), (7.12345, "7.123"), (0.7251, "0.7251")])
def test_values_have_as_many_digits_as_can_be_believed(value: float, text: str):
    assert readable(value) == text


def test_the_median_is_given_in_milliseconds():
    assert p50_ms([0.001, 0.002, 9.0]) == pytest.approx(2)


def test_reciprocal_rank_adds_what_each_ranking_gives():
    fused = reciprocal_rank({"a": 0.9, "b": 0.1}, {"b": 7.0, "c": 3.0}, constant=10)
    assert fused == pytest.approx({"a": 1 / 11, "b": 1 / 12 + 1 / 11, "c": 1 / 12})


def test_equal_scores_rank_in_the_order_of_their_ids():
    assert reciprocal_rank({"b": 1.0, "a": 1.0}, {}, constant=0) == {"a": 1.0, "b": 0.5}


def test_every_fusion_ranks_what_both_searches_found_best_first():
    for name, fuse in FUSIONS.items():
        fused = fuse({"both": 0.9, "vector only": 0.5}, {"both": 4.0, "text only": 2.0})
        assert max(fused, key=fused.__getitem__) == "both", name


def test_the_best_chunk_stands_for_its_document():
    found = {"q": {"d1-a": 0.9, "d2-a": 0.8, "d1-b": 0.7, "d3-a": 0.6}}
    assert rankings(found, lambda chunk: chunk[:2]) == {"q": ["d1", "d2", "d3"]}


def test_ndcg_is_one_at_the_top_less_below_and_zero_for_nothing():
    grades = {"first": {"d1": 1}, "second": {"d1": 1}, "none": {"d1": 1}}
    found = {"first": ["d1", "d2"], "second": ["d2", "d1"], "none": []}
    assert ndcg(found, grades) == pytest.approx((1 + 1 / np.log2(3) + 0) / 3)


def test_ndcg_counts_the_order_not_the_number_of_things_found():
    assert ndcg({"q": [f"d{number}" for number in range(40)]}, {"q": {"d10": 1}}) == 0


def test_exact_search_finds_the_nearest_document(collection: Path):
    assert exact_documents(beir(collection), corpus.HashingEmbedder())["q1"][:1] == ["d1"]


def test_a_beir_folder_is_read_with_judged_questions_only(collection: Path):
    read = beir(collection)
    assert [(draft.doc_id, draft.title) for draft in read.documents] == [("d1", "Cats"), ("d2", None)]
    assert [(question.id, question.grades) for question in read.questions] == [("q1", {"d1": 2})]
    assert read.judged == "documents"


def test_questions_that_quote_their_passages_are_judged_by_passage(collection: Path):
    references = [{"content": "Cats purr", "start_index": 0, "end_index": 9}]
    question = {"_id": "q1", "text": "Which pets purr?", "metadata": {"corpus_id": "d1", "references": references}}
    (collection / "queries.jsonl").write_text(json.dumps(question))
    read = beir(collection)
    assert read.judged == "passages"
    assert read.questions[0].golden is not None
    assert [passage.quote for passage in read.questions[0].golden.passages] == ["Cats purr"]


def test_a_folder_without_questions_is_refused_by_name(collection: Path):
    (collection / "queries.jsonl").unlink()
    with pytest.raises(Misconfigured, match="pets is no collection in BEIR layout"):
        beir(collection)


def test_more_documents_than_there_are_is_refused(collection: Path):
    assert len(real_documents(collection, 2)) == 2
    with pytest.raises(Misconfigured, match="text for 2 documents"):
        real_documents(collection, 3)


def test_the_sample_gives_pieces_of_real_text():
    first, second = real_documents(None, 2)
    assert first.doc_id != second.doc_id
    assert len(first.content.split()) == 60


def test_the_platform_is_started_with_its_own_settings_and_none_of_the_callers():
    line = command({"HOME": "/tmp/bench", "PORT": "8123"})
    assert line[-3:] == ["-m", "deployments.local", "--with-parent"]
    assert {"GROUNDWORK_HOME=/tmp/bench", "GROUNDWORK_PORT=8123"} < set(line)
    unset = {name for flag, name in pairwise(line) if flag == "-u"}
    assert {"GROUNDWORK_INDEX_URI", "GROUNDWORK_LLM_URL", "PREFECT_API_URL"} < unset
    assert "GROUNDWORK_EMBEDDER" not in unset


def test_free_ports_differ():
    assert len(set(free_ports(5))) == 5


def test_made_up_vectors_have_the_mean_and_the_spread_of_the_real_ones():
    rng = np.random.default_rng(1)
    real = corpus.unit(rng.standard_normal((2_000, 8)) * [8, 4, 2, 1, 1, 1, 1, 1] + [4, 0, 0, 0, 0, 0, 0, 0]).astype(np.float32)
    made = Lifelike(real).draw(20_000, rng)
    assert np.linalg.norm(made, axis=1) == pytest.approx(np.ones(20_000), abs=1e-5)
    assert made.mean(axis=0) == pytest.approx(real.mean(axis=0), abs=0.05)
    assert made.std(axis=0) == pytest.approx(real.std(axis=0), abs=0.1)


def test_hardness_is_how_much_farther_a_vector_is_than_the_tenth():
    vectors = np.eye(2, dtype=np.float32)[[0, 1] * 50]
    found = hardness(np.full((3, 10), 0.5, dtype=np.float32), vectors, vectors[:3], np.random.default_rng(1))
    assert found.tenth == 0.5
    assert found.contrast == pytest.approx(np.sqrt(2) / 2, abs=0.03)  # half of the pairs are the square root of 2 apart, the others 0


def test_rounding_to_16_bits_costs_random_vectors_next_to_nothing():
    drawn = corpus.unit(np.random.default_rng(1).standard_normal((5_000, 384))).astype(np.float32)
    assert 0.99 < still_found(drawn, drawn[:100]) <= 1


@pytest.mark.slow
def test_an_index_is_made_tuned_and_served_in_a_process_of_its_own(tmp_path: Path):
    rng = np.random.default_rng(1)
    vectors = Lifelike(corpus.unit(rng.standard_normal((500, 384))).astype(np.float32))
    made = Scaled.make(tmp_path, vectors, 3_000, 20, IndexPolicy(flat_below=1_000))
    assert made.shape is not None
    assert made.tuned is not None
    served = in_fresh_process(made.folder, made.questions)
    assert len(served.vector.seconds) == len(served.text.seconds) == len(served.hybrid.seconds) == 20
    assert served.vector.recall >= 0.9
    assert served.filtered["0.1 %"].recall == 1.0
    assert made.store.reader().view().share_of("json_get_string(metadata, 'thousandth') = '7'") == pytest.approx(3 / 3_100)
    figures = {(figure.case, figure.metric): figure for figure in [*of_making(made, "3,000 rows", 1), *of_serving(served, "3,000 rows")]}
    assert figures["3,000 rows, by vector", "p50"].baseline == "3,000 rows, every row"


def test_a_footprint_counts_files_versions_tags_and_bytes(tmp_path: Path):
    for name, size in (("_versions/1.manifest", 3), ("_versions/2.manifest", 3), ("_refs/tags/r1.json", 2), ("data/a.lance", 10)):
        path = tmp_path / "chunks.lance" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    assert footprint([tmp_path / "chunks.lance", tmp_path / "missing.lance"]) == Footprint(files=4, versions=2, tags=1, bytes=18)


@pytest.mark.slow
def test_releases_compares_an_index_that_is_kept_up_with_one_that_is_not():
    figures = {(figure.case, figure.metric): figure for figure in releases(Options(rows=200, docs=4))}
    kept, neglected = "4 batches with maintenance", "2 batches without maintenance"
    assert figures[kept, "search p50"].baseline == figures[neglected, "search p50"].baseline == "before the batches"
    assert figures[kept, "commit p50, last batches"].baseline == neglected
    assert figures[kept, "tags"].value >= 4 + 2


@pytest.mark.thorough
def test_a_part_is_run_from_the_command_line_and_its_figures_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["--part", "releases", "--rows", "200", "--docs", "2", "--out", str(tmp_path / "bench.json")]) == 0
    rows = json.loads((tmp_path / "bench.json").read_text())
    assert all(set(row) == KEYS and row["part"] == "releases" for row in rows)
    assert "2 batches with maintenance" in capsys.readouterr().out


def test_a_folder_that_is_no_collection_gives_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["--part", "quality", "--data", str(tmp_path)]) == 2
    assert "no collection in BEIR layout" in capsys.readouterr().err
