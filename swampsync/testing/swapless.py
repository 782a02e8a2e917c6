"""A store that honestly has no compare-and-swap, as some servers that speak S3."""

from __future__ import annotations

from swampsync.backends.base import Capabilities, IfMatch, NotSupported, PutMode, PutResult
from swampsync.backends.memory import MemoryStore
from swampsync.clock import Clock
from swampsync.layout import ObjectKey


class Swapless(MemoryStore):
    """Refuses every `If-Match`, as a server does that answers 501, and writes nothing.

    Args:
        clock: See `MemoryStore`.
        is_declared: Whether it says so beforehand, or is found out by each process anew.
    """

    def __init__(self, clock: Clock, *, is_declared: bool = False) -> None:
        super().__init__(clock)
        self._is_declared = is_declared

    @property
    def capabilities(self) -> Capabilities:
        """Create-only; compare-and-swap is promised unless its absence is declared."""
        return Capabilities(create_only=True, compare_and_swap=not self._is_declared)

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        """Write an object, unless that is a swap."""
        if isinstance(mode, IfMatch):
            raise NotSupported("501 NotImplemented", hint="swamp doctor backend", key=key.text)
        return super().put(key, body, mode)
