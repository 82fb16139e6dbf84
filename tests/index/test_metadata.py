"""Metadata: what is taken, which fields filters know, and that what is stored gives back what was given."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import BadRequest
from index.metadata import check_metadata, fields, shown, stored


@pytest.mark.parametrize(
    "metadata",
    [
        {"kind": "note", "year": 2024, "score": 0.5, "open": True, "big": 2**63 - 1, "low": -5},
        {"tags": ["a", 1, None], "author": {"name": "Ann", "of": {"place": "Falun"}}, "none": None},
        {"authors": [{"name": "Ann"}, {"name": "Bo"}], "grid": [[1, 2], [3]], "empty": [], "nothing": {}},
    ],
)
def test_metadata_of_json_is_taken(metadata: dict[str, Any]):
    assert check_metadata(metadata) == metadata


@pytest.mark.parametrize("value", [b"x", (1,), {1}])
def test_what_is_not_json_is_refused(value: Any):
    with pytest.raises(BadRequest, match=r"metadata.tags must be a string, a number or a boolean"):
        check_metadata({"kind": "note", "tags": value})
    with pytest.raises(BadRequest, match=r"metadata.more.tags must be a string, a number or a boolean"):
        check_metadata({"more": [{"tags": value}]})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**63, -(10**40)])
def test_numbers_that_a_table_can_not_hold_are_refused(value: float):
    for wrapped in (value, [value], {"": value}):
        with pytest.raises(BadRequest, match=r"metadata.size.* must be finite and fit into 64 bits; send it as a string"):
            check_metadata({"size": wrapped})


def test_large_metadata_is_refused():
    assert check_metadata({"note": "x" * 60_000})
    with pytest.raises(BadRequest, match="larger than 65536 bytes"):
        check_metadata({"note": "x" * 70_000})


def test_metadata_with_very_many_values_or_levels_is_refused():
    assert check_metadata({"tags": [0] * 1_000})
    with pytest.raises(BadRequest, match="more than 1000 values in lists and objects"):
        check_metadata({"tags": [0] * 1_001})
    deep: Any = "end"
    for _ in range(7):
        deep = {"a": [deep]} if deep == "end" else {"a": deep}
    with pytest.raises(BadRequest, match="nested more than 8 deep"):
        check_metadata({"a": {"a": deep}})
    assert fields(check_metadata(deep)) == {"a.a.a.a.a.a.a": ["end"]}


def test_dots_reach_into_objects_and_lists_have_one_name():
    assert fields({"author": {"name": "Ann", "of": {"place": "Falun"}}, "year": 2024}) == {
        "author.name": "Ann", "author.of.place": "Falun", "year": 2024,
    }  # fmt: skip
    assert fields({"tags": ["a", "b", ["c"]], "authors": [{"name": "Ann"}, {"name": "Bo"}]}) == {
        "tags": ["a", "b", "c"], "authors.name": ["Ann", "Bo"],
    }  # fmt: skip


def test_null_and_what_is_empty_is_no_field():
    assert fields({"a": None, "b": [None], "c": [], "d": {}, "e": {"f": None}}) == {}


def test_a_key_with_a_dot_goes_before_a_key_of_an_object():
    assert fields({"a": {"b": 1}, "a.b": 2}) == fields({"a.b": 2, "a": {"b": 1}}) == {"a.b": 2}
    assert fields({"a.b": None, "a": {"b": 1}}) == {"a.b": 1}
    assert fields({"a.b": {"c": 1}, "a": {"b.c": 2, "b": {"c": 3}}}) == {"a.b.c": 2}


SCALARS = st.one_of(st.text("ab.'\\\"é", max_size=6), st.integers(-(2**63) + 1, 2**63 - 1), st.booleans(), st.none())
KEYS = st.sampled_from(["", "a", "b", "a.b", "metadata", "facets", "x'y"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
@pytest.mark.thorough
def test_what_is_stored_gives_back_what_was_given(metadata: dict[str, Any]):
    row = stored(metadata, ["f"])
    assert shown(row) == metadata
    compared = json.loads(row)
    compared.pop("", None)
    assert not [value for value in compared.values() if isinstance(value, list | dict)]


def test_flat_metadata_is_stored_as_it_is():
    assert stored({"year": 2024, "kind": "note", "": 1}) == '{"": 1, "kind": "note", "year": 2024}'
    assert shown(None) == shown("{}") == {}
