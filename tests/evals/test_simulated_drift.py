"""Months of life in a small world of vectors: what breaks is seen and its cause is named, what does not break raises no alarm."""

from collections import Counter
from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import pytest

from evals.asked import LANGUAGES, LENGTH, words_of_today
from evals.causes import Cause, diagnosed
from evals.corpus import CORPUS
from evals.drift import Rule, fallen_lately
from evals.watch import OF_QUALITY, Finding, explained, readings
from tests.evals.world import World

RULE = Rule()
SIMULATIONS = 200
HISTORY = 28
FAULTS = {
    "replace_documents": Cause.CORPUS,
    "crowd_out": Cause.CORPUS,
    "spoil_vectors": Cause.BATCH,
    "lose_recall": Cause.INDEX,
    "move_mix": Cause.QUESTIONS,
}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def alarms(world: World, *, labels: bool = True) -> list[Finding]:
    """What a check in the evening says."""
    facts = world.facts(labels=labels)
    lost = world.lost("gc" if labels else "c")
    found = explained(readings(facts, RULE), diagnosed(world.losses(lost)) if lost else None, words_of_today(facts.days, facts.in_corpus))
    return [finding for finding in found if finding.reading.state == "alarm"]


def cause_of(found: Sequence[Finding]) -> Cause | None:
    """What most of the alarms say that people get worse results, or else all of them."""
    quality = [finding for finding in found if finding.reading.name in OF_QUALITY] or found
    causes = Counter(finding.diagnosis.cause for finding in quality if finding.diagnosis)
    return causes.most_common(1)[0][0] if causes else None


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    """Each has lived for four weeks."""
    found = [World(seed) for seed in range(SIMULATIONS)]
    for world in found:
        for _ in range(HISTORY):
            world.live()
    return found


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fall_of_23_percent_is_seen_on_the_day_and_its_cause_is_named(worlds, fault, labels):
    seen, named = 0, 0
    for world in worlds:
        broken = deepcopy(world)
        getattr(broken, fault)(0.23)
        broken.live()
        found = alarms(broken, labels=labels)
        seen += bool(found)
        named += cause_of(found) is FAULTS[fault]
    print(f"{fault}, {'150 golden questions' if labels else 'no labels'}: seen {seen / len(worlds):.1%}, named {named / len(worlds):.1%}")
    assert seen >= (0.95 if labels else 0.80) * len(worlds)
    assert named >= 0.80 * len(worlds)


@pytest.mark.parametrize(
    ("change", "size", "monitor"),
    [
        ("ask_longer", 2.0, LENGTH),
        ("ask_in_german", 0.4, LANGUAGES),
        ("load", 0.3, CORPUS),
        ("replace_documents", 0.2, CORPUS),
    ],
)
def test_other_words_and_many_documents_are_told_by_monitors_of_their_own(worlds, change, size, monitor):
    seen, others = 0, Counter[str]()
    for world in worlds:
        changed = deepcopy(world)
        getattr(changed, change)(size)
        changed.live()
        found = {finding.reading.name for finding in alarms(changed)}
        seen += monitor in found
        others.update(found - {monitor})
    print(f"{change} {size}: seen by {monitor} {seen / len(worlds):.1%}, by others {dict(others)}")
    assert seen >= 0.80 * len(worlds)


def test_ninety_benign_days_have_at_most_one_false_alarm(worlds):
    raised, days = Counter[str](), 0
    for world in worlds[:20]:
        living = deepcopy(world)
        for _ in range(90):
            living.live()
            days += 1
            raised.update(finding.reading.name for finding in alarms(living))
    print(f"{raised.total()} alarms in {days} days, {raised.total() / days * 90:.2f} in 90: {dict(raised)}")
    assert raised.total() <= days / 90


@pytest.mark.parametrize("fault", ["spoil_vectors", "lose_recall", "crowd_out"])
def test_a_fall_of_ten_percent_is_seen_within_three_evaluations_of_other_samples(fault):
    seen, effects = 0, []
    for seed in range(SIMULATIONS):
        world = World(seed, golden=450, canaries=1)
        world.measure()
        before = world.now("g")
        getattr(world, fault)(0.10)
        world.measure()
        now = world.now("g")
        effects.append(np.mean([now[name] for name in now]) / np.mean([before[name] for name in now]) - 1)
        names = np.random.default_rng(seed).permutation(sorted(now))
        samples = [{name: now[name] for name in names[start : start + 150]} for start in (0, 150, 300)]
        seen += any(fallen_lately("golden", samples[: count + 1], before, RULE).state == "alarm" for count in range(3))
    print(f"{fault}: {np.mean(effects):+.1%} on average, seen {seen / SIMULATIONS:.1%}")
    assert seen >= 0.90 * SIMULATIONS
