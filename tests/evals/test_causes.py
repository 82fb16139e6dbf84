"""Causes: what lost questions point to, and the release where it began."""

import pytest

from evals.causes import Cause, Diagnosis, Loss, diagnosed, first_bad, of_traffic


@pytest.mark.parametrize(
    ("loss", "cause"),
    [
        (Loss("q", gone=True), Cause.CORPUS),
        (Loss("q", likeness=0.3), Cause.BATCH),
        (Loss("q", likeness=0.9999, exact=True), Cause.INDEX),
        (Loss("q", likeness=0.9999, rivals=0.4), Cause.CORPUS),
        (Loss("q", likeness=0.9999), Cause.UNKNOWN),
    ],
)
def test_each_loss_has_its_cause(loss, cause):
    assert loss.cause is cause


def test_most_losses_decide_and_name_the_release_where_most_of_them_began():
    losses = [*(Loss(f"q{n}", likeness=0.2, began=7) for n in range(8)), Loss("other", gone=True, began=3)]
    found = diagnosed(losses)
    assert found == Diagnosis(Cause.BATCH, 8, 9, 7)
    assert str(found) == "a bad batch, since release 7 (8 of 9 questions that find less say so)"


def test_losses_that_disagree_point_to_nothing():
    assert diagnosed([Loss("a", gone=True), Loss("b", likeness=0.1), Loss("c", exact=True)]).cause is Cause.UNKNOWN
    assert diagnosed([]).cause is Cause.UNKNOWN


def test_bisection_finds_the_first_bad_release_with_few_questions():
    asked = []

    def is_bad(release: int) -> bool:
        asked.append(release)
        return release >= 613

    assert first_bad(range(1, 1001), is_bad) == 613
    assert len(asked) <= 11


def test_bisection_of_releases_that_are_good_finds_none():
    assert first_bad([1, 2, 3], lambda _: False) is None
    assert first_bad([], lambda _: True) is None
    assert first_bad([1, 2, 3], lambda _: True) == 1


def test_words_that_passages_have_and_the_model_does_not_know_point_to_the_embedder_others_to_the_questions():
    assert of_traffic(unknown_words=True, terms_in_corpus=5, terms_beyond=1) is Cause.EMBEDDER
    assert of_traffic(unknown_words=False, terms_in_corpus=5, terms_beyond=1) is Cause.QUESTIONS
    assert of_traffic(unknown_words=True, terms_in_corpus=1, terms_beyond=5) is Cause.QUESTIONS
