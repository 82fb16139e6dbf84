"""Prepared batches to releases. The one writer of a chunk table and the ledger holds a `Publisher`."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from index.arrivals import Arrival
from index.chunks import ChunkTable
from index.errors import BatchFailed, Misconfigured, Unavailable
from index.release_log import COMPACT_EVERY
from index.releases import Release
from index.store import Store
from tasks.dedupe import Canonicals
from tasks.health import Canary, lost
from tasks.prepare import Prepared, Tools

BY = "ingester"
# Looked for after each batch, of the batch and of those before it.
CANARIES = 3


class Publisher:
    """Writes one generation and makes its releases. Needs the generation's lease."""

    def __init__(self, store: Store, tools: Tools) -> None:
        """Opens the newest release's generation; raises `Misconfigured` when another embedder made it."""
        self.store = store
        self.tools = tools
        store.log.refresh()
        generation = tools.generation
        if store.log.state.newest:
            newest = store.log.get(store.log.state.newest)
            _check_embedder(newest, tools)
            generation = newest.generation
        self.table: ChunkTable = store.chunk_table(generation, tools.embedder.dimensions, tools.vector_bits)
        self.canonicals = self._canonicals()
        self._base = 0
        # The release that the heads of the tables go on from, and the tools of each generation that made one.
        self._basis: Release | None = None
        self._tools = {generation: tools}
        self._canaries: deque[Canary] = deque(maxlen=2 * CANARIES)
        self._compacted = store.log.seq // COMPACT_EVERY

    def take_over(self) -> Release:
        """Takes back what an earlier writer left unfinished and shuts it out; makes release 1 on an empty index.

        The `restore` commits make any commit fail that an older, paused writer still has in hand.
        """
        self.store.log.refresh()
        if not self.store.log.state.newest:
            self._base = self.table.version
            return self._release(self.store.ledger.version, {}, {"rows": "ok"})
        newest = self.store.log.get(self.store.log.state.newest)
        if newest.generation != self.table.generation:
            self.table = self.store.existing_chunk_table(newest.generation)
            self.tools = self._tools[newest.generation]
            self._canaries.clear()
        self._base = self.table.restore(newest.version)
        self.store.ledger.restore(newest.ledger_version)
        self.store.ledger.tag(newest.number, newest.ledger_version)
        if self._basis and self._basis.number != newest.number:  # it had gone back to another one
            self.canonicals = self._canonicals()
        self._basis = newest
        return newest

    def go_back(self, release: Release, tools: Tools) -> None:
        """Takes the heads of the tables back to a release; the next one goes on from there, made with its `tools`.

        Until then nothing of it is visible, and `take_over` undoes it.
        """
        self.tools, self.table = tools, self.store.existing_chunk_table(release.generation)
        self._base = self.table.restore(release.version)
        self.store.ledger.restore(release.ledger_version)
        self.canonicals = self._canonicals()
        self._canaries.clear()
        self._basis = release

    def publish(self, batch: Prepared, also: Mapping[str, Any] | None = None) -> Release:
        """Writes the batch and makes it visible as one release: chunks, ledger, release, in this order.

        `also` is kept with its checks.

        Raises:
            BatchFailed: the checks before the release failed; call `take_over` before the next batch.
        """
        number = self.store.log.next_number
        with batch.timings.step("publish"):
            before = self.table.count()
            self.table.upsert(batch.changes.written, batch.vectors)
            self.table.delete(batch.changes.deleted)
            self.table.ensure_full_text()
        with batch.timings.step("check"):
            checks = self._check(batch, before) | dict(also or {})
            canaries = self._look_for_canaries(batch)
        with batch.timings.step("release"):
            self.store.ledger.write([*(replace(entry, release=number) for entry in batch.entries), *batch.moved])
            self.store.ledger.bury(dict(batch.deleted), number)
            release = self._release(self.store.ledger.version, dict(batch.fields), checks, batch.aliases, batch.arrivals)
        self._canaries = deque(canaries, maxlen=2 * CANARIES)
        for entry in (*batch.entries, *batch.moved):
            self.canonicals.add(entry.doc_id, entry.bands if entry.is_canonical and entry.bands else ())
        return release

    def publish_maintenance(self) -> Release | None:
        """A release with the same rows when folding or an index build has moved the table's head, or the index was tuned; else None."""
        log = self.store.log
        log.refresh()
        shape = log.shape(self.table.generation)
        is_tuned = shape is not None and shape.search != log.get(log.state.newest).search
        if self.table.version <= self._base and not is_tuned:
            return None
        return self._release(self.store.ledger.version, {}, {"maintenance": "ok"})

    def publish_restored(self, also: Mapping[str, Any]) -> Release:
        """A release of what `go_back` went back to."""
        return self._release(self.store.ledger.version, {}, {"rows": "ok", **also})

    def serve(self, table: ChunkTable, chunks: pa.Table, tools: Tools, checks: Mapping[str, Any]) -> Release:
        """Makes another generation the newest release; `chunks` says how many passages each document has in it (doc_id, chunks).

        From then on batches are made with `tools`. When it fails, call `take_over` before the next batch.
        """
        before = self.table, self.tools
        self._canaries.clear()
        self.store.ledger.set_chunks(chunks)
        self.table, self.tools = table, tools
        try:
            return self._release(self.store.ledger.version, {}, checks)
        except BaseException:
            self.table, self.tools = before
            raise

    def offer(self, table: ChunkTable, tools: Tools) -> Release:
        """Has the head of another generation be examined: a release that is held, and that nobody is served who does not name it."""
        log = self.store.log
        log.refresh()
        number, version = log.next_number, table.version
        table.tag(number, version)
        log.append("candidate", number, BY, detail=self._facts(table, tools, version, {}))
        return log.get(number)

    def _canonicals(self) -> Canonicals:
        return Canonicals(self.store.ledger.canonicals() if self.tools.near_duplicate else ())

    def _check(self, batch: Prepared, before: int) -> dict[str, Any]:
        written = [chunk.chunk_id for chunk in batch.changes.written]
        if missing := self.table.missing(written):
            raise BatchFailed(f"{len(missing)} of {len(written)} written chunks are not in the table exactly once")
        expected = before + batch.changes.added - len(batch.changes.deleted)
        if (rows := self.table.count()) != expected:
            raise BatchFailed(f"the table has {rows} rows where the plan expects {expected}")
        return {"written": "ok", "rows": "ok", "canaries": "ok"}

    def _look_for_canaries(self, batch: Prepared) -> list[Canary]:
        """Searches the head, as yet unseen, for passages of the batch and of those before it; those to look for next time.

        One of the batch that is not found fails it; one of before says that it is not the batch's fault.
        """
        gone = {*batch.changes.deleted, *(chunk.chunk_id for chunk in batch.changes.written)}
        before = [canary for canary in self._canaries if canary.chunk_id not in gone]
        new = [Canary(chunk.chunk_id, chunk.embedded_text, batch.vectors[chunk.text_hash]) for chunk in batch.changes.written[-CANARIES:]]
        view = self.store.head(self.table.generation)
        if missed := lost(view, before):
            raise Unavailable(f"{len(missed)} of {len(before)} passages of earlier batches are found no more; nothing is released")
        if missed := lost(view, new):
            raise BatchFailed(f"{len(missed)} of {len(new)} passages of the batch are not found")
        return [*before, *new]

    def _release(
        self,
        ledger_version: int,
        fields: dict[str, str],
        checks: Mapping[str, Any],
        new_aliases: int = 0,
        arrivals: Sequence[Arrival] = (),
    ) -> Release:
        log = self.store.log
        number, version = log.next_number, self.table.version
        self.table.tag(number, version)
        detail = self._facts(self.table, self.tools, version, checks)
        detail["ledger_version"] = ledger_version
        detail["fields"] |= fields
        detail["aliases"] += new_aliases
        event = log.append("released", number, BY, detail=detail, arrivals=arrivals)
        self.store.ledger.tag(number, ledger_version)
        self._base = version
        self._basis = log.get(number)
        self._tools[self.table.generation] = self.tools
        if event.seq // COMPACT_EVERY > self._compacted:
            self._compacted = event.seq // COMPACT_EVERY
            log.compact()
        return self._basis

    def _facts(self, table: ChunkTable, tools: Tools, version: int, checks: Mapping[str, Any]) -> dict[str, Any]:
        """What a release says of the rows of a generation."""
        basis, shape = self._basis, self.store.log.shape(table.generation)
        return {
            "generation": table.generation,
            "version": version,
            "ledger_version": basis.ledger_version if basis else 0,
            "rows": table.count(),
            "embedder": tools.embedder.fingerprint,
            "dimensions": tools.embedder.dimensions,
            "recipe": tools.recipe.as_json(),
            "fields": dict(basis.fields) if basis else {},
            "aliases": basis.aliases if basis else 0,
            "checks": dict(checks),
            "search": shape.search if shape else {},
        }


def _check_embedder(newest: Release, tools: Tools) -> None:
    if newest.embedder != tools.embedder.fingerprint:
        raise Misconfigured(
            f"the index was made by another embedder ({newest.embedder}) than {tools.embedder.name} ({tools.embedder.fingerprint}): "
            "set GROUNDWORK_EMBEDDER back, or use a new GROUNDWORK_HOME"
        )
