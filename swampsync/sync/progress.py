"""How far a transfer is, for whoever draws a bar; the library draws none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """Told how far something is."""

    def __call__(self, done: int, total: int | None = None, size: int | None = None, /) -> None:
        """Take how many are done, of how many if that is known, and their bytes if they have any."""
        ...


# Opens what is told of one stage (`Pulling`) while that lasts.
Stages = Callable[[str], AbstractContextManager[Progress]]


def silent(_done: int, _total: int | None = None, _size: int | None = None, /) -> None:
    """Tell nobody."""


@contextmanager
def no_stages(_title: str) -> Iterator[Progress]:
    """Tell nobody of any stage."""
    yield silent
