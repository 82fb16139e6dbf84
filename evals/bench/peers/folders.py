"""The folder that all systems index, and what happens to it."""

from pathlib import Path

from evals.bench.collection import CORPUS, real_documents
from index.documents import Draft
from index.errors import Misconfigured
from tasks.discover import SampleSource

DOCUMENTS = 300
TEXT_SUFFIXES = (".txt", ".md")
ADDED = " Nobody had looked behind the third shelf of the pantry until that evening. "


def fill(folder: Path, data: Path | None, count: int | None) -> int:
    """Writes the documents as text files, title first; returns how many there are."""
    folder.mkdir()
    drafts = _documents(data, count)
    for number, draft in enumerate(drafts):
        text = draft.content.decode()
        (folder / f"{number:05}.txt").write_text(f"{draft.title}\n\n{text}" if draft.title else text, encoding="utf-8")
    return len(drafts)


def change(folder: Path, share: float, part: int) -> int:
    """Adds a sentence to the middle of a share of the files, in each `part` to others; returns how many."""
    chosen = _chosen(folder, share, part)
    for path in chosen:
        words = path.read_text(encoding="utf-8")
        middle = words.find(" ", len(words) // 2)
        at = middle if middle >= 0 else len(words)
        path.write_text(words[:at] + ADDED + words[at:].lstrip(" "), encoding="utf-8")
    return len(chosen)


def shorten_rename_delete(folder: Path, share: float) -> None:
    """Cuts files to their first half, renames others and removes others: a share of all, each."""
    shortened, renamed, deleted = [_chosen(folder, share, part) for part in range(3)]
    for path in shortened:
        words = path.read_text(encoding="utf-8")
        path.write_text(words[: max(1, len(words) // 2)].rstrip() + "\n", encoding="utf-8")
    for path in renamed:
        path.rename(path.with_name(f"renamed-{path.name}"))
    for path in deleted:
        path.unlink()


def _chosen(folder: Path, share: float, part: int) -> list[Path]:
    """A share of the files, at least one, spread over all of them; other parts have others."""
    paths = sorted(folder.iterdir())
    step = max(3, round(1 / share))
    return paths[part % step :: step]


def _documents(data: Path | None, count: int | None) -> list[Draft]:
    if data is None:
        found = list(SampleSource().drafts())
    elif list(data.glob(f"{CORPUS}*")):
        return real_documents(data, count or DOCUMENTS)
    else:
        paths = sorted(path for path in data.rglob("*") if path.suffix.lower() in TEXT_SUFFIXES)
        found = [Draft(path.as_posix(), content=path.read_bytes()) for path in paths]
    if len(found) < (count or 1):
        raise Misconfigured(f"{data or 'the sample'} has {len(found)} documents; ask for at most as many")
    wanted = min(len(found), count or DOCUMENTS)
    return [found[number * len(found) // wanted] for number in range(wanted)]
