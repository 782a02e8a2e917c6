"""Reading a file of the local copy for what it holds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from swampsync.catalog.files import FileRecord, FileState
from swampsync.disk import DiskStat
from swampsync.sync.local_copy import LocalCopy


@dataclass(frozen=True, slots=True)
class Content:
    """A file's content as it was read.

    Args:
        stat: Of the file, before it was read.
        size: Its bytes; those that count, where the file is longer than its metadata says.
        sha256: Of them.
        head_sha256: Of the bytes that were asked for at its beginning, if there are so many.
    """

    stat: DiskStat
    size: int
    sha256: str
    head_sha256: str | None


def hash_file(copy: LocalCopy, path: str, *, head: int = 0) -> Content:
    """Hash a file.

    Args:
        copy: Where it lies.
        path: Which.
        head: Of how many bytes at the beginning to take the digest too.

    Raises:
        OSError: It cannot be read; `FileNotFoundError` where there is none, or no regular file.
    """
    stat = copy.stat(path)
    if stat is None:
        raise FileNotFoundError(path)
    digest, size, of_head = hashlib.sha256(), 0, None
    with copy.open(path) as stream:
        while chunk := stream.read(1 << 20):
            if head and size < head <= size + len(chunk):
                part = digest.copy()
                part.update(chunk[: head - size])
                of_head = part.hexdigest()
            digest.update(chunk)
            size += len(chunk)
    return Content(stat, size, digest.hexdigest(), of_head)


def digest_from(copy: LocalCopy, path: str, *, start: int) -> str:
    """Hash a file from a byte on."""
    digest = hashlib.sha256()
    with copy.open(path) as stream:
        stream.seek(start)
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def here(record: FileRecord, stat: DiskStat) -> FileRecord:
    """Make the record of a file that is here as it was recorded, or as the log has it."""
    mtime, ctime, inode = stat.signature
    state = FileState.SYNCED if record.state is FileState.REMOTE else record.state
    return record._replace(state=state, mtime_ns=mtime, ctime_ns=ctime, inode=inode)
