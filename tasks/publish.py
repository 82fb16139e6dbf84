"""Prepared batches to releases. The one writer of a chunk table and the ledger holds a `Publisher`."""

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from index.arrivals import Arrival
from index.chunks import ChunkTable
from index.errors import BatchFailed, Misconfigured
from index.releases import COMPACT_EVERY, Release
from index.store import Store
from tasks.dedupe import Canonicals
from tasks.prepare import Prepared, Tools

BY = "ingester"


class Publisher:
    """Writes one generation and makes its releases. Needs the generation's lease."""

    def __init__(self, store: Store, tools: Tools) -> None:
        """Opens the live generation; raises `Misconfigured` when another embedder made it."""
        self._store = store
        self._tools = tools
        store.log.refresh()
        generation = tools.generation
        if store.log.state.newest:
            newest = store.log.get(store.log.state.newest)
            _check_embedder(newest, tools)
            generation = newest.generation
        self.table: ChunkTable = store.chunk_table(generation, tools.embedder.dimensions, tools.vector_bits)
        self.canonicals = Canonicals(store.ledger.canonicals() if tools.near_duplicate else ())
        self._base = 0

    @property
    def live_embedder(self) -> str:
        """The fingerprint of the embedder that made the rows."""
        return self._store.log.get(self._store.log.state.newest).embedder

    def take_over(self) -> Release:
        """Takes back what an earlier writer left unfinished and shuts it out; makes release 1 on an empty index.

        The `restore` commits make any commit fail that an older, paused writer still has in hand.
        """
        self._store.log.refresh()
        if not self._store.log.state.newest:
            self._base = self.table.version
            return self._release(self._store.ledger.version, {}, {"rows": "ok"})
        newest = self._store.log.get(self._store.log.state.newest)
        if newest.generation != self.table.generation:
            self.table = self._store.existing_chunk_table(newest.generation)
        self._base = self.table.restore(newest.version)
        self._store.ledger.restore(newest.ledger_version)
        self._store.ledger.mark_released(newest.ledger_version)
        return newest

    def publish(self, batch: Prepared) -> Release:
        """Writes the batch and makes it visible as one release: chunks, ledger, release, in this order.

        Raises:
            BatchFailed: the checks before the release failed; call `take_over` before the next batch.
        """
        number = self._store.log.state.newest + 1
        with batch.timings.step("publish"):
            before = self.table.count()
            self.table.upsert(batch.changes.written, batch.vectors)
            self.table.delete(batch.changes.deleted)
            self.table.ensure_full_text()
        with batch.timings.step("check"):
            checks = self._check(batch, before)
        with batch.timings.step("release"):
            self._store.ledger.write([*(replace(entry, release=number) for entry in batch.entries), *batch.moved])
            self._store.ledger.bury(dict(batch.deleted), number)
            release = self._release(self._store.ledger.version, dict(batch.fields), checks, batch.aliases, batch.arrivals)
        for entry in (*batch.entries, *batch.moved):
            if entry.is_canonical and entry.bands:
                self.canonicals.add(entry.doc_id, entry.bands)
        return release

    def publish_maintenance(self) -> Release | None:
        """A release with the same rows when folding or an index build has moved the table's head, or the index was tuned; else None."""
        log = self._store.log
        log.refresh()
        shape = log.shape(self.table.generation)
        is_tuned = shape is not None and shape.search != log.get(log.state.newest).search
        if self.table.version <= self._base and not is_tuned:
            return None
        return self._release(self._store.ledger.version, {}, {"maintenance": "ok"})

    def serve(self, table: ChunkTable, chunks: pa.Table) -> Release:
        """Makes another generation the live one; `chunks` says how many passages each document has in it (doc_id, chunks).

        When it fails, call `take_over` before the next batch.
        """
        self._store.ledger.set_chunks(chunks)
        self.table = table
        return self._release(self._store.ledger.version, {}, {"rows": "ok", "rebuilt": "ok"})

    def _check(self, batch: Prepared, before: int) -> dict[str, str]:
        written = [chunk.chunk_id for chunk in batch.changes.written]
        if missing := self.table.missing(written):
            raise BatchFailed(f"{len(missing)} of {len(written)} written chunks are not in the table exactly once")
        expected = before + batch.changes.added - len(batch.changes.deleted)
        if (rows := self.table.count()) != expected:
            raise BatchFailed(f"the table has {rows} rows where the plan expects {expected}")
        return {"written": "ok", "rows": "ok"}

    def _release(
        self,
        ledger_version: int,
        fields: dict[str, str],
        checks: dict[str, str],
        new_aliases: int = 0,
        arrivals: Sequence[Arrival] = (),
    ) -> Release:
        log = self._store.log
        number = log.state.newest + 1
        before = log.get(number - 1) if number > 1 else None
        shape = log.shape(self.table.generation)
        version = self.table.version
        self.table.tag(number, version)
        detail = {
            "generation": self.table.generation,
            "version": version,
            "ledger_version": ledger_version,
            "rows": self.table.count(),
            "embedder": self._tools.embedder.fingerprint,
            "dimensions": self._tools.embedder.dimensions,
            "fields": (before.fields if before else {}) | fields,
            "aliases": (before.aliases if before else 0) + new_aliases,
            "checks": checks,
            "search": shape.search if shape else {},
        }
        event = log.append("released", number, BY, detail=detail, arrivals=arrivals)
        self._store.ledger.mark_released(ledger_version)
        self._base = version
        if event.seq % COMPACT_EVERY == 0:
            log.compact()
        return log.get(number)


def _check_embedder(newest: Release, tools: Tools) -> None:
    if newest.embedder != tools.embedder.fingerprint:
        raise Misconfigured(
            f"the index was made by another embedder ({newest.embedder}) than {tools.embedder.name} ({tools.embedder.fingerprint}): "
            "set GROUNDWORK_EMBEDDER back, or use a new GROUNDWORK_HOME"
        )
