"""What a client sends, and the secrets that the platform knows, reach no log and no error."""

import logging

import pytest

from tests.api.running import RunningApi

ODD = "Zx-odd\r\nERROR forged line\x1b[31m"
SECRETS = {"llm_key": "sk-llm-1f2e", "judge_key": "sk-judge-3d4c", "embedder_key": "sk-embed-5b6a", "webhook_secret": "whsec_7c8d"}


@pytest.fixture
def asked(tmp_path, caplog):
    """An API whose language model is nowhere, after requests of many kinds; and what it said."""
    caplog.set_level(logging.INFO)  # that of the processes that serve
    endpoints = {"llm_url": "http://127.0.0.1:1/v1", "llm_model": "m", "judge_url": "http://127.0.0.1:1/v1", "judge_model": "m"}
    with RunningApi(tmp_path, **endpoints, **SECRETS) as api:
        api.start_ingester().put("mine", "The great copper mine is in Falun.", metadata={"lang": "en"})
        reader = api.key("reader")
        replies = [
            api.post("/v1/answers", {"question": f"Where is the copper mine? {ODD}"}, reader),
            api.post("/v1/search", {"query": ODD, "filter": {ODD: 1}}, reader),
            api.post("/v1/search", content=ODD.encode(), key=reader, headers={"Content-Type": "application/json"}),
            api.get("/v1/documents/Zx-odd%0D%0AERROR%20forged%20line", reader),
            api.get("/v1/Zx-odd%0D%0AERROR%20forged%20line", reader),
            api.get("/v1/releases?cursor=Zx-odd%0A", reader),
            api.get("/v1/releases", "gw_wrong-Zx-odd"),
            api.call("PUT", "/v1/documents/a", content=b"{", headers={"Content-Type": "application/json"}),
            api.post("/v1/evaluations", {"dataset": "zx-odd"}),
            api.call("GET", "/v1/releases", key=reader, headers={"User-Agent": "Zx-odd", "Traceparent": "Zx-odd"}),
        ]
        # The storage fails: the one path that logs a traceback.
        staging = api.store.folder / "inbox" / "staging"
        staging.rename(staging.with_name("aside"))
        replies.append(api.put("Zx-odd", ODD, title=ODD))
        staging.with_name("aside").rename(staging)
        yield caplog.text + "".join(repr(vars(record)) for record in caplog.records), replies, (api.admin, reader, *SECRETS.values())


def test_no_log_and_no_reply_holds_a_secret(asked):
    logged, replies, secrets = asked
    for secret in secrets:
        assert secret not in logged
        assert not [reply.text for reply in replies if secret in reply.text]


def test_no_log_holds_what_a_client_has_sent_and_no_reply_a_traceback(asked):
    logged, replies, _ = asked
    ours = [line for line in logged.splitlines() if "Zx-odd" in line and "httpx" not in line and "httpcore" not in line]
    assert ours == []
    assert not [line for line in logged.splitlines() if line.startswith("ERROR forged")]
    assert not [reply.text for reply in replies if "Traceback" in reply.text or "/api/" in reply.text]
