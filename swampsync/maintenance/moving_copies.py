"""Copying files so that a kill, or a power cut, leaves no torn one under a final name.

Everything is written under temporary names and read back; then the file system is flushed, and only then the names
are given, many at a time. The temporary names are always the same ones: a second run writes over what a killed one
left, and knows it by them.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Iterator
from typing import Final

from swampsync.disk import Disk, WriteMode
from swampsync.errors import DataError, Refused

CHUNK_BYTES: Final = 1 << 20
TEMPORARY_SUFFIX: Final = ".moving.tmp"
_FILES_AT_ONCE: Final = 5_000


def temporary_of(path: str) -> str:
    """Make the name under which a file is written first."""
    directory, name = posixpath.split(path)
    return f"{directory}/.{name}{TEMPORARY_SUFFIX}"


def read_chunks(disk: Disk, path: str, *, size: int | None = None) -> Iterator[bytes]:
    """Read a file, or its first `size` bytes."""
    left = size
    with disk.open_read(path) as stream:
        while left is None or left > 0:
            chunk = stream.read(CHUNK_BYTES if left is None else min(CHUNK_BYTES, left))
            if not chunk:
                return
            if left is not None:
                left -= len(chunk)
            yield chunk


def digest_of(disk: Disk, path: str, *, size: int | None = None) -> str:
    """Return the SHA-256 of a file, or of its first `size` bytes."""
    digest = hashlib.sha256()
    for chunk in read_chunks(disk, path, size=size):
        digest.update(chunk)
    return digest.hexdigest()


class Copies:
    """Copies that become visible together.

    Args:
        disk: Where both ends lie.
        bases: The directories that targets may lie in; nothing is written through a link that leads out of one.
        check: Called before each file; raises if the lock was lost.
    """

    def __init__(self, disk: Disk, bases: tuple[str, ...], *, check: Callable[[], None]) -> None:
        self._disk = disk
        self._bases = bases
        self._used: set[str] = set()
        self._check = check
        self._waiting: list[str] = []
        self._guarded = ""
        self.files = 0
        self.size = 0

    def copy(self, source: str, target: str, *, size: int | None = None) -> str:
        """Copy a file, or its first `size` bytes; return the digest of what was read.

        Raises:
            DataError: The copy does not read back as what was written.
        """
        return self._write(target, read_chunks(self._disk, source, size=size))

    def write(self, target: str, body: bytes) -> None:
        """Write a small file."""
        self._write(target, iter((body,)))

    def _write(self, target: str, chunks: Iterator[bytes]) -> str:
        self._check()
        self._make_directory(posixpath.dirname(target))
        temporary = temporary_of(target)
        digest = hashlib.sha256()
        size = 0
        with self._disk.open_write(temporary, WriteMode.TRUNCATE) as file:
            for chunk in chunks:
                digest.update(chunk)
                size += file.write(chunk)
        if digest_of(self._disk, temporary) != digest.hexdigest():
            raise DataError(f"the copy at `{target}` does not read back as what was written", key=target)
        self._waiting.append(target)
        self.files += 1
        self.size += size
        if len(self._waiting) >= _FILES_AT_ONCE:
            self.flush()
        return digest.hexdigest()

    def flush(self) -> None:
        """Make what was copied durable, then visible, in the order in which it was copied, then durably visible."""
        if not self._waiting:
            return
        for base in self._used:
            self._disk.sync_filesystem(base)
        self._check()
        for target in self._waiting:
            self._disk.rename(temporary_of(target), target)
        self._waiting.clear()
        for base in self._used:
            self._disk.sync_filesystem(base)

    def _make_directory(self, path: str) -> None:
        if path == self._guarded:
            return
        base = next(base for base in self._bases if path.startswith(f"{base}/"))
        if self._disk.realpath(path) != self._disk.realpath(base) + path[len(base) :]:
            raise Refused(f"`{path}` goes through a symbolic link; nothing is written there", key=path)
        self._disk.makedirs(path)
        self._used.add(base)
        self._guarded = path
