"""The state database remembers what the tree cannot tell."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from swampsync.catalog import feed as feeds
from swampsync.catalog.feed import REMOVE, UPSERT
from swampsync.catalog.files import FileRecord, FileState
from swampsync.catalog.metadata_rows import MetadataRow
from swampsync.catalog.migrations import Migration, applied, migrate
from swampsync.catalog.records import Position
from swampsync.catalog.rows import ArtifactKey
from swampsync.catalog.signatures import ARTIFACT, MODEL, Signature
from swampsync.catalog.state import SyncState
from swampsync.catalog.state_schema import MIGRATIONS
from swampsync.clock import SystemClock
from swampsync.disk import LocalDisk
from swampsync.errors import DataError

KEY = ArtifactKey("infra", "command/shell", "m-1", "state")
FOREIGN = KEY._replace(namespace="app")


@pytest.fixture
def open_state() -> Iterator[Callable[[str], SyncState]]:
    opened: list[SyncState] = []

    def open_one(path: str) -> SyncState:
        state = SyncState.open(path, disk=LocalDisk(), clock=SystemClock(), rng=Random(1))
        opened.append(state)
        return state

    yield open_one
    for state in opened:
        state.close()


@pytest.fixture
def state(open_state: Callable[[str], SyncState]) -> SyncState:
    return open_state(":memory:")


def make_file(path: str, state: FileState = FileState.PENDING, namespace: str = "infra") -> FileRecord:
    return FileRecord(namespace, path, state, 1, 2, 3, 10, "ab" * 32, None, None)


def make_signature(path: str, kind: str = ARTIFACT, namespace: str = "infra", row_count: int = 0) -> Signature:
    return Signature(namespace, 0, path, kind, 1, 2, 3, 0, 0, 0, 0, row_count, 1, "2026-11-21T09:00:00.000Z")


def test_highest_versions_never_go_down(state: SyncState) -> None:
    """A lower number than known changes nothing, and every artifact has a number of its own."""
    assert state.highest.find(KEY) == 0
    state.highest.raise_to([(KEY, 4), (FOREIGN, 9)])
    state.highest.raise_to([(KEY, 2)])
    assert (state.highest.find(KEY), state.highest.find(FOREIGN)) == (4, 9)


def test_feed_numbers_changes_in_order(state: SyncState) -> None:
    """A follower that remembers a number gets what came after, of all namespaces or of one."""
    assert (state.feed.last(), state.feed.first()) == (0, 1)
    state.feed.record([(UPSERT, KEY, 1), (UPSERT, FOREIGN, 1)])
    state.feed.record([(REMOVE, KEY, 1)])
    state.feed.record([])
    assert [(e.seq, e.op, e.namespace, e.version) for e in state.feed.after(1)] == [
        (2, "upsert", "app", 1),
        (3, "remove", "infra", 1),
    ]
    assert [e.seq for e in state.feed.after(0, namespace="infra")] == [1, 3]
    assert state.feed.last() == 3


def test_feed_is_trimmed_by_count_and_its_numbers_go_on(state: SyncState, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old entries go, their numbers are not given again, and a follower can see that it missed some."""
    monkeypatch.setattr(feeds, "KEPT_ENTRIES", 5)
    state.feed.record([(UPSERT, KEY, v) for v in range(1, 1_003)])
    assert (state.feed.first(), state.feed.last()) == (998, 1_002)
    state.feed.record([(UPSERT, KEY, 2_000)])
    assert state.feed.last() == 1_003


def test_files_are_found_by_path_state_and_directory(state: SyncState) -> None:
    """Records of own and foreign files do not mix, whatever is asked."""
    state.files.put(
        [
            make_file("data/a/1/raw"),
            make_file("data/a/1/metadata.yaml", FileState.SYNCED),
            make_file("data/a-b/1/raw"),
            make_file("data/a/1/raw", FileState.REMOTE, "app"),
        ]
    )
    found = state.files.find("app", "data/a/1/raw")
    assert found is not None
    assert found.state is FileState.REMOTE
    assert found.signature == (1, 2, 3)
    assert [r.path for r in state.files.of_state("infra", FileState.PENDING)] == ["data/a-b/1/raw", "data/a/1/raw"]
    assert [r.path for r in state.files.under("infra", "data/a")] == ["data/a/1/metadata.yaml", "data/a/1/raw"]
    assert [r.path for r in state.files.all("infra", chunk=1)] == [r.path for r in state.files.under("infra", "")]
    assert state.files.count("infra") == {FileState.PENDING: (2, 20), FileState.SYNCED: (1, 10)}
    state.files.remove("infra", ["data/a/1/raw"])
    assert state.files.find("infra", "data/a/1/raw") is None
    state.files.remove_namespace("infra")
    assert state.files.count("app") == {FileState.REMOTE: (1, 10)}


def test_signatures_of_a_subtree(state: SyncState) -> None:
    """A subtree is the directory and what lies below it, not a neighbour whose name begins alike."""
    paths = ["a/m", "a/m/state", "a/m-2", "a/m-2/state"]
    state.signatures.put([make_signature(p, MODEL if p.count("/") == 1 else ARTIFACT) for p in paths])
    state.signatures.put([make_signature("a/m", MODEL, "app")])
    assert sorted(state.signatures.under("infra", 0, path="a/m")) == ["a/m", "a/m/state"]
    assert sorted(state.signatures.under("infra", 0, path="")) == sorted(paths)
    assert state.signatures.under("infra", 1, path="") == {}
    assert not state.signatures.has_rows("infra")
    state.signatures.put([make_signature("a/m/state", row_count=2)])
    assert state.signatures.has_rows("infra")
    state.signatures.remove("infra", 0, paths=["a/m/state"])
    assert state.signatures.find("infra", 0, path="a/m/state") is None
    state.signatures.remove_namespace("infra")
    assert state.signatures.find("app", 0, path="a/m") is not None


def test_metadata_keeps_the_exact_text(state: SyncState) -> None:
    """JSON and, where it differs from our rendering, the bytes of the file come back as they were."""
    rows = [
        MetadataRow(*KEY, 2, "{}", b"id: x\n"),
        MetadataRow(*KEY, 1, '{"a":1}', None),
        MetadataRow(*FOREIGN, 1, "[]", None),
    ]
    state.metadata.put(rows)
    assert state.metadata.find(KEY, 2) == rows[0]
    assert [m.version for m in state.metadata.of_artifact(KEY)] == [1, 2]
    state.metadata.remove([(KEY, 1)])
    assert [m.version for m in state.metadata.of_artifact(KEY)] == [2]
    state.metadata.remove_namespace("infra")
    assert state.metadata.find(FOREIGN, 1) == rows[2]


def test_positions_stand_in_the_transaction_they_belong_to(state: SyncState) -> None:
    """A position that is written with what it stands for goes back with it."""
    state.positions.put(Position("infra", 4, "c4", "e4", "t"))
    with pytest.raises(ValueError, match="stop"), state.atomic():  # noqa: PT012  (the block fails half-way)
        state.positions.put(Position("infra", 5, "c5", "e5", "t"))
        raise ValueError("stop")
    assert state.positions.find("infra") == Position("infra", 4, "c4", "e4", "t")
    state.positions.put(Position("app", 1, "a", "b", "t"))
    assert [p.namespace for p in state.positions.all()] == ["app", "infra"]
    state.positions.remove("infra")
    assert state.positions.find("infra") is None


def test_dead_letters_count_attempts(state: SyncState) -> None:
    """Each failure counts, the first time and the last error stay."""
    state.dead_letters.record("infra", "data/x", error="one")
    state.dead_letters.record("infra", "data/x", error="two")
    state.dead_letters.record("app", "data/x", error="other")
    (letter,) = state.dead_letters.of_namespace("infra")
    assert (letter.attempts, letter.last_error) == (2, "two")
    assert letter.first_at <= letter.last_at
    state.dead_letters.remove("infra", ["data/x"])
    assert state.dead_letters.of_namespace("infra") == []
    assert len(state.dead_letters.of_namespace("app")) == 1


def test_json_content_is_kept_by_digest(state: SyncState) -> None:
    """Documents are kept once, and what is missing of many is asked in one go."""
    state.json_content.put([("d1", 2, "{}"), ("d1", 2, "[]")])
    assert state.json_content.find("d1") == "{}"
    digests = [f"d{n}" for n in range(1_200)]
    assert state.json_content.missing(digests) == [d for d in digests if d != "d1"]
    state.json_content.remove_all()
    assert state.json_content.find("d1") is None


def test_settings_are_set_and_removed(state: SyncState) -> None:
    """A value is replaced, and `None` removes it."""
    assert state.settings.find("k") is None
    state.settings.put("k", "1")
    state.settings.put("k", "2")
    assert state.settings.find("k") == "2"
    state.settings.put("k", None)
    assert state.settings.find("k") is None


def test_unreadable_state_is_set_aside_and_begun_anew(tmp_path: Path, open_state: Callable[[str], SyncState]) -> None:
    """A state that cannot be read is kept under another name and reported."""
    path = tmp_path / "_sync.db"
    path.write_bytes(b"not a database at all, but long enough to look like a file" * 90)
    state = open_state(str(path))
    state.settings.put("k", "v")
    (notice,) = state.notices
    assert notice.path == str(path)
    assert Path(notice.kept_as).read_bytes().startswith(b"not a database")


def test_state_of_a_newer_version_is_refused_and_left_alone(
    tmp_path: Path, open_state: Callable[[str], SyncState]
) -> None:
    """It may know of pending work, so an older program does not set it aside."""
    path = str(tmp_path / "_sync.db")
    first = open_state(path)
    first.settings.put("k", "v")
    first.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO migrations VALUES ('9999-later', 99)")
        connection.commit()
    with pytest.raises(DataError, match="newer version"):
        open_state(path).settings.find("k")
    assert sorted(p.name for p in tmp_path.glob("*.db*") if "corrupt" in p.name) == []


def test_migrations_are_applied_once_and_together_with_their_record() -> None:
    """A step that fails leaves neither tables nor a record; later steps follow those that were applied."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        assert applied(connection) == []
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, [Migration("1", "CREATE TABLE a (x);\nCREATE TABLE a (x)")])
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        migrate(connection, MIGRATIONS)
        later = (*MIGRATIONS, Migration("2", "CREATE TABLE a (x)"))
        migrate(connection, later)
        migrate(connection, later)
        assert applied(connection) == [*(step.name for step in MIGRATIONS), "2"]


@pytest.mark.parametrize("table", ["directory_signatures", "files"])
def test_subtrees_are_ranges_of_the_key(state: SyncState, table: str) -> None:
    """Asking for one directory's records does not go through those of its namespace."""
    statements: list[str] = []
    with state.database.read() as connection:
        connection.set_trace_callback(statements.append)
        state.signatures.under("infra", 0, path="a/m")
        state.files.under("infra", "data/a")
        connection.set_trace_callback(None)
        (statement,) = [text for text in statements if f"FROM {table} " in text]
        plan = [detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
    assert [d for d in plan if "SEARCH" in d and ("path=?" in d or "path>?" in d)] == [d for d in plan if table in d], (
        plan
    )
