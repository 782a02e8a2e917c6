from __future__ import annotations

from datetime import UTC, datetime

import pytest

from swampsync.clock import SystemClock
from swampsync.disk import WriteMode
from swampsync.testing.memory_disk import MemoryDisk, PowerFailure


class FrozenClock(SystemClock):
    """A wall clock that shows what it is told."""

    moment = datetime(2026, 11, 21, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


def write(disk: MemoryDisk, path: str, data: bytes, *, sync: bool) -> None:
    """Write a new file, its bytes synced or not."""
    with disk.open_write(path, WriteMode.CREATE) as file:
        file.write(data)
        if sync:
            file.sync()


def test_crash_forgets_names_that_were_not_synced() -> None:
    """A synced file in a directory that was not synced is gone."""
    disk = MemoryDisk(SystemClock())
    write(disk, "/f", b"x", sync=True)
    disk.crash()
    with pytest.raises(FileNotFoundError):
        disk.stat("/f")


def test_crash_forgets_bytes_that_were_not_synced() -> None:
    """A name that was synced points to a file as its bytes were last synced."""
    disk = MemoryDisk(SystemClock())
    write(disk, "/f", b"", sync=False)
    write(disk, "/g", b"old", sync=True)
    disk.sync_directory("/")
    with disk.open_write("/f", WriteMode.APPEND) as file:
        file.write(b"lost")
    with disk.open_write("/g", WriteMode.APPEND) as file:
        file.write(b"lost")
    disk.crash()
    assert (disk.read_bytes("/f"), disk.read_bytes("/g")) == (b"", b"old")


def test_crash_undoes_renames_links_and_removals() -> None:
    """Names come back as they were when their directory was last synced, link counts with them."""
    disk = MemoryDisk(SystemClock())
    disk.mkdir("/d")
    write(disk, "/d/a", b"a", sync=True)
    write(disk, "/d/b", b"b", sync=True)
    disk.sync_filesystem("/")
    disk.rename("/d/a", "/d/b")
    disk.link("/d/b", "/d/c")
    disk.crash()
    assert sorted(entry.name for entry in disk.scandir("/d")) == ["a", "b"]
    assert (disk.read_bytes("/d/a"), disk.read_bytes("/d/b")) == (b"a", b"b")
    assert disk.stat("/d/a").links == 1
    disk.link("/d/b", "/d/c")
    disk.unlink("/d/a")
    disk.sync_directory("/d")
    disk.crash()
    assert sorted(entry.name for entry in disk.scandir("/d")) == ["b", "c"]
    assert disk.stat("/d/b").links == 2


def test_power_goes_off_after_the_given_operations() -> None:
    """The n-th operation is the last; nothing works any more until the machine comes up again."""
    disk = MemoryDisk(SystemClock())
    disk.power_off_after(2)
    disk.mkdir("/a")
    file = disk.open_write("/a/f", WriteMode.CREATE)
    with pytest.raises(PowerFailure):
        file.write(b"x")
    with pytest.raises(PowerFailure):
        disk.stat("/a")
    file.close()
    disk.crash()
    assert disk.scandir("/") == []


def test_times_come_from_the_clock() -> None:
    """Creation and change times are the given clock's, to the microsecond."""
    clock = FrozenClock()
    disk = MemoryDisk(clock)
    write(disk, "/f", b"x", sync=True)
    clock.moment = datetime(2026, 11, 22, microsecond=7, tzinfo=UTC)
    with disk.open_write("/f", WriteMode.APPEND) as file:
        file.write(b"y")
    assert disk.stat("/f").mtime_ns == int(clock.moment.timestamp()) * 10**9 + 7_000
    assert disk.operations == 6


def test_closed_file_cannot_be_written() -> None:
    """Writing after closing is the error that a real descriptor gives."""
    disk = MemoryDisk(SystemClock())
    file = disk.open_write("/f", WriteMode.CREATE)
    file.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        file.write(b"x")
