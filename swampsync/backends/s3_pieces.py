"""Into what pieces S3 gets and gives large objects: parts that go up, ranges that come down.

Whoever only counts requests needs no more than this.
"""

from __future__ import annotations

from typing import Final

PART_BYTES: Final = 8 << 20
# Fewer, larger parts cost the server less; below this size there would be too few to go side by side.
_LARGE_BYTES: Final = 16 * PART_BYTES
_LARGE_PART_BYTES: Final = 2 * PART_BYTES
MAX_PARTS: Final = 10_000

FIRST_BYTES: Final = 4 << 20
_LARGEST_RANGE: Final = 16 << 20


def choose_part_bytes(size: int | None) -> int:
    """Say how large the parts of a stream are, of which S3 takes no more than `MAX_PARTS`.

    Args:
        size: The stream's size in bytes; `None` if it is not known.
    """
    if size is None:
        return _LARGE_PART_BYTES
    if size < _LARGE_BYTES:
        return PART_BYTES
    needed = -(-size // MAX_PARTS)
    return max(_LARGE_PART_BYTES, -(-needed // PART_BYTES) * PART_BYTES)


def choose_range_bytes(size: int) -> int:
    """Say how large the ranges of an object are: larger ones cost less each, but there must be enough for all threads.

    Args:
        size: The object's size in bytes.
    """
    sixteenth = -(-size // (16 * FIRST_BYTES)) * FIRST_BYTES
    return min(max(sixteenth, FIRST_BYTES), _LARGEST_RANGE)


def cut_writes(size: int, *, part_bytes: int | None = None) -> list[int]:
    """Say how many bytes each request carries that writes a stream; more than one are parts between begin and end.

    Args:
        size: The stream's size in bytes.
        part_bytes: Of each part but the last; as for a size that can be found out before.
    """
    part_bytes = part_bytes or choose_part_bytes(size)
    if size < part_bytes:
        return [size]
    return [min(part_bytes, size - at) for at in range(0, size, part_bytes)]


def is_in_parts(size: int, *, part_bytes: int | None = None) -> bool:
    """Say whether a stream goes up in parts, even if it is only one."""
    return size >= (part_bytes or choose_part_bytes(size))


def cut_reads(size: int, taken: int) -> list[int]:
    """Say how many bytes each request brings that reads an object from its beginning.

    Args:
        size: The object's size in bytes.
        taken: How many of them are taken.
    """
    range_bytes = choose_range_bytes(size)
    rest = range(FIRST_BYTES, taken, range_bytes)
    return [min(taken, FIRST_BYTES), *(min(range_bytes, taken - start) for start in rest)]


def count_writes(size: int) -> int:
    """Say how many requests it takes to write a stream of a size that can be found out."""
    return len(cut_writes(size)) + (2 if is_in_parts(size) else 0)


def count_reads(size: int) -> int:
    """Say how many requests it takes to read an object of a size in ranges."""
    return len(cut_reads(size, size))
