"""What a judge is asked: RAGAS' metrics, and the comparison of two texts that exams add."""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field

from index.embedder import Embedder

if TYPE_CHECKING:
    from ragas.embeddings.base import BaseRagasEmbedding

    from evals.judge_calls import JudgeCalls

FAITHFULNESS = "faithfulness"
ANSWER_RELEVANCY = "answer_relevancy"
LLM_CONTEXT_PRECISION = "llm_context_precision"
LLM_CONTEXT_RECALL = "llm_context_recall"
FACTUAL_CORRECTNESS = "factual_correctness"
METRICS = (FAITHFULNESS, ANSWER_RELEVANCY, LLM_CONTEXT_PRECISION, LLM_CONTEXT_RECALL, FACTUAL_CORRECTNESS)
# Those of the answer; the others are of the passages.
OF_ANSWER = (FAITHFULNESS, ANSWER_RELEVANCY, FACTUAL_CORRECTNESS)
COMPARISON = "comparison"
NO_REFERENCE = "not judged: the question has no reference answer"
NO_CONTEXTS = "not judged: no passages were found"
ABSTAINED = "not judged: there was no answer"


@dataclass(frozen=True, slots=True)
class Sample:
    """What is judged. `reference` is the right answer, as people wrote it; `other` the second text of a comparison."""

    question: str
    answer: str
    contexts: tuple[str, ...]
    reference: str | None = None
    other: str = ""


Scorer = Callable[[Sample], Awaitable[float]]


class Choice(BaseModel):
    """The judge's reply to a comparison."""

    reason: str = Field(description="why, in a few words")
    better: Literal["first", "second"] = Field(description="which of the two is better")


COMPARE = """Compare two texts. Judge by the question and by the source only, not by style, length or the order of the two.
The better text says nothing that the source does not say. Where there is no source, the better text answers the question.
Reply in JSON: {{"reason": "...", "better": "first" or "second"}}

Now perform the same with the following input
input: {input}
Output: """


def gap(metric: str, sample: Sample) -> str | None:
    """Why a metric can't be asked for this sample; None when it can."""
    if metric not in (FACTUAL_CORRECTNESS, ANSWER_RELEVANCY) and not sample.contexts:
        return NO_CONTEXTS
    if metric in OF_ANSWER and not sample.answer:
        return ABSTAINED
    if metric in (FACTUAL_CORRECTNESS, LLM_CONTEXT_RECALL) and not sample.reference:
        return NO_REFERENCE
    return ABSTAINED if metric == LLM_CONTEXT_PRECISION and not (sample.reference or sample.answer) else None


def scorers(calls: "JudgeCalls", embedder: Embedder) -> Mapping[str, Scorer]:
    """A function for each metric, and for `COMPARISON`: 1 for the answer, 0 for the other."""
    from ragas.metrics.collections import (
        AnswerRelevancy,
        ContextPrecisionWithoutReference,
        ContextPrecisionWithReference,
        ContextRecall,
        FactualCorrectness,
    )

    relevancy = AnswerRelevancy(llm=calls, embeddings=_embeddings(embedder))
    faithfulness = _whole_faithfulness(calls)
    with_reference, without = ContextPrecisionWithReference(llm=calls), ContextPrecisionWithoutReference(llm=calls)
    recall, correctness = ContextRecall(llm=calls), FactualCorrectness(llm=calls)

    async def faithful(s: Sample) -> float:
        return _value(await faithfulness.ascore(user_input=s.question, response=s.answer, retrieved_contexts=list(s.contexts)))

    async def relevant(s: Sample) -> float:
        return _value(await relevancy.ascore(user_input=s.question, response=s.answer))

    async def precise(s: Sample) -> float:
        """By the reference where there is one, else by the answer: for one question always the same of the two."""
        if s.reference:
            return _value(await with_reference.ascore(user_input=s.question, reference=s.reference, retrieved_contexts=list(s.contexts)))
        return _value(await without.ascore(user_input=s.question, response=s.answer, retrieved_contexts=list(s.contexts)))

    async def recalled(s: Sample) -> float:
        return _value(await recall.ascore(user_input=s.question, reference=s.reference or "", retrieved_contexts=list(s.contexts)))

    async def correct(s: Sample) -> float:
        return _value(await correctness.ascore(response=s.answer, reference=s.reference or ""))

    async def compared(s: Sample) -> float:
        given = {"question": s.question, "source": "\n".join(s.contexts), "first": s.answer, "second": s.other}
        choice = await calls.agenerate(COMPARE.format(input=json_of(given)), Choice)
        return float(choice.better == "first")

    return {
        FAITHFULNESS: faithful,
        ANSWER_RELEVANCY: relevant,
        LLM_CONTEXT_PRECISION: precise,
        LLM_CONTEXT_RECALL: recalled,
        FACTUAL_CORRECTNESS: correct,
        COMPARISON: compared,
    }


def json_of(given: Mapping[str, str]) -> str:
    """As RAGAS writes the input of its prompts."""
    return json.dumps(given, indent=4, ensure_ascii=False)


def _value(result: Any) -> float:
    value = float(result.value)
    return max(0.0, min(1.0, value)) if not math.isnan(value) else value


def _whole_faithfulness(calls: "JudgeCalls") -> Any:
    """RAGAS' faithfulness; a judge that leaves statements out is not believed about the others."""
    from ragas.metrics.collections import Faithfulness

    from evals.judge_calls import Garbage

    class Whole(Faithfulness):
        async def _create_verdicts(self, statements: list[str], context: str) -> Any:
            verdicts = await super()._create_verdicts(statements, context)
            if len(verdicts.statements) != len(statements):
                raise Garbage(f"{len(verdicts.statements)} verdicts on {len(statements)} statements")
            return verdicts

    return Whole(llm=calls)


def _embeddings(embedder: Embedder) -> "BaseRagasEmbedding":
    """Our embedder as RAGAS wants it."""
    from ragas.embeddings.base import BaseRagasEmbedding

    class Adapted(BaseRagasEmbedding):
        def embed_text(self, text: str, **_: object) -> list[float]:
            return [float(value) for value in embedder.embed_query(text)]

        async def aembed_text(self, text: str, **_: object) -> list[float]:
            return await asyncio.to_thread(self.embed_text, text)

    return Adapted()
