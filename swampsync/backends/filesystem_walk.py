"""Walking a directory in the order of keys.

The order of a directory's names is not the order of the keys below them: `a.b` comes before everything in `a/`,
because `.` comes before `/`. So a directory is sorted under its name with the slash.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from swampsync.disk import Disk, DiskStat, Kind
from swampsync.layout import find_key_problem

_TEMPORARY_HEAD: Final = ".swampsync-"
_TEMPORARY_TAIL: Final = ".tmp"


def make_temporary_name(identifier: str) -> str:
    """Make the name of a file that is being written; it is no object."""
    return f"{_TEMPORARY_HEAD}{identifier}{_TEMPORARY_TAIL}"


def is_temporary_name(name: str) -> bool:
    """Say whether a name is one of `make_temporary_name`."""
    return name.startswith(_TEMPORARY_HEAD) and name.endswith(_TEMPORARY_TAIL)


def walk_files(disk: Disk, root: str, prefix: str, *, start: str = "") -> Iterator[tuple[str, DiskStat]]:
    """Yield the relative path and stat of every regular file, ordered by the path's UTF-8 bytes.

    Args:
        disk: Where the files are.
        root: The directory to walk.
        prefix: Only paths that begin with it; a string, not a directory.
        start: Only paths at or after it.
    """
    directory = prefix.rpartition("/")[0]
    # No path begins with a prefix that is no valid key; walking it could lead out of the root.
    if directory and find_key_problem(directory) is not None:
        return
    yield from _walk(disk, root, f"{directory}/" if directory else "", prefix, start)


def list_directories(disk: Disk, root: str, prefix: str) -> list[str]:
    """Name the directories directly in `root/prefix`, ordered; `prefix` is empty or ends in a slash."""
    if prefix and find_key_problem(prefix[:-1]) is not None:
        return []
    try:
        entries = disk.scandir(f"{root.rstrip('/')}/{prefix}".rstrip("/") or "/")
    except (FileNotFoundError, NotADirectoryError):
        return []
    names = (e.name for e in entries if e.kind is Kind.DIRECTORY)
    return sorted(name for name in names if find_key_problem(name) is None)


def _walk(disk: Disk, root: str, below: str, prefix: str, start: str) -> Iterator[tuple[str, DiskStat]]:
    base = f"{root.rstrip('/')}/"
    try:
        entries = disk.scandir((base + below).rstrip("/") or "/")
    except (FileNotFoundError, NotADirectoryError):
        return
    # Python orders strings by code points, which is the order of their UTF-8 bytes.
    for path in sorted(_sort_key(below, e.name, e.kind) for e in entries if not is_temporary_name(e.name)):
        if path.endswith("/"):
            # `below` is the whole directory part of the prefix, so what is left of it is about names only.
            if path.startswith(prefix) and start[: len(path)] <= path:
                yield from _walk(disk, root, path, prefix, start)
        elif path.startswith(prefix) and path >= start:
            try:
                stat = disk.stat(base + path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            if stat.kind is Kind.FILE:
                yield path, stat


def _sort_key(below: str, name: str, kind: Kind) -> str:
    return f"{below}{name}/" if kind is Kind.DIRECTORY else f"{below}{name}"
