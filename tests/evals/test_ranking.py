import warnings
from math import log2
from pathlib import Path

import pytest

from evals import ranking
from evals.ranking import CONTEXT_PRECISION, CONTEXT_RECALL, MRR, NDCG, RECALL


def test_the_figures_of_a_ranking_by_hand():
    values = ranking.measure({"q": ["x", "a", "y", "b"]}, {"q": {"a", "b", "c"}})["q"]
    ideal = 1 + 1 / log2(3) + 1 / log2(4)
    assert values[NDCG] == pytest.approx((1 / log2(3) + 1 / log2(5)) / ideal)
    assert values[RECALL] == pytest.approx(2 / 3)
    assert values[MRR] == 0.5
    assert values[CONTEXT_PRECISION] == 0.5
    assert values[CONTEXT_RECALL] == pytest.approx(2 / 3)


def test_a_perfect_and_a_useless_ranking():
    values = ranking.measure({"perfect": ["a"], "useless": ["x"]}, {"perfect": {"a"}, "useless": {"a"}})
    assert values["perfect"] == dict.fromkeys(ranking.BY_ID, 1.0)
    assert values["useless"] == dict.fromkeys(ranking.BY_ID, 0.0)


def test_only_the_first_ten_count():
    others = [f"x{n}" for n in range(10)]
    assert ranking.measure({"q": [*others, "a"]}, {"q": {"a"}})["q"] == dict.fromkeys(ranking.BY_ID, 0.0)
    assert ranking.measure({"q": [*others[:9], "a"]}, {"q": {"a"}})["q"][MRR] == pytest.approx(0.1)


def test_nothing_found_is_no_recall_but_precision_is_unmeasured():
    values = ranking.measure({"q": []}, {"q": {"a"}})["q"]
    assert values[RECALL] == values[NDCG] == values[MRR] == values[CONTEXT_RECALL] == 0.0
    assert values[CONTEXT_PRECISION] is None


def test_no_questions_give_no_values():
    assert ranking.measure({}, {}) == ranking.measure_texts({}, {}) == {}


QUOTE = "The copper mine in Falun was closed in 1992."
HOLDS = f"Mining in Dalarna is old. {QUOTE} Today there is a museum, and visitors go down by a lift."
OTHER = "The lake is cold in the winter, and the ferry stays in the harbour until the ice has gone."


def test_a_passage_that_stands_in_what_was_found_counts_however_long_the_rest_is():
    values = ranking.measure_texts({"q": [OTHER, HOLDS, OTHER]}, {"q": [QUOTE, "Nobody has said this about the lake of Siljan at all."]})[
        "q"
    ]
    assert values == {ranking.TEXT_PRECISION: pytest.approx(0.5), ranking.TEXT_RECALL: 0.5}


def test_white_space_and_a_changed_word_do_not_matter_to_the_words():
    found = ["Mining is old. The copper mine  in\nFalun was shut in 1992. It is a museum."]
    assert ranking.measure_texts({"q": found}, {"q": [QUOTE]})["q"] == {
        ranking.TEXT_PRECISION: pytest.approx(1.0),
        ranking.TEXT_RECALL: 1.0,
    }


def test_only_the_first_ten_texts_count_and_nothing_found_is_no_recall():
    values = ranking.measure_texts({"late": [OTHER] * 10 + [HOLDS], "none": []}, {"late": [QUOTE], "none": [QUOTE]})
    assert values["late"] == {ranking.TEXT_PRECISION: 0.0, ranking.TEXT_RECALL: 0.0}
    assert values["none"] == {ranking.TEXT_PRECISION: None, ranking.TEXT_RECALL: 0.0}


def test_ragas_warns_of_nothing_and_leaves_no_user_id():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ranking.measure({"q": ["a"]}, {"q": {"a"}})
    from ragas import _analytics

    assert _analytics.do_not_track()
    kept_in = Path(_analytics.USER_DATA_DIR_NAME)
    assert not kept_in.is_dir()
    assert _analytics.get_userid().startswith("anonymous-")
