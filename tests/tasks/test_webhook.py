"""Webhooks: signed, sent again, and silent about secrets."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from index.errors import Unavailable
from tasks.webhook import Webhook
from tests.receiver import Receiver

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
MESSAGE = {"type": "groundwork.drift.alarm", "data": {"monitor": "recall"}}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


def test_a_message_is_signed_so_that_the_receiver_can_be_sure(receiver):
    secret = "whsec_" + base64.b64encode(b"key of the receiver").decode()
    Webhook(receiver.url, secret).send("m1", AT, MESSAGE)
    [(headers, body)] = receiver.got
    assert json.loads(body) == MESSAGE | {"timestamp": "2026-05-04T12:00:00+00:00"}
    signed = b"m1." + headers["webhook-timestamp"].encode() + b"." + body
    expected = base64.b64encode(hmac.new(b"key of the receiver", signed, hashlib.sha256).digest()).decode()
    assert (headers["webhook-id"], headers["webhook-signature"]) == ("m1", f"v1,{expected}")


def test_what_fails_is_sent_again_with_the_same_id(receiver):
    receiver.statuses = [500, 503]
    Webhook(receiver.url, pause_s=0.01).send("m1", AT, MESSAGE)
    assert [headers["webhook-id"] for headers, _ in receiver.got] == ["m1", "m1", "m1"]


def test_what_never_gets_through_is_an_error_that_does_not_tell_the_address(receiver):
    receiver.statuses = [500] * 9
    with pytest.raises(Unavailable, match="answered 500") as caught:
        Webhook(receiver.url, pause_s=0.01).send("m1", AT, MESSAGE)
    assert "hidden" not in str(caught.value)
    with pytest.raises(Unavailable, match="can't be reached"):
        Webhook("http://127.0.0.1:1/hidden", pause_s=0.01).send("m1", AT, MESSAGE)


def test_the_secret_is_not_in_what_is_printed():
    assert "topsecret" not in repr(Webhook("http://host/", "topsecret"))
