from pathlib import Path

import pytest

from evals.bench.options import Options
from evals.bench.parse import OURS, Reading, compared, headings, parse, rows, words
from index.errors import Misconfigured


def test_words_headings_and_rows_are_counted():
    text = "# The *Orchard*\n\nApples, [apples](https://example.org/a).\n\n| kind | month |\n| --- | --- |\n| Cox |  |"
    assert words(text) == {"the": 1, "orchard": 1, "apples": 2, "kind": 1, "month": 1, "cox": 1}
    assert headings(text) == {"the orchard": 1}
    assert rows(text) == {"kind | month": 1, "cox": 1}


def test_what_two_of_the_others_found_counts_as_true():
    readings = {
        "a": [Reading("red green blue", 1, 0.5, 2048)],
        "b": [Reading("red green pink", 0, 0.1, 1024)],
        "c": [Reading("red", 0, 0.1, 1024)],
        OURS: [Reading("red blue", 0, 0.1, 1024)],
    }
    values = {(figure.case, figure.metric): figure.value for figure in compared(readings)}
    assert [values[name, "words found"] for name in "abc"] == [1.0, 1.0, 0.5]
    assert values[OURS, "words found"] == 0.5
    assert values["a", "documents with page numbers"] == 1
    assert values["a", "peak memory"] == 2.0


def test_pages_a_second_are_measured_beside_the_library():
    ours, raw = parse(Options(docs=3))
    assert (ours.unit, ours.baseline) == ("pages/s", raw.case)
    assert ours.value > 0


def test_a_folder_without_documents_is_refused(tmp_path: Path):
    with pytest.raises(Misconfigured, match="no documents to parse"):
        parse(Options(data=tmp_path))
