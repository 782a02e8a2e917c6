"""Where commands keep what they were given until they have the lock: `.staging`, beside the data.

The name of a file there says which process wrote it. What a killed one has left is removed by the next command that
puts data: at once if that runs on the same machine, after a day by the file system's own clock if not.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Final

from swampsync.artifacts.staged import Staged, stage
from swampsync.disk import Disk, WriteMode
from swampsync.layout import Layout
from swampsync.locks.identity import ProcessTable
from swampsync.locks.lease import Holder

_SUFFIX: Final = ".tmp"
_LEFTOVER_AGE_NS: Final = 24 * 3600 * 1_000_000_000


class Staging:
    """Reads content before locks are taken.

    Args:
        disk: Where the tree lies.
        holder: This process.
        processes: Tells which processes of this machine still run.
        new_id: Makes names that nobody else uses.
    """

    def __init__(self, disk: Disk, *, holder: Holder, processes: ProcessTable, new_id: Callable[[], str]) -> None:
        self._disk = disk
        self._holder = holder
        self._processes = processes
        self._new_id = new_id

    @contextmanager
    def hold(self, layout: Layout, content: BinaryIO) -> Iterator[Staged]:
        """Read content to its end, and keep it until the block ends, whatever happens in it.

        Args:
            layout: Of the namespace that it is put into.
            content: Read in constant memory.
        """
        directory = layout.staging_path()
        self.sweep(layout)
        made: list[str] = []

        def make_path() -> str:
            self._disk.makedirs(directory)
            made.append(f"{directory}/{self._make_name()}")
            return made[0]

        try:
            yield stage(self._disk, content, make_path=make_path)
        finally:
            for path in made:
                with suppress(OSError):  # published, as a rule
                    self._disk.unlink(path)
                with suppress(OSError):  # others are still using it
                    self._disk.rmdir(directory)

    def sweep(self, layout: Layout) -> int:
        """Remove what processes that died while they read have left; return how many files."""
        directory = layout.staging_path()
        try:
            names = [entry.name for entry in self._disk.scandir(directory) if entry.name.endswith(_SUFFIX)]
        except (FileNotFoundError, NotADirectoryError):
            return 0
        gone = [name for name in names if self._is_gone(name)]
        foreign = [name for name in names if not name.startswith(f"{self._machine}.")]
        if foreign:
            gone += self._find_old(directory, foreign)
        for name in gone:
            with suppress(FileNotFoundError):
                self._disk.unlink(posixpath.join(directory, name))
        with suppress(OSError):
            self._disk.rmdir(directory)
        return len(gone)

    @property
    def _machine(self) -> str:
        """Name this boot of this machine, and the namespace in which pids are told here."""
        holder = self._holder
        words = f"{holder.hostname}\0{holder.boot_id}\0{holder.pid_namespace}"
        return hashlib.sha256(words.encode()).hexdigest()[:12]

    def _make_name(self) -> str:
        start = self._holder.process_start
        return f"{self._machine}.{self._holder.pid}.{0 if start is None else start}.{self._new_id()}{_SUFFIX}"

    def _is_gone(self, name: str) -> bool:
        machine, *rest = name.split(".")
        if machine != self._machine or not self._holder.boot_id or len(rest) < 3 or not rest[0].isdigit():
            return False
        pid, began = int(rest[0]), rest[1]
        if not self._processes.is_running(pid):
            return True
        start = self._processes.start_of(pid)
        return start is not None and began.isdigit() and 0 < int(began) < start

    def _find_old(self, directory: str, names: list[str]) -> list[str]:
        probe = f"{directory}/{self._make_name()}"
        try:
            with self._disk.open_write(probe, WriteMode.CREATE) as file:
                now_ns = file.stat().mtime_ns
            self._disk.unlink(probe)
        except OSError:
            return []  # removed meanwhile, or read-only: nobody is in a hurry
        old = []
        for name in names:
            with suppress(FileNotFoundError):
                if now_ns - self._disk.stat(f"{directory}/{name}").mtime_ns > _LEFTOVER_AGE_NS:
                    old.append(name)
        return old
