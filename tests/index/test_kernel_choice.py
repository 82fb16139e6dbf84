"""The choice of a kernel: right before fast, and remembered."""

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from time import sleep

import numpy as np
import pytest

from index.engine import in_order
from index.errors import Misconfigured
from index.kernel_choice import PROBES, Choice, Choices, machine_key, trials
from index.vectors import Places, Vectors, unit


@dataclass(frozen=True)
class NoisyEngine:
    """Counts letters, with some noise, and takes its time for each text."""

    noise: float = 0.0
    seconds: float = 0.0
    alone: float = 0.0

    def stream(self, texts: Sequence[str]) -> Generator[tuple[Places, Vectors]]:
        sleep(self.seconds * len(texts))
        yield np.arange(len(texts)), np.stack([self._vector(text) for text in texts])

    def question(self, text: str) -> Vectors:
        sleep(self.seconds + self.alone)
        return self._vector(text)

    def _vector(self, text: str) -> Vectors:
        counts = np.array([1.0] + [text.lower().count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"])
        return unit(counts + self.noise * np.linalg.norm(counts) * np.random.default_rng(len(text)).standard_normal(27) / 27**0.5)


EXACT = in_order(NoisyEngine().stream(PROBES), len(PROBES), 27)


def broken() -> NoisyEngine:
    raise RuntimeError("no such instruction")


def names(found) -> list[str]:
    return [trial.kernel for trial in found]


def test_the_fastest_of_those_with_the_right_vectors_comes_first():
    engines = {
        "exact": lambda: NoisyEngine(seconds=0.002),
        "near": lambda: NoisyEngine(noise=0.01, seconds=0.001),
        "off": lambda: NoisyEngine(noise=0.1),
    }
    found = trials(engines, EXACT)
    assert names(found) == ["near", "exact"]
    assert found[1].cosine > 0.999999 > found[0].cosine > 0.999


def test_a_question_by_itself_counts_as_well_as_passages_together():
    engines = {"for passages": lambda: NoisyEngine(seconds=0.002, alone=0.003), "for both": lambda: NoisyEngine(seconds=0.003)}
    assert names(trials(engines, EXACT)) == ["for both", "for passages"]


def test_a_kernel_that_does_not_work_here_is_passed_over():
    assert names(trials({"broken": broken, "exact": NoisyEngine}, EXACT)) == ["exact"]
    assert trials({"broken": broken}, EXACT) == []


def test_a_kernel_without_hope_is_not_measured_to_the_end():
    engines = {"quick": lambda: NoisyEngine(seconds=0.001), "slow": lambda: NoisyEngine(seconds=0.05)}
    assert names(trials(engines, EXACT)) == ["quick"]


def test_vectors_that_are_no_numbers_are_not_the_right_ones():
    assert trials({"broken": lambda: NoisyEngine(noise=float("nan"))}, EXACT) == []


CHOICE = Choice("0f42d05a3f30", 384, 256, "", 0, folder_tokenizer=True, kernel="packed BERT, bfloat16", cosine=0.9998)


def test_a_choice_is_remembered_beside_others(tmp_path: Path):
    choices = Choices(tmp_path / "home" / "kernels.json")
    assert choices.get("one") is None
    choices.put("one", CHOICE)
    choices.put("two", replace(CHOICE, kernel="BERT, bfloat16"))
    assert choices.get("one") == CHOICE
    assert choices.get("two") == replace(CHOICE, kernel="BERT, bfloat16")
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["kernels.json"]


def test_two_processes_that_start_at_once_measure_once(tmp_path: Path):
    measured: list[str] = []

    def slowly() -> Choice:
        measured.append("once")
        sleep(0.3)
        return CHOICE

    with ThreadPoolExecutor() as processes:
        found = list(processes.map(lambda _: Choices(tmp_path / "kernels.json").known_or("one", slowly), range(2)))
    assert (found, measured) == ([CHOICE, CHOICE], ["once"])


def test_after_a_measurement_that_failed_the_next_process_measures(tmp_path: Path):
    choices = Choices(tmp_path / "kernels.json")
    with pytest.raises(Misconfigured):
        choices.known_or("one", fails)
    assert choices.known_or("one", lambda: CHOICE) == CHOICE


def fails() -> Choice:
    raise Misconfigured("no such model")


def test_a_file_that_says_nothing_sensible_is_written_anew(tmp_path: Path):
    path = tmp_path / "kernels.json"
    for text in ("{", "[]", '{"one": {"colour": "red"}}', '{"one": 3}'):
        path.write_text(text)
        assert Choices(path).get("one") is None
    path.write_text("{")
    Choices(path).put("one", CHOICE)
    assert Choices(path).get("one") == CHOICE


def test_a_choice_holds_for_one_model_on_one_machine():
    keys = {machine_key("model", 2, ""), machine_key("model", 4, ""), machine_key("other", 2, ""), machine_key("model", 2, "H100")}
    assert len(keys) == 4
    assert "torch==" in machine_key("model", 2, "")
