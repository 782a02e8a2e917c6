"""Content that is pending while something happens to its file: it is published as it was recorded, or kept."""

from __future__ import annotations

from swampsync.disk import WriteMode
from tests.unit.sync.conftest import MODEL, Desk, Team

Pair = tuple[Desk, Desk]


def raw(name: str, number: int = 1) -> str:
    return f"data/{MODEL.type}/{MODEL.id}/{name}/{number}/raw"


def extend(desk: Desk, path: str, more: bytes) -> None:
    """Do what an append does before it is killed."""
    with desk.disk.open_write(desk.copy.path(path), WriteMode.APPEND) as file:
        file.write(more)


def damage(desk: Desk, path: str) -> None:
    with desk.disk.open_write(desk.copy.path(path), WriteMode.TRUNCATE) as file:
        file.write(b"damaged")


def test_killed_append_to_a_pending_version_is_undone_by_its_push(pair: Pair) -> None:
    """Bytes that a killed append left behind a pending version are not published, and do not keep it from being."""
    ann, bob = pair
    ann.put("log", "begin", streaming=True)
    extend(ann, raw("log"), b" and what nobody was told of")
    assert ann.push().failures == []
    assert ann.copy.read(raw("log")) == b"begin"
    bob.pull()
    assert bob.versions("log") == {1: "begin"}


def test_killed_append_to_a_large_pending_version_is_undone_by_its_push(pair: Pair) -> None:
    """The same where content is streamed up."""
    ann, bob = pair
    content = "0123456789abcdef" * (5 * 1024 * 1024 // 16)
    ann.put("log", content, streaming=True)
    extend(ann, raw("log"), b"more")
    assert ann.push().failures == []
    stat = ann.copy.stat(raw("log"))
    assert stat is not None
    assert stat.size == len(content)
    bob.pull()
    assert bob.versions("log") == {1: content}


def test_killed_append_survives_a_renumbering(pair: Pair) -> None:
    """A pending version with such bytes keeps its content when its number is taken by somebody else."""
    ann, bob = pair
    ann.put("log", "ann", streaming=True)
    extend(ann, raw("log"), b" more")
    bob.put("log", "bob")
    bob.push()
    assert ann.push().failures == []
    bob.pull()
    assert bob.versions("log") == ann.versions("log") == {1: "bob", 2: "ann"}


def test_content_that_cannot_be_copied_moves_with_its_number(team: Team, pair: Pair) -> None:
    """A pending file that is not what was recorded is moved, reported, and never overwritten by others' content."""
    ann, bob = pair
    ann.put("state", "ann")
    ann.write_file("files/x", "ann")
    damage(ann, raw("state"))
    damage(ann, "files/x")
    bob.put("state", "bob")
    bob.write_file("files/x", "bob")
    bob.push()
    pushed = ann.push()
    assert sorted(path.rpartition("/")[2].partition("-")[0] for path, _ in pushed.failures) == ["2", "x.conflict"]
    assert ann.versions("state")[1] == "bob"
    assert ann.copy.read(raw("state", 2)) == b"damaged"
    (path,) = (path for path, _ in pushed.failures if path.startswith("files/"))
    assert ann.copy.read(path) == b"damaged"
    assert [letter.attempts for letter in ann.state.dead_letters.of_namespace(team.namespace.name)] == [1, 1]


def test_what_changes_again_waits_since_the_first_time(pair: Pair) -> None:
    """An append to a pending version, or another edit of a file, does not make it younger; a removal is new."""
    ann, _ = pair
    ann.put("log", "a", streaming=True)
    ann.write_file("files/x", "1")
    began = {entry.path: entry.at for entry in ann.work.entries()}
    ann.clock.advance(60)
    for entry in ann.work.entries():
        ann.work.put(entry.path, is_version=entry.is_version, kind="put")
    assert {entry.path: entry.at for entry in ann.work.entries()} == began
    ann.push()
    ann.write_file("files/x", "2")
    (edit,) = ann.work.entries()
    ann.clock.advance(60)
    ann.remove_file("files/x")
    (removal,) = ann.work.entries()
    assert (edit.op.value, removal.op.value, removal.at > edit.at) == ("put", "remove", True)
