"""The same corpus through LangChain's indexing API, LlamaIndex's ingestion pipeline and this platform.

Their packages are no dependencies of ours: `requirements.txt` goes into a virtual environment of its own. What runs there
(`with_langchain`, `with_llamaindex`, `program`) imports nothing of ours but `program`, so nothing is imported here either.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evals.bench.figures import Figure
    from evals.bench.options import Options


def peers(options: "Options") -> "list[Figure]":
    """First load, 1 % changed, nothing changed; and what is wrong in the table after kills, shortened, renamed and deleted documents.

    `data` is a folder in BEIR layout or one of text files; else the sample is taken. `docs` limits the documents (300).
    """
    from evals.bench.peers.race import race

    figures: list[Figure] = race(options)
    return figures
