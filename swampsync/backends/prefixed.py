"""The namespace's guard: a store that refuses every write outside one namespace.

Whatever a command does, it does through this wrapper, so a forgotten prefix is an error at once instead of
somebody else's loss. Keys stay relative to the store's root: the guard checks, it does not translate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO, Final

from swampsync.backends.base import Capabilities, GetResult, ObjectInfo, ObjectStore, PutMode, PutResult
from swampsync.backends.places import Places
from swampsync.errors import InvalidInput, SwampsyncError
from swampsync.layout import Layout, ObjectKey
from swampsync.namespace import Namespace

_LOCKS: Final = ".locks"


class Prefixed:
    """A store in which one namespace may read everything and write only its own.

    Its own is `{ns}/…` and its structural lock. In solo mode it is whatever cannot belong to a namespace: keys whose
    first segment is no valid namespace name (`data/…` is reserved, `_log/…` and `.datastore.lock` are malformed) and
    that are not below `.locks/`.

    Args:
        store: What to guard.
        namespace: Whose writes come through here.
    """

    def __init__(self, store: ObjectStore, namespace: Namespace) -> None:
        self._store = store
        self._namespace = namespace
        layout = Layout(repo_dir="", base="", namespace=namespace)
        self._prefix = layout.prefix_of("")
        self._lock_key = layout.structural_lock_key()

    @property
    def namespace(self) -> Namespace:
        """Whose writes come through here."""
        return self._namespace

    @property
    def capabilities(self) -> Capabilities:
        """What the store declares it can do."""
        return self._store.capabilities

    def get(self, key: ObjectKey, *, start: int = 0, length: int | None = None) -> GetResult:
        """Read an object of any namespace."""
        return self._store.get(key, start=start, length=length)

    def open(self, key: ObjectKey) -> AbstractContextManager[tuple[ObjectInfo, Iterator[bytes]]]:
        """Read an object of any namespace as chunks."""
        return self._store.open(key)

    def download(self, key: ObjectKey, target: Places) -> AbstractContextManager[tuple[ObjectInfo, Iterator[int]]]:
        """Read an object of any namespace to its places."""
        return self._store.download(key, target)

    def head(self, key: ObjectKey) -> ObjectInfo:
        """Describe an object of any namespace."""
        return self._store.head(key)

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        """Write an object of this namespace.

        Raises:
            InvalidInput: The key belongs to somebody else; nothing was sent.
        """
        self._require_own(key)
        return self._store.put(key, body, mode)

    def put_stream(self, key: ObjectKey, body: BinaryIO) -> PutResult:
        """Write a large object of this namespace.

        Raises:
            InvalidInput: The key belongs to somebody else; nothing was sent.
        """
        self._require_own(key)
        return self._store.put_stream(key, body)

    def delete(self, key: ObjectKey) -> None:
        """Remove an object of this namespace.

        Raises:
            InvalidInput: The key belongs to somebody else; nothing was sent.
        """
        self._require_own(key)
        self._store.delete(key)

    def delete_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SwampsyncError]:
        """Remove many objects of this namespace.

        Raises:
            InvalidInput: One of the keys belongs to somebody else; nothing was sent.
        """
        for key in keys:
            self._require_own(key)
        return self._store.delete_many(keys)

    def list(self, prefix: str, *, start: str | None = None) -> Iterator[ObjectInfo]:
        """List objects of any namespace."""
        return self._store.list(prefix, start=start)

    def list_dirs(self, prefix: str) -> Iterable[str]:
        """Name directories of any namespace."""
        return self._store.list_dirs(prefix)

    def _require_own(self, key: ObjectKey) -> None:
        if not self._is_own(key.text):
            owner = "solo mode" if self._namespace.is_solo else f"namespace `{self._namespace}`"
            raise InvalidInput(f"a write to `{key}` was refused: it does not belong to {owner}", key=key.text)

    def _is_own(self, text: str) -> bool:
        if text == self._lock_key:
            return True
        if not self._namespace.is_solo:
            return text.startswith(self._prefix)
        first = text.partition("/")[0]
        return first != _LOCKS and not _could_be_a_namespace(first)


def _could_be_a_namespace(segment: str) -> bool:
    try:
        Namespace.parse(segment)
    except InvalidInput:
        return False
    return True
