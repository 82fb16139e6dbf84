from math import ceil

import pytest

from evals import dataset
from evals.prove import coverage_gap, prove
from index.golden import GoldenQuestion, Passage


def test_the_first_full_evaluation_proves_its_release(library, evaluated):
    library.release({"d": "Text."})
    proof = prove(library.store, evaluated("e1", 1, 0.5))
    assert proof.proven
    assert library.store.log.get(1).status == "proven"


@pytest.mark.thorough
def test_a_release_that_is_significantly_worse_stays_checked(library, evaluated):
    for number in (1, 2, 3):
        library.release({"d": f"Text {number}."})
    for number, ndcg in ((1, 0.8), (2, 0.6), (3, 0.8)):
        evaluation = evaluated(f"e{number}", number, ndcg)
        library.store.evaluations.write(evaluation)
        prove(library.store, evaluation)
    assert [release.status for release in library.store.log.kept()] == ["proven", "checked", "proven"]


@pytest.mark.thorough
def test_it_is_compared_with_the_newest_proven_release_before_it(library, evaluated):
    for number in (1, 2, 3):
        library.release({"d": f"Text {number}."})
    for number, ndcg in ((3, 0.9), (1, 0.4)):
        library.store.evaluations.write(evaluated(f"e{number}", number, ndcg))
        assert prove(library.store, evaluated(f"e{number}", number, ndcg)).proven
    proof = prove(library.store, evaluated("e2", 2, 0.5))
    assert (proof.proven, proof.baseline) == (True, 1)
    assert "+0.100" in proof.reason


def test_the_proof_keeps_the_scores_and_names_its_evaluation(library, evaluated):
    library.release({"d": "Text."})
    prove(library.store, evaluated("e1", 1, 0.5))
    event = library.store.log.events[-1]
    assert (event.kind, event.by, event.detail) == ("proven", "evaluate", {"scores": [], "evaluation": "e1"})


@pytest.mark.thorough
def test_a_proven_or_held_release_is_not_proven_again(library, evaluated):
    library.release({"d": "Text."})
    prove(library.store, evaluated("e1", 1, 0.5))
    assert "is proven" in prove(library.store, evaluated("e2", 1, 0.9)).reason
    library.release({"d": "Other."})
    library.store.log.append("held", 2, by="test")
    assert not prove(library.store, evaluated("e3", 2, 0.9)).proven
    assert library.store.log.get(2).status == "held"


def test_a_default_set_of_the_index_is_what_proves(library, evaluated):
    library.release({"d": "Text."})
    library.store.golden.put("default", [GoldenQuestion("mine", "Why?", (Passage("d", "Text"),), None)])
    assert "a sample of 143 questions was asked; all 144 are needed" in prove(library.store, evaluated("e1", 1, 0.5)).reason
    library.store.golden.drop("default")
    assert prove(library.store, evaluated("e2", 1, 0.5)).proven


def test_a_sample_another_set_and_mostly_stale_questions_prove_nothing(evaluated):
    assert "a sample of 20 questions" in str(coverage_gap(evaluated("e", 1, 0.9, asked=20)))
    assert "'legal'" in str(coverage_gap(evaluated("e", 1, 0.9, golden="legal")))
    assert "could be measured" in str(coverage_gap(evaluated("e", 1, 0.9, stale=100)))
    assert coverage_gap(evaluated("e", 1, 0.9, stale=10)) is None


def test_nothing_is_proven_below_four_fifths_of_the_questions(library, evaluated):
    library.release({"d": "Text."})
    answerable = sum(question.answerable for question in dataset.load())
    allowed = answerable - ceil(0.8 * answerable)
    assert coverage_gap(evaluated("e", 1, 0.9, stale=allowed)) is None
    proof = prove(library.store, evaluated("e", 1, 0.9, stale=allowed + 1))
    assert (proof.proven, library.store.log.get(1).status) == (False, "checked")
    assert "80% are needed" in proof.reason
