"""What the API process holds: the index, a follower of its releases, and the model that loads behind it."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event, Thread
from time import monotonic, sleep

from index.embedder import Embedder
from index.errors import GroundworkError, Unavailable
from index.search import Reader
from index.settings import Settings
from index.store import Store
from tasks.answer import Generator
from tasks.extract import ExtractiveGenerator
from tasks.generate import ChatGenerator, Endpoint

POLL_S = 0.2
SERVICE_POLL_S = 5.0
POLL_WAITED_FOR_S = 0.02
_log = logging.getLogger("groundwork.api")


class ModelInBackground:
    """Loads the embedder in a thread, so that the API answers `/health/live` at once."""

    def __init__(self, load: Callable[[], Embedder]) -> None:
        self._load = load
        self._embedder: Embedder | None = None
        self._failure: GroundworkError | None = None
        self._thread = Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        """Begins to load."""
        self._thread.start()

    def get(self) -> Embedder:
        """The embedder; `Unavailable` while it loads or when it can't be loaded."""
        if self._failure:
            raise Unavailable(f"the embedding model can't be loaded: {self._failure}", retry_after_s=30)
        if self._embedder is None:
            raise Unavailable("the embedding model is still loading", retry_after_s=5)
        return self._embedder

    def _run(self) -> None:
        while self._embedder is None:
            try:
                embedder = self._load()
                embedder.embed_query("warm up")
                self._embedder, self._failure = embedder, None
            except GroundworkError as error:
                _log.error("%s", error)
                self._failure = error
                if not isinstance(error, Unavailable):
                    return
                sleep(SERVICE_POLL_S)


@dataclass(slots=True)
class Platform:
    """Shared by all handlers. `start` begins to follow the index, `stop` ends it."""

    settings: Settings
    store: Store
    model: ModelInBackground
    reader: Reader = field(init=False)
    _waiters: int = 0
    _stopping: Event = field(default_factory=Event)
    _follower: Thread | None = None
    _chat: Generator | None = None
    _extractive: Generator | None = None
    _looks: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Opens what is cheap to open."""
        self.reader = self.store.reader()
        settings = self.settings
        if settings.llm_url and settings.llm_model:
            key = settings.llm_key.get_secret_value() if settings.llm_key else "none"
            self._chat = ChatGenerator(Endpoint(settings.llm_url, settings.llm_model, key))

    def start(self) -> None:
        """Loads the model and follows the release log, both in threads."""
        self.model.start()
        self._follower = Thread(target=self._follow, name="follower", daemon=True)
        self._follower.start()

    def also_look(self, look: Callable[[], None]) -> None:
        """Has `look` called after each look at the release log, in the thread that follows it."""
        self._looks.append(look)

    def stop(self) -> None:
        """Stops following."""
        self._stopping.set()

    def generators(self) -> Sequence[Generator]:
        """Who answers: the configured language model first, the extractive one when it fails."""
        if self._extractive is None:
            self._extractive = ExtractiveGenerator(self.model.get())
        return (self._chat, self._extractive) if self._chat else (self._extractive,)

    async def until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Waits until `done()`, asked after each release, or the time is over; says which."""
        deadline = monotonic() + timeout_s
        self._waiters += 1
        try:
            while True:
                seen = self.reader.followed
                if await asyncio.to_thread(done):
                    return True
                while self.reader.followed == seen:
                    if monotonic() >= deadline:
                        return False
                    await asyncio.sleep(POLL_WAITED_FOR_S)
        finally:
            self._waiters -= 1

    def _follow(self) -> None:
        while not self._stopping.is_set():
            try:
                self.reader.follow()
                for look in self._looks:
                    look()
            except (OSError, RuntimeError, ValueError) as error:  # what LanceDB raises while a table is being changed
                _log.warning("could not read the release log, trying again: %s", error)
            self._stopping.wait(POLL_WAITED_FOR_S if self._waiters else POLL_S)
