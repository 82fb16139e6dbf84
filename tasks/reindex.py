"""The vector index of a generation, made when its policy asks for one; searches go on meanwhile."""

import logging
from time import monotonic
from typing import Protocol

import numpy as np

from index.chunks import ChunkTable
from index.policy import IndexPolicy
from index.releases import Shape
from index.store import Store
from index.vectors import Vectors, unit
from tasks.fold import indexes_of

BY = "maintain"
ROUNDS = 10
_log = logging.getLogger(__name__)


def reindex(store: Store, table: ChunkTable, policy: IndexPolicy) -> Shape | None:
    """Makes the index when the table has outgrown the one it has; the new shape, or None when nothing was to do.

    The event comes first: a release that is published between the commit of the index and this function's end must have its
    settings. Raises `RuntimeError` when a batch was committed meanwhile and the index gave way; try again.
    """
    with indexes_of(store, table) as lease:
        lease.acquire(lambda: _log.info("waiting for a folding to end"))
        return _reindex(store, table, policy)


def _reindex(store: Store, table: ChunkTable, policy: IndexPolicy) -> Shape | None:
    store.log.refresh()
    rows, shape = table.count(), store.log.shape(table.generation)
    if not is_due(table, rows, shape, policy):
        return None
    began = monotonic()
    centres = centres_for(table, rows, policy)
    detail = {"generation": table.generation, "partitions": len(centres), "rows": rows}
    store.log.append("indexed", 0, BY, detail=detail)
    table.build_vector_index(centres, max(1, policy.bits))
    _log.info("a vector index of %d rows with %d partitions was made in %.0f s", rows, len(centres), monotonic() - began)
    return store.log.shape(table.generation)


def is_due(table: ChunkTable, rows: int, shape: Shape | None, policy: IndexPolicy) -> bool:
    """Whether the rows want an index and have none, or one for far fewer rows, or with other partitions than asked for."""
    if not policy.wants_index(rows):
        return False
    if shape is None or table.vector_index() is None:
        return True
    return policy.is_outgrown(rows, shape.rows) or bool(policy.partitions and policy.partitions != shape.partitions)


class Sampled(Protocol):
    """Rows whose vectors can be sampled: a chunk table, or some of one."""

    def sample_vectors(self, count: int) -> Vectors:
        """Some of the vectors, in no order: shape (count, dimensions)."""
        ...


def centres_for(table: Sampled, rows: int, policy: IndexPolicy) -> Vectors:
    """The centres of the partitions that the policy gives so many rows: shape (partitions, dimensions)."""
    partitions = policy.partitions_for(rows)
    return train(table.sample_vectors(min(rows, max(1, policy.sampled_per_partition) * partitions)), partitions)


def train(vectors: Vectors, partitions: int) -> Vectors:
    """Centres of partitions, of length 1, shape (partitions, dimensions), by k-means on small batches (Sculley, WWW 2010).

    The index gives a vector to the centre with the largest product: were they of different lengths, the long ones would get nearly
    all, others nothing, and a search would have to look into five times as many.
    """
    from sklearn.cluster import MiniBatchKMeans

    batch = max(4096, 4 * partitions)
    rounds = max(1, ROUNDS * len(vectors) // batch)
    settings = {"batch_size": batch, "max_iter": ROUNDS, "n_init": 1, "max_no_improvement": rounds}
    kmeans = MiniBatchKMeans(partitions, init="random", random_state=1, **settings)
    return unit(np.ascontiguousarray(kmeans.fit(vectors).cluster_centers_, dtype=np.float32))
