"""The loop that keeps a kernel busy: tokens ahead of it, batches of nearly equal length, workers beside each other."""

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier

import torch
from tokenizers import Tokenizer

from index.ahead import computed_ahead
from index.kernels import Kernel
from index.token_batches import SHORT, TokenBatch, together, token_batches
from index.vectors import Places, Vectors

# Weights of an encoder that come through the caches in a few milliseconds.
SMALL_MODEL = 30_000_000
SMALLEST_BUDGET = 192
# Short texts that go together through the model, in the thread that asks: questions that come at the same time. So many tokens in all.
FEW = 512


@dataclass(frozen=True, slots=True)
class Pace:
    """How much goes at once.

    Attributes:
        workers: batches that are computed at the same time, with one of torch's threads each: no thread waits for another.
        budget: tokens of a batch. On a CPU so few that what is between two layers stays in the caches: 0.1 s of work.
        window: texts that are tokenised and sorted together; so many are held in memory.
        question_threads: torch's threads for one question.
    """

    workers: int
    budget: int
    window: int
    question_threads: int


def cpu_pace(cores: int, weights: int | None) -> Pace:
    """The pace of so many cores, for an encoder of so many weights; None when that isn't known.

    A question to a small model is over before a second thread would be of use; on a busy machine that one makes it wait.
    """
    return Pace(workers=cores, budget=1024, window=1024, question_threads=1 if weights and weights <= SMALL_MODEL else min(4, cores))


# Two threads feed the GPU: one copies a batch in or out while the other's is computed.
GPU_PACE = Pace(workers=2, budget=65_536, window=16_384, question_threads=1)


@dataclass(frozen=True, slots=True)
class TokenInput:
    """How texts become a model's tokens: what is put before each, how many at `most`, and the id that fills up a batch."""

    tokenizer: Tokenizer
    prompt: str
    pad: int
    most: int

    @classmethod
    def cut(cls, tokenizer: Tokenizer, max_tokens: int, prompt: str, pad: int) -> "TokenInput":
        """With a copy of the tokenizer that cuts at `max_tokens`."""
        copy = Tokenizer.from_str(tokenizer.to_str())
        copy.enable_truncation(max_tokens)
        return cls(copy, prompt, pad, max_tokens)

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast([self.prompt + text for text in texts])]


class TokenLoop:
    """One kernel at work: an engine."""

    def __init__(self, kernel: Kernel, tokens: TokenInput, pace: Pace) -> None:
        self._kernel, self._tokens, self._pace = kernel, tokens, pace
        self._tokenizing = ThreadPoolExecutor(1, "tokenize")
        self._passages = workers(pace.workers, 1, "embed")
        # From here on for every thread that asks a question: torch hands it on to threads that are new to it.
        torch.set_num_threads(pace.question_threads)

    def stream(self, texts: Sequence[str]) -> Generator[tuple[Places, Vectors]]:
        """Vectors with the places of their texts, batch by batch; memory does not grow with the number of texts."""
        if batch := self._few(texts):
            yield batch.places, self._kernel(batch)[: len(texts)]
            return
        for batch, vectors in computed_ahead(self._passages, self._kernel, self._batches(texts), self._pace.workers):
            yield batch.places, vectors

    def question(self, text: str) -> Vectors:
        """The vector of one text, computed by the thread that asks: waking another one costs a millisecond."""
        (batch,) = token_batches(self._tokens.tokens([text]), self._pace.budget, self._tokens.pad, self._tokens.most)
        vector: Vectors = self._kernel(batch)[0]
        return vector

    def _few(self, texts: Sequence[str]) -> TokenBatch | None:
        """One batch, where the kernel leaves out the padding of texts so short and few; sharing them out would take longer."""
        if not self._kernel.leaves_out_padding or not 1 < len(texts) <= FEW // 2 or max(map(len, texts)) > FEW:
            return None
        tokens = self._tokens.tokens(texts)
        lengths = [len(row) for row in tokens]
        few = max(lengths) <= SHORT and sum(lengths) <= FEW
        return together(tokens, self._tokens.pad, self._tokens.most) if few else None

    def _batches(self, texts: Sequence[str]) -> Iterator[TokenBatch]:
        windows = range(0, len(texts), self._pace.window)
        for first, tokens in computed_ahead(self._tokenizing, lambda first: self._window(texts, first), windows, ahead=1):
            # A few texts are shared out, so that every worker has some; not in pieces too small to be worth it.
            share = max(SMALLEST_BUDGET, -(-sum(map(len, tokens)) // self._pace.workers))
            budget = min(1 << (share - 1).bit_length(), self._pace.budget)
            yield from token_batches(tokens, budget, self._tokens.pad, self._tokens.most, first)

    def _window(self, texts: Sequence[str], first: int) -> list[list[int]]:
        return self._tokens.tokens(texts[first : first + self._pace.window])


def workers(count: int, threads: int, name: str) -> Executor:
    """So many started workers, each with so many of torch's threads."""
    executor = ThreadPoolExecutor(count, name, initializer=torch.set_num_threads, initargs=(threads,))
    everyone = Barrier(count)
    for started in [executor.submit(everyone.wait) for _ in range(count)]:
        started.result()
    return executor
