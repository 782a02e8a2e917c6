"""A store in a directory of a machine that loses its power."""

from __future__ import annotations

import itertools
from contextlib import suppress

import pytest

from swampsync.backends.base import Create, ObjectStore, Overwrite
from swampsync.backends.filesystem import FilesystemStore
from swampsync.clock import SystemClock
from swampsync.disk import WriteMode
from swampsync.layout import ObjectKey
from swampsync.testing.manual_clock import ManualClock
from swampsync.testing.memory_disk import MemoryDisk
from swampsync.testing.memory_files import PowerFailure
from swampsync.testing.object_store_suite import ObjectStoreSuite

KEY = ObjectKey("a/b/k")


def make_store(disk: MemoryDisk) -> FilesystemStore:
    ids = itertools.count()
    return FilesystemStore(disk, "/data", new_id=lambda: str(next(ids)))


def read_state(disk: MemoryDisk) -> dict[str, bytes]:
    store = make_store(disk)
    return {info.key.text: store.get(info.key).body for info in store.list("")}


@pytest.mark.holds("I1")
@pytest.mark.holds("I11")
@pytest.mark.parametrize("mode", [Create(), Overwrite()], ids=["create", "overwrite"])
@pytest.mark.parametrize("has_old", [False, True])
def test_power_may_fail_at_any_operation_of_a_put(mode: Create | Overwrite, has_old: bool) -> None:  # noqa: FBT001
    """After the machine is up again there is the old state or the new one, and the new one if the put returned."""
    if has_old and isinstance(mode, Create):
        mode = Overwrite()
    new = b"new content, longer"
    seen = set()
    for operations in itertools.count():
        disk = MemoryDisk(ManualClock())
        disk.mkdir("/data")
        disk.sync_directory("/")
        if has_old:
            make_store(disk).put(KEY, b"old", Create())
        old = read_state(disk)
        disk.power_off_after(operations)
        try:
            make_store(disk).put(KEY, new, mode)
            is_acknowledged = True
        except PowerFailure:
            is_acknowledged = False
        disk.crash()
        state = read_state(disk)
        assert state in (old, {KEY.text: new})
        if is_acknowledged:
            assert state == {KEY.text: new}
            break
        seen.add(state.get(KEY.text))
        # What the dead put left behind stands in nobody's way.
        make_store(disk).put(KEY, b"again", Overwrite())
        assert read_state(disk) == {KEY.text: b"again"}
    assert operations > 5
    assert old.get(KEY.text) in seen


class TestFilesystemStoreOnMemoryDisk(ObjectStoreSuite):
    """The suite over `FilesystemStore` on a disk in memory: the two must mean the same by every call."""

    has_key_under_key = False
    create_race_threads = 4
    create_race_rounds = 3
    page_counts = (1_001,)
    stream_bytes = 200_000

    @pytest.fixture
    def store(self) -> FilesystemStore:
        disk = MemoryDisk(SystemClock())
        disk.mkdir("/data")
        return make_store(disk)

    def raw_get(self, store: ObjectStore, key: str) -> bytes | None:
        disk = self._disk(store)
        try:
            return disk.read_bytes(f"/data/{key}")
        except OSError:
            return None

    def raw_put(self, store: ObjectStore, key: str, body: bytes) -> None:
        disk = self._disk(store)
        disk.makedirs(f"/data/{key}".rpartition("/")[0])
        path = f"/data/{key}"
        with suppress(FileNotFoundError):
            disk.unlink(path)
        with disk.open_write(path, WriteMode.CREATE) as file:
            file.write(body)

    def raw_keys(self, store: ObjectStore) -> set[str]:
        return set(self._walk(self._disk(store), "/data"))

    def _walk(self, disk: MemoryDisk, directory: str) -> list[str]:
        found = []
        for entry in disk.scandir(directory):
            path = f"{directory}/{entry.name}"
            found += self._walk(disk, path) if entry.kind.value == "directory" else [path.removeprefix("/data/")]
        return found

    def _disk(self, store: ObjectStore) -> MemoryDisk:
        assert isinstance(store, FilesystemStore)
        assert isinstance(store._disk, MemoryDisk)
        return store._disk
