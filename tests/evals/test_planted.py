import hashlib
from collections import Counter

from evals import planted
from evals.judge_metrics import ANSWER_RELEVANCY, COMPARISON, FAITHFULNESS, LLM_CONTEXT_PRECISION, LLM_CONTEXT_RECALL
from index import exams


def test_each_kind_of_fault_is_planted_as_often():
    kinds = Counter(pair.kind for pair in planted.pairs())
    assert kinds == {"number": 5, "negation": 5, "entity": 5, "added": 5, "overgeneralised": 5, "near": 10, "far": 10}


def test_pairs_are_whole_and_differ_and_no_two_have_the_same_question():
    pairs = planted.pairs()
    assert len({pair.id for pair in pairs}) == len({pair.question for pair in pairs}) == 45
    for pair in pairs:
        assert pair.right != pair.wrong
        if pair.about_passages:
            assert all((pair.answer, pair.other))
            assert pair.answer != pair.other
        else:
            assert pair.context
        assert all(text.endswith((".", "?")) for text in (pair.question, pair.right, pair.wrong))


def test_all_that_is_asked_is_asked_of_the_right_one_and_of_the_wrong_one():
    items = planted.items(planted.pairs())
    assert Counter((item.metric, item.side) for item in items) == {
        (FAITHFULNESS, "right"): 25,
        (FAITHFULNESS, "wrong"): 25,
        (LLM_CONTEXT_PRECISION, "right"): 20,
        (LLM_CONTEXT_PRECISION, "wrong"): 20,
        (LLM_CONTEXT_RECALL, "right"): 20,
        (LLM_CONTEXT_RECALL, "wrong"): 20,
        (ANSWER_RELEVANCY, "right"): 10,
        (ANSWER_RELEVANCY, "wrong"): 10,
        (COMPARISON, "right"): 45,
        (COMPARISON, "wrong"): 45,
    }
    assert len({item.id for item in items}) == len(items)


def test_a_comparison_is_asked_in_both_orders():
    first, second = [item.sample for item in planted.items(planted.pairs()[:1]) if item.metric == COMPARISON]
    assert (first.answer, first.other) == (second.other, second.answer)


def test_other_pairs_are_another_exam():
    """Raise `index.exams.EXAM` when this fails, and write the new numbers here: judges have to be examined again."""
    assert (exams.EXAM, hashlib.sha256(planted.FILE.read_bytes()).hexdigest()[:12]) == (1, "99a666d8504e")
