"""Requests that a machine makes up from the OpenAPI document: none is answered with a server error, or otherwise than it says."""

from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from tests.api.running import TIMEOUT_S, RunningApi

pytestmark = pytest.mark.thorough

# Of one operation, in each mode: requests as described, and requests that break the description.
QUICK, THOROUGH = 2, 150


@schemathesis.serializer("application/x-ndjson")
def as_bytes(_, value):
    """A bulk body is described as a string."""
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture
def served(tmp_path):
    """An index of its own: what is made up moves releases and makes keys."""
    with RunningApi(tmp_path) as running:
        running.start_ingester().put("mine", "The great copper mine is in Falun.", metadata={"lang": "en"})
        yield running


@pytest.fixture
def check(served):
    """Sends many requests of each operation as the admin and looks at the replies."""
    url = f"http://127.0.0.1:{served.port}"
    schema = schemathesis.openapi.from_url(f"{url}/schema/openapi.json")
    headers = {"Authorization": f"Bearer {served.admin}"}

    def look(case: schemathesis.Case[Any]) -> None:
        reply = case.call(base_url=url, headers=headers, timeout=TIMEOUT_S)
        said = case.operation.definition.raw["responses"]
        assert str(reply.status_code) in said, (case.method, case.path, reply.status_code, reply.text)
        assert reply.status_code < 500 or (reply.status_code == 503 and "retry-after" in reply.headers), (reply.status_code, reply.text)
        if reply.status_code >= 400:
            assert reply.headers["content-type"] == ["application/problem+json"]
            assert reply.json()["detail"]
            assert reply.json()["status"] == reply.status_code

    def check(examples: int, **how: Any) -> int:
        phases = [Phase.explicit, Phase.generate]
        limits = settings(
            max_examples=examples, deadline=None, database=None, phases=phases, suppress_health_check=list(HealthCheck), **how
        )
        operations = [cast(Any, found).ok() for found in schema.get_all_operations()]
        for operation in operations:
            for mode in GenerationMode:
                look_at_many = cast(Any, given)(operation.as_strategy(generation_mode=mode))(look)
                limits(look_at_many)()
        return len(operations)

    return check


@pytest.mark.timeout(300)
def test_no_request_that_can_be_made_up_quickly_is_a_server_error(check):
    assert check(QUICK, derandomize=True) == 55


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_request_that_can_be_made_up_is_a_server_error(check):
    assert check(THOROUGH) == 55
