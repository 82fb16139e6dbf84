"""Fusion of two rankings."""

import pytest

from tasks.fuse import weighted_min_max


def test_scores_are_scaled_and_added_with_weights():
    fused = weighted_min_max({"a": 0.9, "b": 0.5, "c": 0.1}, {"b": 12.0, "d": 2.0}, vector_weight=0.6)
    assert fused == pytest.approx({"a": 0.6, "b": 0.3 + 0.4, "c": 0.0, "d": 0.0})


def test_the_scale_of_the_scores_does_not_matter():
    one = weighted_min_max({"a": 0.9, "b": 0.5}, {"b": 3.0, "c": 1.0})
    other = weighted_min_max({"a": 90, "b": 50}, {"b": 300, "c": 100})
    assert one == pytest.approx(other)


def test_one_ranking_alone_decides():
    assert weighted_min_max({}, {"a": 3.0, "b": 1.0}, vector_weight=0.6) == pytest.approx({"a": 0.4, "b": 0.0})
    assert weighted_min_max({"a": 0.2, "b": 0.1}, {}, vector_weight=0.6) == pytest.approx({"a": 0.6, "b": 0.0})
    assert weighted_min_max({}, {}) == {}


def test_equal_scores_count_in_full():
    assert weighted_min_max({"a": 0.5}, {"a": 1.0}) == pytest.approx({"a": 1.0})
    assert weighted_min_max({"a": 0.5, "b": 0.5}, {}, vector_weight=0.6) == pytest.approx({"a": 0.6, "b": 0.6})
