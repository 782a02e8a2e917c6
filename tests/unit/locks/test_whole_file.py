from __future__ import annotations

import errno

import pytest

from swampsync.disk import LocalDisk, WriteMode
from swampsync.locks.whole_file import create_whole, is_seen_at_once
from swampsync.testing.manual_clock import ManualClock
from swampsync.testing.memory_disk import MemoryDisk
from tests.unit.locks.disks import ForgetfulDisk, HookedDisk, LinklessDisk

PATH, TEMPORARY = "/base/.locks/a.lock", "/base/.locks/.acquire-1"


def create(disk: MemoryDisk, body: bytes = b"body", *, is_flushed: bool = False) -> bool:
    file = create_whole(disk, PATH, body, temporary=TEMPORARY, is_flushed=is_flushed)
    if file is not None:
        assert file.stat().inode == disk.stat(PATH).inode
        file.close()
    assert [e.name for e in disk.scandir("/base/.locks")] == ["a.lock"]
    return file is not None


@pytest.mark.parametrize("make", [MemoryDisk, LinklessDisk, ForgetfulDisk])
def test_file_appears_once_with_its_whole_content(make: type[MemoryDisk]) -> None:
    """With links, without them, and where answers are lost: the first one wins, the second one is told."""
    disk = make(ManualClock())
    assert create(disk, b"first")
    assert not create(disk, b"second")
    assert disk.read_bytes(PATH) == b"first"


def test_linked_file_is_never_seen_in_part() -> None:
    """At the moment when the name appears, everything is there."""
    disk = HookedDisk(ManualClock())
    seen: list[bytes] = []
    disk.after_link = lambda target: seen.append(disk.read_bytes(target))
    assert create(disk)
    assert seen == [b"body"]


def test_bytes_are_stable_before_the_name_is_seen() -> None:
    """Where others see only what was flushed, the flush comes first."""
    clock = ManualClock()
    disk = HookedDisk(clock)
    synced: list[bytes] = []
    disk.after_link = lambda target: synced.append(disk._node(target).synced_data)
    assert create(disk, is_flushed=True)
    assert synced == [b"body"]


def test_leftover_of_an_interrupted_attempt_is_replaced() -> None:
    """The temporary name is ours alone: what lies there is from an earlier attempt of our own."""
    disk = MemoryDisk(ManualClock())
    disk.makedirs("/base/.locks")
    with disk.open_write(TEMPORARY, WriteMode.CREATE) as file:
        file.write(b"cut")
    assert create(disk)
    assert disk.read_bytes(PATH) == b"body"


def test_other_errors_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is the caller's affair, and no temporary file stays."""
    disk = MemoryDisk(ManualClock())
    disk.makedirs("/base/.locks")

    def no_space(source: str, target: str) -> None:
        raise OSError(errno.ENOSPC, "no space", target)

    monkeypatch.setattr(disk, "link", no_space)
    with pytest.raises(OSError, match="no space"):
        create_whole(disk, PATH, b"body", temporary=TEMPORARY, is_flushed=False)
    assert disk.scandir("/base/.locks") == []


def test_directory_that_vanishes_is_made_again() -> None:
    """A model's empty directory may be removed by whoever deletes the model, while we come to lock it."""
    disk = MemoryDisk(ManualClock())
    removals = 3
    open_write = disk.open_write

    def open_in_vain(path: str, mode: object) -> object:
        nonlocal removals
        if removals and path == TEMPORARY:
            removals -= 1
            raise FileNotFoundError(errno.ENOENT, "gone", path)
        return open_write(path, mode)  # type: ignore[arg-type]

    disk.open_write = open_in_vain  # type: ignore[method-assign,assignment]
    assert create(disk)


def test_local_file_systems_need_no_flush(tmp_path: object) -> None:
    """A write on this machine's own disk is seen at once; what we do not know is flushed."""
    assert is_seen_at_once(LocalDisk(), str(tmp_path))
    assert not is_seen_at_once(MemoryDisk(ManualClock()), "/")
