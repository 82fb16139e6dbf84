"""The data contract: Great Expectations suites for documents, chunks and vectors.

A row that fails an expectation costs its document the place in the batch, with the reason; the rest goes on.
"""

import logging
import re
from collections import defaultdict, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from index.chunk_rows import Chunk
from index.embedder import Vectors
from index.errors import BatchStopped
from index.overrides import overridden
from tasks.language import language_of

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuite
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.expectations.expectation import Expectation

RESULT_FORMAT = {"result_format": "COMPLETE", "unexpected_index_column_names": ["doc_id"]}
COUNTED_AT_ONCE = 64 * 1024
LAST_BATCHES = 20
_BLANK = r"\A\s*\Z"
_WORDS = re.compile(r"[^\W_]+")
_BLANKS = re.compile(r"\s+")
# Replacement characters, controls, and private use: what a wrong encoding or a font without a mapping leaves behind.
_GARBAGE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd\ue000-\uf8ff]+")


@dataclass(frozen=True, slots=True)
class Failure:
    """One document that broke the contract, and the expectation it failed."""

    doc_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What may be changed of the data contract, with the name that each has in the file of `GROUNDWORK_CONTRACT`.

    Of a batch of at least `min_batch` documents at most the share `max_failed_share` may break the contract, else it is stopped.
    One whose documents of a media type have `max_count_change` times more or fewer passages than those of the last batches raises
    an alarm; 0: none does. With `languages` (ISO 639-1 codes), texts that are surely in another one break the contract.
    """

    max_characters: int = 50_000_000
    max_garbage_ratio: float = 0.05
    min_text_ratio: float = 0.1
    norm_tolerance: float = 0.01
    min_batch: int = 10
    max_failed_share: float = 0.5
    max_count_change: float = 10.0
    languages: tuple[str, ...] = ()


def thresholds(file: Path | None) -> Thresholds:
    """Those of a TOML file, and the defaults of the others; raises `Misconfigured` when it can't be used."""
    return overridden(Thresholds, file, "GROUNDWORK_CONTRACT")


class Contract:
    """The suites for one embedder, compiled once per process (importing the library costs seconds)."""

    def __init__(self, dimensions: int, max_tokens: int, thresholds: Thresholds | None = None) -> None:
        self._dimensions = dimensions
        self._max_tokens = max_tokens
        self._thresholds = thresholds or Thresholds()
        self._recent: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=LAST_BATCHES))

    def documents(self, texts: Mapping[str, str]) -> list[Failure]:
        """Checks parsed texts by doc_id: length, language, the shares of characters that are no text and of those that are letters."""
        rows = [
            {
                "doc_id": doc_id,
                "characters": len(text),
                "garbage_ratio": garbage_ratio(text),
                "text_ratio": text_ratio(text),
                "language": language_of(text) if self._thresholds.languages else None,
            }
            for doc_id, text in texts.items()
        ]
        return self._run("documents", rows)

    def chunks(self, chunks: Sequence[Chunk]) -> list[Failure]:
        """Checks passages: ids, text, span and token count."""
        rows = [
            {
                "doc_id": chunk.doc_id,
                "chunk_id": chunk.chunk_id,
                "text": chunk.text,
                "tokens": chunk.tokens,
                "length": chunk.end - chunk.start,
            }
            for chunk in chunks
        ]
        return self._run("chunks", rows)

    def vectors(self, owners: Sequence[str], vectors: Sequence[Vectors]) -> list[Failure]:
        """Checks vectors, whose documents are `owners`: dimension, finite numbers, norm 1."""
        rows = [
            {"doc_id": owner, "dimensions": len(vector), "finite": int(np.isfinite(vector).all()), "norm": float(np.linalg.norm(vector))}
            for owner, vector in zip(owners, vectors, strict=True)
        ]
        return self._run("vectors", rows)

    def counts(self, passages: Mapping[str, Sequence[int]]) -> list[str]:
        """Compares a batch with the last ones; says what is unusual. That stops nothing: other documents than before may be right.

        Args:
            passages: how many passages each document has, by media type.
        """
        means = {kind: sum(each) / len(each) for kind, each in passages.items() if len(each) >= self._thresholds.min_batch}
        usual = {kind: median(self._recent[kind]) for kind in means if self._recent[kind]}
        rows = [{"doc_id": kind, "passages_a_document": means[kind] / usual[kind]} for kind in usual]
        odd = [failure.doc_id for failure in self._run("counts", rows)] if self._thresholds.max_count_change else []
        for kind, mean in means.items():
            self._recent[kind].append(mean)
        return [f"{kind}: {means[kind]:.1f} passages a document, in the last batches {usual[kind]:.1f}" for kind in odd]

    def check_batch(self, documents: int, broken: Collection[str]) -> None:
        """Raises `BatchStopped` when so many of the documents broke the contract that the fault is hardly theirs."""
        limit = self._thresholds
        if documents >= limit.min_batch and len(broken) > documents * limit.max_failed_share:
            raise BatchStopped(
                f"{len(broken)} of {documents} documents of the batch broke the data contract; more than {limit.max_failed_share:.0%} "
                "stop it: find the cause, then replay the quarantine",
                frozenset(broken),
            )

    def _run(self, suite: str, rows: Sequence[Mapping[str, Any]]) -> list[Failure]:
        if not rows:
            return []
        data, expectations = self._compiled[suite]
        # Not by a validation definition: the context would keep the result of each run for ever.
        batch = data.get_batch(batch_parameters={"dataframe": pd.DataFrame(rows)})
        # Naming the rows doubles the time: it is only done when there is one to name.
        if batch.validate(expectations, result_format="BOOLEAN_ONLY").success:
            return []
        results = batch.validate(expectations, result_format=RESULT_FORMAT)
        failures: dict[str, Failure] = {}
        for result in results.results:
            if result.success:
                continue
            expectation = _name(suite, result.expectation_config)
            for row in result.result.get("unexpected_index_list") or []:
                failures.setdefault(row["doc_id"], Failure(row["doc_id"], expectation))
        return list(failures.values())

    @cached_property
    def _compiled(self) -> dict[str, tuple["BatchDefinition[Any]", "ExpectationSuite"]]:
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        logging.getLogger("great_expectations").setLevel(logging.WARNING)
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        source = context.data_sources.add_pandas("batch")
        compiled = {}
        for name, suite in self._suites().items():
            data = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("rows")
            compiled[name] = (data, context.suites.add(suite))
        return compiled

    def _suites(self) -> dict[str, "ExpectationSuite"]:
        import great_expectations as gx
        import great_expectations.expectations as gxe

        def between(column: str, low: float, high: float) -> "Expectation":
            return gxe.ExpectColumnValuesToBeBetween(column=column, min_value=low, max_value=high)

        limit = self._thresholds
        suites = {
            "documents": [
                between("characters", 1, limit.max_characters),
                between("garbage_ratio", 0, limit.max_garbage_ratio),
                between("text_ratio", limit.min_text_ratio, 1),
                # No language (too short to tell, or not asked for) is none of another one.
                *([gxe.ExpectColumnValuesToBeInSet(column="language", value_set=list(limit.languages))] if limit.languages else []),
            ],
            "chunks": [
                gxe.ExpectColumnValuesToBeUnique(column="chunk_id"),
                gxe.ExpectColumnValuesToNotMatchRegex(column="text", regex=_BLANK),
                between("tokens", 1, self._max_tokens),
                gxe.ExpectColumnValuesToBeBetween(column="length", min_value=1),
            ],
            "vectors": [
                between("dimensions", self._dimensions, self._dimensions),
                between("finite", 1, 1),
                between("norm", 1 - limit.norm_tolerance, 1 + limit.norm_tolerance),
            ],
            "counts": [between("passages_a_document", 1 / (limit.max_count_change or 1), limit.max_count_change or 1)],
        }
        return {name: gx.ExpectationSuite(name, expectations=expectations) for name, expectations in suites.items()}


def _name(suite: str, configuration: Any) -> str:
    return f"{suite}.{configuration.kwargs['column']} {configuration.type}"


def garbage_ratio(text: str) -> float:
    """The share of characters that real text does not have: replacement characters, controls and private use."""
    return _covered(_GARBAGE, text) / len(text) if text else 0.0


def text_ratio(text: str) -> float:
    """The share of letters and digits, of any script, among what is not blank."""
    shown = len(text) - _covered(_BLANKS, text)
    return _covered(_WORDS, text) / shown if shown else 0.0


def _covered(pattern: re.Pattern[str], text: str) -> int:
    """The characters that a pattern matches, counted slice by slice: a list of all that matches would be large."""
    return sum(len("".join(pattern.findall(text[start : start + COUNTED_AT_ONCE]))) for start in range(0, len(text), COUNTED_AT_ONCE))
