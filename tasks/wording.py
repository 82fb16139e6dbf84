"""How a question is worded: its language, its length, and how much of it a model's tokenizer does not know (pure)."""

from dataclasses import dataclass

from tokenizers import Tokenizer

from tasks.language import language_of

# Of the tokenizers that sentence-transformers models have.
UNKNOWN = ("[UNK]", "<unk>")
# A question has no more than that in most languages that are told apart at all; see `docs/traffic.md`.
ENOUGH = 24


@dataclass(frozen=True, slots=True)
class Wording:
    """What is kept of it.

    Attributes:
        language: ISO 639-1; None where it can't be told.
        tokens: pieces, without those that mark beginning and end.
        unknown: the share of the pieces that are unknown, or go on with a word that the tokenizer does not know as one (0 to 1).
    """

    language: str | None
    tokens: int
    unknown: float


def wording(text: str, tokenizer: Tokenizer) -> Wording:
    """Of one question, as the embedder of a release reads it."""
    pieces = tokenizer.encode(text, add_special_tokens=False)
    strange = {tokenizer.token_to_id(name) for name in UNKNOWN} - {None}
    words = pieces.word_ids
    unknown = sum(piece in strange or (place > 0 and words[place] == words[place - 1]) for place, piece in enumerate(pieces.ids))
    return Wording(language_of(text, ENOUGH), len(pieces.ids), unknown / len(pieces.ids) if pieces.ids else 0.0)
