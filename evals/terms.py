"""Words in questions that nobody asked for before, and that the corpus or the tokenizer does not know (pure)."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

# Words, names with dots or underscores in them, versions: "asyncio.run", "FLOW_RUN", "3.0".
_TERM = re.compile(r"\w+(?:[.+#-]\w+)*[+#]*")
LONGEST = 40
SHOWN = 10
QUESTIONS_SHOWN = 5
# The same questions of the weeks before are looked at in each check.
REMEMBERED = 50_000


@dataclass(frozen=True, slots=True)
class Term:
    """A word, in how many questions of the day it was asked for, and whether passages have it."""

    term: str
    questions: int
    in_corpus: bool

    def __str__(self) -> str:
        """For people."""
        asked = "1 question" if self.questions == 1 else f"{self.questions} questions"
        return f"{self.term} ({asked}{'' if self.in_corpus else ', in no passage'})"


@lru_cache(maxsize=REMEMBERED)
def terms(text: str) -> frozenset[str]:
    """The words of a question, in lower case, but for those that say nothing, which searches by text leave out too."""
    words = (term.lower() for term in _TERM.findall(text) if len(term) <= LONGEST)
    return frozenset(word for word in words if word not in ENGLISH_STOP_WORDS)


def new_terms(today: Sequence[str], before: Collection[str], in_corpus: Callable[[str], bool]) -> list[Term]:
    """The words of today's questions that none before had: those that no passage has first, of these the most asked first.

    A word that passages have is new when at least two questions have it: each question has some word of its own.

    Args:
        today: the questions of a day.
        before: the words of all questions before.
        in_corpus: whether some passage has a word.
    """
    counts = Counter(term for text in set(today) for term in terms(text) - set(before))
    found = [Term(term, count, in_corpus(term)) for term, count in sorted(counts.items())]
    return sorted((each for each in found if each.questions > 1 or not each.in_corpus), key=lambda each: (each.in_corpus, -each.questions))


def questions_with(today: Sequence[str], words: Collection[str]) -> list[str]:
    """The questions of today with the most of these words first; those without any are left out, and each is told once."""
    counts = {text: len(terms(text) & set(words)) for text in today}
    return sorted((text for text, count in counts.items() if count), key=lambda text: -counts[text])


def share_beyond(texts: Sequence[str], before: Collection[str], in_corpus: Callable[[str], bool]) -> float:
    """Which share of the questions has a word that none before had and no passage has; nan without questions."""
    if not texts:
        return float("nan")
    unseen = {term for text in texts for term in terms(text)} - set(before)
    beyond = {term for term in unseen if not in_corpus(term)}
    return sum(not beyond.isdisjoint(terms(text)) for text in texts) / len(texts)
