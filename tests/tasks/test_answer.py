"""Answers end to end: from the index through a generator to citations that stand in the documents."""

import pytest

from index.errors import BadRequest, NotFound
from tasks.answer import NO_ANSWER, Answer, Generator, Question, answer
from tasks.chat import Endpoint
from tasks.extract import ExtractiveGenerator
from tasks.generate import ChatGenerator
from tests.bench import Bench, trusting_tools
from tests.fakes import HashingEmbedder, ScriptedModel

FARM = "# The farm\n\nAnna Berg founded the farm in 1987.\n\nIt grows 40 kinds of apples on the southern slope.\n"


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Two documents that no test changes."""
    embedder = HashingEmbedder()
    bench = Bench.open(tmp_path_factory.mktemp("farm"), trusting_tools(embedder), embedder)
    bench.put("farm", FARM, media_type="text/markdown")
    bench.put("prices", "A basket costs 3.5 euros at the gate.", metadata={"kind": "price"})
    return bench


def ask(bench: Bench, question: Question, *preferred: Generator) -> Answer:
    bench.reader.follow()
    return answer(bench.reader, bench.embedder, [*preferred, ExtractiveGenerator(bench.embedder)], question)


def model(server: ScriptedModel, timeout_s: float = 10) -> ChatGenerator:
    return ChatGenerator(Endpoint(server.url, "scripted", timeout_s=timeout_s))


def test_every_quote_stands_at_its_span_in_the_document(farm: Bench):
    given = ask(farm, Question("Who founded the farm in 1987?"))
    assert given.grounded
    assert (given.generator, given.degraded) == ("extractive", ())
    texts = {doc_id: entry.text for doc_id, entry in farm.store.ledger.get(["farm", "prices"], with_text=True).items()}
    assert given.citations[0].quote == "Anna Berg founded the farm in 1987."
    for citation in given.citations:
        assert (texts[citation.doc_id] or "")[slice(*citation.span)] == citation.quote


def test_the_answer_says_when_the_sources_do_not_hold_it(farm: Bench):
    given = ask(farm, Question("quantum chromodynamics lattice simulations?"))
    assert (given.text, given.grounded, given.citations) == (NO_ANSWER, False, ())


def test_the_answer_is_made_from_one_release_within_what_may_be_read(farm: Bench):
    assert ask(farm, Question("What costs a basket at the gate?", release=2)).retrieved.release == 2
    assert ask(farm, Question("What costs a basket at the gate?", release=2)).grounded is False
    given = ask(farm, Question("Who founded the farm in 1987?", always={"metadata.kind": "price"}))
    assert {hit.chunk.doc_id for hit in given.retrieved.hits} == {"prices"}
    assert len(ask(farm, Question("farm", k=1)).retrieved.hits) == 1


def test_the_errors_of_searching_pass_through(farm: Bench):
    with pytest.raises(BadRequest):
        ask(farm, Question(" "))
    with pytest.raises(NotFound):
        ask(farm, Question("Who?", release=99))


def test_the_model_answers_when_it_can(farm: Bench):
    with ScriptedModel('Anna Berg founded the farm. [1: "Anna Berg founded the farm in 1987"]') as server:
        given = ask(farm, Question("Who founded the farm in 1987?"), model(server))
    assert (given.text, given.generator, given.degraded) == ("Anna Berg founded the farm. [1]", "scripted", ())
    assert FARM[slice(*given.citations[0].span)] == given.citations[0].quote


def test_a_refusing_model_is_believed(farm: Bench):
    with ScriptedModel("NOT IN THE SOURCES") as server:
        given = ask(farm, Question("Who founded the farm in 1987?"), model(server))
    assert (given.text, given.grounded, given.generator) == (NO_ANSWER, False, "scripted")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ((500, "boom"), "HTTP 500"),
        ((200, "{garbage"), "the model endpoint"),
        (None, "ReadTimeout"),
        ("The farm was founded in 1878. [1]", "nothing that the model wrote is borne out by the sources"),
    ],
)
def test_a_failing_model_degrades_to_quotes_and_says_so(farm: Bench, reply: str | tuple[int, str] | None, reason: str):
    with ScriptedModel(reply) as server:
        given = ask(farm, Question("Who founded the farm in 1987?"), model(server, timeout_s=0.3))
    assert (given.generator, given.grounded) == ("extractive", True)
    assert given.citations[0].quote == "Anna Berg founded the farm in 1987."
    [degraded] = given.degraded
    assert degraded.startswith("scripted: ")
    assert reason in degraded
    assert degraded.endswith("answered with extractive instead")
