"""The Arrow schemas of everything that is stored in LanceDB tables."""

import pyarrow as pa

from index.vectors import FULL_PRECISION, HALF_PRECISION

TIME = pa.timestamp("us", tz="UTC")
NUMBERS = {HALF_PRECISION: pa.float16(), FULL_PRECISION: pa.float32()}


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


def chunks(dimensions: int, vector_bits: int) -> pa.Schema:
    """One passage a row; all that a search hit shows is in it. The numbers of a vector have 16 or 32 bits."""
    return pa.schema(
        [
            _required("chunk_id", pa.string()),
            _required("doc_id", pa.string()),
            _required("revision", pa.int64()),
            _required("ordinal", pa.int32()),
            _required("text", pa.string()),
            pa.field("title", pa.string()),
            pa.field("uri", pa.string()),
            _required("source", pa.string()),
            _required("media_type", pa.string()),
            _required("heading", pa.list_(pa.string())),
            pa.field("page", pa.int32()),
            _required("start", pa.int64()),
            _required("end", pa.int64()),
            _required("tokens", pa.int32()),
            pa.field("duplicate_of", pa.string()),
            _required("text_hash", pa.string()),
            _required("embedded_text", pa.string()),
            pa.field("metadata", pa.json_(pa.utf8())),
            pa.field("facets", pa.list_(pa.string())),
            _required("beside_text", pa.string()),
            _required("embedded_at", TIME),
            _required("vector", pa.list_(NUMBERS[vector_bits], dimensions)),
        ]
    )


# The ledger: one row a document, its newest processed revision. `text`, `form`, `pages` and `indexed_*` belong
# to the revision that is in the index, which a quarantined newer revision leaves as it was.
DOCUMENTS = pa.schema(
    [
        _required("doc_id", pa.string()),
        _required("revision", pa.int64()),
        _required("state", pa.string()),
        pa.field("reason", pa.string()),
        _required("source", pa.string()),
        pa.field("uri", pa.string()),
        pa.field("title", pa.string()),
        _required("media_type", pa.string()),
        pa.field("metadata", pa.string()),
        _required("content_hash", pa.string()),
        _required("accepted_at", TIME),
        _required("release", pa.int64()),
        pa.field("duplicate_of", pa.string()),
        _required("chunks", pa.int32()),
        pa.field("indexed_revision", pa.int64()),
        pa.field("indexed_hash", pa.string()),
        pa.field("text", pa.string()),
        pa.field("form", pa.string()),
        pa.field("pages", pa.list_(pa.list_(pa.int64(), 2))),
        pa.field("bands", pa.list_(pa.int64())),
    ]
)

# How far a generation is that is being built: the facts of the ledger that its passages were made from.
REBUILT = pa.schema(
    [
        _required("doc_id", pa.string()),
        _required("indexed_revision", pa.int64()),
        pa.field("duplicate_of", pa.string()),
        _required("chunks", pa.int32()),
    ]
)

# Deletions that hide a document in every release made before `release`.
TOMBSTONES = pa.schema([_required("doc_id", pa.string()), _required("revision", pa.int64()), _required("release", pa.int64())])

# The release log; `live`, `pinned` and `newest` are the folded state after the event; `arrivals`: see `index.arrivals`.
RELEASES = pa.schema(
    [
        _required("seq", pa.int64()),
        _required("kind", pa.string()),
        _required("at", TIME),
        _required("by", pa.string()),
        pa.field("reason", pa.string()),
        _required("release", pa.int64()),
        pa.field("detail", pa.string()),
        _required("live", pa.int64()),
        _required("pinned", pa.bool_()),
        _required("newest", pa.int64()),
        pa.field("arrivals", pa.string()),
    ]
)

EVALUATIONS = pa.schema(
    [
        _required("id", pa.string()),
        _required("release", pa.int64()),
        _required("dataset", pa.string()),
        _required("state", pa.string()),
        pa.field("reason", pa.string()),
        _required("started_at", TIME),
        _required("ended_at", TIME),
        _required("scores", pa.string()),
        _required("questions", pa.string()),
    ]
)


def reports(column: str) -> pa.Schema:
    """What was found out at some time, as JSON in a column of its own name."""
    return pa.schema([_required("at", TIME), _required(column, pa.string())])


_PASSAGES = pa.list_(pa.struct([_required("doc_id", pa.string()), _required("quote", pa.string())]))

# Golden questions of all sets; the key is the set's name, a slash and the question's id.
GOLDEN = pa.schema(
    [
        _required("key", pa.string()),
        _required("name", pa.string()),
        _required("id", pa.string()),
        _required("question", pa.string()),
        _required("passages", _PASSAGES),
        pa.field("reference", pa.string()),
        _required("part", pa.string()),
        _required("origin", pa.string()),
        _required("state", pa.string()),
        _required("note", pa.string()),
        pa.field("added_at", TIME),
        _required("by", pa.string()),
        _required("found", _PASSAGES),
    ]
)


# What judges came to when they were examined; lists and mappings as JSON.
EXAMS = pa.schema(
    [
        _required("at", TIME),
        _required("model", pa.string()),
        _required("endpoint", pa.string()),
        _required("prompts", pa.string()),
        _required("qualified", pa.bool_()),
        _required("reasons", pa.string()),
        pa.field("interrupted", pa.string()),
        pa.field("changed", pa.string()),
        _required("figures", pa.string()),
        _required("decisions", pa.string()),
    ]
)

# One waiting write in an inbox object.
WRITES = pa.schema(
    [
        _required("doc_id", pa.string()),
        _required("revision", pa.int64()),
        _required("action", pa.string()),
        _required("source", pa.string()),
        pa.field("uri", pa.string()),
        pa.field("title", pa.string()),
        _required("media_type", pa.string()),
        _required("metadata", pa.string()),
        _required("content", pa.large_binary()),
        _required("content_hash", pa.string()),
        _required("accepted_at", TIME),
    ]
)

# A question that somebody asked; `key` is the id of the key. Vectors of several generations may stand side by side.
QUERIES = pa.schema(
    [
        _required("id", pa.string()),
        _required("at", TIME),
        _required("text", pa.string()),
        pa.field("vector", pa.list_(pa.float16())),
        pa.field("embedder", pa.string()),
        _required("mode", pa.string()),
        _required("release", pa.int64()),
        _required("k", pa.int32()),
        _required("filtered", pa.bool_()),
        _required("hits", pa.int32()),
        pa.field("best", pa.float32()),
        _required("scores", pa.list_(pa.float32())),
        _required("doc_ids", pa.list_(pa.string())),
        _required("kind", pa.string()),
        pa.field("grounded", pa.bool_()),
        pa.field("answer_id", pa.string()),
        pa.field("language", pa.string()),
        _required("tokens", pa.int32()),
        _required("unknown", pa.float32()),
        _required("key", pa.string()),
    ]
)

# The last word of a key on an answer; `id` is made of both.
FEEDBACK = pa.schema(
    [
        _required("id", pa.string()),
        _required("answer_id", pa.string()),
        _required("at", TIME),
        _required("useful", pa.bool_()),
        pa.field("comment", pa.string()),
        _required("key", pa.string()),
        _required("release", pa.int64()),
    ]
)

# Self-made questions; one with a `birth_rank` of 0 did not find its passage when it was made, and is not asked.
CANARIES = pa.schema(
    [
        _required("id", pa.string()),
        _required("at", TIME),
        _required("question", pa.string()),
        _required("doc_id", pa.string()),
        _required("quote", pa.string()),
        _required("kind", pa.string()),
        _required("text_hash", pa.string()),
        _required("birth_rank", pa.float32()),
        _required("birth_release", pa.int64()),
    ]
)

# What canaries found, run by run: lists of the same length.
CANARY_RUNS = pa.schema(
    [
        _required("at", TIME),
        _required("release", pa.int64()),
        _required("canaries", pa.list_(pa.string())),
        _required("ranks", pa.list_(pa.float32())),
        _required("best", pa.list_(pa.float32())),
        _required("cpu_s", pa.float32()),
    ]
)
