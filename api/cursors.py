"""Cursors of searches: where a page ended, sealed with what was asked and the key that asked it."""

import hashlib
import hmac
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import msgspec

from api.keys import Key
from api.requests import SearchRequest
from index.errors import BadRequest
from tasks.place import Place

SEAL_BYTES = 16
_REFUSED = "cursor is not one that this API gave for this question, filter and key; start without one"


def sealed(place: Place, asked: SearchRequest, key: Key) -> str:
    """The cursor; only the same question of the same key opens it."""
    body = msgspec.msgpack.encode(place)
    return urlsafe_b64encode(_seal(body, asked, key) + body).decode()


def opened(cursor: str, asked: SearchRequest, key: Key) -> Place:
    """The place that a cursor stands for; raises `BadRequest` for one of another question or key, or that was changed."""
    try:
        whole = b64decode(cursor, altchars="-_", validate=True)
    except ValueError as error:
        raise BadRequest(_REFUSED) from error
    seal, body = whole[:SEAL_BYTES], whole[SEAL_BYTES:]
    if not hmac.compare_digest(seal, _seal(body, asked, key)):
        raise BadRequest(_REFUSED)
    place = msgspec.msgpack.decode(body, type=Place)
    if asked.release not in (None, place.release):
        raise BadRequest(f"cursor is of release {place.release}; leave `release` out, or name that one")
    return place


def _seal(body: bytes, asked: SearchRequest, key: Key) -> bytes:
    """Made with the key's digest, which never leaves the server. Who can make one all the same gains nothing: filters apply anew."""
    return hmac.digest(key.digest.encode(), _bound(asked, key.filter) + body, hashlib.sha256)[:SEAL_BYTES]


def _bound(asked: SearchRequest, always: Mapping[str, Any]) -> bytes:
    """What must be the same from page to page. How many hits a page has, and what is shown beside them, may change."""
    told = (asked.query, asked.mode, asked.filter, asked.exact, asked.nprobes, asked.refine_factor, asked.one_per_document, asked.rerank)
    return hashlib.sha256(msgspec.json.encode((told, always), order="deterministic")).digest()
