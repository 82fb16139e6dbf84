"""How a question is worded, by the tokenizer of the bundled model."""

import pytest
from tokenizers import Tokenizer

from index import model_folder
from tasks.wording import wording


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return model_folder.tokenizer(model_folder.bundled_path())


def test_common_words_are_known(tokenizer: Tokenizer):
    found = wording("Who keeps the house by the river?", tokenizer)
    assert (found.language, found.tokens, found.unknown) == ("en", 8, 0.0)


def test_new_names_come_in_pieces(tokenizer: Tokenizer):
    # All but the first piece of a word go on with it.
    found = wording("kubernetes", tokenizer)
    assert found.unknown == (found.tokens - 1) / found.tokens > 0.5


def test_signs_that_the_model_never_saw_are_unknown(tokenizer: Tokenizer):
    assert wording("𓀀 𓀁", tokenizer).unknown == 1.0


def test_too_little_to_tell_a_language(tokenizer: Tokenizer):
    assert wording("otters", tokenizer).language is None


def test_nothing_has_no_pieces(tokenizer: Tokenizer):
    assert (wording("  ", tokenizer).tokens, wording("  ", tokenizer).unknown) == (0, 0.0)
