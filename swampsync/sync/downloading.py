"""A file made of a download: filled in any order, hashed in order while the rest still comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final

from swampsync.backends.base import ObjectInfo
from swampsync.backends.places import Places
from swampsync.disk import Disk, WriteMode

if TYPE_CHECKING:
    from hashlib import _Hash

# `ObjectStore.download` of some object.
Download = Callable[[Places], AbstractContextManager[tuple[ObjectInfo, Iterator[int]]]]

# What is hashed at a time fits a processor's cache.
_PIECE_BYTES: Final = 256 << 10


def write_download(disk: Disk, path: str, download: Download, *, size: int) -> str | None:
    """Create a file of an object; return the SHA-256 of what lies there, or `None` if the object has another size.

    Others write while this thread reads back what is in place, which the system still holds in memory.

    Args:
        disk: Where the file is made.
        path: Of the file, which must not exist; what was written stays there if anything fails.
        download: Of the object.
        size: In bytes.
    """
    import hashlib  # noqa: PLC0415 - it loads a large library, which a look at a log does not need

    digest, hashed = hashlib.sha256(), 0
    with disk.open_write(path, WriteMode.CREATE) as file, download(file) as (info, extents):
        if info.size != size:
            return None
        for extent in extents:
            _hash_on(digest, disk, path, hashed, extent)
            hashed = extent
    return digest.hexdigest() if hashed == size else None


def _hash_on(digest: _Hash, disk: Disk, path: str, start: int, end: int) -> None:
    # Opened anew each time: a reader's buffer may hold what lay behind `end` before it was written.
    with disk.open_read(path) as stream:
        stream.seek(start)
        while start < end:
            piece = stream.read(min(_PIECE_BYTES, end - start))
            if not piece:
                raise OSError(f"`{path}` is shorter than what was written to it")
            digest.update(piece)
            start += len(piece)
