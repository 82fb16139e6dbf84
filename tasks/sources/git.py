"""Git repositories at a ref, read through the `git` program: all its transports and credential helpers work.

A repository on this machine is read where it is. A remote one is kept as a bare mirror that has the newest commit only.
"""

import hashlib
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from index.documents import Draft
from index.errors import Misconfigured
from index.lease import Lease
from tasks.sources.address import Address, without_credentials
from tasks.sources.patterns import EVERYTHING, Patterns, admit, media_type
from tasks.sources.port import Listed, Seen, Skipped

SCHEMES = ("git+file", "git+https", "git+http", "git+ssh")
HEAD = "refs/groundwork/head"
FETCH_LIMIT_S = 1800.0
READ_LIMIT_S = 300.0
# No question at the terminal, and nothing of a Git that this process may have been started from.
_GIT = ("env", "-u", "GIT_DIR", "-u", "GIT_WORK_TREE", "-u", "GIT_INDEX_FILE", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
_REF = re.compile(r"(?![-+/])(?!.*\.\.)[\w./+-]{1,255}")
_FILES = (b"100644", b"100755")


@dataclass(frozen=True, slots=True)
class GitSource:
    """The files of one commit, as documents `name:path`. Links and submodules are left out.

    `mirror` is None for a repository on this machine, whose path is `url` then.
    """

    name: str
    url: str = field(repr=False)
    ref: str
    mirror: Path | None
    patterns: Patterns = EVERYTHING

    @classmethod
    def at(cls, address: Address, cache: Path) -> "GitSource":
        """The repository and ref that an address names, as `git+https://host/repository@ref`."""
        place, at, ref = address.place.rpartition("@")
        if not at or "/" not in place:  # an @ before the first slash belongs to a user name
            place, ref = address.place, "HEAD"
        scheme = address.scheme.removeprefix("git+")
        url = place if scheme == "file" else f"{scheme}://{place}"
        if not _REF.fullmatch(ref):
            raise Misconfigured(f"GROUNDWORK_SOURCES: {without_credentials(url)}: {ref!r} can't be a ref")
        if place.startswith("-") or (scheme == "file" and not place.startswith("/")):
            raise Misconfigured(f"GROUNDWORK_SOURCES: {without_credentials(url)} can't be a repository; write git+file:///path")
        mirror = None if scheme == "file" else cache / "git" / hashlib.sha256(f"{url}@{ref}".encode()).hexdigest()[:16]
        return cls(address.name, url, ref, mirror, address.patterns)

    @property
    def uri(self) -> str:
        """The repository and the ref."""
        place = f"file://{self.url}" if self.mirror is None else without_credentials(self.url)
        return f"git+{place}@{self.ref}"

    def listing(self) -> Iterator[Seen]:
        """Each file of the commit, stamped with the id of its blob; fetches the commit first."""
        tree = self._git("ls-tree", "-r", "-z", "-l", "--full-tree", self._commit())
        for row in filter(None, tree.split(b"\0")):
            facts, _, name = row.partition(b"\t")
            mode, _, blob, size = facts.split()
            path = name.decode(errors="surrogateescape")
            if mode in _FILES and self.patterns.take(path):
                yield admit(Listed(f"{self.name}:{path}", blob.decode(), blob.decode(), int(size)))

    def read(self, listed: Sequence[Listed]) -> Iterator[Draft | Skipped]:
        """The blobs."""
        output = self._git("cat-file", "--batch", given="".join(f"{item.at}\n" for item in listed).encode())
        at = 0
        for item in listed:
            end = output.index(b"\n", at)
            facts = output[at:end].split()
            if facts[1] != b"blob":
                yield Skipped(item.doc_id, f"unreadable: blob {item.at} is {facts[-1].decode()}")
                at = end + 1
                continue
            at = end + 1 + int(facts[2])
            path = item.doc_id.removeprefix(f"{self.name}:")
            uri = f"{self.uri}/{path}"
            yield Draft(item.doc_id, source=self.name, media_type=media_type(path) or "", content=output[end + 1 : at], uri=uri)
            at += 1

    def _commit(self) -> str:
        """The id of the newest commit, which is there after this."""
        if self.mirror is None:
            return self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{self.ref}^{{commit}}").decode().strip()
        with Lease(self.mirror.with_suffix(".lock")) as alone:
            alone.acquire(on_wait=lambda: None)
            self._git("init", "--quiet", "--bare", str(self.mirror), inside=False)
            refspec = f"+{self.ref}:{HEAD}"
            self._git(
                "-c", "gc.autoDetach=false", "fetch", "--quiet", "--depth=1", "--no-tags", "--", self.url, refspec, limit_s=FETCH_LIMIT_S
            )
        return self._git("rev-parse", "--verify", "--quiet", f"{HEAD}^{{commit}}").decode().strip()

    def _git(self, *arguments: str, given: bytes = b"", inside: bool = True, limit_s: float = READ_LIMIT_S) -> bytes:
        """What the command printed; raises `OSError` with what it complained about, without credentials."""
        repository = self.mirror or Path(self.url)
        place = ("-C", str(repository)) if inside else ()
        command = (*_GIT, f"GIT_CEILING_DIRECTORIES={repository.parent}", "git", *place, *arguments)
        try:
            # In a session of its own there is no terminal to ask for a password.
            done = subprocess.run(  # noqa: S603 - no shell; ref and address are checked where they come in
                command, check=False, input=given, capture_output=True, timeout=limit_s, start_new_session=True
            )
        except subprocess.TimeoutExpired:
            raise OSError(f"source {self.name}: git did not end within {limit_s:.0f} s") from None
        if done.returncode:
            complaint = without_credentials(done.stderr.decode(errors="replace")).strip() or f"no commit {self.ref!r}"
            raise OSError(f"source {self.name}: {self.uri} can't be read: {complaint[-500:]}")
        return done.stdout
