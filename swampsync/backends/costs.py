"""What moving an object of a size costs a store, in requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from swampsync.backends.counting import PART_BYTES


def _one(_size: int) -> int:
    return 1


def _count_parts(size: int) -> int:
    return 1 if size <= PART_BYTES else 2 + -(-size // PART_BYTES)


@dataclass(frozen=True, slots=True)
class TransferCosts:
    """How many requests an object takes, by its size in bytes; by default as `Counting` counts them.

    Args:
        of_stream_up: Of `put_stream`.
        of_stream_down: Of `open`.
    """

    of_stream_up: Callable[[int], int] = _count_parts
    of_stream_down: Callable[[int], int] = _one
