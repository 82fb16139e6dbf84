"""LlamaIndex's ingestion pipeline with LanceDB, as its documentation has it.

https://developers.llamaindex.ai/python/examples/ingestion/document_management_pipeline and
https://developers.llamaindex.ai/python/framework-api-reference/ingestion: a document store that is persisted after each run,
`upserts_and_delete` (the only strategy that removes what is gone from the source), its cache as it comes.
"""

from collections.abc import Iterable
from pathlib import Path

from llama_index.core import Document
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import MetadataMode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.vector_stores.lancedb import LanceDBVectorStore
from transformers import AutoTokenizer

from evals.bench.peers.program import BATCH, CHUNK_TOKENS, Passage, documents, run


class QuotingStore(LanceDBVectorStore):
    """Its store, mended as https://github.com/run-llama/llama_index/pull/23087 does: since lancedb 0.38 each deletion fails."""

    def delete(self, ref_doc_id: str, **_: object) -> None:
        """Removes the rows of a document."""
        quoted = ref_doc_id.replace("'", "''")
        self.table.delete(f"{self.doc_id_key} = '{quoted}'")


class LlamaIndex:
    """The document store, the cache and the table are in the state folder."""

    def __init__(self, state: Path, model: str) -> None:
        self._state = state
        self._model = HuggingFaceEmbedding(model, embed_batch_size=BATCH)
        self._model.get_text_embedding("warm up")
        tokenizer = AutoTokenizer.from_pretrained(model)
        self._splitter = SentenceSplitter(
            chunk_size=CHUNK_TOKENS, chunk_overlap=0, tokenizer=lambda text: tokenizer.encode(text, add_special_tokens=False)
        )

    def update(self, folder: Path) -> int:
        """One run of the pipeline with all documents."""
        pipeline = IngestionPipeline(
            transformations=[self._splitter, self._model],
            vector_store=self._store(),
            docstore=SimpleDocumentStore(),
            docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
        )
        kept = self._state / "pipeline"
        if kept.exists():
            pipeline.load(str(kept))
        nodes = pipeline.run(documents=self._documents(folder))
        pipeline.persist(str(kept))
        return len(nodes)

    def stored(self) -> Iterable[Passage]:
        """The rows of the table."""
        return [(row["doc_id"], row["text"]) for row in self._store().table.to_arrow().to_pylist()]

    def expected(self, folder: Path) -> Iterable[Passage]:
        """The nodes of its splitter."""
        nodes = self._splitter.get_nodes_from_documents(self._documents(folder))
        return [(node.ref_doc_id or "", node.get_content(MetadataMode.NONE)) for node in nodes]

    def _documents(self, folder: Path) -> list[Document]:
        # The path, as its own reader has it in the metadata, but not in what is embedded: all systems embed the same text.
        hidden = ["file_path"]
        return [
            Document(
                id_=name,
                text=text,
                metadata={"file_path": name},
                excluded_embed_metadata_keys=hidden,
                excluded_llm_metadata_keys=hidden,
            )
            for name, text in documents(folder).items()
        ]

    def _store(self) -> QuotingStore:
        return QuotingStore(uri=str(self._state / "lance"))


if __name__ == "__main__":
    run(LlamaIndex)
