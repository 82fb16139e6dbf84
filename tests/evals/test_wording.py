"""What answers say beside their references and passages."""

import pytest

from evals import wording
from evals.answers import AnsweredQuestion, Attempt
from evals.wording import QUOTED_SPANS, ROUGE_L, SIMILARITY, measure, rouge_l
from index.embedder import Vectors
from index.errors import Unavailable
from index.golden import GoldenQuestion, Passage
from tests.fakes import HashingEmbedder

MINE = "The copper mine in Falun was closed in 1992, and it's a museum today."


def attempt(answer: AnsweredQuestion | None, reference: str | None = "It was closed in 1992.", reason: str | None = None) -> Attempt:
    return Attempt(GoldenQuestion("q", "When was the mine closed?", (Passage("mine", "closed"),), reference), answer, reason)


def says(text: str, *quotes: str, contexts: tuple[str, ...] = (MINE,)) -> AnsweredQuestion:
    return AnsweredQuestion(text, grounded=True, contexts=contexts, quotes=quotes)


def values(given: Attempt) -> dict[str, float | None]:
    return {metric: verdict.value for metric, verdict in measure(HashingEmbedder(), [given])["q"].items()}


@pytest.mark.parametrize(
    ("answer", "aligned"),
    [
        (says("It was closed in 1992. [1]", "The copper mine in Falun was closed in 1992"), 1.0),
        (says("It was closed in 1992. [1]", MINE), 1.0),
        (says("Closed. [1] [2]", "was closed in 1992", "was opened in 1847"), 0.5),
        (says("They write \u201cthe mine was never closed\u201d."), 0.0),
        (says('They write "was closed in 1992".'), 1.0),
        (says("It's the miners' museum, isn't it, and that's all."), None),
        (says("Closed in 1992."), None),
        (says("Closed. [1]", "in 1992"), None),
    ],
)
def test_what_an_answer_quotes_stands_in_its_passages_or_not(answer, aligned):
    assert values(attempt(answer))[QUOTED_SPANS] == aligned


def test_an_answer_that_quotes_nothing_is_unmeasured_and_says_why():
    assert measure(HashingEmbedder(), [attempt(says("Closed in 1992."))])["q"][QUOTED_SPANS].reason == wording.NO_QUOTE


def test_the_words_of_an_answer_are_compared_with_the_reference_without_the_marks_of_citations():
    found = values(attempt(says("It was closed in 1992. [1]", MINE)))
    assert found[ROUGE_L] == 1.0
    assert found[SIMILARITY] == pytest.approx(1.0)
    assert values(attempt(says("Nobody knows.")))[ROUGE_L] == 0.0


def test_rouge_l_by_hand():
    assert rouge_l("the cat sat on the mat", "The cat was on the mat.") == pytest.approx(5 / 6)
    assert rouge_l("police kill the gunman", "the gunman kill police") == pytest.approx(2 / 4)
    assert rouge_l("Гора высока", "гора ВЫСОКА!") == 1.0
    assert rouge_l("", "something") == rouge_l("?!", "?!") == 0.0


def test_what_was_declined_failed_or_has_no_reference_is_unmeasured_with_its_reason():
    declined = measure(HashingEmbedder(), [attempt(AnsweredQuestion("No.", grounded=False, contexts=()))])["q"]
    failed = measure(HashingEmbedder(), [attempt(None, reason="the index is being moved")])["q"]
    bare = measure(HashingEmbedder(), [attempt(says("Closed.", MINE), reference=None)])["q"]
    assert {(verdict.value, verdict.reason) for verdict in declined.values()} == {(None, "no answer was given")}
    assert {(verdict.value, verdict.reason) for verdict in failed.values()} == {(None, "the index is being moved")}
    assert (bare[QUOTED_SPANS].value, bare[SIMILARITY].reason, bare[ROUGE_L].reason) == (1.0, wording.NO_REFERENCE, wording.NO_REFERENCE)


def test_questions_without_an_answer_have_no_wording():
    unanswerable = Attempt(GoldenQuestion("q", "Who is on the moon?", (), None), says("Somebody."))
    assert measure(HashingEmbedder(), [unanswerable]) == {}


def test_an_embedder_that_fails_leaves_the_similarity_unmeasured_and_nothing_else():
    class Gone(HashingEmbedder):
        def embed(self, texts: object) -> Vectors:
            raise Unavailable("the embedding service does not answer")

    found = measure(Gone(), [attempt(says("It was closed in 1992. [1]", MINE))])["q"]
    assert (found[SIMILARITY].value, found[SIMILARITY].reason) == (None, "the embedding service does not answer")
    assert (found[ROUGE_L].value, found[QUOTED_SPANS].value) == (1.0, 1.0)
