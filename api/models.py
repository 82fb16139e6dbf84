"""The embedders of the releases that are served: each is loaded once, in the background."""

import gc
import logging
from collections.abc import Callable, Iterable
from threading import Event, Lock, Thread
from time import sleep

from index.embedder import Embedder
from index.errors import BadRequest, Conflict, GroundworkError, Misconfigured, Unavailable
from index.recipe import Recipe, recipe_from
from index.releases import Release

SERVICE_POLL_S = 5.0
# Of the models of older releases: a rollback must not wait for one.
AT_ONCE = 3
LONGEST_LOAD_S = 120.0
_log = logging.getLogger("groundwork.api")


class ModelInBackground:
    """Loads the embedder in a thread, so that the API answers `/health/live` at once."""

    def __init__(self, load: Callable[[], Embedder], settle: Callable[[], object], failing: int = logging.ERROR) -> None:
        """`settle` is called when it is loaded; `failing` is the level at which the log tells that it can't be."""
        self._load = load
        self._settle = settle
        self._failing = failing
        self._embedder: Embedder | None = None
        self.failure: GroundworkError | None = None
        self._tried = Event()
        self._thread = Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        """Begins to load."""
        self._thread.start()

    def get(self) -> Embedder:
        """The embedder; `Unavailable` while it loads or when it can't be loaded."""
        if self.failure:
            raise Unavailable(f"the embedding model can't be loaded: {self.failure}", retry_after_s=30)
        if self._embedder is None:
            raise Unavailable("the embedding model is still loading", retry_after_s=5)
        return self._embedder

    def wait(self, seconds: float) -> Embedder:
        """The same, after so many seconds at most if it is still loading."""
        self._tried.wait(seconds)
        return self.get()

    def _run(self) -> None:
        while self._embedder is None:
            try:
                embedder = self._load()
                embedder.embed_query("warm up")
                self._settle()
                self._embedder, self.failure = embedder, None
                self._tried.set()
            except GroundworkError as error:
                _log.log(self._failing, "%s", error)
                self.failure = error
                self._tried.set()
                if not isinstance(error, Unavailable):
                    return
                sleep(SERVICE_POLL_S)


class Models:
    """By recipe. Safe to share between threads."""

    def __init__(self, load: Callable[[Recipe], Embedder], settings: Recipe, settle: Callable[[], object] = lambda: None) -> None:
        """`settings` made the releases that say nothing of their recipe; `settle` is called when a model came or went."""
        self._load = load
        self._settle = settle
        self._settings = settings
        self._models: dict[Recipe, ModelInBackground] = {}
        self._lock = Lock()

    def start(self, releases: Iterable[Release]) -> None:
        """Begins to load the models of these releases, newest first, or that of the settings when there is none."""
        recipes = dict.fromkeys(self._recipe(release) for release in releases) or {self._settings: None}
        for recipe in list(recipes)[:AT_ONCE]:
            self._model(recipe)

    def begin(self, release: Release) -> None:
        """Begins to load the model of a release that may be live soon."""
        self._model(self._recipe(release))

    def of(self, release: Release) -> Embedder:
        """The embedder that made a release; raises `Unavailable` while it loads, or when it can't be, `Conflict` when it is another one."""
        return self._checked(release, self._model(self._recipe(release)).get())

    def tried(self, recipe: Recipe) -> Embedder:
        """The embedder of a recipe that somebody asks for, waited for.

        Raises `BadRequest` when it can't be loaded, and `Unavailable` when it takes too long.
        """
        model = self._model(recipe, logging.INFO)  # who asks for what can't be is told
        try:
            return model.wait(LONGEST_LOAD_S)
        except Unavailable:
            with self._lock:
                self._models = {known: each for known, each in self._models.items() if each is not model}
            if isinstance(model.failure, Misconfigured):
                raise BadRequest(str(model.failure)) from model.failure
            raise

    def keep_only(self, releases: Iterable[Release]) -> None:
        """Forgets models that no release of these was made by."""
        wanted = {self._bare(self._recipe(release)) for release in releases} | {self._bare(self._settings)}
        with self._lock:
            kept = {recipe: model for recipe, model in self._models.items() if recipe in wanted}
            has_gone = len(kept) < len(self._models)
            self._models = kept
        if has_gone:
            self._settle()

    def wait_for(self, release: Release) -> None:
        """Returns when the embedder of a release is there; raises as `of`, and `Unavailable` when it takes too long."""
        self._checked(release, self._model(self._recipe(release)).wait(LONGEST_LOAD_S))

    def _recipe(self, release: Release) -> Recipe:
        return recipe_from(release.recipe) or self._settings

    @staticmethod
    def _bare(recipe: Recipe) -> Recipe:
        """The recipe of the model alone: passages and bits are no matter of it."""
        return Recipe(recipe.embedder, recipe.url, recipe.dimensions)

    def _model(self, recipe: Recipe, failing: int = logging.ERROR) -> ModelInBackground:
        recipe = self._bare(recipe)
        with self._lock:
            if recipe not in self._models:
                self._models[recipe] = ModelInBackground(lambda: self._load(recipe), self._settle, failing)
                self._models[recipe].start()
            return self._models[recipe]

    def _checked(self, release: Release, embedder: Embedder) -> Embedder:
        if embedder.fingerprint != release.embedder:
            raise Conflict(
                f"release {release.number} was made by the embedder {release.embedder}, and {embedder.name} is {embedder.fingerprint}: "
                "its files have changed, or the settings name another one than they did"
            )
        return embedder


def set_aside() -> None:
    """Lets the garbage collector look at what is loaded once more, and then no more.

    Libraries and models have 400,000 objects: to look at all of them, as it does now and then, takes 0.4 s in which nothing is served.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
