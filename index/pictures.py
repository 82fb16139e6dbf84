"""Pictures that flows draw and people look at: the newest of each kind, as SVG."""

from pathlib import Path
from typing import Literal, get_args

from index.errors import NotFound

Picture = Literal["drift", "scores", "questions"]


class Pictures:
    """A file a picture."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: Picture, svg: str) -> None:
        """Puts it in the place of the one before."""
        self._folder.mkdir(parents=True, exist_ok=True)
        staged = self._folder / f"{name}.new"
        staged.write_text(svg, encoding="utf-8")
        staged.replace(self._folder / f"{name}.svg")

    def read(self, name: Picture) -> str:
        """The picture; `NotFound` until it was drawn for the first time."""
        try:
            return (self._folder / f"{name}.svg").read_text(encoding="utf-8")
        except FileNotFoundError:
            raise NotFound(
                f"the picture {name!r} was not drawn yet: start the deployment that draws it, or wait for its schedule"
            ) from None

    def names(self) -> list[Picture]:
        """Those that can be read."""
        return [name for name in get_args(Picture) if (self._folder / f"{name}.svg").exists()]
