"""Shares of rows that match: counted once in a while, and not kept for ever."""

from index.shares import FOR_S, REMEMBERED, Shares


def test_a_condition_is_counted_once_in_five_minutes():
    now, counted = [0.0], []

    def count() -> float:
        counted.append(now[0])
        return 0.1 * len(counted)

    shares = Shares(lambda: now[0])
    assert [shares.of("a", count), shares.of("a", count)] == [0.1, 0.1]
    now[0] = FOR_S
    assert shares.of("a", count) == 0.2
    assert counted == [0.0, FOR_S]


def test_those_of_long_ago_are_forgotten():
    shares = Shares(lambda: 0.0)
    for number in range(REMEMBERED + 1):
        shares.of(f"c{number}", lambda: 0.5)
    assert shares.of("c1", lambda: 0.9) == 0.5
    assert shares.of("c0", lambda: 0.9) == 0.9
