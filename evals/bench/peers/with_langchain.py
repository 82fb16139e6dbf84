"""LangChain's indexing API with LanceDB, as its documentation has it.

https://python.langchain.com/docs/how_to/indexing/ and
https://reference.langchain.com/python/langchain-core/indexing/api/index: `SQLRecordManager` on SQLite, `cleanup="full"`
(the only mode that removes what is gone from the source), batches as large as possible.
"""

from collections.abc import Iterable
from pathlib import Path

from langchain_classic.indexes import SQLRecordManager
from langchain_community.vectorstores import LanceDB
from langchain_core.documents import Document
from langchain_core.indexing import index
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter
from transformers import AutoTokenizer

from evals.bench.peers.program import BATCH, CHUNK_TOKENS, Passage, documents, run


class LangChain:
    """The record manager and the table are in the state folder."""

    def __init__(self, state: Path, model: str) -> None:
        self._state = state
        self._embeddings = HuggingFaceEmbeddings(model_name=model, encode_kwargs={"normalize_embeddings": True})
        self._embeddings.embed_documents(["warm up"])
        # Here, because it imports LanceDB: seconds that are no part of an update. The default mode, "overwrite", keeps the last batch only.
        self._store = LanceDB(uri=str(state / "lance"), embedding=self._embeddings, mode="append")
        self._splitter = RecursiveCharacterTextSplitter.from_huggingface_tokenizer(
            AutoTokenizer.from_pretrained(model), chunk_size=CHUNK_TOKENS, chunk_overlap=0
        )

    def update(self, folder: Path) -> int:
        """One call of `index` with all documents."""
        records = SQLRecordManager("bench", db_url=f"sqlite:///{self._state / 'records.sql'}")
        records.create_schema()
        done = index(
            self._passages(folder),
            records,
            self._store,
            cleanup="full",
            source_id_key="source",
            batch_size=BATCH,
            key_encoder="blake2b",
        )
        return int(done["num_added"])

    def stored(self) -> Iterable[Passage]:
        """The rows of the table."""
        rows = self._store.get_table().to_arrow().to_pylist()
        return [(row["metadata"]["source"], row["text"]) for row in rows]

    def expected(self, folder: Path) -> Iterable[Passage]:
        """Equal passages of one document are one for LangChain."""
        return {(passage.metadata["source"], passage.page_content) for passage in self._passages(folder)}

    def _passages(self, folder: Path) -> list[Document]:
        read = [Document(page_content=text, metadata={"source": name}) for name, text in documents(folder).items()]
        return list(self._splitter.split_documents(read))


if __name__ == "__main__":
    run(LangChain)
