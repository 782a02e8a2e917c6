from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from swampsync.clock import SystemClock
from swampsync.disk import Disk, DiskEntry, Kind, LocalDisk, WriteMode
from swampsync.disk.redirected import RedirectedDisk
from swampsync.testing.memory_disk import MemoryDisk


def make_place(kind: str, base: str) -> tuple[Disk, str]:
    if kind == "local":
        return LocalDisk(), base
    if kind == "redirected":
        for name in ("scratch", "base"):
            os.mkdir(f"{base}/{name}")
        return RedirectedDisk(LocalDisk(), f"{base}/scratch"), f"{base}/base"
    disk = MemoryDisk(SystemClock())
    disk.makedirs("/base")
    return disk, "/base"


@pytest.fixture(params=["local", "memory", "redirected"])
def place(request: Any, tmp_path: Path) -> tuple[Disk, str]:
    """Give a disk and an empty directory on it: every test here runs on every kind."""
    return make_place(request.param, os.path.realpath(tmp_path))


@pytest.fixture(params=["local", "memory"])
def place_with_links(request: Any, tmp_path: Path) -> tuple[Disk, str]:
    """Give a disk on which somebody else can make links."""
    return make_place(request.param, os.path.realpath(tmp_path))


def symlink(disk: Disk, target: str, path: str) -> None:
    """Make a symbolic link, which no `Disk` needs to do itself."""
    if isinstance(disk, MemoryDisk):
        disk.symlink(target, path)
    else:
        os.symlink(target, path)


def write(disk: Disk, path: str, data: bytes, mode: WriteMode = WriteMode.CREATE) -> None:
    """Write a whole file."""
    with disk.open_write(path, mode) as file:
        assert file.write(data) == len(data)
        file.sync()


def test_written_file_is_read_back(place: tuple[Disk, str]) -> None:
    """Bytes come back whole, by chunk and from a position; stat tells kind, size and links."""
    disk, base = place
    data = bytes(range(256)) * 1_000
    write(disk, f"{base}/f", data)
    assert disk.read_bytes(f"{base}/f") == data
    with disk.open_read(f"{base}/f") as file:
        assert file.read(300) == data[:300]
        assert file.seek(5) == 5
        assert file.read() == data[5:]
    stat = disk.stat(f"{base}/f")
    assert (stat.kind, stat.size, stat.links) == (Kind.FILE, len(data), 1)
    assert stat.signature == (stat.mtime_ns, stat.ctime_ns, stat.inode)


def test_private_file_is_read_back_by_its_owner(place: tuple[Disk, str]) -> None:
    """A private file is a file like any other to whoever wrote it, and is created exclusively."""
    disk, base = place
    disk.makedirs(f"{base}/a/b", is_private=True)
    disk.makedirs(f"{base}/a/b", is_private=True)
    data = bytes(range(256)) * 1_000
    write(disk, f"{base}/a/b/f", data, WriteMode.PRIVATE)
    assert disk.read_private(f"{base}/a/b/f") == disk.read_bytes(f"{base}/a/b/f") == data
    with pytest.raises(FileExistsError):
        disk.open_write(f"{base}/a/b/f", WriteMode.PRIVATE)
    disk.rename(f"{base}/a/b/f", f"{base}/a/b/g")
    assert disk.read_private(f"{base}/a/b/g") == data
    with pytest.raises(FileNotFoundError):
        disk.read_private(f"{base}/a/b/f")


def test_file_of_others_is_not_read_as_private(place: tuple[Disk, str]) -> None:
    """What others can read, and a link, whatever it leads to, is a `PermissionError`."""
    disk, base = place
    before = os.umask(0o022)
    try:
        write(disk, f"{base}/open", b"x")
    finally:
        os.umask(before)
    write(disk, f"{base}/own", b"x", WriteMode.PRIVATE)
    symlink(disk, f"{base}/own", f"{base}/link")
    for name in ("open", "link"):
        with pytest.raises(PermissionError):
            disk.read_private(f"{base}/{name}")


def test_create_refuses_what_exists(place: tuple[Disk, str]) -> None:
    """An exclusive create and an exclusive mkdir both fail on any existing path, links included."""
    disk, base = place
    write(disk, f"{base}/f", b"x")
    disk.mkdir(f"{base}/d")
    symlink(disk, "nowhere", f"{base}/l")
    for name in ("f", "d", "l"):
        with pytest.raises(FileExistsError):
            disk.open_write(f"{base}/{name}", WriteMode.CREATE)
        with pytest.raises(FileExistsError):
            disk.mkdir(f"{base}/{name}")


def test_write_modes_differ(place: tuple[Disk, str]) -> None:
    """Truncate empties, append extends, update overwrites in place; the last two need the file."""
    disk, base = place
    path = f"{base}/f"
    for mode in (WriteMode.APPEND, WriteMode.UPDATE):
        with pytest.raises(FileNotFoundError):
            disk.open_write(path, mode)
    write(disk, path, b"abcdef", WriteMode.TRUNCATE)
    write(disk, path, b"xyz", WriteMode.TRUNCATE)
    write(disk, path, b"123", WriteMode.APPEND)
    assert disk.read_bytes(path) == b"xyz123"
    with disk.open_write(path, WriteMode.UPDATE) as file:
        file.write(b"A")
        file.write_at(4, b"BB")
        assert file.stat().inode == disk.stat(path).inode
        file.truncate(5)
    assert disk.read_bytes(path) == b"Ayz1B"


def test_names_that_do_not_exist_are_not_found(place: tuple[Disk, str]) -> None:
    """Every operation on a missing path says so; a file in the middle of a path is no directory."""
    disk, base = place
    for call in (disk.stat, disk.read_bytes, disk.open_read, disk.scandir, disk.unlink, disk.rmdir, disk.readlink):
        with pytest.raises(FileNotFoundError):
            call(f"{base}/no")
        with pytest.raises(FileNotFoundError):
            call(f"{base}/no/no")
    with pytest.raises(FileNotFoundError):
        disk.mkdir(f"{base}/no/d")
    with pytest.raises(FileNotFoundError):
        disk.rename(f"{base}/no", f"{base}/x")
    with pytest.raises(FileNotFoundError):
        disk.link(f"{base}/no", f"{base}/x")
    write(disk, f"{base}/f", b"")
    with pytest.raises(NotADirectoryError):
        disk.stat(f"{base}/f/x")
    with pytest.raises(NotADirectoryError):
        disk.scandir(f"{base}/f")
    with pytest.raises(NotADirectoryError):
        disk.rmdir(f"{base}/f")
    with pytest.raises(NotADirectoryError):
        disk.mkdir(f"{base}/f/x")
    with pytest.raises(IsADirectoryError):
        disk.read_bytes(base)


def test_directories_are_made_listed_and_removed(place_with_links: tuple[Disk, str]) -> None:
    """`makedirs` keeps what exists, `scandir` tells kinds, only empty directories go."""
    disk, base = place_with_links
    disk.makedirs(f"{base}/a/b/c")
    disk.makedirs(f"{base}/a/b/c")
    write(disk, f"{base}/a/f", b"")
    symlink(disk, "f", f"{base}/a/l")
    assert sorted(disk.scandir(f"{base}/a"), key=lambda entry: entry.name) == [
        DiskEntry("b", Kind.DIRECTORY),
        DiskEntry("f", Kind.FILE),
        DiskEntry("l", Kind.LINK),
    ]
    assert disk.stat(f"{base}/a/b").kind is Kind.DIRECTORY
    with pytest.raises(OSError, match="not empty"):
        disk.rmdir(f"{base}/a")
    with pytest.raises(FileExistsError):
        disk.makedirs(f"{base}/a/f")
    disk.rmdir(f"{base}/a/b/c")
    disk.unlink(f"{base}/a/l")
    assert {entry.name for entry in disk.scandir(f"{base}/a")} == {"b", "f"}
    with pytest.raises((IsADirectoryError, PermissionError)):
        disk.unlink(f"{base}/a/b")


def test_link_gives_a_second_name_once(place: tuple[Disk, str]) -> None:
    """Two names share bytes, inode and a link count of two; an existing target is refused."""
    disk, base = place
    write(disk, f"{base}/a", b"x")
    disk.link(f"{base}/a", f"{base}/b")
    assert disk.stat(f"{base}/a").inode == disk.stat(f"{base}/b").inode
    assert disk.stat(f"{base}/a").links == 2
    write(disk, f"{base}/b", b"y", WriteMode.APPEND)
    assert disk.read_bytes(f"{base}/a") == b"xy"
    with pytest.raises(FileExistsError):
        disk.link(f"{base}/a", f"{base}/b")
    disk.unlink(f"{base}/a")
    assert disk.stat(f"{base}/b").links == 1
    assert disk.read_bytes(f"{base}/b") == b"xy"


def test_rename_replaces_in_one_step(place: tuple[Disk, str]) -> None:
    """A file replaces a file; an open descriptor stays with its inode; directories only replace empty ones."""
    disk, base = place
    write(disk, f"{base}/a", b"new")
    write(disk, f"{base}/b", b"old")
    with disk.open_write(f"{base}/b", WriteMode.UPDATE) as held:
        disk.rename(f"{base}/a", f"{base}/b")
        assert held.stat().inode != disk.stat(f"{base}/b").inode
        assert held.stat().links == 0
    assert disk.read_bytes(f"{base}/b") == b"new"
    disk.makedirs(f"{base}/d/x")
    with pytest.raises(IsADirectoryError):
        disk.rename(f"{base}/b", f"{base}/d")
    with pytest.raises(NotADirectoryError):
        disk.rename(f"{base}/d", f"{base}/b")
    disk.mkdir(f"{base}/e")
    with pytest.raises(OSError, match="not empty"):
        disk.rename(f"{base}/e", f"{base}/d")
    disk.rename(f"{base}/d", f"{base}/e")
    assert [entry.name for entry in disk.scandir(f"{base}/e")] == ["x"]
    with pytest.raises(OSError, match="Invalid"):
        disk.rename(f"{base}/e", f"{base}/e/x/y")


def test_symbolic_links_are_followed_for_reading_only(place_with_links: tuple[Disk, str]) -> None:
    """Reading and paths go through links; stat, readlink and unlink are about the link itself; loops are errors."""
    disk, base = place_with_links
    disk.mkdir(f"{base}/d")
    write(disk, f"{base}/d/f", b"x")
    symlink(disk, "d", f"{base}/l")
    symlink(disk, f"{base}/d/f", f"{base}/abs")
    symlink(disk, "loop", f"{base}/loop")
    assert disk.read_bytes(f"{base}/l/f") == b"x"
    assert disk.read_bytes(f"{base}/abs") == b"x"
    assert disk.stat(f"{base}/l").kind is Kind.LINK
    assert disk.readlink(f"{base}/l") == "d"
    assert disk.realpath(f"{base}/l/../l/f") == f"{base}/d/f"
    assert disk.realpath(f"{base}/l/none/x") == f"{base}/d/none/x"
    with pytest.raises(OSError, match="symbolic"):
        disk.read_bytes(f"{base}/loop")
    with pytest.raises(OSError, match="Invalid"):
        disk.readlink(f"{base}/d")
    disk.unlink(f"{base}/l")
    assert disk.read_bytes(f"{base}/d/f") == b"x"


def test_changes_show_in_signatures(place: tuple[Disk, str]) -> None:
    """A new name changes its directory's signature; a replaced file has another inode."""
    disk, base = place
    disk.mkdir(f"{base}/d")
    write(disk, f"{base}/d/f", b"1")
    first = disk.stat(f"{base}/d/f")
    write(disk, f"{base}/d/g", b"22")
    disk.rename(f"{base}/d/g", f"{base}/d/f")
    second = disk.stat(f"{base}/d/f")
    assert second.inode != first.inode
    assert second.device == first.device
    assert disk.stat(f"{base}/d").mtime_ns >= first.mtime_ns


def test_syncing_is_possible_everywhere(place: tuple[Disk, str]) -> None:
    """Directories and whole file systems can be synced; a missing directory cannot."""
    disk, base = place
    disk.sync_directory(base)
    disk.sync_filesystem(base)
    assert isinstance(disk.filesystem_type(base), str)
    with pytest.raises(FileNotFoundError):
        disk.sync_directory(f"{base}/no")
    with pytest.raises(FileNotFoundError):
        disk.sync_filesystem(f"{base}/no")


def test_redirected_disk_leaves_the_real_one_as_it_is(tmp_path: Path) -> None:
    """Files that are read are those of the real disk; what is written, moved and removed shows to its writer only."""
    base = os.path.realpath(tmp_path)
    for name in ("scratch", "base", "base/d"):
        os.mkdir(f"{base}/{name}")
    for name in ("a", "b", "d/c"):
        Path(base, "base", name).write_text(name)
    disk, root = RedirectedDisk(LocalDisk(), f"{base}/scratch"), f"{base}/base"
    write(disk, f"{root}/a", b"+", WriteMode.APPEND)
    disk.rename(f"{root}/b", f"{root}/d/b")
    disk.unlink(f"{root}/d/c")
    disk.makedirs(f"{root}/e/f")
    disk.rename(f"{root}/d", f"{root}/e/d")
    write(disk, f"{root}/e/f/g", b"new")
    assert disk.read_bytes(f"{root}/a") == b"a+"
    assert disk.read_bytes(f"{root}/e/d/b") == b"b"
    assert {entry.name for entry in disk.scandir(root)} == {"a", "e"}
    assert {entry.name for entry in disk.scandir(f"{root}/e")} == {"d", "f"}
    for gone in ("b", "d", "d/c", "e/d/c"):
        with pytest.raises(FileNotFoundError):
            disk.stat(f"{root}/{gone}")
    real = {str(path.relative_to(root)) for path in Path(root).rglob("*")}
    assert real == {"a", "b", "d", "d/c"}
    assert [Path(root, name).read_text() for name in ("a", "b", "d/c")] == ["a", "b", "d/c"]
