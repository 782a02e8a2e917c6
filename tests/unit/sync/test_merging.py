"""Files of JSON lines that several clones extend end with all lines and equal bytes everywhere."""

from __future__ import annotations

import hashlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swampsync.namespace import SOLO
from swampsync.sync.merging import MAX_BYTES, find_base, merge_contents
from swampsync.testing.dying_disk import DyingDisk, Killed
from tests.unit.sync.conftest import Desk, Team

Pair = tuple[Desk, Desk]
LOG = "audit/commands-2026-11-21.jsonl"


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def text(desk: Desk, path: str = LOG) -> str:
    desk.hydrate()
    return desk.copy.read(path).decode()


def append(desk: Desk, line: str, path: str = LOG) -> None:
    """Add a line to what the clone has, as whoever writes a log does."""
    known = path in desk.files()
    if known:
        desk.hydrate()
    desk.write_file(path, (desk.copy.read(path).decode() if known else "") + line + "\n")


def test_base_is_found_at_the_end_of_a_line_only() -> None:
    """The common part is the lines whose digest is known; half a line is no common part."""
    body = b'{"a":1}\n{"b":2}\n'
    assert find_base(body, digest(b'{"a":1}\n')) == b'{"a":1}\n'
    assert find_base(body, None) == b""
    assert find_base(body, digest(b'{"a":1}')) is None
    assert find_base(body, digest(b"other\n")) is None


def test_merge_that_was_begun_before_is_recognised() -> None:
    """A copy that holds the merge of an earlier try gives the same bytes again, with no line doubled."""
    base, theirs, ours = b"0\n", b"0\nt", b"0\no\n"
    merged = merge_contents(digest(base), theirs=theirs, ours=ours, recorded=digest(ours))
    assert merged == b"0\nt\no\n"
    assert merge_contents(digest(base), theirs=theirs, ours=merged, recorded=digest(ours)) == merged
    assert merge_contents(digest(base), theirs=theirs, ours=merged + b"x", recorded=digest(ours)) is None


def test_lines_of_both_sides_are_kept_in_order(pair: Pair) -> None:
    """What two clones added to the same log is there on both: base, theirs, ours, and no conflict copy."""
    ann, bob = pair
    append(ann, "0")
    ann.push()
    bob.pull()
    append(ann, "ann")
    append(bob, "bob")
    ann.push()
    bob.push()
    ann.pull()
    assert text(ann) == text(bob) == "0\nann\nbob\n"
    assert list(ann.files()) == [LOG]


def test_pull_says_what_it_merged(pair: Pair) -> None:
    """The report names merged files; what was merged is pending still."""
    ann, bob = pair
    append(ann, "ann")
    ann.push()
    append(bob, "bob")
    pulled = bob.pull()
    assert [path for applied in pulled.applied for path in applied.resolved.merged] == [LOG]
    (entry,) = bob.work.entries()
    assert (entry.path, entry.base, entry.claimed_at) == (LOG, digest(b"ann\n"), None)


def test_rewritten_log_is_kept_beside(pair: Pair) -> None:
    """A side that changed lines instead of adding some is no extension: both contents are kept."""
    ann, bob = pair
    append(ann, "0")
    ann.push()
    bob.pull()
    append(ann, "ann")
    ann.push()
    bob.write_file(LOG, "rewritten\n")
    bob.push()
    ann.pull()
    assert sorted(ann.files()) == [LOG, f"{LOG}.conflict-{digest(b'rewritten' + bytes([10]))[:8]}"]
    assert text(ann) == "0\nann\n"


def test_large_logs_are_kept_beside(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too large to be held in memory twice becomes a conflict copy."""
    assert MAX_BYTES == 32 << 20
    monkeypatch.setattr("swampsync.sync.merging.MAX_BYTES", 3)
    ann, bob = pair
    append(ann, "ann")
    ann.push()
    append(bob, "bob")
    bob.push()
    assert len(bob.files()) == 2


def test_merge_whose_object_is_missing_is_kept_beside(team: Team) -> None:
    """If their object is gone, our lines are kept beside and nothing is overwritten."""
    ann, bob = team.desk("ann"), team.desk("bob")
    append(ann, "ann")
    ann.push()
    (key,) = [info.key for info in team.memory.list("") if info.key.text.endswith(LOG)]
    team.memory.delete(key)
    append(bob, "bob")
    bob.push()
    assert len(bob.files()) == 2


@pytest.mark.holds("I11")
def test_merge_survives_a_kill_at_every_step_on_the_disk() -> None:
    """A process killed anywhere while it merges leaves a clone that ends with every line once."""
    lives = 0
    while True:
        team = Team(SOLO)
        ann, bob = team.desk("ann"), team.desk("bob")
        append(ann, "0")
        ann.push()
        bob.pull()
        append(bob, "bob")
        append(ann, "ann")
        ann.push()
        dying = DyingDisk(bob.disk, lives=lives)
        bob.use(bob.store, disk=dying)
        with suppress(Killed):
            bob.push()
        bob.use(bob.store)
        bob.push()
        ann.pull()
        assert text(ann) == text(bob) == "0\nann\nbob\n", lives
        team.close()
        if not dying.is_dead:
            break
        lives += 1
    assert lives >= 3


Steps = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["append", "push", "pull"])), max_size=14)


@settings(max_examples=25, deadline=None)
@given(steps=Steps)
def test_clones_converge_on_equal_bytes(steps: list[tuple[int, str]]) -> None:
    """Whatever three clones append, push and pull, in the end all have every line once, in one order."""
    team = Team(SOLO)
    desks = [team.desk(name) for name in ("ann", "bob", "cid")]
    written: list[str] = []
    for number, (who, act) in enumerate(steps):
        if act == "append":
            written.append(f"{desks[who].name}-{number}")
            append(desks[who], written[-1])
        elif act == "push":
            desks[who].push()
        else:
            desks[who].pull()
    for _ in range(2):
        for desk in desks:
            desk.push()
    for desk in desks:
        desk.pull()
    if written:
        contents = {text(desk) for desk in desks}
        assert len(contents) == 1
        lines = contents.pop().splitlines()
        assert sorted(lines) == sorted(written)
        for desk in desks:
            own = [line for line in lines if line.startswith(desk.name)]
            assert own == [line for line in written if line.startswith(desk.name)]
    team.close()
