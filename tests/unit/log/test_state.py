from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from swampsync.log.commit import CommitDraft, make_commit
from swampsync.log.rows import ArtifactRow, FilePut, Highest, Removal, Row, UsedPath
from swampsync.log.state import FileState, NamespaceState
from tests.unit.log.conftest import artifact_path, digest, draft, file_put, remove_version, version


def apply(state: NamespaceState, plan: CommitDraft) -> None:
    commit = make_commit(
        plan,
        seq=state.seq + 1,
        commit_id=f"c-{state.seq + 1}",
        parent=state.commit_id or None,
        namespace="infra",
        at="2026-11-21T09:30:00.000Z",
    )
    state.apply(commit, plan.rows())


def test_state_knows_files_versions_and_where_their_objects_lie() -> None:
    """The replay of commits tells what exists, how large, with what digest, under which key."""
    state = NamespaceState()
    row, raw = version("state", 1, "content")
    apply(state, draft((row, raw), put=[file_put("files/a", "A", key="files/a~1a2b3c4d")]))
    assert state.files == {
        raw.path: FileState(7, digest("content"), None),
        "files/a": FileState(1, digest("A"), "files/a~1a2b3c4d"),
    }
    assert state.artifact(row.path) == row
    assert list(state.artifacts()) == [row]
    assert sorted(state.object_paths()) == [row.path, raw.path, "files/a~1a2b3c4d"]
    assert (state.seq, state.commit_id) == (1, "c-1")


def test_removed_numbers_and_paths_are_never_free_again() -> None:
    """What was removed no longer exists, but its number and path stay used."""
    state = NamespaceState()
    apply(state, draft(version("state", 1), version("state", 2), put=[file_put("files/a")]))
    apply(state, draft(remove=[*remove_version("state", 2), *remove_version("state", 1), "files/a"]))
    assert not state.files
    assert not list(state.artifact_paths)
    assert state.highest == {artifact_path("state"): 2}
    assert state.is_used("files/a")
    assert state.is_used(f"{artifact_path('state')}/1/raw")
    assert not state.is_used(f"{artifact_path('state')}/3/raw")
    assert not state.is_used("files/b")


def test_tombstone_ends_the_life_of_a_namespace() -> None:
    """After a tombstone nothing exists and everything is free."""
    state = NamespaceState()
    apply(state, draft(version("state", 1), put=[file_put("files/a")]))
    apply(state, draft(kind="tombstone"))
    empty = NamespaceState()
    empty.seq, empty.commit_id = 2, "c-2"
    assert state == empty


def test_rows_of_a_state_hold_all_of_it() -> None:
    """A checkpoint made of a state's rows gives the same state, remembered numbers and paths included."""
    state = NamespaceState()
    apply(
        state,
        draft(
            version("state", 1),
            version("state", 2),
            version("other", 5),
            put=[file_put("files/a"), file_put("files/b")],
        ),
    )
    apply(state, draft(remove=[*remove_version("state", 2), *remove_version("other", 5), "files/a"]))
    rows = list(state.rows())
    assert Highest(artifact_path("state"), 2) in rows
    assert Highest(artifact_path("other"), 5) in rows
    assert UsedPath("files/a") in rows
    assert NamespaceState.from_rows(rows, seq=2, commit_id="c-2") == state


PATHS = [f"files/{n}" for n in "abc"] + [raw.path for _, raw in (version("v", 1), version("v", 2), version("w", 1))]


@st.composite
def some_rows(data: st.DrawFn) -> list[Row]:
    rows: list[Row] = []
    for path in data(st.lists(st.sampled_from(PATHS), max_size=6)):
        content = data(st.sampled_from(["x", "y"]))
        chosen: list[Row] = [file_put(path, content), Removal(path)]
        rows.append(data(st.sampled_from(chosen)))
    for number in data(st.lists(st.integers(1, 3), max_size=3)):
        row: ArtifactRow = version("v", number, data(st.sampled_from(["x", "y"])))[0]
        choice: list[Row] = [row, Removal(row.path)]
        rows.append(data(st.sampled_from(choice)))
    return rows


@settings(max_examples=80, deadline=None)
@given(some_rows(), some_rows())
def test_diff_leads_from_one_state_to_the_other(before: list[Row], after: list[Row]) -> None:
    """Taking in the rows of a difference gives the newer state's files and versions."""
    older, newer = NamespaceState(), NamespaceState()
    for row in before:
        older.absorb(row)
    newer = older.copy()
    for row in after:
        newer.absorb(row)
    led = older.copy()
    for row in older.diff(newer):
        assert not isinstance(row, FilePut) or row.base == (
            None if (o := older.files.get(row.path)) is None else o.sha256
        )
        led.absorb(row)
    assert led.files == newer.files
    assert list(led.artifacts()) == sorted(newer.artifacts(), key=lambda r: list(led.artifact_paths).index(r.path))


def test_copy_is_independent() -> None:
    """What happens to a copy does not happen to the original."""
    state = NamespaceState()
    apply(state, draft(version("state", 1)))
    other = state.copy()
    assert other == state
    apply(other, draft(remove=remove_version("state", 1)))
    assert other != state
    assert len(state.files) == 1
