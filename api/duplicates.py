"""`/v1/duplicates`: what was folded, and what that saved."""

from collections import Counter

import msgspec
from litestar import get
from litestar.di import NamedDependency

from api.auth import requires
from api.platform import Platform

LARGEST = 20


class FoldedReply(msgspec.Struct):
    """A canonical document, and how many others say the same."""

    doc_id: str
    aliases: int


class DuplicatesReply(msgspec.Struct):
    """What was folded: `passages_not_repeated` of `documents` are not shown twice; `embeddings_saved` strings had a vector already."""

    documents: int
    canonical_documents: int
    passages_not_repeated: int
    passages: int
    embedded_strings: int
    embeddings_saved: int
    largest: list[FoldedReply]


@get(
    "/v1/duplicates",
    guards=[requires("admin")],
    summary="Duplicates",
    operation_id="duplicates",
    description="Documents that say the same as another one, which searches show instead; and embeddings that equal strings have saved.",
    tags=["Documents"],
    sync_to_thread=True,
)
def duplicates(platform: NamedDependency[Platform]) -> DuplicatesReply:
    """The report, of the newest revisions and of the live release."""
    aliases = platform.store.ledger.aliases()
    chunks, embedded = platform.reader.view().texts()
    folded = Counter(canonical for _, canonical, _ in aliases).most_common(LARGEST)
    return DuplicatesReply(
        documents=len(aliases),
        canonical_documents=len({canonical for _, canonical, _ in aliases}),
        passages_not_repeated=sum(passages for _, _, passages in aliases),
        passages=chunks,
        embedded_strings=embedded,
        embeddings_saved=chunks - embedded,
        largest=[FoldedReply(canonical, count) for canonical, count in folded],
    )
