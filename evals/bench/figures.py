"""Figures: what a benchmark measured, as data."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import numpy as np
from rich import box
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `ratio` is it divided by the same metric of the case named in `baseline`, in the same run."""

    part: str
    case: str
    metric: str
    value: float
    unit: str
    baseline: str | None = None
    ratio: float | None = None

    def against(self, baseline: "Figure") -> "Figure":
        """The figure beside a baseline of the same unit; the ratio stays None when the baseline is 0."""
        if baseline.unit != self.unit:
            raise ValueError(f"{self.metric} in {self.unit} can't be compared with {baseline.metric} in {baseline.unit}")
        return replace(self, baseline=baseline.case, ratio=self.value / baseline.value if baseline.value else None)


@dataclass(frozen=True, slots=True)
class Case:
    """A part and a case, to make figures of."""

    part: str
    name: str

    def figure(self, metric: str, value: float, unit: str) -> Figure:
        """A figure of this case."""
        return Figure(self.part, self.name, metric, value, unit)


class Stopwatch:
    """Seconds of each `with` block it was used for."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __enter__(self) -> Self:
        self._began = perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.seconds.append(perf_counter() - self._began)

    @property
    def last(self) -> float:
        """Seconds of the newest block."""
        return self.seconds[-1]


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return float(np.median(values))


def p99_ms(seconds: Sequence[float]) -> float:
    """The 99th percentile, in milliseconds."""
    return float(np.percentile(seconds, 99)) * 1000


def p50_ms(seconds: Sequence[float]) -> float:
    """The median, in milliseconds."""
    return median(seconds) * 1000


def as_json(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """The figures as the rows of the result file."""
    return [asdict(figure) for figure in figures]


def as_table(title: str, figures: Sequence[Figure]) -> Table:
    """The figures for people."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("case", overflow="fold")
    table.add_column("metric", overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("ratio", justify="right", no_wrap=True)
    table.add_column("to", overflow="fold", style="dim")
    shown = ""
    for figure in figures:
        ratio = "" if figure.ratio is None else f"{figure.ratio:.3f}"
        case = "" if figure.case == shown else figure.case
        table.add_row(case, figure.metric, readable(figure.value), figure.unit, ratio, figure.baseline or "")
        shown = figure.case
    return table


def readable(value: float) -> str:
    """A value with as many digits as can be believed."""
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}" if abs(value) >= 1 else f"{value:.4f}"
