"""A search service as tutorials have it: FastAPI, LangChain and Chroma. Runs in an environment of its own.

`python with_service.py FILES STATE MODEL PORT`: FILES has `texts.json` and `vectors.npy`, MODEL is the folder of the bundled model.
https://docs.langchain.com/oss/python/integrations/vectorstores/chroma: a collection on disk, and its similarity search, in a handler
that FastAPI runs in its thread pool. The vectors are given, so that filling takes a minute; questions are embedded as LangChain does it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI
from langchain_chroma import Chroma
from langchain_huggingface import HuggingFaceEmbeddings
from pydantic import BaseModel

AT_ONCE = 5_000


class Asked(BaseModel):
    """A question."""

    query: str
    k: int = 10


def opened(files: Path, state: Path, model: str) -> Chroma:
    """The collection, with all texts and vectors in it."""
    embeddings = HuggingFaceEmbeddings(model_name=model, encode_kwargs={"normalize_embeddings": True})
    store = Chroma("passages", embeddings, persist_directory=str(state), collection_metadata={"hnsw:space": "cosine"})
    texts, vectors = json.loads((files / "texts.json").read_text(encoding="utf-8")), np.load(files / "vectors.npy")
    for start in range(0, len(texts), AT_ONCE):
        some = range(start, min(start + AT_ONCE, len(texts)))
        store._collection.add(  # noqa: SLF001 - LangChain has no way to give vectors
            ids=[str(number) for number in some],
            documents=[texts[number] for number in some],
            embeddings=vectors[some.start : some.stop],
            metadatas=[{"doc_id": f"filled-{number}"} for number in some],
        )
    return store


def main(files: str, state: str, model: str, port: str) -> None:
    """Serves until SIGTERM."""
    store = opened(Path(files), Path(state), model)
    app = FastAPI()

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/search")
    def search(asked: Asked) -> list[dict[str, Any]]:
        found = store.similarity_search_with_score(asked.query, k=asked.k)
        return [{"text": document.page_content, "metadata": document.metadata, "score": score} for document, score in found]

    uvicorn.run(app, host="127.0.0.1", port=int(port), access_log=False)


if __name__ == "__main__":
    main(*sys.argv[1:5])
