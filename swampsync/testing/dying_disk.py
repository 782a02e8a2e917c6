"""A disk that dies with its process at a chosen operation: nothing after that reaches it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO, NoReturn

from swampsync.disk import Disk, DiskEntry, DiskFile, DiskStat, WriteMode


class Killed(BaseException):
    """The process was killed; no handler may go on as if nothing had happened."""


class DyingDisk:
    """Passes everything on to another disk until `lives` writing operations have been done, then dies.

    Reading is passed on too, and counts nothing; once dead, everything raises `Killed`, so that clean-up code that a
    killed process would never reach cannot tidy up after it.

    Args:
        disk: Where the work is done.
        lives: How many writing operations are let through.
        on_death: Called at the moment of the kill, before the unwinding code of the process could do anything.
    """

    def __init__(self, disk: Disk, *, lives: int, on_death: Callable[[], None] | None = None) -> None:
        self._disk = disk
        self._lives = lives
        self._on_death = on_death
        self.operations = 0

    @property
    def is_dead(self) -> bool:
        """Whether the kill has happened."""
        return self.operations > self._lives

    def _read(self) -> Disk:
        if self.is_dead:
            raise Killed
        return self._disk

    def kill(self) -> NoReturn:
        """Kill the process now; raises `Killed`."""
        if not self.is_dead:
            self._lives = self.operations - 1
            if self._on_death is not None:
                self._on_death()
        raise Killed

    def check(self) -> None:
        """Raise `Killed` if the process is dead."""
        self._read()

    def spend(self) -> Disk:
        """Count one writing operation; raises `Killed` instead of the one too many."""
        self.operations += 1
        if self.operations == self._lives + 1 and self._on_death is not None:
            self._on_death()
        return self._read()

    def open_read(self, path: str) -> BinaryIO:
        """See `Disk`."""
        return self._read().open_read(path)

    def read_bytes(self, path: str) -> bytes:
        """See `Disk`."""
        return self._read().read_bytes(path)

    def read_private(self, path: str) -> bytes:
        """See `Disk`."""
        return self._read().read_private(path)

    def open_write(self, path: str, mode: WriteMode) -> DiskFile:
        """See `Disk`."""
        return _DyingFile(self, self.spend().open_write(path, mode))

    def mkdir(self, path: str) -> None:
        """See `Disk`."""
        self.spend().mkdir(path)

    def makedirs(self, path: str, *, is_private: bool = False) -> None:
        """See `Disk`."""
        self.spend().makedirs(path, is_private=is_private)

    def link(self, source: str, target: str) -> None:
        """See `Disk`."""
        self.spend().link(source, target)

    def rename(self, source: str, target: str) -> None:
        """See `Disk`."""
        self.spend().rename(source, target)

    def touch(self, path: str) -> None:
        """See `Disk`."""
        self.spend().touch(path)

    def unlink(self, path: str) -> None:
        """See `Disk`."""
        self.spend().unlink(path)

    def rmdir(self, path: str) -> None:
        """See `Disk`."""
        self.spend().rmdir(path)

    def stat(self, path: str) -> DiskStat:
        """See `Disk`."""
        return self._read().stat(path)

    def scandir(self, path: str) -> list[DiskEntry]:
        """See `Disk`."""
        return self._read().scandir(path)

    def readlink(self, path: str) -> str:
        """See `Disk`."""
        return self._read().readlink(path)

    def realpath(self, path: str) -> str:
        """See `Disk`."""
        return self._read().realpath(path)

    def sync_directory(self, path: str) -> None:
        """See `Disk`."""
        self.spend().sync_directory(path)

    def sync_filesystem(self, path: str) -> None:
        """See `Disk`."""
        self.spend().sync_filesystem(path)

    def filesystem_type(self, path: str) -> str:
        """See `Disk`."""
        return self._read().filesystem_type(path)


class _DyingFile:
    """A file of a dying disk; half of the write that kills is still done."""

    def __init__(self, disk: DyingDisk, file: DiskFile) -> None:
        self._disk = disk
        self._file = file

    def write(self, data: bytes | memoryview, /) -> int:
        try:
            self._disk.spend()
        except Killed:
            if self._disk.operations == self._disk._lives + 1:  # noqa: SLF001 - its own file
                self._file.write(memoryview(data)[: len(data) // 2])
            raise
        return self._file.write(data)

    def write_at(self, offset: int, data: bytes) -> None:
        self._disk.spend()
        self._file.write_at(offset, data)

    def truncate(self, size: int) -> None:
        self._disk.spend()
        self._file.truncate(size)

    def stat(self) -> DiskStat:
        return self._file.stat()

    def sync(self) -> None:
        self._disk.spend()
        self._file.sync()

    def close(self) -> None:
        # The kernel closes a dead process's files.
        self._file.close()

    def __enter__(self) -> _DyingFile:  # noqa: PYI034 - private
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def count_operations(disk: Disk, work: Any) -> int:
    """Count the writing operations of `work(disk)`, which gets a disk that does not die."""
    counter = DyingDisk(disk, lives=1 << 60)
    work(counter)
    return counter.operations
