"""What every other room knows of files.

Every other room gets a `Disk` as a parameter, so that tests and simulators can stand in for it
(`swampsync.testing.memory_disk`). Paths are absolute strings with forward slashes. Errors are the operating
system's own `OSError` classes: `FileNotFoundError`, `FileExistsError`, `NotADirectoryError` and so on mean
the same for every implementation.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO, Protocol, Self


class Kind(Enum):
    """What a path is, without following symbolic links."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    OTHER = "other"


class WriteMode(Enum):
    """How a file is opened for writing."""

    CREATE = "create"  # it must not exist
    PRIVATE = "private"  # as CREATE, and from its first byte on nobody but its owner can read it
    TRUNCATE = "truncate"  # created or emptied
    APPEND = "append"  # it must exist
    UPDATE = "update"  # it must exist; written in place


@dataclass(frozen=True, slots=True)
class DiskStat:
    """What `stat` says of a path, links not followed."""

    kind: Kind
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int
    links: int

    @property
    def signature(self) -> tuple[int, int, int]:
        """What changes whenever the entry does: mtime, ctime and inode."""
        return (self.mtime_ns, self.ctime_ns, self.inode)


@dataclass(frozen=True, slots=True)
class DiskEntry:
    """One name in a directory."""

    name: str
    kind: Kind


class DiskFile(Protocol):
    """A file open for writing."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Write all of `data` at the file's position."""
        ...

    def write_at(self, offset: int, data: bytes) -> None:
        """Write all of `data` at `offset`, in one call unless the system takes less; from many threads at once."""
        ...

    def truncate(self, size: int) -> None:
        """Cut or extend the file to `size` bytes."""
        ...

    def stat(self) -> DiskStat:
        """Describe the open file itself, wherever its name points now."""
        ...

    def sync(self) -> None:
        """Return once the file's bytes are on stable storage."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...


class Disk(Protocol):
    """Files and directories, as far as swampsync uses them."""

    def open_read(self, path: str) -> BinaryIO:
        """Open for reading, buffered; a symbolic link is followed."""
        ...

    def read_bytes(self, path: str) -> bytes:
        """Read a whole small file."""
        ...

    def read_private(self, path: str) -> bytes:
        """Read a whole small file, unless it is a link, not ours, or others can read or write it: `PermissionError`."""
        ...

    def open_write(self, path: str, mode: WriteMode) -> DiskFile:
        """Open for writing; with CREATE and PRIVATE an existing path, a link too, is a `FileExistsError`."""
        ...

    def mkdir(self, path: str) -> None:
        """Create one directory; an existing path is a `FileExistsError`."""
        ...

    def makedirs(self, path: str, *, is_private: bool = False) -> None:
        """Create a directory and its parents; what exists stays.

        Args:
            path: The directory.
            is_private: Whether nobody but its owner can look into it, if it is created.
        """
        ...

    def link(self, source: str, target: str) -> None:
        """Give a file a second name; an existing target is a `FileExistsError`."""
        ...

    def rename(self, source: str, target: str) -> None:
        """Rename, replacing an existing file in one step."""
        ...

    def touch(self, path: str) -> None:
        """Set a file's modification time to now."""
        ...

    def unlink(self, path: str) -> None:
        """Remove a file or link."""
        ...

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        ...

    def stat(self, path: str) -> DiskStat:
        """Describe a path, links not followed."""
        ...

    def scandir(self, path: str) -> list[DiskEntry]:
        """List a directory in no particular order."""
        ...

    def readlink(self, path: str) -> str:
        """Return where a symbolic link points."""
        ...

    def realpath(self, path: str) -> str:
        """Resolve symbolic links; the path need not exist."""
        ...

    def sync_directory(self, path: str) -> None:
        """Return once the directory's entries are on stable storage."""
        ...

    def sync_filesystem(self, path: str) -> None:
        """Return once everything written to the file system of `path` is on stable storage."""
        ...

    def filesystem_type(self, path: str) -> str:
        """Name the file system of `path` (`ext4`, `nfs4`, `fuse.sshfs`), empty if unknown."""
        ...


def exists(disk: Disk, path: str) -> bool:
    """Say whether anything is at a path, a link that points nowhere too.

    Raises:
        OSError: Nobody can tell, for want of a right for one.
    """
    try:
        disk.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
