"""Any number of documents of real text that resemble neither each other nor what they were made from."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from evals.bench.collection import CORPUS, beir
from index.documents import Draft
from index.errors import Misconfigured
from tasks.sources.sample import SampleSource

# Of the runs of three words, (2/3)^6 = 9 % are in two variants of one text alike: far from a near-duplicate.
REPLACED = 1 / 3
WORDS = 150
DRAWN_AT_ONCE = 65_536
MARKDOWN = "text/markdown"
_WORD = re.compile(r"[A-Za-z]{3,}")


class Variants:
    """Makes variants of texts: a third of the words are others, drawn from all of the texts as often as they are in them.

    What is no word (marks of headings, tables, code and links, numbers) stays, so a variant has the structure of its
    original. The same texts and seed give the same variants.
    """

    def __init__(self, texts: Sequence[str], seed: int = 1) -> None:
        self._texts = texts
        self._rng = np.random.default_rng(seed)
        self._words = [word for text in texts for word in _WORD.findall(text)]
        if not self._words:
            raise Misconfigured("there are no words to make documents of")
        self._other = self._others()

    def drafts(self, count: int, name: str, media_type: str = "text/plain") -> Iterator[Draft]:
        """So many documents, with ids that begin with the name."""
        for number in range(count):
            yield Draft(f"{name}-{number}", media_type=media_type, content=next(self).encode(), title=f"{name} {number}")

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """A variant of one of the texts, drawn at random."""
        text = self._texts[int(self._rng.integers(len(self._texts)))]
        return _WORD.sub(lambda word: next(self._other) or word[0], text)

    def _others(self) -> Iterator[str]:
        """For each word of a text another one, or "" for those that stay."""
        while True:
            stays = self._rng.random(DRAWN_AT_ONCE) >= REPLACED
            places = self._rng.integers(len(self._words), size=DRAWN_AT_ONCE)
            yield from ("" if kept else self._words[place] for kept, place in zip(stays.tolist(), places.tolist(), strict=True))


def passages(folder: Path | None) -> list[str]:
    """Texts of about 150 words: pieces of the documents of a BEIR folder, or of the sample."""
    documents = beir(folder).documents if folder else SampleSource().drafts()
    split = (draft.content.decode().split() for draft in documents)
    return [
        " ".join(words[start : start + WORDS]) for words in split for start in range(0, max(1, len(words) - WORDS // 2), WORDS) if words
    ]


def markdown(folder: Path | None) -> list[str]:
    """The Markdown files in a folder tree, or the documents of a BEIR folder; of the sample, what is Markdown."""
    if folder and ((folder / CORPUS).exists() or (folder / f"{CORPUS}.gz").exists()):
        return [f"# {draft.title or draft.doc_id}\n\n{draft.content.decode()}" for draft in beir(folder).documents]
    if folder:
        found = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.rglob("*.md"))]
    else:
        found = [draft.content.decode() for draft in SampleSource().drafts() if draft.media_type == MARKDOWN]
    if not found:
        raise Misconfigured(f"{folder or 'the sample'} holds no Markdown")
    return found
