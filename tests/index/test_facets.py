"""Facets: what a document is found by."""

import pytest

from index.facets import facet, facets


def test_each_field_with_a_scalar_is_a_facet_and_numbers_are_two():
    assert facets({"kind": "package", "year": 2024, "draft": True}) == ["4:kind=package", "4:year=2024", "4:year#2024.0", "5:draft=true"]
    assert facets('{"kind": "package"}') == ["4:kind=package"]


def test_each_value_of_a_list_and_each_key_of_an_object_is_a_facet():
    assert facets({"tags": ["a", 1, "a"], "more": {"b": True}}) == ["4:tags=a", "4:tags=1", "4:tags#1.0", "6:more.b=true"]


def test_what_has_no_value_is_no_facet():
    assert facets({"tags": [], "more": {}, "none": None, "nulls": [None]}) == []
    assert facets("") == facets({}) == []


def test_a_number_stands_for_all_texts_that_read_as_it():
    assert {each for value in ("10", "1e1", "10.0", 10) for each in facets({"n": value}) if "#" in each} == {facet("n", 10)}
    assert facet("n", -0.0) == facet("n", 0)


def test_the_name_ends_where_it_ends():
    assert facet("a", "b=c") != facet("a=b", "c")
    assert facet("a", "#1.0") != facet("a", 1)


@pytest.mark.parametrize("length", [95, 96, 97, 5_000])
def test_a_long_facet_is_short_and_its_own(length: int):
    one, other = facet("name", "x" * length), facet("name", "x" * (length - 1) + "y")
    assert one != other
    assert len(one) <= 100
