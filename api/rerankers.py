"""The reranker of the settings, loaded in the background."""

import logging
from collections.abc import Callable
from threading import Thread

from index.errors import BadRequest, Misconfigured, Unavailable
from tasks.rerank import Reranker

_log = logging.getLogger("groundwork.api")


class RerankerInBackground:
    """Loads in a thread, so that the API answers at once; `load` None: there is none."""

    def __init__(self, load: Callable[[], Reranker] | None) -> None:
        self._load = load
        self._reranker: Reranker | None = None
        self._failure: Misconfigured | None = None

    def start(self) -> None:
        """Begins to load."""
        if self._load:
            Thread(target=self._run, args=(self._load,), name="reranker", daemon=True).start()

    def get(self) -> Reranker | None:
        """The reranker, None while it loads; raises `BadRequest` when there is none, and `Unavailable` when it can't be loaded."""
        if self._load is None:
            raise BadRequest("rerank: no reranker is set; name a CrossEncoder as `reranker` in the file of GROUNDWORK_SERVING")
        if self._failure:
            raise Unavailable("the reranker can't be loaded, the API's log has the details; leave `rerank` out", retry_after_s=30)
        return self._reranker

    @property
    def failed(self) -> bool:
        """Whether there is one that can't be loaded."""
        return self._failure is not None

    def _run(self, load: Callable[[], Reranker]) -> None:
        try:
            reranker = load()
            reranker.scores("warm up", ["warm up"])
            self._reranker = reranker
        except Misconfigured as error:
            _log.error("%s", error)
            self._failure = error
