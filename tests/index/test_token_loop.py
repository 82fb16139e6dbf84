"""The loop around a kernel, with a kernel that only notes what it gets."""

from dataclasses import dataclass, field

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from index.engine import in_order
from index.token_batches import TokenBatch
from index.token_loop import Pace, TokenInput, TokenLoop, cpu_pace
from index.vectors import Vectors

WORDS = {"[UNK]": 0, "apple": 1, "pear": 2, "plum": 3, "query:": 4}


@dataclass
class NotingKernel:
    """A vector is the first token and the number of tokens."""

    batches: list[TokenBatch] = field(default_factory=list)
    leaves_out_padding: bool = False

    def __call__(self, batch: TokenBatch) -> Vectors:
        self.batches.append(batch)
        return np.stack([batch.ids[:, 0], batch.lengths], axis=1).astype(np.float32)


def words() -> Tokenizer:
    found = Tokenizer(WordLevel(WORDS, unk_token="[UNK]"))
    found.pre_tokenizer = Whitespace()
    return found


def loop(kernel: NotingKernel, prompt: str = "", window: int = 10) -> TokenLoop:
    return TokenLoop(kernel, TokenInput.cut(words(), 256, prompt, 0), Pace(workers=2, budget=1024, window=window, question_threads=1))


def test_each_text_gets_its_vector_across_windows_and_batches():
    texts = ["pear " * (1 + number % 7) for number in range(35)] + ["plum"]
    vectors = in_order(loop(NotingKernel()).stream(texts), 36, 2)
    assert vectors[:, 0].tolist() == [2] * 35 + [3]
    assert vectors[:, 1].tolist() == [1 + number % 7 for number in range(35)] + [1]


def test_a_few_texts_are_shared_out_among_the_workers():
    kernel = NotingKernel()
    list(loop(kernel).stream(["apple " * 100] * 8))
    assert sorted(len(batch.ids) for batch in kernel.batches) == [4, 4]


def test_a_few_short_texts_go_together_where_padding_takes_no_time():
    kernel, texts = NotingKernel(leaves_out_padding=True), ["apple", "pear " * 60, "plum"]
    assert in_order(loop(kernel).stream(texts), 3, 2).tolist() == [[1, 1], [2, 60], [3, 1]]
    list(loop(kernel).stream(["apple " * 100, "pear"]))  # a passage among them
    list(loop(kernel).stream(["apple " * 60] * 9))  # more than a few tokens in all
    assert [batch.ids.shape for batch in kernel.batches[:1]] == [(4, 64)]
    assert all(len(batch.places) == len(batch.ids) for batch in kernel.batches[1:])


def test_one_short_text_is_one_batch():
    kernel = NotingKernel()
    list(loop(kernel).stream(["apple"]))
    assert [batch.ids.tolist() for batch in kernel.batches] == [[[1, 0, 0, 0]]]


def test_long_texts_are_cut_and_the_prompt_of_the_model_is_put_before_each():
    kernel = NotingKernel()
    prompted = loop(kernel, prompt="pear ")
    assert prompted.question("apple " * 1000).tolist() == [2, 256]
    assert kernel.batches[0].ids[0].tolist() == [2] + [1] * 255


def test_only_what_is_asked_for_is_tokenised_and_computed():
    kernel = NotingKernel()
    stream = loop(kernel, window=4).stream(["apple " * 200] * 1000)
    next(stream)
    stream.close()
    assert len(kernel.batches) <= 4


def test_a_question_to_a_small_model_takes_one_thread_and_to_a_large_one_several():
    assert cpu_pace(cores=8, weights=10_000_000).question_threads == 1
    assert cpu_pace(cores=8, weights=300_000_000).question_threads == 4
    assert cpu_pace(cores=2, weights=None).question_threads == 2
    assert cpu_pace(cores=8, weights=None).workers == 8
