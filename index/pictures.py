"""Pictures that flows draw and people look at: the newest of each kind, as SVG and PNG, with what it was drawn from."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

from index.errors import NotFound

Picture = Literal["drift", "scores", "questions"]
Form = Literal["svg", "png", "json"]


class Pictures:
    """Three files a picture."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: Picture, svg: str, png: bytes, data: Mapping[str, Any]) -> None:
        """Puts it in the place of the one before; times in `data` as ISO 8601."""
        told = json.dumps(data, default=datetime.isoformat, ensure_ascii=False)
        self._folder.mkdir(parents=True, exist_ok=True)
        forms: Mapping[Form, bytes] = {"svg": svg.encode(), "png": png, "json": told.encode()}
        for form, content in forms.items():
            staged = self._folder / f"{name}.{form}.new"
            staged.write_bytes(content)
            staged.replace(self._file(name, form))

    def read(self, name: Picture, form: Form = "svg") -> bytes:
        """The picture; `NotFound` until it was drawn for the first time."""
        try:
            return self._file(name, form).read_bytes()
        except FileNotFoundError:
            raise NotFound(
                f"the picture {name!r} was not drawn yet: start the deployment that draws it, or wait for its schedule"
            ) from None

    def names(self) -> list[Picture]:
        """Those that can be read."""
        return [name for name in get_args(Picture) if self._file(name, "svg").exists()]

    def forget(self, strings: Sequence[bytes]) -> int:
        """Drops those that were drawn from something with one of these strings in it; returns how many."""
        wanted = [json.dumps(string.decode(errors="ignore"), ensure_ascii=False)[1:-1].encode() for string in strings]
        having = [name for name in self.names() if any(text in self._data(name) for text in wanted if text)]
        for name in having:
            for form in get_args(Form):
                self._file(name, form).unlink(missing_ok=True)
        return len(having)

    def _data(self, name: Picture) -> bytes:
        with suppress(FileNotFoundError):
            return self._file(name, "json").read_bytes()
        return b""

    def _file(self, name: Picture, form: Form) -> Path:
        return self._folder / f"{name}.{form}"
