"""The only module that asks the operating system for files.

Every other room gets a `Disk` as a parameter, so that tests and simulators can stand in for it
(`swampsync.testing.memory_disk`). Paths are absolute strings with forward slashes. Errors are the operating
system's own `OSError` classes: `FileNotFoundError`, `FileExistsError`, `NotADirectoryError` and so on mean
the same for every implementation.
"""

from __future__ import annotations

import ctypes
import os
import stat as stat_module
import sys
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO, Final, Protocol, Self


class Kind(Enum):
    """What a path is, without following symbolic links."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    OTHER = "other"


class WriteMode(Enum):
    """How a file is opened for writing."""

    CREATE = "create"  # it must not exist
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
        """Write all of `data` at `offset` in one call."""
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

    def open_write(self, path: str, mode: WriteMode) -> DiskFile:
        """Open for writing; with CREATE an existing path is a `FileExistsError`."""
        ...

    def mkdir(self, path: str) -> None:
        """Create one directory; an existing path is a `FileExistsError`."""
        ...

    def makedirs(self, path: str) -> None:
        """Create a directory and its parents; what exists stays."""
        ...

    def link(self, source: str, target: str) -> None:
        """Give a file a second name; an existing target is a `FileExistsError`."""
        ...

    def rename(self, source: str, target: str) -> None:
        """Rename, replacing an existing file in one step."""
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


_OPEN_FLAGS: Final = {
    WriteMode.CREATE: os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    WriteMode.TRUNCATE: os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    WriteMode.APPEND: os.O_WRONLY | os.O_APPEND,
    WriteMode.UPDATE: os.O_WRONLY,
}


def _describe(result: os.stat_result) -> DiskStat:
    mode = result.st_mode
    if stat_module.S_ISREG(mode):
        kind = Kind.FILE
    elif stat_module.S_ISDIR(mode):
        kind = Kind.DIRECTORY
    elif stat_module.S_ISLNK(mode):
        kind = Kind.LINK
    else:
        kind = Kind.OTHER
    return DiskStat(
        kind=kind,
        size=result.st_size,
        mtime_ns=result.st_mtime_ns,
        ctime_ns=result.st_ctime_ns,
        inode=result.st_ino,
        device=result.st_dev,
        links=result.st_nlink,
    )


class _LocalFile:
    """A file descriptor open for writing."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes | memoryview, /) -> int:
        view = memoryview(data)
        written = 0
        while written < len(view):
            written += os.write(self._descriptor, view[written:])
        return written

    def write_at(self, offset: int, data: bytes) -> None:
        os.pwrite(self._descriptor, data, offset)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def stat(self) -> DiskStat:
        return _describe(os.fstat(self._descriptor))

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class LocalDisk:
    """The machine's own file systems."""

    def open_read(self, path: str) -> BinaryIO:
        """Open for reading, buffered."""
        return open(path, "rb")

    def read_bytes(self, path: str) -> bytes:
        """Read a whole small file in as few calls as possible."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            chunk = os.read(descriptor, 65_536)
            if len(chunk) < 65_536:
                return chunk
            chunks = [chunk]
            while chunk:
                chunk = os.read(descriptor, 1 << 20)
                chunks.append(chunk)
            return b"".join(chunks)
        finally:
            os.close(descriptor)

    def open_write(self, path: str, mode: WriteMode) -> DiskFile:
        """Open for writing."""
        return _LocalFile(os.open(path, _OPEN_FLAGS[mode] | getattr(os, "O_CLOEXEC", 0), 0o666))

    def mkdir(self, path: str) -> None:
        """Create one directory."""
        os.mkdir(path)

    def makedirs(self, path: str) -> None:
        """Create a directory and its parents."""
        os.makedirs(path, exist_ok=True)

    def link(self, source: str, target: str) -> None:
        """Give a file a second name."""
        os.link(source, target, follow_symlinks=False)

    def rename(self, source: str, target: str) -> None:
        """Rename, replacing an existing file."""
        os.replace(source, target)

    def unlink(self, path: str) -> None:
        """Remove a file or link."""
        os.unlink(path)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        os.rmdir(path)

    def stat(self, path: str) -> DiskStat:
        """Describe a path, links not followed."""
        return _describe(os.lstat(path))

    def scandir(self, path: str) -> list[DiskEntry]:
        """List a directory."""
        entries = []
        with os.scandir(path) as found:
            for entry in found:
                if entry.is_symlink():
                    kind = Kind.LINK
                elif entry.is_dir(follow_symlinks=False):
                    kind = Kind.DIRECTORY
                elif entry.is_file(follow_symlinks=False):
                    kind = Kind.FILE
                else:
                    kind = Kind.OTHER
                entries.append(DiskEntry(entry.name, kind))
        return entries

    def readlink(self, path: str) -> str:
        """Return where a symbolic link points."""
        return os.readlink(path)

    def realpath(self, path: str) -> str:
        """Resolve symbolic links."""
        return os.path.realpath(path)

    def copy_mode(self, source: str, target: str) -> None:
        """Give `target` the permissions of `source`, if that exists; not part of `Disk`: a mode is no content."""
        try:
            mode = stat_module.S_IMODE(os.stat(source).st_mode)
        except FileNotFoundError:
            return
        os.chmod(target, mode)

    def sync_directory(self, path: str) -> None:
        """Flush a directory's entries."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def sync_filesystem(self, path: str) -> None:
        """Flush the whole file system of `path` (`syncfs` on Linux, `sync` elsewhere)."""
        if sys.platform != "linux":
            os.sync()
            return
        descriptor = os.open(path, os.O_RDONLY)
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.syncfs(descriptor) != 0:
                errno = ctypes.get_errno()
                raise OSError(errno, os.strerror(errno), path)
        finally:
            os.close(descriptor)

    def filesystem_type(self, path: str) -> str:
        """Look the mount of `path` up in `/proc/self/mounts`; empty where there is none."""
        try:
            with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
                rows = [line.split(" ") for line in mounts]
        except OSError:
            return ""
        real = os.path.realpath(path) + "/"
        best = ("", "")
        for row in rows:
            point = row[1].encode("utf-8", "surrogateescape").decode("unicode_escape")
            if real.startswith(point.rstrip("/") + "/") and len(point) >= len(best[0]):
                best = (point, row[2])
        return best[1]
