"""The whole API on a free port, over a real index, with an ingester behind it; only the model and the data contract are stand-ins."""

import atexit
import shutil
import socket
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any, Self, cast
from urllib.parse import quote

import httpx
import uvicorn

from api.app import create_app, served
from api.asking import asking
from api.edge import Bounds
from api.keys import Keys, Role, ensure_admin
from api.models import Models
from api.platform import Platform
from api.protocol import patient
from api.runs import Runs
from flows.errands import Errands
from flows.ingest import Drain
from flows.rebuilding import Rebuilding
from index.authorities import authorities
from index.embedder import Embedder
from index.errors import Misconfigured
from index.recipe import Recipe
from index.serving import Serving
from index.settings import Settings
from index.shortened import shortened
from index.store import open_store
from tasks.chunk import Chunker
from tasks.prepare import Tools
from tasks.publish import Publisher
from tests.bench import Gate, Workshop
from tests.fakes import HashingEmbedder, TrustingContract

NOWHERE = "http://127.0.0.1:1/api"
TIMEOUT_S = 30.0
# Less than what is served with, and enough for tests that send what they have at once, however busy the machine is.
PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What the API said; `json` is None for what is no JSON object."""

    status: int
    json: Any
    headers: Mapping[str, str]
    text: str

    @property
    def detail(self) -> str:
        """What a problem says, in lower case."""
        return str(self.json["detail"]).lower()


class RunningApi:
    """Start it with `with`. `ingesting` is off until `start_ingester` is called, as when that process is down.

    `patience_s`: how long a client may pause in what it sends and reads.
    """

    def __init__(
        self,
        home: Path,
        prefect: str = NOWHERE,
        patience_s: float = PATIENCE_S,
        embedder: Callable[[], HashingEmbedder] = HashingEmbedder,
        **settings: Any,
    ) -> None:
        self.home = home
        if not (home / "index").exists():
            shutil.copytree(_bare_index(), home / "index")
        given: dict[str, Any] = {"home": home, "PREFECT_API_URL": prefect, "sample": False} | settings
        self.settings = Settings(**given)
        self.store = open_store(self.settings.index, home)
        self.keys = Keys(home / "keys.json")
        ensure_admin(self.keys, self.settings.admin_key_file)
        self.admin = self.settings.admin_key_file.read_text().strip()
        models = Models(lambda recipe: asking(embedder_of(recipe, embedder), recipe, Serving()), Recipe())
        self.platform = Platform(self.settings, open_store(self.settings.index, home), models)
        runs = Runs(self.settings.prefect_url, self.settings.prefect_ui)
        self.app = create_app(self.platform, self.keys, runs)
        self._ingester: Ingester | None = None
        self.gate = Gate()
        app = cast(Any, served(self.app, Bounds(pause_s=patience_s, begin_s=3 * patience_s)))
        how: dict[str, Any] = {
            "log_config": None,
            "access_log": False,
            "server_header": False,
            "loop": "uvloop",
            "http": patient(patience_s),
        }
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, h11_max_incomplete_event_size=64 * 1024, **how))
        self._serving = Thread(target=self._server.run)
        self.client = httpx.Client(timeout=TIMEOUT_S, trust_env=False, verify=authorities("http://127.0.0.1"))

    def __enter__(self) -> Self:
        self._serving.start()
        self.until(lambda: self._server.started)
        self.client.base_url = httpx.URL(f"http://127.0.0.1:{self.port}")
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self._server.should_exit = True
        self._serving.join()
        self.stop_ingester()

    @property
    def port(self) -> int:
        """Where the server listens; it has chosen a free one."""
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._server.server_state.connections)

    def start_ingester(self) -> Self:
        """Takes the index over and begins to drain the inbox; searching works when this returns."""
        self.start_ingester_unready()
        self.until(lambda: self.get("/health/ready").status == 200)
        return self

    def start_ingester_unready(self) -> None:
        """The same without waiting until it works."""
        embedder = HashingEmbedder()
        tools = Tools(
            embedder, Chunker(embedder.tokenizer(), embedder.max_tokens), TrustingContract(embedder.dimensions, embedder.max_tokens)
        )
        publisher = Publisher(self.store, tools)
        publisher.take_over()
        drain = Drain(self.store, publisher, lambda: False, sleep)
        workshop = Workshop(tools)
        self._ingester = Ingester(drain, Errands(drain, workshop, self.home), Rebuilding(drain, workshop, self.gate))
        self._ingester.start()

    def stop_ingester(self) -> None:
        """Finishes the batch in hand; what is accepted from now on waits."""
        if self._ingester:
            self._ingester.stop()
            self._ingester = None

    def key(self, role: Role, filter_: Mapping[str, Any] | None = None, expires_at: datetime | None = None) -> str:
        """The secret of a new key."""
        return self.keys.create(role, f"a {role}", expires_at, filter_)[1]

    def call(self, method: str, path: str, json: object = None, key: str | None = "", **more: Any) -> Reply:
        """Any request, as the admin unless a key, or None for none, is given."""
        headers = {} if key is None else {"Authorization": f"Bearer {key or self.admin}"}
        reply = self.client.request(method, path, json=json, headers=headers | more.pop("headers", {}), **more)
        return Reply(reply.status_code, _json(reply), reply.headers, reply.text)

    def get(self, path: str, key: str | None = "") -> Reply:
        """A GET."""
        return self.call("GET", path, key=key)

    def post(self, path: str, json: object = None, key: str | None = "", **more: Any) -> Reply:
        """A POST."""
        return self.call("POST", path, json, key, **more)

    def put(self, doc_id: str, text: str, wait: float = TIMEOUT_S, key: str | None = "", **facts: Any) -> Reply:
        """Puts a text, and waits until it is searchable."""
        return self.call("PUT", document(doc_id), {"text": text} | facts, key, params={"wait": wait})

    def status(self, doc_id: str, key: str | None = "") -> Reply:
        """What became of a document."""
        return self.get(document(doc_id), key)

    def delete(self, doc_id: str, wait: float = TIMEOUT_S, key: str | None = "") -> Reply:
        """Deletes a document, and waits until it is gone."""
        return self.call("DELETE", document(doc_id), key=key, params={"wait": wait})

    def found(self, query: str, key: str | None = "", **more: Any) -> list[str]:
        """The documents of a search, best first."""
        reply = self.post("/v1/search", {"query": query} | more, key)
        assert reply.status == 200, reply
        return list(dict.fromkeys(hit["doc_id"] for hit in reply.json["hits"]))

    def raw(self, request: bytes, then_close: bool = False) -> bytes:
        """What the server answers to these bytes; nothing is waited for if the connection is closed instead."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S) as connection:
            connection.sendall(request)
            if then_close:
                return b""
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    @staticmethod
    def until(condition: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
        """Waits for something that another thread brings about."""
        deadline = monotonic() + timeout_s
        while not condition():
            assert monotonic() < deadline, "waited too long"
            sleep(0.01)


class Ingester(Thread):
    """The loop of the ingester's process, in a thread."""

    def __init__(self, drain: Drain, errands: Errands, rebuilding: Rebuilding) -> None:
        super().__init__()
        self._drain, self._errands, self._rebuilding = drain, errands, rebuilding
        self._stopping = Event()

    def run(self) -> None:
        """Batch after batch until it is stopped."""
        while not self._stopping.is_set():
            self._errands.go_on()
            self._rebuilding.go_on()
            if not self._drain.next_batch():
                self._stopping.wait(0.02)

    def stop(self) -> None:
        """Returns when the batch in hand is done."""
        self._stopping.set()
        self.join()


def embedder_of(recipe: Recipe, make: Callable[[], HashingEmbedder] = HashingEmbedder) -> Embedder:
    """What the API loads for a recipe."""
    if recipe.embedder == "lost":
        raise Misconfigured("lost can't be loaded")
    whole = make()
    if recipe.embedder == "other":
        whole.fingerprint = "other64"
    return shortened(whole, recipe.dimensions)


@cache
def _bare_index() -> Path:
    """The folder of an index in which nothing was ever released: copying it is faster than making one."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    open_store(str(folder / "index"), folder)
    return folder / "index"


def document(doc_id: str) -> str:
    """The path of a document. Dots too are encoded: clients take `..` in a path for a way up."""
    return f"/v1/documents/{quote(doc_id, safe='').replace('.', '%2E')}"


def _json(reply: httpx.Response) -> Any:
    with suppress(ValueError):
        return reply.json()
    return None
