"""Content is read before locks are taken: a slow sender keeps nobody waiting."""

from __future__ import annotations

import errno
import io
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from swampsync.artifacts.tree import CHUNK_BYTES
from swampsync.disk import LocalDisk
from swampsync.layout import Layout
from swampsync.locks.lease import Holder
from swampsync.namespace import Namespace
from swampsync.repo import Repo
from swampsync.repo.staging import Staging
from swampsync.repo.world import World
from swampsync.testing.lease_bench import FakeProcesses
from tests.unit.repo.buckets import MemoryBuckets, make_repo

IMPATIENT = {"SWAMP_LOCK_TIMEOUT_MS": "1"}
LARGE = CHUNK_BYTES + 7
BUCKET = 'datastore:\n  type: "@swampsync/s3"\n  namespace: infra\n  config:\n    bucket: team\n'


@pytest.fixture(params=["directory", "bucket"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Repo]:
    """What opens the same repo anew, as every command does; nobody waits for a lock."""
    buckets = MemoryBuckets()
    if request.param == "bucket":
        repo = make_repo(tmp_path / "repo", more=BUCKET)
    else:
        (tmp_path / "shared").mkdir()
        more = f"datastore:\n  type: filesystem\n  path: {tmp_path}/shared\n  namespace: infra\n"
        repo = make_repo(tmp_path / "repo", more=more)
    return lambda: Repo.open(str(repo), environ=IMPATIENT, world=buckets.world())


def staged_files(root: Path) -> list[Path]:
    return list(root.rglob(".staging/*"))


@pytest.mark.parametrize("is_append", [False, True], ids=["put", "append"])
def test_slow_content_keeps_no_other_put_waiting(
    opening: Callable[[], Repo], tmp_path: Path, *, is_append: bool
) -> None:
    """While one command waits for its content, others write the same model; afterwards the slow one is done too."""
    receiving, sending = os.pipe()
    with opening() as repo:
        repo.data.put("m", "x", io.BytesIO(b"first"), is_streaming=True)
    done: list[object] = []

    def put_slowly() -> None:
        with opening() as slow, os.fdopen(receiving, "rb") as content:
            if is_append:
                done.append(slow.data.append("m", "x", content).metadata)
            else:
                done.append(slow.data.put("m", "x", content).metadata)

    thread = threading.Thread(target=put_slowly)
    thread.start()
    with os.fdopen(sending, "wb") as pipe:
        # More than a pipe holds beyond a chunk: when it is written, the first chunk has been read.
        pipe.write(b"s" * (CHUNK_BYTES + 200_000))
        pipe.flush()
        with opening() as quick:
            assert quick.data.put("m", "x", io.BytesIO(b"quick"), is_streaming=True).metadata.version == 2
            quick.data.put("m", "y", io.BytesIO(b"other"))
            quick.structural.gc()
        assert len(staged_files(tmp_path)) == 1
        assert done == []
    thread.join()
    assert len(done) == 1
    with opening() as repo:
        newest = repo.data.get("m", "x")
        body = b"".join(repo.data.read(newest))
    # What was published is closed: on a bucket an append begins the next version.
    assert body in {b"s" * (CHUNK_BYTES + 200_000), b"quick" + b"s" * (CHUNK_BYTES + 200_000)}
    assert body.startswith(b"quick") == (is_append and newest.metadata.version == 2)
    assert list(tmp_path.rglob(".staging")) == []


class _Breaking(io.BytesIO):
    """Content that breaks off."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size) or self._fail()

    def _fail(self) -> bytes:
        raise OSError(errno.EIO, "the other side went away")


@pytest.mark.parametrize("size", [5, LARGE])
def test_content_that_breaks_off_leaves_nothing(opening: Callable[[], Repo], tmp_path: Path, size: int) -> None:
    """An error while reading leaves no version, no definition and no staged file."""
    with opening() as repo, pytest.raises(OSError, match="the other side went away"):
        repo.data.put("m", "x", _Breaking(b"x" * size))
    assert [p.name for p in tmp_path.rglob("*") if p.name in {"raw", "m.yaml", ".staging"}] == []


def test_refused_write_leaves_no_staged_file(opening: Callable[[], Repo], tmp_path: Path) -> None:
    """What cannot be written after all is removed with what was staged for it."""
    with opening() as repo:
        repo.data.put("m", "x", io.BytesIO(b"1"))
        with pytest.raises(Exception, match="not configured for streaming"):
            repo.data.append("m", "x", _Pipe(b"2" * LARGE))
        assert b"".join(repo.data.read(repo.data.get("m", "x"))) == b"1"
    assert list(tmp_path.rglob(".staging")) == []


class _Pipe(io.BytesIO):
    """Content that comes once, and small pieces at a time."""

    reads = 0

    def seekable(self) -> bool:
        return False

    def read(self, size: int | None = -1, /) -> bytes:
        type(self).reads += 1
        return super().read(min(size or 0, 100_000))


def test_wrong_type_is_told_before_content_is_read(opening: Callable[[], Repo]) -> None:
    """Who would send for an hour is told at the beginning that the model has another type."""
    with opening() as repo:
        repo.data.put("m", "x", io.BytesIO(b"1"))
        _Pipe.reads = 0
        with pytest.raises(Exception, match="has the type"):
            repo.data.put("m", "x", _Pipe(b"2"), model_type="aws/vpc")
        assert _Pipe.reads == 0


def test_large_content_is_moved_into_its_place(opening: Callable[[], Repo], tmp_path: Path) -> None:
    """What was staged is renamed, not copied again: the version's file is the one that was written."""
    inodes: list[int] = []

    class Watching(LocalDisk):
        def rename(self, source: str, target: str) -> None:
            if "/.staging/" in source:
                inodes.append(os.stat(source).st_ino)
            super().rename(source, target)

    with opening() as repo:
        world = repo._parts.world
        object.__setattr__(repo._parts, "world", World(disk=Watching(), open_bucket=world.open_bucket))
        version = repo.data.put("m", "x", io.BytesIO(b"x" * LARGE))
        assert [os.stat(version.content_path).st_ino] == inodes
        assert version.metadata.size == LARGE
        assert sum(len(chunk) for chunk in repo.data.read(version)) == LARGE


def test_other_file_system_gets_a_copy(opening: Callable[[], Repo], tmp_path: Path) -> None:
    """Where the version lies on another file system than what was staged, it is copied."""

    class Apart(LocalDisk):
        def rename(self, source: str, target: str) -> None:
            if "/.staging/" in source:
                raise OSError(errno.EXDEV, "Invalid cross-device link")
            super().rename(source, target)

    with opening() as repo:
        world = repo._parts.world
        object.__setattr__(repo._parts, "world", World(disk=Apart(), open_bucket=world.open_bucket))
        version = repo.data.put("m", "x", io.BytesIO(b"x" * LARGE))
        assert sum(len(chunk) for chunk in repo.data.read(version)) == LARGE
    assert list(tmp_path.rglob(".staging")) == []


class Rig:
    """A machine whose processes stage content."""

    def __init__(self, root: Path) -> None:
        self.processes = FakeProcesses()
        self.layout = Layout(str(root), str(root / "shared"), Namespace.parse("infra"))
        self.directory = root / "shared" / "infra" / ".staging"
        self._count = 0

    def staging(self, holder: Holder | None = None) -> Staging:
        self._count += 1
        holder = holder or self.processes.start(self._count)
        return Staging(LocalDisk(), holder=holder, processes=self.processes, new_id=lambda: f"id-{self._count}")

    def leave(self, holder: Holder) -> Path:
        """Stage content as a process that is killed before it can clean up."""
        held = self.staging(holder).hold(self.layout, io.BytesIO(b"x" * LARGE))
        held.__enter__()  # never left
        self._held = held
        (path,) = self.directory.iterdir()
        return path


def test_leftover_of_a_dead_process_goes_with_the_next_put(tmp_path: Path) -> None:
    """What a killed process has left goes when the next one stages anything; that of a live one stays."""
    rig = Rig(tmp_path)
    holder = rig.processes.start(77)
    path = rig.leave(holder)
    with rig.staging().hold(rig.layout, io.BytesIO(b"small")):
        assert path.exists()
    rig.processes.kill(holder)
    with rig.staging().hold(rig.layout, io.BytesIO(b"small")):
        assert not rig.directory.exists()


def test_leftover_whose_pid_was_used_again_goes(tmp_path: Path) -> None:
    """A pid that belongs to a process which started later proves that the writer is gone."""
    rig = Rig(tmp_path)
    path = rig.leave(rig.processes.start(77, start=100))
    rig.processes.start(77, start=200)
    assert rig.staging().sweep(rig.layout) == 1
    assert not path.exists()


def test_leftover_of_another_machine_goes_after_a_day(tmp_path: Path) -> None:
    """Of another machine, or another boot, nothing is known but the file's age by the file system's own clock."""
    rig = Rig(tmp_path)
    holder = rig.processes.start(77)
    path = rig.leave(holder)
    rig.processes.kill(holder)
    rig.processes.boot_id = "boot-2"
    assert rig.staging().sweep(rig.layout) == 0
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - 25 * 3600 * 10**9))
    assert rig.staging().sweep(rig.layout) == 1
    assert not rig.directory.exists()
