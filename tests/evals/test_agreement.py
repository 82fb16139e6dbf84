import pytest

from evals.agreement import Decided, accuracy, change, kappa, position, repeatability


def decided(*given: tuple[bool, bool]) -> list[Decided]:
    return [Decided(f"p{n // 2}", truth, decision) for n, (truth, decision) in enumerate(given)]


RIGHT, MISSED, WRONG = [(True, True), (False, False)], [(True, False), (False, False)], [(True, False), (False, True)]


def test_accuracy_is_the_share_that_is_right_with_wilsons_interval():
    found = accuracy(decided(*RIGHT * 4, *MISSED))
    assert (found.value, found.of) == (0.9, 10)
    assert (found.low, found.high) == (pytest.approx(0.596, abs=1e-3), pytest.approx(0.982, abs=1e-3))


def test_kappa_is_one_for_the_truth_nothing_for_chance_and_less_for_its_reverse():
    assert kappa(decided(*RIGHT * 10)).value == 1.0
    assert kappa(decided(*RIGHT * 5, *WRONG * 5)).value == 0.0
    assert kappa(decided(*WRONG * 10)).value == -1.0


def test_a_judge_that_finds_everything_good_has_no_kappa_however_often_that_is_right():
    mostly_good = decided(*[(True, True)] * 18, *[(False, True)] * 2)
    assert accuracy(mostly_good).value == 0.9
    assert kappa(mostly_good).value == 0.0


def test_the_interval_of_kappa_holds_it_and_narrows_with_the_pairs():
    few, many = kappa(decided(*RIGHT * 8, *WRONG * 2)), kappa(decided(*RIGHT * 80, *WRONG * 20))
    assert few.value == pytest.approx(0.6)
    assert (few.low or 0) < 0.6 < (few.high or 0)
    assert (many.high or 0) - (many.low or 0) < 0.5 * ((few.high or 0) - (few.low or 0))


def test_a_perfect_exam_is_not_surer_than_its_number_of_questions():
    assert kappa(decided(*RIGHT * 3)).low == pytest.approx(0.22, abs=0.01)
    assert kappa(decided(*RIGHT * 60)).low == pytest.approx(0.94, abs=0.01)


def test_nothing_decided_is_no_number():
    assert (accuracy([]).value, kappa([]).value, repeatability({}).value, position([]).bias) == (None, None, None, None)


def test_repeatability_counts_what_was_decided_twice():
    found = repeatability({"a": [True, True], "b": [True, False], "c": [False], "d": [None, True], "e": [False, False]})
    assert (found.value, found.of) == (pytest.approx(2 / 3), 3)


@pytest.mark.parametrize(
    ("both", "bias", "consistent", "right"),
    [
        ([(True, False)] * 4, 0.0, 1.0, 1.0),
        ([(True, True)] * 4, 1.0, 0.0, 0.5),
        ([(False, False)] * 4, -1.0, 0.0, 0.5),
        ([(False, True)] * 4, 0.0, 1.0, 0.0),
        ([(True, True), (False, False), (True, False), (True, False)], 0.0, 0.5, 0.75),
    ],
    ids=["right", "always the first", "always the second", "always wrong", "at random"],
)
def test_position_bias_is_what_the_order_does_not_what_is_wrong(both, bias, consistent, right):
    found = position(both)
    assert (found.bias, found.consistent, found.right) == (bias, consistent, right)


QUESTIONS = [f"q{n}" for n in range(60)]
TRUTHS = dict.fromkeys(QUESTIONS, True)


def exam(wrong: int, *, unsure: int = 0) -> dict[str, list[bool | None]]:
    """Decisions of 60 questions, asked twice: the first `wrong` are wrong; of the last `unsure` the repeat says otherwise."""
    given: dict[str, list[bool | None]] = {name: [n >= wrong, n >= wrong] for n, name in enumerate(QUESTIONS)}
    return given | {name: [True, False] for name in QUESTIONS[60 - unsure :]}


def test_a_judge_that_got_worse_has_changed_and_so_has_one_that_got_better():
    assert change(exam(2), exam(14), TRUTHS) == (
        "it judges worse than in its last exam: of 60 decisions 12 are wrong that were right, 0 the reverse"
    )
    assert "it judges better" in str(change(exam(14), exam(2), TRUTHS))


def test_a_judge_as_good_as_before_that_errs_elsewhere_has_changed():
    elsewhere = {name: [n < 50, n < 50] for n, name in enumerate(QUESTIONS)}
    assert change(exam(10), elsewhere, TRUTHS) == (
        "it judges otherwise than in its last exam: 20 of 60 decisions differ, but only 0 of 120 when it is asked twice in one exam"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [(exam(3), exam(3)), (exam(3), exam(5)), (exam(0, unsure=8), exam(6, unsure=8)), (exam(0), {}), ({"q1": [None]}, {"q1": [True]})],
    ids=["the same", "two more wrong", "as unsure as ever", "nothing in common", "nothing was decided"],
)
def test_what_chance_explains_is_no_change(before, after):
    assert change(before, after, TRUTHS) is None
