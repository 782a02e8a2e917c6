"""How many requests each of several large transfers may have under way: together not many more than one alone.

A push of sixteen large files would otherwise hold sixteen times the memory of one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Sharing:
    """Counts the large transfers of a store that are under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._transfers = 0

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Be one of them."""
        with self._lock:
            self._transfers += 1
        try:
            yield
        finally:
            with self._lock:
                self._transfers -= 1

    def share_of(self, total: int) -> int:
        """Return how many of `total` requests one transfer may have under way now; at least one."""
        return max(1, total // max(1, self._transfers))
