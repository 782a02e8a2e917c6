"""The only module that asks the operating system for files."""

from __future__ import annotations

import errno
import os
import stat as stat_module
import sys
from typing import BinaryIO, Final, Self

from swampsync.disk.interface import DiskEntry, DiskFile, DiskStat, Kind, WriteMode

_OPEN_FLAGS: Final = {
    WriteMode.CREATE: os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    WriteMode.PRIVATE: os.O_WRONLY | os.O_CREAT | os.O_EXCL,
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
        view = memoryview(data)
        written = 0
        while written < len(view):
            written += os.pwrite(self._descriptor, view[written:], offset + written)

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
            return _read_all(descriptor)
        finally:
            os.close(descriptor)

    def read_private(self, path: str) -> bytes:
        """Read a whole small file that is nobody else's; what is looked at is the open file, whatever its name does."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise PermissionError(errno.EACCES, "it is a symbolic link", path) from error
            raise
        try:
            about = os.fstat(descriptor)
            if about.st_uid != os.geteuid() or stat_module.S_IMODE(about.st_mode) & 0o077:
                raise PermissionError(errno.EACCES, "others may read or have written it", path)
            return _read_all(descriptor)
        finally:
            os.close(descriptor)

    def open_write(self, path: str, mode: WriteMode) -> DiskFile:
        """Open for writing."""
        permissions = 0o600 if mode is WriteMode.PRIVATE else 0o666
        return _LocalFile(os.open(path, _OPEN_FLAGS[mode] | getattr(os, "O_CLOEXEC", 0), permissions))

    def mkdir(self, path: str) -> None:
        """Create one directory."""
        os.mkdir(path)

    def makedirs(self, path: str, *, is_private: bool = False) -> None:
        """Create a directory and its parents, which are as open as ever."""
        os.makedirs(path, 0o700 if is_private else 0o777, exist_ok=True)

    def link(self, source: str, target: str) -> None:
        """Give a file a second name."""
        os.link(source, target, follow_symlinks=False)

    def rename(self, source: str, target: str) -> None:
        """Rename, replacing an existing file."""
        os.replace(source, target)

    def touch(self, path: str) -> None:
        """Set a file's modification time to now."""
        os.utime(path)

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
            import ctypes  # noqa: PLC0415 - only batches need it, and every command would pay for it

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


def _read_all(descriptor: int) -> bytes:
    chunk = os.read(descriptor, 65_536)
    if len(chunk) < 65_536:
        return chunk
    chunks = [chunk]
    while chunk:
        chunk = os.read(descriptor, 1 << 20)
        chunks.append(chunk)
    return b"".join(chunks)
