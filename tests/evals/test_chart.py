from datetime import UTC, datetime, timedelta

from evals import chart
from index.evaluations import Evaluation, Score

AT = datetime(2026, 3, 1, tzinfo=UTC)


def evaluation(
    release: int, value: float = 0.5, day: int = 0, of: int = 100, state: str = "completed", golden: str = "default"
) -> Evaluation:
    at = AT + timedelta(days=day)
    return Evaluation(f"{release}-{day}", release, golden, state, None, at, at, (Score("nDCG@10", value, 0.4, 0.6, of, of),))


def releases(found: list[Evaluation]) -> list[int]:
    return [item.release for item in found]


def test_the_releases_are_in_order_with_the_newest_evaluation_of_each():
    newest = evaluation(3, day=9)
    earlier = [evaluation(1, day=1), evaluation(2, day=2, value=0.1), evaluation(2, day=5, value=0.9)]
    found = chart.comparable(newest, earlier)
    assert releases(found) == [1, 2, 3]
    assert found[1].scores[0].value == 0.9


def test_samples_failures_other_sets_and_later_releases_are_left_out():
    earlier = [evaluation(1, of=20), evaluation(2, state="failed"), evaluation(3, golden="legal"), evaluation(5)]
    assert releases(chart.comparable(evaluation(4), earlier)) == [4]


def test_only_the_last_releases_are_shown():
    found = chart.comparable(evaluation(100), [evaluation(n) for n in range(1, 100)])
    assert releases(found) == list(range(100 - chart.MAX_RELEASES + 1, 101))


def test_each_metric_has_a_panel_with_its_newest_value():
    svg = chart.as_svg(chart.draw([evaluation(1, value=0.31), evaluation(7, value=0.42)]))
    assert "nDCG@10 · 0.42" in svg
    assert ">r1<" in svg
    assert ">r7<" in svg


def test_an_unmeasured_metric_has_no_panel():
    unmeasured = Evaluation("e", 2, "default", "completed", None, AT, AT, (Score("faithfulness", None, None, None, 0, 9),))
    assert "faithfulness" not in chart.as_svg(chart.draw([evaluation(1), unmeasured]))
