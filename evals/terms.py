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
        return f"{self.term} ({self.questions} questions{'' if self.in_corpus else ', in no passage'})"


@lru_cache(maxsize=REMEMBERED)
def terms(text: str) -> frozenset[str]:
    """The words of a question, in lower case, but for those that say nothing, which searches by text leave out too."""
    words = (term.lower() for term in _TERM.findall(text) if len(term) <= LONGEST)
    return frozenset(word for word in words if word not in ENGLISH_STOP_WORDS)


def new_terms(today: Sequence[str], before: Collection[str], in_corpus: Callable[[str], bool]) -> list[Term]:
    """The words that at least two questions of today have and none before had, most asked first.

    Args:
        today: the questions of a day.
        before: the words of all questions before.
        in_corpus: whether some passage has a word.
    """
    counts = Counter(term for text in set(today) for term in terms(text) - set(before))
    often = [(term, count) for term, count in counts.most_common() if count > 1]
    return [Term(term, count, in_corpus(term)) for term, count in often]


def share_beyond(texts: Sequence[str], before: Collection[str], in_corpus: Callable[[str], bool]) -> float:
    """Which share of the questions has a word that none before had and no passage has; nan without questions."""
    if not texts:
        return float("nan")
    unseen = {term for text in texts for term in terms(text)} - set(before)
    beyond = {term for term in unseen if not in_corpus(term)}
    return sum(not beyond.isdisjoint(terms(text)) for text in texts) / len(texts)
