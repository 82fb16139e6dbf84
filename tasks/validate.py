"""The data contract: Great Expectations suites for documents, chunks and vectors.

A row that fails an expectation costs its document the place in the batch, with the reason; the rest goes on.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from index.chunks import Chunk
from index.embedder import Vectors

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuite
    from great_expectations.core.validation_definition import ValidationDefinition
    from great_expectations.expectations.expectation import Expectation

MAX_CHARACTERS = 50_000_000
MAX_GARBAGE_RATIO = 0.05
NORM_TOLERANCE = 0.01
RESULT_FORMAT = {"result_format": "COMPLETE", "unexpected_index_column_names": ["doc_id"]}
_BLANK = r"\A\s*\Z"
# Replacement characters, controls, and private use: what a wrong encoding or a font without a mapping leaves behind.
_GARBAGE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd\ue000-\uf8ff]")


@dataclass(frozen=True, slots=True)
class Failure:
    """One document that broke the contract, and the expectation it failed."""

    doc_id: str
    reason: str


class Contract:
    """The suites for one embedder, compiled once per process (importing the library costs seconds)."""

    def __init__(self, dimensions: int, max_tokens: int) -> None:
        self._dimensions = dimensions
        self._max_tokens = max_tokens

    def documents(self, texts: Mapping[str, str]) -> list[Failure]:
        """Checks parsed texts by doc_id: length, and the share of characters that are no text."""
        rows = [{"doc_id": doc_id, "characters": len(text), "garbage_ratio": garbage_ratio(text)} for doc_id, text in texts.items()]
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

    def _run(self, suite: str, rows: Sequence[Mapping[str, Any]]) -> list[Failure]:
        if not rows:
            return []
        frame = {"dataframe": pd.DataFrame(rows)}
        definition = self._definitions[suite]
        # Naming the rows doubles the time: it is only done when there is one to name.
        if definition.run(batch_parameters=frame, result_format="BOOLEAN_ONLY").success:
            return []
        results = definition.run(batch_parameters=frame, result_format=RESULT_FORMAT)
        failures: dict[str, Failure] = {}
        for result in results.results:
            if result.success:
                continue
            expectation = _name(suite, result.expectation_config)
            for row in result.result.get("unexpected_index_list") or []:
                failures.setdefault(row["doc_id"], Failure(row["doc_id"], expectation))
        return list(failures.values())

    @cached_property
    def _definitions(self) -> dict[str, "ValidationDefinition"]:
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        logging.getLogger("great_expectations").setLevel(logging.WARNING)
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        source = context.data_sources.add_pandas("batch")
        definitions = {}
        for name, suite in self._suites().items():
            data = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("rows")
            definitions[name] = gx.ValidationDefinition(name=name, data=data, suite=context.suites.add(suite))
        return definitions

    def _suites(self) -> dict[str, "ExpectationSuite"]:
        import great_expectations as gx
        import great_expectations.expectations as gxe

        def between(column: str, low: float, high: float) -> "Expectation":
            return gxe.ExpectColumnValuesToBeBetween(column=column, min_value=low, max_value=high)

        suites = {
            "documents": [between("characters", 1, MAX_CHARACTERS), between("garbage_ratio", 0, MAX_GARBAGE_RATIO)],
            "chunks": [
                gxe.ExpectColumnValuesToBeUnique(column="chunk_id"),
                gxe.ExpectColumnValuesToNotMatchRegex(column="text", regex=_BLANK),
                between("tokens", 1, self._max_tokens),
                gxe.ExpectColumnValuesToBeBetween(column="length", min_value=1),
            ],
            "vectors": [
                between("dimensions", self._dimensions, self._dimensions),
                between("finite", 1, 1),
                between("norm", 1 - NORM_TOLERANCE, 1 + NORM_TOLERANCE),
            ],
        }
        return {name: gx.ExpectationSuite(name, expectations=expectations) for name, expectations in suites.items()}


def _name(suite: str, configuration: Any) -> str:
    return f"{suite}.{configuration.kwargs['column']} {configuration.type}"


def garbage_ratio(text: str) -> float:
    """The share of characters that real text does not have: replacement characters, controls and private use."""
    return len(_GARBAGE.findall(text)) / len(text) if text else 0.0
