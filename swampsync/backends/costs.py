"""What moving an object of a size costs a store, in requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from swampsync.backends.s3_pieces import count_reads, count_writes


@dataclass(frozen=True, slots=True)
class TransferCosts:
    """How many requests an object takes, by its size in bytes; by default of S3.

    Args:
        of_stream_up: Of `put_stream`.
        of_stream_down: Of `open`.
    """

    of_stream_up: Callable[[int], int] = count_writes
    of_stream_down: Callable[[int], int] = count_reads
