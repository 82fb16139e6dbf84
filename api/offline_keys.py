"""Keys made on the machine itself while no server runs: whoever can write the home may make any key."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import msgspec

from api.client import Client, Json
from api.keys import Keys
from api.requests import KeyRequest
from index.errors import BadRequest
from index.settings import Settings

BY = "offline"


class Offline:
    """Answers `POST /v1/keys` as the API would, from the files of the home."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def post(self, _: str, body: Json) -> Json:
        """Makes the key and writes it down in the audit."""
        # Not before they are needed: each command would wait for these libraries.
        from api.key_routes import audited, check, with_secret
        from index.store import open_store

        try:
            asked = msgspec.convert(body, KeyRequest)
        except msgspec.ValidationError as error:
            raise BadRequest(str(error)) from error
        check(asked)
        store = open_store(self._settings.index, self._settings.home)
        key, secret = Keys(self._settings.keys_file).create(asked.role, asked.name, asked.expires_at, asked.filter, asked.per_minute)
        store.log.append("key_made", 0, BY, detail=audited(key))
        reply: Json = msgspec.to_builtins(with_secret(key, secret))
        return reply


@contextmanager
def connect(settings: Settings, _: Callable[[str], None]) -> Iterator[Client]:
    """In place of a client of the API, for the one command that has an `--offline`."""
    yield cast(Client, Offline(settings))
