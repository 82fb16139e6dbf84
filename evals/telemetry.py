"""RAGAS sends usage events and keeps a user id by default: both are turned off before it is used."""

import os


def off() -> None:
    """Makes RAGAS send nothing and write nothing; call before anything else of it is imported."""
    os.environ["RAGAS_DO_NOT_TRACK"] = "true"
    from ragas import _analytics

    # Events are made even when they are not sent, and the user id in them is kept in a folder of this
    # name in the home directory. Where no folder can be made, RAGAS goes on without an id.
    _analytics.USER_DATA_DIR_NAME = os.devnull
