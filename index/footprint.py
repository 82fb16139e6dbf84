"""What a table takes on disk, and which of its versions need which files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

_INDICES = "_indices"


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes by file of a whole table, and of what one version of it needs. The files of an index count as one, by its folder."""

    files: Mapping[str, int]

    @property
    def bytes(self) -> int:
        """All of them."""
        return sum(self.files.values())

    def of(self, dataset: Any) -> dict[str, int]:
        """Those of data and indexes that this version of the dataset reads. Opens its manifest: not for each request."""
        names = {f"data/{file.path}" for fragment in dataset.get_fragments() for file in fragment.data_files()}
        names |= {f"{_INDICES}/{part.uuid}" for index in dataset.describe_indices() for part in index.segments}
        return {name: self.files[name] for name in names if name in self.files}


def footprint(dataset: Any) -> Footprint:
    """The files of the dataset's table, of whichever version; raises `OSError` when they can't be listed."""
    uri = str(dataset.uri)
    store = from_url(uri if "://" in uri else Path(uri).absolute().as_uri())
    files: dict[str, int] = {}
    try:
        for page in obstore.list(store):
            for item in page:
                name = _whole(item["path"])
                files[name] = files.get(name, 0) + item["size"]
    except BaseError as error:
        raise OSError(f"the files of {uri} can't be listed: {type(error).__name__}") from error
    return Footprint(files)


def _whole(path: str) -> str:
    """The name of a file, or of the folder of the index that it is a part of."""
    return "/".join(path.split("/")[:2]) if path.startswith(f"{_INDICES}/") else path
