"""All monitors together."""

from evals.drift import Rule
from evals.watch import NAMES, Facts, readings


def test_of_nothing_each_monitor_says_that_it_is_unmeasured_in_order():
    found = readings(Facts(), Rule())
    assert [reading.name for reading in found] == list(NAMES)
    assert {reading.state for reading in found} == {"unmeasured"}


def test_the_false_alarms_of_a_year_are_shared_by_as_many_monitors_as_there_are():
    assert Rule().monitors == len(NAMES)
