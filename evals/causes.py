"""What a fall points to, from what became of the questions that find less than they did (pure)."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

# Vectors of the same text by the same model differ by their rounding alone.
SAME_VECTOR = 0.98
# Of the questions that lost something, so many must agree; what is left is "several causes".
MOST = 0.5
# Of the questions whose beginning is known: then it was one release.
AT_ONCE = 0.5


class Cause(StrEnum):
    """Why retrieval is worse, or seems to be."""

    QUESTIONS = "the questions changed"
    CORPUS = "the corpus changed"
    INDEX = "the index lost recall"
    EMBEDDER = "the embedder no longer fits"
    JUDGE = "the judge changed"
    BATCH = "a bad batch"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Loss:
    """What became of a question that finds its passage not at all any more, or lower.

    Attributes:
        question: its id.
        gone: the passage is no longer there: the document was removed, or says something else.
        exact: a search of all rows, without the vector index, finds it as before.
        likeness: cosine of the stored vector to that of the stored text as the model makes it now; None: not compared.
        rivals: which share of what is found in its place came since.
        began: the first release that finds it no better than now, as far as releases are kept to tell; None: not known.
    """

    question: str
    gone: bool = False
    exact: bool = False
    likeness: float | None = None
    rivals: float = 0.0
    began: int | None = None

    @property
    def cause(self) -> Cause:
        """What it points to."""
        if self.gone:
            return Cause.CORPUS
        if self.likeness is not None and self.likeness < SAME_VECTOR:
            return Cause.BATCH
        if self.exact:
            return Cause.INDEX
        return Cause.CORPUS if self.rivals > 0 else Cause.UNKNOWN


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The cause most losses point to, how many of how many do, and the release where most of them began (None: not one)."""

    cause: Cause
    agree: int = 0
    of: int = 0
    release: int | None = None

    def __str__(self) -> str:
        """For people."""
        if not self.of:
            return str(self.cause)
        begun = f", since release {self.release}" if self.release else ""
        return f"{self.cause}{begun} ({self.agree} of {self.of} questions that find less say so)"


def diagnosed(losses: Sequence[Loss]) -> Diagnosis:
    """What most of the losses point to."""
    if not losses:
        return Diagnosis(Cause.UNKNOWN)
    cause, agree = Counter(loss.cause for loss in losses).most_common(1)[0]
    if agree < MOST * len(losses):
        return Diagnosis(Cause.UNKNOWN, agree, len(losses))
    begun = Counter(loss.began for loss in losses if loss.cause is cause and loss.began is not None)
    release, times = begun.most_common(1)[0] if begun else (None, 0)
    return Diagnosis(cause, agree, len(losses), release if times >= AT_ONCE * max(1, begun.total()) else None)


def first_bad(releases: Sequence[int], is_bad: Callable[[int], bool]) -> int | None:
    """The first of the releases, oldest first, from which on it is bad, by bisection; None when the last one is not.

    Asks for the logarithm of their number. Where it was bad more than once, one of the beginnings is found.
    """
    if not releases or not is_bad(releases[-1]):
        return None
    good, bad = -1, len(releases) - 1
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (good, middle) if is_bad(releases[middle]) else (middle, bad)
    return releases[bad]


def of_traffic(*, unknown_words: bool, terms_in_corpus: int, terms_beyond: int) -> Cause:
    """What it points to when people's questions are strange while known questions find what they did.

    Args:
        unknown_words: whether the tokenizer of the model has to cut more words into pieces than before.
        terms_in_corpus: questions with new words that passages have.
        terms_beyond: questions with new words that no passage has.

    Words that passages have and the model does not know are the model's affair. Words that no passage has are not: people ask for
    something that is not there.
    """
    return Cause.EMBEDDER if unknown_words and terms_in_corpus > terms_beyond else Cause.QUESTIONS
