"""Where a download puts what comes: bytes at their places, in whatever order they come."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Protocol


class Places(Protocol):
    """Takes bytes at offsets, from many threads at once, none of them twice; a `DiskFile` does."""

    def write_at(self, offset: int, data: bytes) -> None:
        """Write all of `data` at `offset`."""
        ...


def place_chunks(chunks: Iterable[bytes], target: Places, *, start: int = 0) -> Generator[int]:
    """Put chunks one behind the other, from `start` on; yield after each where it ends."""
    at = start
    for chunk in chunks:
        if chunk:
            target.write_at(at, chunk)
            at += len(chunk)
            yield at
