"""What the API process holds: the index, a follower of its releases, and the model that loads behind it."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event, Thread
from time import monotonic

from api.ahead import Ahead
from api.cache import MIB, Replies
from api.models import Models
from api.rerankers import RerankerInBackground
from api.shadow import Shadow
from api.traffic import Traffic
from index.embedder import Embedder
from index.errors import GroundworkError
from index.kept import Kept
from index.reader import Reader
from index.serving import Serving, serving
from index.settings import Settings
from index.store import Store
from index.vectors_ahead import VectorsAhead
from tasks.answer import Generator
from tasks.chat import Endpoint
from tasks.extract import ExtractiveGenerator
from tasks.generate import ChatGenerator
from tasks.rerank import CrossEncoderReranker

POLL_S = 0.2
# So many times the memory for replies is beside it for what searches find.
FOR_PASSAGES, FOR_VECTORS = 2, 8
POLL_WAITED_FOR_S = 0.02
_log = logging.getLogger("groundwork.api")


@dataclass(slots=True)
class Platform:
    """Shared by all handlers. `start` begins to follow the index, `stop` ends it."""

    settings: Settings
    store: Store
    models: Models
    reader: Reader = field(init=False)
    shadow: Shadow = field(init=False)
    traffic: Traffic = field(init=False)
    serving: Serving = field(init=False)
    replies: Replies = field(init=False)
    reranker: RerankerInBackground = field(init=False)
    ahead: Ahead = field(default_factory=Ahead)
    _waiters: int = 0
    _stopping: Event = field(default_factory=Event)
    _follower: Thread | None = None
    _chat: Generator | None = None
    _extractive: dict[str, Generator] = field(default_factory=dict)
    _looks: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Opens what is cheap to open."""
        settings = self.settings
        self.serving = serving(settings.serving)
        memory = self.serving.cache_mib * MIB
        self.reader = self.store.reader(self.models.wait_for, Kept.room(FOR_PASSAGES * memory, FOR_VECTORS * memory))
        self.shadow = Shadow(self.store.log, self.reader, self.models)
        self.replies = Replies(self.serving.cache_mib)
        self.also_look(self.replies.forget_closed)
        self.also_look(VectorsAhead(lambda: self.reader.live))
        self.traffic = Traffic(self.store.queries, settings.query_log)
        named = self.serving.reranker
        self.reranker = RerankerInBackground((lambda: CrossEncoderReranker(named)) if named else None)
        if settings.llm_url and settings.llm_model:
            key = settings.llm_key.get_secret_value() if settings.llm_key else "none"
            endpoint = Endpoint(settings.llm_url, settings.llm_model, key)
            self._chat = ChatGenerator(endpoint, marks=self.serving.unsupported == "mark")

    def start(self) -> None:
        """Loads the model and follows the release log, both in threads."""
        self.models.start(self.store.log.kept())
        self._follower = Thread(target=self._follow, name="follower", daemon=True)
        self._follower.start()
        self.reranker.start()
        self.shadow.start()
        self.traffic.start()

    def also_look(self, look: Callable[[], None]) -> None:
        """Has `look` called after each look at the release log, in the thread that follows it."""
        self._looks.append(look)

    def stop(self) -> None:
        """Stops following, and writes down what is left to be."""
        self._stopping.set()
        self.shadow.stop()
        self.traffic.stop()

    def embedder(self, release: int | None = None) -> Embedder:
        """The embedder of a release, or of the one that is served; raises what `Reader.view` does, and `Unavailable` while it loads."""
        return self.models.of(self.reader.view(release).release)

    def generators(self, embedder: Embedder) -> Sequence[Generator]:
        """Who answers: the configured language model first, the extractive one when it fails."""
        # One for each model: it remembers vectors of sentences.
        extractive = self._extractive.setdefault(embedder.fingerprint, ExtractiveGenerator(embedder))
        return (self._chat, extractive) if self._chat else (extractive,)

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
                if candidate := self.shadow.candidate():
                    self.models.begin(candidate)
                for look in self._looks:
                    look()
            except (OSError, RuntimeError, ValueError, GroundworkError) as error:  # what LanceDB raises while a table is being changed
                _log.warning("could not follow the release log, trying again: %s", error)
            self._stopping.wait(POLL_WAITED_FOR_S if self._waiters else POLL_S)
