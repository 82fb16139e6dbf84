"""Prefixes of object stores: Amazon S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage.

Credentials, region and endpoint come from each provider's usual environment variables or instance role.
"""

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, ObjectStore, S3Store

from index.documents import Draft
from tasks.parse import MAX_BYTES
from tasks.sources.address import Address
from tasks.sources.patterns import Patterns, admit, media_type
from tasks.sources.port import Listed, Seen, Skipped

PAGE = 1000
READERS = 8
# A signature may be in the query of an address, and a key id in the body of a reply: neither is for people's eyes.
_CODE = re.compile(r"<Code>(\w+)</Code>")
_QUERY = re.compile(r"\?\S*")


class ObjectSource:
    """The objects below a prefix, as documents `name:path/below/the/prefix`."""

    def __init__(self, name: str, scheme: str, bucket: str, prefix: str, patterns: Patterns) -> None:
        self.name = name
        self.uri = f"{scheme}://{bucket}/{prefix}".rstrip("/")
        self._scheme = scheme
        self._bucket = bucket
        self._prefix = prefix
        self._patterns = patterns

    @classmethod
    def at(cls, address: Address) -> "ObjectSource":
        """The prefix that an address names."""
        bucket, _, prefix = address.place.partition("/")
        return cls(address.name, address.scheme, bucket, prefix.strip("/"), address.patterns)

    @cached_property
    def _store(self) -> ObjectStore:
        prefix = self._prefix or None
        if self._scheme == "s3":
            return S3Store(self._bucket, prefix=prefix)
        return GCSStore(self._bucket, prefix=prefix) if self._scheme == "gs" else AzureStore(self._bucket, prefix=prefix)

    def listing(self) -> Iterator[Seen]:
        """Each object; stamped with its ETag, or with its size and time where the store has none."""
        try:
            for page in obstore.list(self._store, chunk_size=PAGE):
                for item in page:
                    path = item["path"]
                    if self._patterns.take(path):
                        stamp = item["e_tag"] or f"{item['size']}-{item['last_modified'].isoformat()}"
                        yield admit(Listed(f"{self.name}:{path}", stamp, path, item["size"]))
        except (BaseError, OSError) as error:
            raise OSError(f"source {self.name}: {self.uri} can't be listed: {_brief(error)}") from None

    def read(self, listed: Sequence[Listed]) -> Iterator[Draft | Skipped]:
        """The objects as they are now, a few at a time: each answer is waited for."""
        with ThreadPoolExecutor(READERS) as pool:
            yield from pool.map(self._draft, listed)

    def _draft(self, item: Listed) -> Draft | Skipped:
        try:
            content = bytes(obstore.get(self._store, item.at).bytes())
        except (BaseError, OSError) as error:
            return Skipped(item.doc_id, f"unreadable: {_brief(error)}")
        if len(content) > MAX_BYTES:  # it has grown since it was listed
            return Skipped(item.doc_id, f"too_large: at most {MAX_BYTES} bytes are taken")
        return Draft(
            doc_id=item.doc_id,
            source=self.name,
            media_type=media_type(item.at) or "",
            content=content,
            uri=f"{self.uri}/{item.at}",
        )


def _brief(error: Exception) -> str:
    code = _CODE.search(str(error))
    return code[1] if code else _QUERY.sub("", str(error).strip().partition("\n")[0])[:300]
