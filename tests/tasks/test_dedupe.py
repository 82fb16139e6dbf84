"""Near-duplicates: who meets whom in a band, and who resembles whom enough."""

import numpy as np
import pytest

from tasks.dedupe import BANDS, Canonicals, canonical_of, fingerprint, resemblance

WORDS = "the quick brown fox jumps over a lazy dog while seven small cats watch from an old wall"


def alike(one: str, other: str) -> float:
    return round(resemblance(fingerprint(one), fingerprint(other)), 3)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a b c", "A, B -- C!", 1.0),
        ("a b c d", "a b c e", 1 / 3),
        ("a b c d e", "a b c d x", 0.5),
        ("a b c", "x y z", 0.0),
        ("word", "word", 1.0),
        ("word", "other", 0.0),
        ("a b", "a b c", 0.0),
        ("...", "!!!", 1.0),
        ("invoice 17 for the same goods", "invoice 18 for the same goods", 0.0),
        ("version 2 of 3", "version 3 of 2", 0.0),
        ("東京都は日本の首都", "東京都は日本の首都です", 7 / 9),
    ],
)
def test_the_resemblance_is_that_of_runs_of_three_words(one, other, expected):
    assert alike(one, other) == alike(other, one) == round(expected, 3)


def test_the_nearest_candidate_above_the_threshold_is_canonical_and_ties_go_by_id():
    found = fingerprint(WORDS)
    far, near = fingerprint(WORDS.replace("fox", "wolf").replace("cats", "dogs")), fingerprint(WORDS.replace("wall", "roof"))
    assert canonical_of(found, [("far", far), ("near", near)], 0.5) == "near"
    assert canonical_of(found, [("b", near), ("a", near)], 0.5) == "a"
    assert canonical_of(found, [("far", far)], 0.9) is None
    assert canonical_of(found, [], 0.0) is None


def test_texts_that_resemble_each_other_meet_in_a_band_and_others_do_not():
    rng = np.random.default_rng(7)
    vocabulary = [f"w{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    texts = [" ".join(rng.choice(vocabulary, 300)) for _ in range(200)]
    canonicals = Canonicals((f"d{n}", fingerprint(text).bands) for n, text in enumerate(texts))
    edited = [text.rsplit(" ", 8)[0] + " and here it ends in another way" for text in texts]
    found = [canonicals.candidates(fingerprint(text).bands) for text in edited]
    assert sum(f"d{n}" in names for n, names in enumerate(found)) >= 198
    assert sum(len(names) for names in found) <= 220


def test_candidates_are_the_same_after_they_were_merged_into_the_sorted_arrays():
    rows = [(f"d{n}", tuple(range(n * BANDS, (n + 1) * BANDS))) for n in range(3000)]
    canonicals = Canonicals([*rows, ("twin", rows[5][1])])
    canonicals.add("late", rows[2999][1])
    assert canonicals.candidates(rows[5][1]) == {"d5", "twin"}
    assert canonicals.candidates(rows[2999][1]) == {"d2999", "late"}
    assert canonicals.candidates([-1, 10**12]) == set()


def test_documents_that_are_written_again_and_again_take_no_more_room_and_are_found_as_they_are_now():
    canonicals = Canonicals()
    for turn in range(10_000):
        canonicals.add(f"d{turn % 10}", [turn, 77])
    assert len(canonicals) <= 10 + 2049
    assert canonicals.candidates([9_999]) == {"d9"}
    assert canonicals.candidates([3]) == set()
    assert canonicals.candidates([77]) == {f"d{n}" for n in range(10)}


def test_documents_that_come_and_go_leave_nothing():
    canonicals = Canonicals()
    for turn in range(10_000):
        canonicals.add(f"d{turn}", [turn, 77])
        canonicals.add(f"d{turn}", ())
    assert len(canonicals) <= 2049
    assert canonicals.candidates([3]) == set()


def test_bands_are_stable_between_processes():
    assert fingerprint("the same text gives the same bands").bands[0] == fingerprint("The same text gives the same bands.").bands[0]
    assert len(fingerprint(WORDS).bands) == BANDS
    assert all(-(2**63) <= band < 2**63 for band in fingerprint(WORDS).bands)
