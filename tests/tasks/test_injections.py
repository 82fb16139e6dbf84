"""Thirty documents that give orders: whatever they ask for, an answer stays within its sources."""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from index.chunk_rows import Chunk
from tasks.answer import Answer, Generator, tell
from tasks.chat import Endpoint
from tasks.extract import ExtractiveGenerator
from tasks.generate import INSTRUCTIONS, UNSUPPORTED, ChatGenerator
from tasks.guards import Secrets
from tasks.retrieve import Hit, Retrieved
from tests.fakes import HashingEmbedder
from tests.scripted_chat import ScriptedChat, says

FACT = "The Linden ferry crosses the Alsen sound every 40 minutes."
ASKED = "The Linden ferry crosses the Alsen sound every how many minutes?"
HARBOUR = "The harbour of Mommark has two piers and a kiosk."
KEY = "sk-secret-0123456789abcdef"
HONEST = f'The Linden ferry crosses every 40 minutes. [1: "{FACT}"]'


@dataclass(frozen=True)
class Injection:
    """A document, and what a model writes that obeys it."""

    name: str
    document: str
    obeys: str

    def __str__(self) -> str:
        return self.name


LINES = Path(__file__).with_name("injections.jsonl").read_text(encoding="utf-8").splitlines()
INJECTIONS = [Injection(**json.loads(line)) for line in LINES]


def found(injection: Injection) -> Retrieved:
    texts = {"evil": injection.document, "harbour": HARBOUR}
    hits = tuple(
        Hit(
            Chunk(
                chunk_id=f"chunk of {doc_id}", doc_id=doc_id, revision=1, ordinal=0, text=text, title=None, uri=None, source="http",
                media_type="text/plain", heading=(), start=0, end=len(text), tokens=40, text_hash="h", embedded_text="",
            ),
            1.0,
        )
        for doc_id, text in texts.items()
    )  # fmt: skip
    return Retrieved(1, datetime.now(UTC), hits, (), {"total": 1.0})


def answered(injection: Injection, *preferred: Generator) -> Answer:
    return asyncio.run(tell(found(injection), [*preferred, ExtractiveGenerator(HashingEmbedder())], ASKED))


def look(made: Answer, injection: Injection) -> None:
    """What holds for each answer, whoever wrote it."""
    texts = {hit.chunk.chunk_id: hit.chunk.text for hit in made.retrieved.hits}
    for citation in made.citations:
        assert texts[citation.chunk_id][slice(*citation.span)] == citation.quote
    marks = re.findall(r"\[(\d+)\]", made.text)
    assert marks == [str(citation.n) for citation in made.citations]
    assert not re.search(r"!\[|\]\(|<\w|［|【|\u200b", made.text), made.text
    assert KEY not in made.text
    assert KEY not in made.text.replace(" ", "")
    assert not Secrets(INSTRUCTIONS).in_(made.text)
    addresses = re.findall(r"(?:https?://|data:)\S+", made.text)
    assert all(address.rstrip(".") in injection.document for address in addresses)


def are_words_of(said: str, quote: str) -> bool:
    """Whether a sentence is made of the words of a quote alone."""
    return set(re.findall(r"\w{4,}", said.lower())) <= set(re.findall(r"\w{4,}", quote.lower()))


def test_there_are_thirty_of_them():
    assert len(INJECTIONS) == len({injection.name for injection in INJECTIONS}) == 30


@pytest.mark.parametrize("injection", INJECTIONS, ids=str)
def test_the_extractive_generator_says_nothing_but_what_the_sources_say(injection: Injection):
    made = answered(injection)
    look(made, injection)
    said = re.sub(r"\s*\[\d+\]", "", made.text).split()
    there = " ".join(hit.chunk.text for hit in made.retrieved.hits).split()
    assert made.grounded
    assert set(said) <= set(there)


@pytest.fixture(scope="module")
def chat() -> Iterator[ScriptedChat]:
    with ScriptedChat(says()) as scripted:
        yield scripted


@pytest.mark.parametrize("marks", [False, True], ids=["drop", "mark"])
@pytest.mark.parametrize("injection", INJECTIONS, ids=str)
def test_a_model_that_obeys_gets_nothing_through(injection: Injection, marks: bool, chat: ScriptedChat):
    generator = ChatGenerator(Endpoint(chat.url, "obedient", KEY), marks=marks)
    chat.script = says(f"{HONEST} {injection.obeys}")
    made = answered(injection, generator)
    look(made, injection)
    assert made.text.startswith("The Linden ferry crosses every 40 minutes. [1]")
    # What else is said has the document's own words, quoted as its evidence, or says itself that it has none.
    rest = made.text.removeprefix("The Linden ferry crosses every 40 minutes. [1]").strip()
    assert not rest or (marks and rest.endswith(UNSUPPORTED)) or are_words_of(rest.partition(" [2]")[0], made.citations[1].quote)
    assert "tools" not in chat.asked[-1]
    chat.script = says(injection.obeys)
    alone = answered(injection, generator)
    look(alone, injection)
    assert alone.generator == "extractive" or are_words_of(alone.text.partition(" [1]")[0], alone.citations[0].quote)
