"""Conflict copies and merged lines: where our content goes if the path holds other content now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from swampsync.layout import MAX_KEY_BYTES

_LINES_SUFFIXES: Final = (".jsonl", ".ndjson")


def conflict_path(path: str, sha256: str, *, at: str | None = None, digits: int = 8) -> str:
    """Make the path of a conflict copy: `{path}.conflict-{hex of our digest}`.

    Args:
        path: Of our file.
        sha256: Of our content.
        at: The directory or file in the path that cannot stay what it is; the whole path if not given.
        digits: How much of the digest; more than 8 only where 8 are taken by other content.
    """
    suffix = f".conflict-{sha256[:digits]}"
    stem = path if at is None else at
    rest = path[len(stem) :]
    while len((stem + suffix + rest).encode()) > MAX_KEY_BYTES:
        stem = stem[:-1]
    return stem + suffix + rest


def is_json_lines(path: str) -> bool:
    """Say whether a file holds a record a line, so that two sides' additions can be merged."""
    return path.endswith(_LINES_SUFFIXES)


def merge_lines(base: bytes, *, theirs: bytes, ours: bytes) -> bytes | None:
    """Merge what both sides appended to the same lines: base, theirs, ours; `None` if that cannot be done."""
    if not theirs.startswith(base) or not ours.startswith(base) or (base and not base.endswith(b"\n")):
        return None
    gap = b"" if not theirs or theirs.endswith(b"\n") else b"\n"
    return theirs + gap + ours[len(base) :]


def ancestors(path: str) -> Iterator[str]:
    """Iterate the directories above a path, the nearest first."""
    parent = path.rpartition("/")[0]
    while parent:
        yield parent
        parent = parent.rpartition("/")[0]
