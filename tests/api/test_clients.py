"""The retrievers of docs/clients.md are what the document says: they run, as they stand there."""

import re
from pathlib import Path
from typing import Any

import pytest

DOCUMENT = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()
BLOCKS: dict[str, str] = dict(re.findall(r"^## (LangChain|LlamaIndex)\n\n```python\n(.*?)```", DOCUMENT, re.DOTALL | re.MULTILINE))


# Loading LlamaIndex takes seconds.
@pytest.mark.parametrize("framework", ["LangChain", pytest.param("LlamaIndex", marks=pytest.mark.slow)])
@pytest.mark.thorough
def test_a_retriever_of_another_framework_finds_what_the_search_finds(own, framework):
    own.start_ingester().put("mine", "The great copper mine is in Falun.", metadata={"lang": "en"})
    names: dict[str, Any] = {"url": f"http://127.0.0.1:{own.port}", "key": own.key("reader")}
    exec(BLOCKS[framework], names)
    found = {each.page_content if framework == "LangChain" else each.get_content(): each.metadata for each in names["found"]}
    assert found["The great copper mine is in Falun."]["lang"] == "en"
