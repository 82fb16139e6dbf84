"""Filters: what is refused, and that the SQL, the record check and the plain meaning agree on hostile values."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lancedb.db import DBConnection

from index import filters, tables
from index.chunk_rows import Chunk
from index.chunks import ChunkTable, table_name
from index.errors import BadRequest
from index.metadata import fields

HOSTILE = [
    "plain",
    "it's",
    'say "hi"',
    "back\\slash",
    "a; DROP TABLE chunks; --",
    "' OR '1'='1",
    "'' OR 1=1 --",
    "\\' OR 1=1 --",
    "''",
    "'",
    "a''b",
    "\\",
    "\\''",
    "100%",
    "under_score",
    "/* comment */",
    "Zoë Ångström 東京 😀",
    "new\nline\ttab",
    "${jndi} $1 {} [0]",
    "`tick`",
    "",
    " ",
    "NULL",
]
VALUES: list[Any] = [
    "a", "b", "10", "9", "1.0", " 1", "1_0", "inf", "nan", "-Infinity", "1e2", "true", "TRUE", "", "é", "it's",
    True, False, 0, 1, 10, 9, -3, 2.5, 1.0, 100.0, 10**15,
]  # fmt: skip


def chunk(doc_id: str, **facts: Any) -> Chunk:
    known = {"title": None, "uri": None, "source": "http", "media_type": "text/plain"} | facts
    return Chunk(
        chunk_id=f"c-{doc_id}", doc_id=doc_id, revision=1, ordinal=0, text="x", heading=(), start=0, end=1, tokens=3,
        text_hash="h", embedded_text="x", **known,
    )  # fmt: skip


def fill(db: DBConnection, generation: str, chunks: list[Chunk]) -> None:
    """Two tables of the same: one as they are made, and one as they were made before there were facets."""
    ChunkTable(db, generation, 2)
    ChunkTable(db, bare(generation), 2)
    older = tables.open_existing(db, table_name(bare(generation)))
    if "facets" in older.schema.names:
        older.drop_columns(["facets"])
    for each in (generation, bare(generation)):
        ChunkTable(db, each, 2).upsert(chunks, {"h": np.array([1, 0], dtype=np.float32)})


def bare(generation: str) -> str:
    return f"{generation}_bare"


def found(db: DBConnection, generation: str, filter_: Mapping[str, Any], hidden: list[str] | None = None) -> list[str]:
    """The documents that the table finds with the condition, in order of doc_id; the same whether or not it uses facets."""
    both = []
    for with_facets in (False, True):
        query = tables.open_existing(db, table_name(generation if with_facets else bare(generation))).search()
        condition = filters.condition(filters.parse(filter_), hidden or [], with_facets=with_facets)
        rows = (query.where(condition) if condition else query).select(["doc_id"]).limit(1000).to_arrow()
        both.append(sorted(rows["doc_id"].to_pylist()))
    assert both[0] == both[1]
    return both[0]


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> DBConnection:
    """A table with hostile values everywhere, and one with metadata of mixed types."""
    db = tables.connect(str(tmp_path_factory.mktemp("index")))
    hostile = [
        chunk(f"{i:02d} {value}", source=f"s {value}", uri=f"u {value}", metadata={"v": value, f"k {value}": i})
        for i, value in enumerate(HOSTILE)
    ]
    fill(db, "hostile", hostile)
    mixed = [chunk(f"{i:02d}", metadata={"v": value}) for i, value in enumerate(VALUES)]
    nested = [chunk(doc_id, metadata=metadata) for doc_id, metadata in NESTED.items()]
    fill(db, "mixed", [*mixed, *nested, chunk("none"), chunk("5", uri="5", metadata={"v": "5"})])
    return db


NESTED: dict[str, dict[str, Any]] = {
    "n-list": {"v": ["a", "10", 9, True, None, "it's", ""]},
    "n-words": {"v": ["b", "\\' OR 1=1 --", 'say "hi"', "x" * 200]},
    "n-empty": {"v": [], "o": {}},
    "n-null": {"v": None, "o": {"v": None}},
    "n-in": {"v": {"w": "a", "n": 10}, "o": {"v": "a", "it's": {"[0]": "é"}}},
    "n-dot": {"o.v": "b", "o": {"v": "a", "w": ["a", "c"]}},
    "n-all": {"o": [{"v": "a"}, {"v": 10}, {"w": "b"}], "v": "2024-05-01"},
    "n-sly": {"v": {"4:v=a": True}, "": {"facets": {"1:v=a": True}, "metadata": {"v": "a"}}},
}
RECORDS = {
    **{doc_id: {"doc_id": doc_id, "source": "http", "metadata": metadata} for doc_id, metadata in NESTED.items()},
    **{f"{i:02d}": {"doc_id": f"{i:02d}", "source": "http", "metadata": {"v": value}} for i, value in enumerate(VALUES)},
    "none": {"doc_id": "none", "source": "http", "metadata": {}},
    "5": {"doc_id": "5", "source": "http", "uri": "5", "metadata": {"v": "5"}},
}


@pytest.mark.parametrize(
    ("filter_", "text"),
    [
        ({"colour": "red"}, "unknown field 'colour'; use doc_id, source, media_type, uri or metadata.<name>"),
        ({"text": "x"}, "unknown field 'text'"),
        ({"metadata": "x"}, "unknown field 'metadata'"),
        ({"metadata.": "x"}, "unknown field 'metadata.'"),
        ({"doc_id": {}}, "filter.doc_id is empty: give a value or one of in, gt, gte, lt, lte"),
        ({"doc_id": {"like": "a%"}}, "unknown operator 'like'; use in, gt, gte, lt, lte"),
        ({"doc_id": {"in": []}}, "at least one"),
        ({"doc_id": {"in": "a"}}, "{'in': [...]} with at least one"),
        ({"metadata.year": {"in": 2024}}, "{'in': [...]} with at least one"),
        ({"doc_id": {"in": [None]}}, "give a string, a number or a boolean"),
        ({"doc_id": None}, "give a string, a number or a boolean"),
        ({"doc_id": ["a"]}, "give a string, a number or a boolean, or {'in': [...]}"),
        ({"metadata.year": {"gte": True}}, "'gte' compares with a string or a number"),
        ({"metadata.year": {"gte": [1]}}, "'gte' compares with a string or a number"),
        ({"metadata.year": {"lt": None}}, "'lt' compares with a string or a number"),
        ({"metadata.year": {"lt": 10**400}}, "'lt' compares with a string or a number"),
        ({"metadata.year": 10**400}, "give a string, a number or a boolean"),
        ({"metadata.year": float("nan")}, "give a string, a number or a boolean"),
        ({"metadata.year": float("inf")}, "give a string, a number or a boolean"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_with_what_to_do(filter_: dict[str, Any], text: str):
    with pytest.raises(BadRequest) as refusal:
        filters.parse(filter_)
    assert text in str(refusal.value)


def test_a_metadata_field_that_no_document_has_is_refused_with_those_that_exist():
    with pytest.raises(BadRequest, match=r"no document of this release has 'metadata.yaer'; it knows kind, year"):
        filters.parse({"metadata.yaer": 2024}, {"year": "int", "kind": "str"})
    with pytest.raises(BadRequest, match="it knows no metadata"):
        filters.parse({"metadata.year": 2024}, {})
    assert filters.parse({"metadata.year": 2024}, {"year": "int"}) == (filters.Term("metadata.year", "in", (2024,)),)


def test_no_filter_and_nothing_hidden_is_no_condition():
    assert filters.condition(filters.parse({}), []) is None
    assert filters.condition(filters.parse(None), []) is None


def test_all_terms_must_hold(db: DBConnection):
    assert found(db, "mixed", {"doc_id": {"in": ["00", "01"]}, "metadata.v": "a"}) == ["00"]
    assert found(db, "mixed", {"doc_id": {"gte": "01", "lt": "03"}}) == ["01", "02"]
    assert found(db, "mixed", {"doc_id": "00", "metadata.v": "b"}) == []


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_finds_its_own_document_and_no_other(db: DBConnection, value: str):
    doc_id = f"{HOSTILE.index(value):02d} {value}"
    assert found(db, "hostile", {"metadata.v": value}) == [doc_id]
    assert found(db, "hostile", {"metadata.v": {"in": [value, "not there"]}}) == [doc_id]
    assert found(db, "hostile", {"metadata.v": {"gte": value, "lte": value}}) == [doc_id]
    assert found(db, "hostile", {"doc_id": doc_id}) == [doc_id]
    assert found(db, "hostile", {"source": f"s {value}", "uri": {"in": [f"u {value}"]}}) == [doc_id]
    assert found(db, "hostile", {f"metadata.k {value}": HOSTILE.index(value)}) == [doc_id]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hidden_document_with_a_hostile_id_is_left_out_alone(db: DBConnection, value: str):
    doc_id = f"{HOSTILE.index(value):02d} {value}"
    everything = found(db, "hostile", {})
    assert found(db, "hostile", {}, hidden=[doc_id]) == [other for other in everything if other != doc_id]
    assert found(db, "hostile", {"metadata.v": value}, hidden=[doc_id]) == []


def values_found(db: DBConnection, condition: Any) -> list[Any]:
    ids = [doc_id for doc_id in found(db, "mixed", {"metadata.v": condition}) if doc_id not in NESTED]
    return [RECORDS[doc_id]["metadata"]["v"] for doc_id in ids]  # type: ignore[index] # each record has a metadata mapping


def test_a_number_finds_numbers_however_they_are_written(db: DBConnection):
    assert values_found(db, 10) == ["10", 10]
    assert values_found(db, 1) == ["1.0", 1, 1.0]
    assert values_found(db, 100) == ["1e2", 100.0]
    assert values_found(db, -3) == [-3]


def test_a_string_finds_that_string(db: DBConnection):
    assert values_found(db, "a") == ["a"]
    assert values_found(db, "A") == []
    assert values_found(db, "10") == ["10", 10]


def test_a_boolean_finds_the_boolean(db: DBConnection):
    assert values_found(db, condition=True) == ["true", True]
    assert values_found(db, condition=False) == [False]


def test_a_range_of_numbers_passes_over_what_is_no_number(db: DBConnection):
    assert values_found(db, {"gte": 9, "lt": 100}) == ["10", "9", 10, 9]
    assert values_found(db, {"lt": 1}) == ["-Infinity", 0, -3]


def test_a_range_of_strings_compares_as_text(db: DBConnection):
    assert values_found(db, {"gte": "a", "lt": "c"}) == ["a", "b"]


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ("it's", ["n-list"]),
        ('say "hi"', ["n-words"]),
        ("\\' OR 1=1 --", ["n-words"]),
        ("x" * 200, ["n-words"]),
        ({"in": ["b", "it's"]}, ["n-list", "n-words"]),
        (10, ["n-list"]),
        (9, ["n-list"]),
        (True, ["n-list"]),
        ("[]", []),
        ("null", []),
        ({"gte": "x", "lt": "y"}, []),
        ({"gte": "2024-01-01", "lt": "2025-01-01"}, ["n-all"]),
    ],
)
def test_a_list_matches_by_any_of_its_values_and_ranges_pass_over_it(db: DBConnection, condition: Any, ids: list[str]):
    assert [doc_id for doc_id in found(db, "mixed", {"metadata.v": condition}) if doc_id in NESTED] == ids


@pytest.mark.parametrize(
    ("filter_", "ids"),
    [
        ({"metadata.v.w": "a"}, ["n-in"]),
        ({"metadata.v.n": {"gte": 9.5, "lt": 11}}, ["n-in"]),
        ({"metadata.o.v": "a"}, ["n-all", "n-in"]),
        ({"metadata.o.v": "b"}, ["n-dot"]),
        ({"metadata.o.v": {"gte": "a"}}, ["n-dot", "n-in"]),
        ({"metadata.o.v": 10}, ["n-all"]),
        ({"metadata.o.w": {"in": ["c", "b"]}}, ["n-all", "n-dot"]),
        ({"metadata.o.it's.[0]": "é"}, ["n-in"]),
        ({"metadata.o": "a"}, []),
        ({"metadata..facets.1:v=a": True}, ["n-sly"]),
    ],
)
def test_a_name_with_dots_reaches_into_objects(db: DBConnection, filter_: dict[str, Any], ids: list[str]):
    assert found(db, "mixed", filter_) == ids


def test_a_missing_field_never_matches(db: DBConnection):
    assert "none" not in found(db, "mixed", {"metadata.v": {"gte": ""}})
    assert found(db, "mixed", {"uri": {"gte": ""}}) == ["5"]
    assert found(db, "mixed", {"metadata.w": {"in": ["x", 1, True]}}) == []


# Much of it quotes and backslashes: what could end a literal of SQL.
TEXT = st.one_of(st.text("'\\\"a -", max_size=6), st.text(max_size=12))
SCALARS = st.one_of(st.sampled_from(VALUES), TEXT, st.integers(-20, 20), st.booleans(), st.sampled_from([0.5, -0.0, 1e15, 1e300, 5e-324]))
BOUNDS = SCALARS.filter(lambda value: not isinstance(value, bool))
CONDITIONS = st.one_of(
    SCALARS,
    st.fixed_dictionaries({"in": st.lists(SCALARS, min_size=1, max_size=4)}),
    st.dictionaries(st.sampled_from(["gt", "gte", "lt", "lte"]), BOUNDS, min_size=1, max_size=3),
)
FILTERS = st.dictionaries(
    st.sampled_from(["metadata.v", "metadata.v", "doc_id", "uri", "metadata.w", "metadata.o.v", "metadata.o.w", "metadata.v.w"]),
    CONDITIONS,
    max_size=2,
)


@given(FILTERS)
@settings(max_examples=150, deadline=None)
@pytest.mark.thorough
def test_the_check_of_one_record_agrees_with_the_condition_on_rows(db: DBConnection, filter_: dict[str, Any]):
    terms = filters.parse(filter_)
    assert found(db, "mixed", filter_) == sorted(doc_id for doc_id, record in RECORDS.items() if filters.matches(terms, record))


@given(values=st.lists(TEXT, min_size=5, max_size=15, unique=True))
@settings(max_examples=10, deadline=None)
def test_any_text_is_found_again(db: DBConnection, values: list[str]):
    fill(db, "mixed2", [chunk(f"{i}", metadata={"any": value, value or "empty": True}) for i, value in enumerate(values)])
    for i, value in enumerate(values):
        assert str(i) in found(db, "mixed2", {"metadata.any": value})
        assert str(i) in found(db, "mixed2", {f"metadata.{value or 'empty'}": True})


def test_a_record_with_its_metadata_as_json_is_checked_like_one_with_a_mapping():
    terms = filters.parse({"metadata.year": {"gte": 2020}, "source": "notes"})
    assert filters.matches(terms, {"source": "notes", "metadata": '{"year": 2024}'})
    assert not filters.matches(terms, {"source": "notes", "metadata": '{"year": 2019}'})
    assert not filters.matches(terms, {"source": "notes", "metadata": None})


NAMES = st.one_of(st.sampled_from(["v", "o", "o.v", "", "facets", "metadata"]), TEXT)
ITEMS = st.one_of(SCALARS, st.none())
INNER = st.one_of(ITEMS, st.lists(ITEMS, max_size=3), st.dictionaries(NAMES, ITEMS, max_size=2))
METADATA = st.dictionaries(NAMES, st.one_of(INNER, st.lists(INNER, max_size=3), st.dictionaries(NAMES, INNER, max_size=2)), max_size=4)


@given(documents=st.lists(METADATA, min_size=3, max_size=6), data=st.data())
@settings(max_examples=15, deadline=None)
@pytest.mark.thorough
def test_whatever_metadata_is_both_ways_of_filtering_agree_with_the_record(
    db: DBConnection, documents: list[dict[str, Any]], data: st.DataObject
):
    fill(db, "any", [chunk(f"{i}", metadata=metadata) for i, metadata in enumerate(documents)])
    held = [(f"metadata.{name}", value) for metadata in documents for name, value in fields(metadata).items() if name]
    names = st.sampled_from([name for name, _ in held] or ["metadata.v"])
    asked = [data.draw(st.dictionaries(names, CONDITIONS, min_size=1, max_size=2))]
    asked += [{name: {"in": value} if isinstance(value, list) else value} for name, value in held[:4]]
    for filter_ in asked:
        terms = filters.parse(filter_)
        satisfying = [f"{i}" for i, metadata in enumerate(documents) if filters.matches(terms, {"metadata": metadata})]
        # Documents of an earlier example may still be there.
        assert [doc_id for doc_id in found(db, "any", filter_) if int(doc_id) < len(documents)] == satisfying
