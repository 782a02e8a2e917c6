"""Trees of files, as moves see them: what lies in one, whether two files are equal, what an emptied one leaves."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator
from typing import Final

from swampsync.disk import Disk, Kind

CHUNK_BYTES: Final = 1 << 20

# Never moved: the local databases that swamp's own set-up litters datastores with, locks, and temporary files.
_LOCAL_PREFIXES: Final = ("_catalog.db", "_sync.db", "_sync.lock")


def walk_files(disk: Disk, root: str) -> Iterator[tuple[str, Kind]]:
    """Yield what lies below a directory, relative to it, in order; links are not followed.

    Locks, temporary files and the local databases are left out.
    """
    pending = [""]
    while pending:
        relative = pending.pop()
        children = sorted(disk.scandir(posixpath.join(root, relative)), key=lambda entry: entry.name, reverse=True)
        below: list[str] = []
        for entry in children:
            path = posixpath.join(relative, entry.name)
            if entry.kind is Kind.DIRECTORY:
                below.append(path)
            elif not is_internal(entry.name):
                yield path, entry.kind
        pending += below


def holds_files(disk: Disk, root: str) -> bool:
    """Say whether anything but locks, temporary files and local databases lies below a directory."""
    return is_directory(disk, root) and next(walk_files(disk, root), None) is not None


def is_internal(name: str) -> bool:
    """Say whether a name is that of a lock, a temporary file or a local database, which never moves."""
    return name.startswith((*_LOCAL_PREFIXES, ".takeover-")) or name == ".lock" or name.endswith(".tmp")


def is_directory(disk: Disk, path: str) -> bool:
    """Say whether a directory is there; a link to one is none."""
    try:
        return disk.stat(path).kind is Kind.DIRECTORY
    except (FileNotFoundError, NotADirectoryError):
        return False


def files_equal(disk: Disk, one: str, other: str) -> bool:
    """Say whether two files have the same bytes."""
    return _digest(disk, one) == _digest(disk, other)


def _digest(disk: Disk, path: str) -> bytes:
    digest = hashlib.sha256()
    with disk.open_read(path) as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.digest()


def prune_empty(disk: Disk, directory: str) -> bool:
    """Remove every directory below and at `directory` that holds nothing; returns whether it went itself."""
    is_empty = True
    for entry in disk.scandir(directory):
        path = posixpath.join(directory, entry.name)
        if entry.kind is not Kind.DIRECTORY or not prune_empty(disk, path):
            is_empty = False
    if is_empty:
        try:
            disk.rmdir(directory)
        except OSError:  # somebody has just put something there
            return False
    return is_empty
