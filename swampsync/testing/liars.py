"""Three stores that lie: what real servers were seen to do, so that the suite can prove that it notices.

Each keeps every promise of `MemoryStore` but one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from swampsync.backends.base import (
    Create,
    IfMatch,
    ObjectExists,
    ObjectNotFound,
    Overwrite,
    PreconditionFailed,
    PutMode,
    PutResult,
)
from swampsync.backends.checks import check_conditional_size
from swampsync.backends.memory import MemoryStore
from swampsync.clock import Clock
from swampsync.layout import ObjectKey


class CreateIgnorer(MemoryStore):
    """Takes `If-None-Match: *` for decoration, and overwrites."""

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        """Write an object, whatever is there."""
        check_conditional_size(key, len(body), mode)
        return super().put(key, body, Overwrite() if isinstance(mode, Create) else mode)


class MatchIgnorer(MemoryStore):
    """Takes `If-Match` for decoration, and overwrites."""

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        """Write an object, whatever its ETag is."""
        check_conditional_size(key, len(body), mode)
        return super().put(key, body, Overwrite() if isinstance(mode, IfMatch) else mode)


class CheckThenWriter(MemoryStore):
    """Honours both conditions, but looks first and writes later; only a race shows it.

    Args:
        clock: See `MemoryStore`.
        window: Called between the look and the write.
    """

    def __init__(self, clock: Clock, *, window: Callable[[], None]) -> None:
        super().__init__(clock)
        self._window = window

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        """Write an object if the condition held a moment ago."""
        check_conditional_size(key, len(body), mode)
        if isinstance(mode, Overwrite):
            return super().put(key, body, mode)
        try:
            etag = self.head(key).etag
        except ObjectNotFound:
            etag = None
        if isinstance(mode, Create) and etag is not None:
            raise ObjectExists(f"object `{key}` exists already", key=key.text)
        if isinstance(mode, IfMatch) and etag != mode.etag:
            raise PreconditionFailed(f"object `{key}` is not what it was", key=key.text)
        self._window()
        return super().put(key, body, Overwrite())


LIARS: Final = (CreateIgnorer, MatchIgnorer, CheckThenWriter)
