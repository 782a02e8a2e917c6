"""What somebody changed in the copy without a command is never replaced or removed by what others did."""

from __future__ import annotations

from swampsync.catalog.files import FileState
from swampsync.disk import WriteMode
from swampsync.layout import Layout
from swampsync.log.checkpointing import Checkpointer
from swampsync.sync.hydrate import Hydrator
from swampsync.sync.position import read_position
from swampsync.sync.pull import Pulled
from swampsync.sync.push_plan import PushLimits
from tests.unit.sync.conftest import MODEL, Desk

CONFIRMED = PushLimits(is_confirmed=True)
FILE = "outputs/report.txt"
CONFIRMED = PushLimits(is_confirmed=True)


def version_file(name: str, number: int, file: str = "raw") -> str:
    return f"{Layout.version_path(MODEL.type, MODEL.id, name, number)}/{file}"


def edit(desk: Desk, path: str, content: str, mode: WriteMode = WriteMode.TRUNCATE) -> None:
    """Change a file of the copy as an editor does."""
    desk.clock.sleep(1.0)
    with desk.disk.open_write(desk.copy.path(path), mode) as file:
        file.write(content.encode())


def share(ann: Desk, bob: Desk, path: str = FILE) -> None:
    """Let both have a file, published by one."""
    ann.write_file(path, "first\n")
    ann.push(CONFIRMED)
    bob.pull()
    assert bob.hydrate().failures == []


def share_version(ann: Desk, bob: Desk, name: str = "state") -> None:
    ann.put(name, "first")
    ann.push(CONFIRMED)
    bob.pull()
    assert bob.hydrate().failures == []


def aside(desk: Desk, path: str) -> str:
    """Read what was kept aside."""
    return desk.disk.read_bytes(f"{_aside_root(desk)}/{path}").decode()


def _aside_root(desk: Desk) -> str:
    return "/".join(filter(None, ("/repo/.swamp/kept-aside", desk.namespace.name)))


def told(desk: Desk, pulled: Pulled) -> list[tuple[str, str]]:
    """Name what a pull reports as kept aside; each place is there."""
    found = [pair for applied in pulled.applied for pair in applied.resolved.kept_aside]
    for _, where in found:
        assert desk.disk.stat(f"/repo/{where}").size > 0
    return found


def place(desk: Desk, path: str) -> str:
    return f"{_aside_root(desk)}/{path}".removeprefix("/repo/")


def test_an_edited_file_that_others_changed_is_kept(pair: tuple[Desk, Desk]) -> None:
    """Theirs comes, what was edited by hand lies aside, and the pull names it."""
    ann, bob = pair
    share(ann, bob)
    edit(bob, FILE, "bob's own\n")
    ann.write_file(FILE, "second\n")
    ann.push(CONFIRMED)
    assert told(bob, bob.pull()) == [(FILE, place(bob, FILE))]
    bob.hydrate()
    assert bob.copy.read(FILE) == b"second\n"
    assert aside(bob, FILE) == "bob's own\n"


def test_an_edited_file_that_others_removed_is_kept(pair: tuple[Desk, Desk]) -> None:
    """It is gone from its place, and lies aside."""
    ann, bob = pair
    share(ann, bob)
    edit(bob, FILE, "bob's own\n")
    ann.remove_file(FILE)
    ann.push(CONFIRMED)
    assert told(bob, bob.pull()) == [(FILE, place(bob, FILE))]
    assert bob.copy.stat(FILE) is None
    assert aside(bob, FILE) == "bob's own\n"


def test_a_second_edit_does_not_replace_the_first(pair: tuple[Desk, Desk]) -> None:
    """What was kept aside stays when the same file is kept aside again."""
    ann, bob = pair
    share(ann, bob)
    for number in (1, 2):
        edit(bob, FILE, f"edit {number}\n")
        ann.write_file(FILE, f"ann {number}\n")
        ann.push(CONFIRMED)
        bob.pull()
        bob.hydrate()
    assert (aside(bob, FILE), aside(bob, f"{FILE}~2")) == ("edit 1\n", "edit 2\n")


def test_a_file_of_other_times_and_the_same_content_is_not_kept(pair: tuple[Desk, Desk]) -> None:
    """Only content counts: what was touched or copied holds nothing of its own."""
    ann, bob = pair
    share(ann, bob)
    share_version(ann, bob)
    edit(bob, FILE, "first\n")
    edit(bob, version_file("state", 1), "first")
    ann.remove_file(FILE)
    ann.delete("state", 1)
    ann.push(CONFIRMED)
    assert told(bob, bob.pull()) == []
    assert bob.copy.stat(FILE) is None
    assert bob.copy.stat(version_file("state", 1)) is None


def test_an_edited_version_that_others_removed_is_kept(pair: tuple[Desk, Desk]) -> None:
    """Of a version that gc elsewhere removes, content, metadata and strangers that were changed are kept."""
    ann, bob = pair
    for name in ("content", "metadata", "stranger", "clean"):
        share_version(ann, bob, name)
    edit(bob, version_file("content", 1), "bob's own")
    mine = bob.copy.read(version_file("metadata", 1, "metadata.yaml")).decode().replace("infinite", "30d")
    edit(bob, version_file("metadata", 1, "metadata.yaml"), mine)
    edit(bob, version_file("stranger", 1, "notes.txt"), "read me", WriteMode.CREATE)
    edit(bob, version_file("stranger", 1, ".raw.swp"), "an editor's", WriteMode.CREATE)
    for name in ("content", "metadata", "stranger", "clean"):
        ann.delete(name, 1)
    ann.push(CONFIRMED)
    kept = [
        version_file("content", 1),
        version_file("metadata", 1, "metadata.yaml"),
        version_file("stranger", 1, "notes.txt"),
    ]
    assert told(bob, bob.pull()) == [(path, place(bob, path)) for path in kept]
    assert [aside(bob, path) for path in kept] == ["bob's own", mine, "read me"]
    assert not any(bob.disk_has(name) for name in ("content", "metadata", "stranger", "clean"))


def test_what_lies_where_content_comes_is_kept(pair: tuple[Desk, Desk]) -> None:
    """Fetching replaces nothing that it does not know: neither a file, nor a version's two."""
    ann, bob = pair
    ann.write_file(FILE, "ann's\n")
    ann.put("state", "ann's")
    ann.push(CONFIRMED)
    bob.pull()
    for path in (FILE, version_file("state", 1), version_file("state", 1, "metadata.yaml")):
        bob.disk.makedirs(bob.copy.path(path).rpartition("/")[0])
        edit(bob, path, f"mine: {path}", WriteMode.CREATE)
    hydrated = bob.hydrate()
    assert (hydrated.files, hydrated.failures) == (2, [])
    paths = sorted((FILE, version_file("state", 1), version_file("state", 1, "metadata.yaml")))
    assert sorted(hydrated.kept_aside) == [(path, place(bob, path)) for path in paths]
    assert [aside(bob, path) for path in paths] == [f"mine: {path}" for path in paths]
    assert bob.copy.read(FILE) == b"ann's\n"
    assert bob.versions("state") == {1: "ann's"}


def test_fetching_what_is_here_already_keeps_nothing(pair: tuple[Desk, Desk]) -> None:
    """Content that a fetch wrote and did not live to note is the same content."""
    ann, bob = pair
    share(ann, bob)
    share_version(ann, bob)
    known = bob.state.files.all(bob.namespace.name)
    remote = [r._replace(state=FileState.REMOTE, mtime_ns=0, ctime_ns=0, inode=0) for r in known]
    bob.state.files.put(remote)
    hydrated = bob.hydrate()
    assert (hydrated.files, hydrated.kept_aside) == (2, [])


def test_reading_an_edited_version_keeps_the_edit(pair: tuple[Desk, Desk]) -> None:
    """A reader gets what the log names; the edit lies aside instead of being fetched over."""
    ann, bob = pair
    share_version(ann, bob)
    edit(bob, version_file("state", 1), "bob's own")
    hydrator = Hydrator(bob.clone, bob.copy)
    hydrator.require(version_file("state", 1))
    assert bob.copy.read(version_file("state", 1)) == b"first"
    assert hydrator.kept.moved == [(version_file("state", 1), place(bob, version_file("state", 1)))]
    assert aside(bob, version_file("state", 1)) == "bob's own"


def test_beginning_from_a_checkpoint_keeps_edits(pair: tuple[Desk, Desk]) -> None:
    """So far behind that single commits are not looked at, edits of what went and changed are kept all the same."""
    ann, bob = pair
    share(ann, bob)
    for name in ("content", "metadata", "clean"):
        share_version(ann, bob, name)
    edit(bob, FILE, "bob's own\n")
    edit(bob, version_file("content", 1), "bob's own")
    mine = bob.copy.read(version_file("metadata", 1, "metadata.yaml")).decode().replace("infinite", "30d")
    edit(bob, version_file("metadata", 1, "metadata.yaml"), mine)
    ann.write_file(FILE, "second\n")
    for name in ("content", "metadata", "clean"):
        ann.delete(name, 1)
    ann.push(CONFIRMED)
    Checkpointer(ann.clone.log, ann.clock, ann.ids, "test").write(read_position(ann.clone))
    bob.state.positions.remove(bob.namespace.name)
    pulled = bob.pull()
    assert pulled.checkpoint == read_position(ann.clone).seq
    paths = [version_file("content", 1), version_file("metadata", 1, "metadata.yaml"), FILE]
    assert sorted(told(bob, pulled)) == sorted((path, place(bob, path)) for path in paths)
    assert [aside(bob, path) for path in paths] == ["bob's own", mine, "bob's own\n"]


def test_lines_added_by_hand_to_pending_work_are_kept(pair: tuple[Desk, Desk]) -> None:
    """A conflict copy holds what was recorded; the file with the lines that were added since lies aside."""
    ann, bob = pair
    path = "audit/log.txt"
    ann.write_file(path, "ann\n")
    bob.write_file(path, "bob\n")
    edit(bob, path, "and by hand\n", WriteMode.APPEND)
    ann.push(CONFIRMED)
    pulled = bob.pull()
    ((old, beside),) = [pair for applied in pulled.applied for pair in applied.resolved.kept_beside]
    assert (old, bob.copy.read(beside)) == (path, b"bob\n")
    assert told(bob, pulled) == [(path, place(bob, path))]
    assert aside(bob, path) == "bob\nand by hand\n"


def test_bytes_added_by_hand_to_a_pending_version_are_not_cut_off(pair: tuple[Desk, Desk]) -> None:
    """Only a streaming version may have a killed append's rest behind it: another one is refused, and left as it is."""
    ann, _ = pair
    ann.put("state", "recorded")
    edit(ann, version_file("state", 1), " and more", WriteMode.APPEND)
    ((path, reason),) = ann.push(CONFIRMED).failures
    assert path == version_file("state", 1).removesuffix("/raw") or path == version_file("state", 1)
    assert "sync --scan" in reason
    assert ann.copy.read(version_file("state", 1)) == b"recorded and more"


def test_renumbering_keeps_an_edit_of_the_version_that_moves(pair: tuple[Desk, Desk]) -> None:
    """The version gets its next number as it was recorded; what somebody laid beside it is kept aside."""
    ann, bob = pair
    ann.put("state", "ann's")
    bob.put("state", "bob's")
    edit(bob, version_file("state", 1, "notes.txt"), "read me", WriteMode.CREATE)
    ann.push(CONFIRMED)
    pulled = bob.pull()
    notes = version_file("state", 1, "notes.txt")
    assert told(bob, pulled) == [(notes, place(bob, notes))]
    assert bob.versions("state") == {1: "ann's", 2: "bob's"}
