"""Pictures of how good what was live has been, drawn after each evaluation: over HTTP and as artifacts in Prefect."""

import logging
from collections.abc import Mapping
from typing import Any

from prefect.artifacts import create_markdown_artifact

from evals import changes, changes_picture, scores_picture
from evals.chart import as_data_uri, as_png, as_svg
from evals.dataset import DEFAULT
from evals.history import was_live
from index.audit import deeds
from index.pictures import Picture
from index.store import Store

_log = logging.getLogger("groundwork.flows")


def draw_quality(store: Store) -> list[Picture]:
    """Draws the scores over releases and the questions that won and lost; those that there are, and that could be drawn."""
    store.log.refresh()
    timeline = store.log.timeline()
    found = [each for each in store.evaluations.all() if (each.state, each.dataset) == ("completed", DEFAULT) and was_live(timeline, each)]
    shown = scores_picture.data(found, deeds(store.log.events, timeline))
    moved = changes.newest(found, store.evaluations.get)
    drawn: list[Picture] = []
    try:
        if chart := scores_picture.draw(shown):
            svg = as_svg(chart)
            _put(store, "scores", svg, as_png(chart), shown, scores_picture.markdown(shown, as_data_uri(svg)))
            drawn.append("scores")
        if moved:
            compared = changes_picture.draw(moved)
            svg = as_svg(compared)
            _put(store, "questions", svg, as_png(compared), moved.as_json(), changes_picture.markdown(moved, as_data_uri(svg)))
            drawn.append("questions")
    except (OSError, ValueError) as error:  # a full disk, or what can't be drawn: the evaluation is stored all the same
        _log.warning("a picture was not drawn: %s", error)
    return drawn


def _put(store: Store, name: Picture, svg: str, png: bytes, data: Mapping[str, Any], markdown: str) -> None:
    store.pictures.write(name, svg, png, data)
    create_markdown_artifact(markdown, key=name, description=f"The newest picture of {name}")
