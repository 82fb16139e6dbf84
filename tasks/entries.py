"""What the ledger says of the documents of a batch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from index.chunk_rows import Chunk
from index.documents import Entry, State, Write, content_hash
from tasks.aliases import Folding
from tasks.parse import Parsed

KEPT_WHEN_A_REVISION_FAILS = ("chunks", "indexed_revision", "indexed_hash", "text", "form", "pages", "duplicate_of", "bands")


def entry_of(
    write: Write,
    before: Entry | None,
    parsed: Mapping[str, Parsed],
    wanted: Mapping[str, Sequence[Chunk]],
    failures: Mapping[str, str],
    folding: Folding,
) -> Entry:
    """The entry of one write, which still lacks its release.

    Args:
        write: the newest write of its document.
        before: what the ledger says of the document now; None: nothing.
        parsed: the texts of the batch by doc_id.
        wanted: the passages that each document of the batch should have.
        failures: why documents fail, by doc_id: they keep what is indexed of them.
        folding: who is whose alias.
    """
    draft = write.draft
    if draft.action == "delete":
        return _facts(write, "deleted", before.content_hash if before else "")
    digest = content_hash(draft.content)
    if write.doc_id in failures:
        failed = replace(_facts(write, "quarantined", digest), reason=failures[write.doc_id])
        if before is None or write.doc_id in wanted:
            return failed
        kept = {name: getattr(before, name) for name in KEPT_WHEN_A_REVISION_FAILS}
        return replace(failed, **kept)
    text = parsed[write.doc_id]
    canonical = folding.duplicate_of.get(write.doc_id)
    return replace(
        _facts(write, "duplicate" if canonical else "indexed", digest),
        duplicate_of=canonical,
        bands=folding.bands.get(write.doc_id),
        title=text.title,
        chunks=len(wanted[write.doc_id]),
        indexed_revision=write.revision,
        indexed_hash=digest,
        text=text.text,
        form=text.form,
        pages=text.pages,
    )


def _facts(write: Write, state: State, digest: str) -> Entry:
    """An entry without chunks: what is known from the write alone."""
    draft = write.draft
    return Entry(
        doc_id=write.doc_id,
        revision=write.revision,
        state=state,
        reason=None,
        source=draft.source,
        uri=draft.uri,
        title=draft.title,
        media_type=draft.media_type,
        metadata=json.dumps(draft.metadata, sort_keys=True),
        content_hash=digest,
        accepted_at=write.accepted_at,
        release=0,
        duplicate_of=None,
        chunks=0,
        indexed_revision=None,
        indexed_hash=None,
        text=None,
    )
