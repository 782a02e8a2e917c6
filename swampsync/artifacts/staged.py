"""Content that was read to its end before any lock was taken, so that nobody waits for who sends it.

A little of it is held in memory, more lies in a file on the tree's own file system, durable, with its size and digest
known: publishing it under the lock is one rename.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from swampsync.artifacts.tree import CHUNK_BYTES
from swampsync.disk import Disk, DiskFile, WriteMode


@dataclass(frozen=True, slots=True)
class Staged:
    """Content whose size and digest are known.

    Args:
        size: In bytes.
        checksum: SHA-256, in hexadecimal.
        body: The content itself, if it is small.
        path: The file that holds it, if it is not; renamed away by whoever publishes it.
    """

    size: int
    checksum: str
    body: bytes = b""
    path: str = ""

    def open(self, disk: Disk) -> BinaryIO:
        """Open it for reading."""
        return disk.open_read(self.path) if self.path else io.BytesIO(self.body)


def stage(disk: Disk, content: BinaryIO, *, make_path: Callable[[], str]) -> Staged:
    """Read content to its end, in constant memory.

    Args:
        disk: Where a file is written if there is more than a chunk.
        content: Read to its end.
        make_path: Makes the path of that file, and its directory; called at most once. What is written there is left
            there if reading fails.
    """
    first = _read_chunk(content)
    digest = hashlib.sha256(first)
    if len(first) < CHUNK_BYTES:
        return Staged(len(first), digest.hexdigest(), body=first)
    path = make_path()
    with disk.open_write(path, WriteMode.CREATE) as file:
        file.write(first)
        size = len(first) + _copy(content, file, digest.update)
        file.sync()
    return Staged(size, digest.hexdigest(), path=path)


def _read_chunk(content: BinaryIO) -> bytes:
    """Read a whole chunk; only the end of the content makes it shorter, however slowly it comes."""
    parts: list[bytes] = []
    missing = CHUNK_BYTES
    while missing and (part := content.read(missing)):
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _copy(content: BinaryIO, file: DiskFile, update: Callable[[bytes], None]) -> int:
    size = 0
    while chunk := content.read(CHUNK_BYTES):
        file.write(chunk)
        update(chunk)
        size += len(chunk)
    return size
