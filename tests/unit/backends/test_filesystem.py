"""What is special about a store in a directory."""

from __future__ import annotations

import errno
import io
import itertools
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from swampsync.backends.base import (
    BucketNotFound,
    Create,
    NotSupported,
    ObjectExists,
    ObjectNotFound,
    ObjectStore,
    ObjectStoreRefused,
    Overwrite,
)
from swampsync.backends.filesystem import FilesystemStore
from swampsync.backends.filesystem_errors import translate_os_error
from swampsync.disk import DiskFile, DiskStat, LocalDisk, WriteMode
from swampsync.errors import AccessDenied, InvalidInput, SwampsyncError, Unavailable
from swampsync.layout import ObjectKey

KEY = ObjectKey("dir/k")


def make_store(root: Path | str, disk: LocalDisk | None = None) -> FilesystemStore:
    ids = itertools.count()
    return FilesystemStore(disk or LocalDisk(), str(root), new_id=lambda: f"{next(ids):04d}")


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


@pytest.mark.parametrize(
    "act",
    [
        lambda s: s.get(KEY),
        lambda s: s.head(KEY),
        lambda s: s.put(KEY, b"x", Create()),
        lambda s: s.put(KEY, b"x", Overwrite()),
        lambda s: s.put_stream(KEY, io.BytesIO(b"x")),
        lambda s: s.delete(KEY),
        lambda s: list(s.list("")),
        lambda s: list(s.list_dirs("")),
    ],
    ids=["get", "head", "create", "overwrite", "stream", "delete", "list", "list_dirs"],
)
def test_missing_root_is_a_missing_bucket(tmp_path: Path, act: Callable[[ObjectStore], object]) -> None:
    """A root that does not exist raises `BucketNotFound` and is never created: it may be an unmounted share."""
    with pytest.raises(BucketNotFound):
        act(make_store(tmp_path / "absent"))
    assert list(tmp_path.iterdir()) == []


def test_temporary_files_are_invisible(tmp_path: Path) -> None:
    """A file that a killed process left half written is neither read, listed, counted as content nor writable."""
    store = make_store(tmp_path)
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / ".swampsync-dead.tmp").write_bytes(b"half")
    assert list(store.list("")) == []
    assert list(store.list_dirs("")) == []
    key = ObjectKey("dir/.swampsync-dead.tmp")
    for act in (store.get, store.head, store.delete, lambda k: store.put(k, b"x", Overwrite())):
        with pytest.raises(InvalidInput) as caught:
            act(key)
        assert caught.value.key == key.text
    assert files(tmp_path) == ["dir/.swampsync-dead.tmp"]


def test_symbolic_links_are_no_objects(tmp_path: Path) -> None:
    """A link, to a file inside or outside, is neither read nor listed."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (root / "link").symlink_to(outside / "secret")
    (root / "linked-dir").symlink_to(outside)
    store = make_store(root)
    assert list(store.list("")) == []
    assert list(store.list_dirs("")) == []
    with pytest.raises(ObjectNotFound):
        store.get(ObjectKey("link"))
    with pytest.raises(ObjectExists):
        store.put(ObjectKey("link"), b"x", Create())
    assert (outside / "secret").read_bytes() == b"secret"


def test_listing_leaves_out_names_that_are_no_keys(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file whose name no key can have is left out, with a warning that names it."""
    for name in (b"good", b"tab\there", b"bad\xff", "e\u0301".encode()):
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(b"x")
    assert [info.key.text for info in make_store(tmp_path).list("")] == ["good"]
    assert len(caplog.records) == 3


def test_create_whose_answer_was_lost_is_still_ours(tmp_path: Path) -> None:
    """Where a network file system repeats a `link` that was done, the second link tells that it was us."""

    class Repeating(LocalDisk):
        def link(self, source: str, target: str) -> None:
            super().link(source, target)
            super().link(source, target)

    make_store(tmp_path, Repeating()).put(KEY, b"ours", Create())
    assert (tmp_path / "dir" / "k").read_bytes() == b"ours"
    with pytest.raises(ObjectExists):
        make_store(tmp_path, Repeating()).put(KEY, b"second", Create())
    assert files(tmp_path) == ["dir/k"]


@pytest.mark.parametrize("stage", ["write", "sync", "link", "rename"])
def test_failed_put_leaves_nothing(tmp_path: Path, stage: str) -> None:
    """Wherever a put fails, no object and no temporary file is left, and the error names the key."""

    class Full(LocalDisk):
        def open_write(self, path: str, mode: WriteMode) -> DiskFile:
            file = super().open_write(path, mode)
            if stage in {"write", "sync"}:
                setattr(file, stage, _no_space)
            return file

        def link(self, source: str, target: str) -> None:
            if stage == "link":
                _no_space()
            super().link(source, target)

        def rename(self, source: str, target: str) -> None:
            if stage == "rename":
                _no_space()
            super().rename(source, target)

    store = make_store(tmp_path, Full())
    with pytest.raises(ObjectStoreRefused) as caught:
        store.put(KEY, b"x", Overwrite() if stage == "rename" else Create())
    assert caught.value.key == KEY.text
    assert list(tmp_path.iterdir()) == []  # no directory either


def _no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.holds("I1")
@pytest.mark.parametrize("mode", [Create(), Overwrite()])
def test_put_is_synced_before_and_after_it_gets_its_name(tmp_path: Path, mode: Create | Overwrite) -> None:
    """The bytes are synced before the name exists; the directory, and each new one above it, before the put returns."""
    events: list[str] = []

    class Watching(LocalDisk):
        def open_write(self, path: str, mode: WriteMode) -> DiskFile:
            file = super().open_write(path, mode)
            sync = file.sync

            def watched() -> None:
                sync()
                events.append("file")

            file.sync = watched  # type: ignore[method-assign]
            return file

        def link(self, source: str, target: str) -> None:
            super().link(source, target)
            events.append("name")

        def rename(self, source: str, target: str) -> None:
            super().rename(source, target)
            events.append("name")

        def sync_directory(self, path: str) -> None:
            super().sync_directory(path)
            events.append(os.path.relpath(path, tmp_path))

    make_store(tmp_path, Watching()).put(ObjectKey("a/b/k"), b"x", mode)
    assert events == [".", "a", "file", "name", "a/b"]


def test_delete_removes_empty_directories_up_to_the_root(tmp_path: Path) -> None:
    """The directories that an object needed go with it; the root and those in use stay."""
    store = make_store(tmp_path)
    store.put(ObjectKey("a/b/c/d"), b"x", Create())
    store.put(ObjectKey("a/kept"), b"x", Create())
    store.delete(ObjectKey("a/b/c/d"))
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")) == ["a", "a/kept"]
    store.delete(ObjectKey("a/kept"))
    assert list(tmp_path.iterdir()) == []


def test_directory_that_vanishes_under_a_put_is_made_again(tmp_path: Path) -> None:
    """A delete that removes the directory while a put is about to write into it costs a new try, no error."""

    class Vanishing(LocalDisk):
        left = 3

        def open_write(self, path: str, mode: WriteMode) -> DiskFile:
            if self.left and os.path.isdir(os.path.dirname(path)):
                self.left -= 1
                os.rmdir(os.path.dirname(path))
            return super().open_write(path, mode)

    make_store(tmp_path, Vanishing()).put(KEY, b"x", Create())
    assert (tmp_path / "dir" / "k").read_bytes() == b"x"


def test_stat_and_body_belong_together(tmp_path: Path) -> None:
    """An object that is replaced between the look and the read is looked at again."""

    class Replaced(LocalDisk):
        is_pending = True

        def stat(self, path: str) -> DiskStat:
            stat = super().stat(path)
            if path.endswith("/k") and self.is_pending:
                self.is_pending = False
                (tmp_path / "new").write_bytes(b"newer and longer")
                os.utime(tmp_path / "new", (2_000_000_000, 2_000_000_000))
                os.replace(tmp_path / "new", path)
            return stat

    (tmp_path / "k").write_bytes(b"old")
    info = make_store(tmp_path, Replaced()).head(ObjectKey("k"))
    assert (info.size, info.modified_at.year) == (16, 2033)


def test_compare_and_swap_is_declared_absent(tmp_path: Path) -> None:
    """A directory declares create-only, and no compare-and-swap."""
    capabilities = make_store(tmp_path).capabilities
    assert (capabilities.create_only, capabilities.compare_and_swap) == (True, False)
    assert issubclass(NotSupported, InvalidInput)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EACCES, AccessDenied),
        (errno.EPERM, AccessDenied),
        (errno.EROFS, AccessDenied),
        (errno.EIO, Unavailable),
        (errno.ESTALE, Unavailable),
        (errno.ETIMEDOUT, Unavailable),
        (errno.ENAMETOOLONG, InvalidInput),
        (errno.ENOSPC, ObjectStoreRefused),
        (errno.ENOTSUP, ObjectStoreRefused),
    ],
)
def test_os_error_has_its_class(number: int, expected: type[SwampsyncError]) -> None:
    """Every error of the operating system becomes one that says whether trying again can help, with the key."""
    error = translate_os_error(OSError(number, os.strerror(number)), "dir/k")
    assert type(error) is expected
    assert error.key == "dir/k"
    assert "dir/k" in error.message
    assert os.strerror(number) in error.message


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.EACCES, "ls -ld '/srv/team data'; id"),
        (errno.EROFS, "findmnt -T '/srv/team data'"),
        (errno.ENOSPC, "df -h '/srv/team data'; df -i '/srv/team data'"),
        (errno.ESTALE, "ls -ld '/srv/team data'"),
        (errno.EMFILE, "ulimit -n 4096"),
        (errno.ENAMETOOLONG, "swamp doctor backend"),
    ],
)
def test_errors_of_the_system_say_what_to_look_at(number: int, hint: str) -> None:
    """Every error of a directory ends with a command to paste, about the directory that the system named."""
    named = translate_os_error(OSError(number, os.strerror(number), "/srv/team data/k"), "k")
    assert (named.hint or "").endswith(f": {hint}")
    unnamed = translate_os_error(OSError(number, os.strerror(number)), "k")
    assert re.search(r": (swamp doctor backend|ulimit -n 4096)$", unnamed.hint or "")


def test_unreadable_file_is_access_denied(tmp_path: Path) -> None:
    """What the operating system says comes out as our error, with the cause."""

    class Denied(LocalDisk):
        def open_read(self, path: str) -> io.BufferedReader:
            raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "k").write_bytes(b"x")
    with pytest.raises(AccessDenied) as caught:
        make_store(tmp_path, Denied()).get(ObjectKey("k"))
    assert caught.value.key == "k"
    assert isinstance(caught.value.__cause__, PermissionError)
