"""Which language a text is in, for those who say which ones belong in their index."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

# Fewer characters are no base for a verdict; more than that add nothing to it.
ENOUGH = 200
LOOKED_AT = 4_000
SURE = 0.9
# What the classifier calls numbers, markup and identifiers.
NO_LANGUAGE = "zxx"


def language_of(text: str, enough: int = ENOUGH) -> str | None:
    """The ISO 639 code of the language of a text's beginning; None when it is too short, no language, or none is likely enough.

    By the naive Bayes classifier over byte n-grams of langid.py (Lui and Baldwin, 2012), trained anew by py3langid for 139 languages.
    """
    beginning = text[:LOOKED_AT].strip()
    if len(beginning) < enough:
        return None
    code, probability = _identifier().classify(beginning)
    return str(code) if probability >= SURE and code != NO_LANGUAGE else None


@cache
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
