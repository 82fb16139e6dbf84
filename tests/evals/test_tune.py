"""The tuner: the cheapest settings above the target."""

import pytest

from evals.intervals import Interval
from evals.recall import Recall, sentence
from evals.tune import choose, probe_counts
from index.policy import SearchSettings


def made_up(settings: SearchSettings) -> Recall:
    """Recall grows with both settings, and so does the time: 64 partitions with refine factor 20 reach 0.95."""
    recall = 1 - 0.5 / settings.nprobes - 1.0 / settings.refine_factor / 2
    return Recall(settings, Interval(recall, recall - 0.01, recall + 0.01), settings.nprobes * 0.1 + settings.refine_factor * 0.2, 20.0)


def test_the_cheapest_settings_above_the_target_are_chosen():
    found = choose(made_up, partitions=256, target=0.95)
    fitting = [
        made_up(SearchSettings(nprobes, refine))
        for nprobes in probe_counts(256)
        for refine in (5, 10, 20, 40)
        if made_up(SearchSettings(nprobes, refine)).recall.low >= 0.95
    ]
    assert found.reached
    assert found.chosen == min(fitting, key=lambda one: one.p50_ms)
    assert len(found.tried) < 24


def test_when_nothing_reaches_the_target_the_most_thorough_settings_are_used_and_that_is_said():
    found = choose(made_up, partitions=256, target=0.999)
    assert not found.reached
    assert found.chosen.settings == SearchSettings(256, 20)


def test_no_setting_is_tried_twice():
    asked = []

    def noting(settings: SearchSettings) -> Recall:
        asked.append(settings)
        return made_up(settings)

    choose(noting, partitions=256, target=0.9)
    assert len(asked) == len(set(asked))


def test_probe_counts_grow_by_a_quarter_up_to_all_partitions():
    assert list(probe_counts(16)) == [4, 5, 6, 8, 10, 12, 15, 16]
    assert list(probe_counts(2)) == [2]


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Yes. The great copper mine is in Falun. It closed in 1992.", "The great copper mine is in Falun"),
        ("# Heading\n\nTwo words", None),
        ("", None),
        (" ".join(["word"] * 30), " ".join(["word"] * 14)),
    ],
)
def test_a_question_is_the_longest_sentence_cut_to_fourteen_words(text: str, question: str | None):
    assert sentence(text) == question
