"""`doctor backend` on directories: honest file systems and those that are not."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from swampsync.backends.base import BucketNotFound
from swampsync.clock import SystemClock, spawn_daemon
from swampsync.disk import DiskFile, DiskStat, LocalDisk, WriteMode
from swampsync.maintenance.doctor_backend import Thoroughness
from swampsync.maintenance.doctor_directory import CHECKS, describe_type, probe_directory, try_directory
from swampsync.maintenance.doctor_report import DoctorReport, Result
from swampsync.maintenance.doctor_scratch import QUICK


def examine(root: Path, disk: LocalDisk | None = None) -> DoctorReport:
    return probe_directory(
        disk or LocalDisk(),
        str(root),
        scratch_prefix="infra/_doctor/",
        clock=SystemClock(),
        rng=random.Random(11),
        spawner=spawn_daemon,
        thoroughness=Thoroughness.QUICK,
    )


@pytest.mark.holds("I4")
def test_local_directory_is_safe_and_left_as_it_was(tmp_path: Path) -> None:
    """A local directory keeps everything but compare-and-swap, which it declares absent, and nothing is left."""
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / ".namespace.json").write_text("{}")
    report = examine(tmp_path)
    found = {promise.name: promise.result for promise in report.promises}
    assert report.is_safe
    assert {name: found[name] for name in CHECKS} == dict.fromkeys(CHECKS, Result.KEPT)
    assert found["create-only-race"] is Result.KEPT
    assert {name for name, result in found.items() if result is Result.ABSENT} == {"if-match", "if-match-race"}
    assert [str(p.relative_to(tmp_path)) for p in sorted(tmp_path.rglob("*"))] == ["infra", "infra/.namespace.json"]


def test_missing_directory_is_an_error(tmp_path: Path) -> None:
    """A directory that does not exist is not created: it may be a share that is not mounted."""
    with pytest.raises(BucketNotFound):
        examine(tmp_path / "absent")
    assert list(tmp_path.iterdir()) == []


class LinkOverwrites(LocalDisk):
    """Gives a taken name away."""

    def link(self, source: str, target: str) -> None:
        if os.path.exists(target):
            os.unlink(target)
        super().link(source, target)


class NoLinks(LocalDisk):
    """As exFAT and many FUSE file systems."""

    def link(self, source: str, target: str) -> None:
        raise PermissionError(1, "Operation not permitted")


class UncountedLinks(LocalDisk):
    """Says that every file has one name."""

    def stat(self, path: str) -> DiskStat:
        found = super().stat(path)
        return DiskStat(found.kind, found.size, found.mtime_ns, found.ctime_ns, found.inode, found.device, 1)


class MkdirForgives(LocalDisk):
    """Makes a directory that is there."""

    def mkdir(self, path: str) -> None:
        os.makedirs(path, exist_ok=True)


class RenameRemovesFirst(LocalDisk):
    """Has no rename over an existing file, and removes it first."""

    def rename(self, source: str, target: str) -> None:
        if target.endswith("/target"):
            os.unlink(target)
            for _ in range(2_000):  # the gap is the lie itself
                os.path.exists(target)
        super().rename(source, target)


class SameInode(LocalDisk):
    """Has no inode numbers."""

    def stat(self, path: str) -> DiskStat:
        found = super().stat(path)
        return DiskStat(found.kind, found.size, found.mtime_ns, found.ctime_ns, 0, found.device, found.links)

    def open_write(self, path: str, mode: WriteMode) -> DiskFile:
        file = super().open_write(path, mode)
        file.stat = lambda: self.stat(path)  # type: ignore[method-assign]
        return file


class NoSync(LocalDisk):
    """Cannot sync a directory."""

    def sync_directory(self, path: str) -> None:
        if "/fsync" in path:
            raise OSError(22, "Invalid argument")
        super().sync_directory(path)


@pytest.mark.parametrize(
    ("disk", "name", "result"),
    [
        (LocalDisk, "link-exclusive", Result.KEPT),
        (LinkOverwrites, "link-exclusive", Result.BROKEN),
        (NoLinks, "link-exclusive", Result.ABSENT),
        (NoLinks, "link-race", Result.ABSENT),
        (UncountedLinks, "link-exclusive", Result.BROKEN),
        (MkdirForgives, "mkdir-race", Result.BROKEN),
        (RenameRemovesFirst, "rename-atomic", Result.BROKEN),
        (SameInode, "heartbeat", Result.BROKEN),
        (NoSync, "fsync", Result.ABSENT),
    ],
)
def test_weakness_of_a_file_system_is_found(tmp_path: Path, disk: type[LocalDisk], name: str, result: Result) -> None:
    """Each weakness is found by the check of its name."""
    place = f"{tmp_path}/{name}"
    assert try_directory(disk(), place, CHECKS[name], effort=QUICK, spawner=spawn_daemon).result is result


def test_directory_without_links_is_unsafe_and_left_as_it_was(tmp_path: Path) -> None:
    """Where files cannot be linked there are no locks and no create-only; what was half done is removed."""
    report = examine(tmp_path, NoLinks())
    assert report.missing == ("create-only", "create-only-race", "link-exclusive", "link-race")
    assert not report.is_safe
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "expected"), [("nfs4", "over a network"), ("ext4", "on this machine"), ("", "unknown")]
)
def test_file_system_type_is_told(tmp_path: Path, kind: str, expected: str) -> None:
    """The type of the file system is named, and what one machine's test of a network share is worth."""

    class Typed(LocalDisk):
        def filesystem_type(self, path: str) -> str:
            return kind

    promise = describe_type(Typed(), str(tmp_path))
    assert (promise.name, promise.result) == ("filesystem-type", Result.MEASURED)
    assert expected in promise.consequence
