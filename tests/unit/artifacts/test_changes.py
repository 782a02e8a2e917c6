from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import pytest

from swampsync.artifacts.metadata import Owner
from swampsync.disk import LocalDisk, WriteMode
from swampsync.errors import Conflict, DataError, InvalidInput, LeaseLost, NotFound, Refused
from swampsync.testing.memory_disk import MemoryDisk


def lose_after(calls: int) -> Any:
    """Make a check that says the lease is lost after that many calls."""
    left = iter(range(calls))

    def check() -> None:
        if next(left, None) is None:
            raise LeaseLost("gone")

    return check


def files(kit: Any) -> dict[str, bytes]:
    """Return the tree without empty directories."""
    return {name: data for name, data in kit.tree().items() if data}


# --- append ------------------------------------------------------------------------------------------


def test_append_extends_the_latest_version(kit: Any) -> None:
    """Content grows, number, id and creation time stay, size and checksum are rewritten."""
    first = kit.put("log", b"one\n", streaming=True)
    done = kit.store.append(kit.model, "log", io.BytesIO(b"two\n"))
    assert kit.get("log") == b"one\ntwo\n"
    assert (done.version, done.id, done.created_at) == (1, first.id, first.created_at)
    assert (done.size, done.checksum) == (8, hashlib.sha256(b"one\ntwo\n").hexdigest())
    assert kit.store.read(kit.model, "log") == done


def test_append_drops_what_a_dead_append_left(kit: Any) -> None:
    """Bytes beyond the size were never acknowledged: they do not come back."""
    kit.put("log", b"one\n", streaming=True)
    with kit.disk.open_write(f"{kit.path('log')}/1/raw", WriteMode.APPEND) as file:
        file.write(b"torn")
    assert kit.get("log") == b"one\n"
    kit.store.append(kit.model, "log", io.BytesIO(b"two\n"))
    assert kit.get("log") == b"one\ntwo\n"


def test_append_needs_a_streaming_version(kit: Any) -> None:
    """Nothing there, not for streaming, or deleted: an error that says which."""
    with pytest.raises(NotFound, match="has no version to append to"):
        kit.store.append(kit.model, "log", io.BytesIO(b""))
    kit.put("log", b"")
    with pytest.raises(Refused, match="not configured for streaming"):
        kit.store.append(kit.model, "log", io.BytesIO(b""))
    kit.put("old", b"", streaming=True)
    kit.store.rename(kit.model, "old", "new")
    with pytest.raises(NotFound):
        kit.store.append(kit.model, "old", io.BytesIO(b""))


def test_failed_append_leaves_the_version_as_it_was(kit: Any) -> None:
    """A lease lost at any point leaves readers the old content; a damaged version is not extended."""
    kit.put("log", b"one\n", streaming=True)
    before = files(kit)
    for calls in range(3):
        with pytest.raises(LeaseLost):
            kit.store.append(kit.model, "log", io.BytesIO(b"two\n"), check=lose_after(calls))
        assert kit.get("log") == b"one\n"
        assert {k: v for k, v in files(kit).items() if not k.endswith("raw")} == {
            k: v for k, v in before.items() if not k.endswith("raw")
        }
    kit.write(f"{kit.path('log')}/1/raw", b"ONE\n")
    with pytest.raises(DataError, match="SHA-256"):
        kit.store.append(kit.model, "log", io.BytesIO(b"two\n"))


# --- delete ------------------------------------------------------------------------------------------


def test_delete_of_the_latest_moves_the_marker_back(kit: Any) -> None:
    """Readers get the highest version that is left; the number is free below, not above."""
    for number in range(1, 5):
        kit.put("out", b"%d" % number)
    assert kit.store.delete_version(kit.model, "out", version=2).latest == 4
    done = kit.store.delete_version(kit.model, "out", version=4)
    assert (done.versions, done.latest, kit.marker("out")) == ((4,), 3, b"3")
    assert kit.get("out") == b"3"
    with pytest.raises(NotFound, match=r"available versions: 1, 3"):
        kit.store.delete_version(kit.model, "out", version=2)


def test_delete_ignores_bare_directories_for_the_marker(kit: Any) -> None:
    """A number that a dead writer claimed never becomes the latest, and can be swept."""
    kit.put("out", b"1")
    kit.put("out", b"2")
    kit.disk.mkdir(f"{kit.path('out')}/3")
    assert kit.store.delete_version(kit.model, "out", version=2).latest == 1
    assert kit.store.delete_versions(kit.model, "out", kit.store.scan(kit.model, "out").incomplete).versions == (3,)
    assert kit.store.scan(kit.model, "out").highest == 1


def test_deleted_data_frees_its_bytes(kit: Any) -> None:
    """Core fact 10.1.5: a delete removes files and directories, not just the marker, and says how much."""
    first = kit.put("out", b"x" * 1_000)
    kit.put("out", b"y" * 500)
    kit.write(f"{kit.path('out')}/.latest.x.tmp", b"left by a dead writer")
    before = sum(map(len, kit.tree().values()))
    done = kit.store.delete_version(kit.model, "out", version=1)
    assert done.bytes_freed == before - sum(map(len, kit.tree().values())) > 1_000
    done = kit.store.delete_artifact(kit.model, "out")
    assert (done.versions, done.latest) == ((2,), None)
    assert files(kit) == {}
    assert kit.store.list_versions(kit.model, "out") == ()
    with pytest.raises(NotFound, match="no data named `out`"):
        kit.store.delete_artifact(kit.model, "out")
    assert kit.put("out", b"", floor=2).version == 3
    assert first.version == 1


def test_delete_of_the_last_version_removes_the_artifact(kit: Any) -> None:
    """No directory, marker or temporary file stays."""
    kit.put("out", b"x")
    assert kit.store.delete_version(kit.model, "out", version=1).latest is None
    with pytest.raises(FileNotFoundError):
        kit.disk.stat(kit.path("out"))


def test_delete_stops_when_the_lease_is_lost(kit: Any) -> None:
    """Whenever the check fails, what is left is whole and readable."""
    for calls in range(8):
        kit.put("out", b"1")
        kit.put("out", b"2")
        with pytest.raises(LeaseLost):
            kit.store.delete_artifact(kit.model, "out", check=lose_after(calls % 4))
        scan = kit.store.scan(kit.model, "out")
        assert scan.problems == ()
        assert kit.get("out")


# --- rename ------------------------------------------------------------------------------------------


def test_rename_copies_the_latest_and_leaves_a_tombstone(kit: Any) -> None:
    """The new name gets a fresh version 1, the old one a version that forwards, both as swamp writes them."""
    kit.put("old", b"1")
    latest = kit.put("old", b"2", tags={"type": "resource", "a": "b"}, owner=Owner("manual", "me", step_name="s"))
    done = kit.store.rename(kit.model, "old", "new")
    assert done.copied == latest
    assert (done.new.name, done.new.version, done.new.tags, done.new.owner) == ("new", 1, latest.tags, latest.owner)
    assert done.new.id != latest.id
    assert done.new.created_at > latest.created_at
    tombstone = kit.store.list_versions(kit.model, "old")[-1]
    assert tombstone == done.tombstone
    assert (tombstone.version, tombstone.id, tombstone.lifecycle, tombstone.renamed_to) == (
        3,
        latest.id,
        "deleted",
        "new",
    )
    assert (tombstone.content_type, tombstone.size, tombstone.checksum) == ("application/json", None, None)
    raw = kit.disk.read_bytes(f"{kit.path('old')}/3/raw")
    assert raw == json.dumps({"renamedTo": "new", "renamedAt": tombstone.created_at}, separators=(",", ":")).encode()
    assert (kit.marker("old"), kit.marker("new")) == (b"3", b"1")
    assert (kit.get("old"), kit.store.read(kit.model, "old").name, kit.get("old", 1)) == (b"2", "new", b"1")


def test_history_follows_old_names(kit: Any) -> None:
    """The versions of a name come newest first, then those of what was renamed to it, tombstones included."""
    kit.put("a", b"1")
    kit.put("a", b"2")
    kit.store.rename(kit.model, "a", "b")
    kit.put("b", b"3")
    kit.store.rename(kit.model, "b", "c")
    kit.put("other", b"")
    names = [(m.name, m.version) for m in kit.store.history(kit.model, "c", follow=True)]
    assert names == [("c", 1), ("b", 3), ("b", 2), ("b", 1), ("a", 3), ("a", 2), ("a", 1)]
    assert [(m.name, m.version) for m in kit.store.history(kit.model, "c")] == [("c", 1)]


def test_writing_to_an_old_name_supersedes_the_forward(kit: Any) -> None:
    """A put after a rename makes the old name an artifact of its own again."""
    kit.put("old", b"1")
    kit.store.rename(kit.model, "old", "new")
    assert kit.put("old", b"own").version == 3
    assert (kit.get("old"), kit.get("new")) == (b"own", b"1")


def test_rename_to_a_name_in_use_is_a_conflict(kit: Any) -> None:
    """A name with a version, or one that forwards to a version, is taken; a deleted one is free."""
    kit.put("a", b"a")
    kit.put("b", b"b")
    with pytest.raises(Conflict, match="data `b` already exists"):
        kit.store.rename(kit.model, "a", "b")
    with pytest.raises(Conflict):
        kit.store.rename(kit.model, "a", "a")
    kit.store.rename(kit.model, "a", "c")
    with pytest.raises(Conflict, match="data `a` already exists: it forwards to `c`"):
        kit.store.rename(kit.model, "c", "a")
    with pytest.raises(NotFound, match="data `a` not found; it was renamed to `c`"):
        kit.store.rename(kit.model, "a", "d")
    with pytest.raises(NotFound, match="data `x` not found"):
        kit.store.rename(kit.model, "x", "d")
    with pytest.raises(InvalidInput):
        kit.store.rename(kit.model, "c", "latest")
    kit.store.delete_artifact(kit.model, "a")
    assert kit.store.rename(kit.model, "c", "a").new.version == 1


def test_failed_rename_leaves_both_names_as_they_were(kit: Any) -> None:
    """Core fact 10.1.6: whenever a rename fails, the copy is taken back and no tombstone stays."""
    kit.put("old", b"1")
    before = files(kit)
    for calls in range(5):
        with pytest.raises(LeaseLost):
            kit.store.rename(kit.model, "old", "new", check=lose_after(calls))
        assert files(kit) == before
        assert kit.get("old") == b"1"
    assert kit.store.rename(kit.model, "old", "new", check=lose_after(5)).new.version == 1


def test_forwards_are_followed_five_times(kit: Any) -> None:
    """Core fact 10.1.6: a longer chain of renames is an error that says where it ends, never silence."""
    kit.put("n0", b"x")
    for number in range(6):
        kit.store.rename(kit.model, f"n{number}", f"n{number + 1}")
    assert kit.store.read(kit.model, "n1").name == "n6"
    with pytest.raises(NotFound, match="`n0` was renamed more than 5 times; the trail ends at `n6`"):
        kit.store.read(kit.model, "n0")


def test_forward_out_of_the_model_is_refused(kit: Any) -> None:
    """A tombstone cannot lead readers to another directory."""
    kit.put("old", b"x")
    kit.store.rename(kit.model, "old", "new")
    path = f"{kit.path('old')}/2/metadata.yaml"
    kit.write(path, kit.disk.read_bytes(path).replace(b"renamedTo: new", b"renamedTo: ../../x"))
    with pytest.raises(DataError, match="no artifact's name"):
        kit.get("old")


# --- latest under races --------------------------------------------------------------------------------


class Racing(MemoryDisk):
    """A disk on which a competitor publishes a higher version just before our `latest` is renamed."""

    competitor: Any = None

    def rename(self, source: str, target: str) -> None:
        if target.endswith("/latest") and self.competitor is not None:
            compete, self.competitor = self.competitor, None
            compete()
        super().rename(source, target)


def test_marker_moved_back_by_a_race_is_put_right(kit: Any) -> None:
    """Whoever renames a lower marker over a higher one looks again and repairs it before it returns."""
    disk = Racing(kit.clock)
    disk.makedirs("/base")
    disk.makedirs("/repo/.swamp")
    own = type(kit)(disk, kit.layout)
    own.put("out", b"1")
    disk.competitor = lambda: own.put("out", b"3", floor=8)
    assert own.put("out", b"2").version == 2
    assert own.marker("out") == b"9"
    assert own.get("out") == b"3"


def test_local_disk_gives_the_same_results(local_kit: Any) -> None:
    """Put, append, rename, delete and read work alike on the real disk."""
    assert isinstance(local_kit.disk, LocalDisk)
    local_kit.put("log", b"1", streaming=True)
    local_kit.store.append(local_kit.model, "log", io.BytesIO(b"2"))
    local_kit.store.rename(local_kit.model, "log", "new")
    local_kit.put("new", b"3")
    local_kit.store.delete_version(local_kit.model, "new", version=2)
    assert (local_kit.get("log"), local_kit.get("new")) == (b"12", b"12")
    assert [m.version for m in local_kit.store.history(local_kit.model, "new", follow=True)] == [1, 2, 1]
    local_kit.store.delete_artifact(local_kit.model, "log")
    assert not [name for name in local_kit.tree() if ".tmp" in name or "log" in name]
