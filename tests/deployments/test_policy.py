import pytest

from deployments.policy import Life, RestartPolicy

CRASH = Life(lived_s=0.1, came_up=False)
KILLED_SOON = Life(lived_s=8, came_up=True)
NEVER_UP = Life(lived_s=25, came_up=False)
UP_FOR_A_WHILE = Life(lived_s=30, came_up=True)
LONG = Life(lived_s=3600, came_up=True)
MISCONFIGURED = Life(lived_s=1, came_up=False, misconfigured=True)
WAITED_IN_VAIN = Life(lived_s=120, came_up=False)


@pytest.mark.parametrize(
    ("lives", "wait_s"),
    [
        ([LONG], 0.5),
        ([CRASH], 0.5),
        ([CRASH, CRASH], 1.0),
        ([KILLED_SOON, KILLED_SOON], 1.0),
        ([UP_FOR_A_WHILE, UP_FOR_A_WHILE, UP_FOR_A_WHILE], 2.0),
        ([UP_FOR_A_WHILE] * 20, 10.0),
    ],
)
def test_the_wait_doubles_over_short_lives_up_to_ten_seconds(lives, wait_s):
    assert RestartPolicy().wait_after(lives) == wait_s


@pytest.mark.parametrize("last", [CRASH, KILLED_SOON, NEVER_UP])
def test_the_third_quick_death_in_a_row_is_the_end(last):
    assert RestartPolicy().wait_after([LONG, CRASH, CRASH, last]) is None


def test_a_long_life_in_between_forgives_quick_deaths():
    assert RestartPolicy().wait_after([CRASH, CRASH, LONG, CRASH, CRASH]) == 1.0


def test_a_part_that_waits_long_for_another_is_not_dying_quickly():
    assert RestartPolicy().wait_after([WAITED_IN_VAIN] * 5) == 0.5


def test_deaths_after_coming_up_for_a_while_are_never_the_end():
    assert RestartPolicy().wait_after([CRASH, CRASH, UP_FOR_A_WHILE]) == 2.0


def test_a_part_that_was_never_up_and_says_that_it_is_misconfigured_is_not_tried_again():
    assert RestartPolicy().wait_after([MISCONFIGURED]) is None


def test_settings_that_are_changed_for_the_worse_while_it_runs_are_tried_again():
    assert RestartPolicy().wait_after([LONG, MISCONFIGURED]) == 0.5
