from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swampsync.log.commit import CommitDraft
from swampsync.log.conflict_copies import conflict_path, merge_lines
from swampsync.log.conflicts import Decision, NewerChanges, Verdict, check_plan
from swampsync.log.rows import ArtifactRow, FilePut, Row
from swampsync.log.settling import Settled, keep_beside, settle
from swampsync.log.state import NamespaceState
from tests.unit.log.conftest import StateAsView, artifact_path, digest, draft, file_put, remove_version, version

STATE = artifact_path("state")


def decide(
    ours: CommitDraft, *theirs: CommitDraft, before: CommitDraft | None = None
) -> tuple[list[Decision], Settled]:
    state = NamespaceState()
    for row in () if before is None else before.rows():
        state.absorb(row)
    newer = NewerChanges()
    for plan in theirs:
        rows = list(plan.rows())
        newer.add(rows)
        for row in rows:
            state.absorb(row)
    decisions = check_plan(ours, newer, state=StateAsView(state))
    return decisions, settle(ours, decisions)


def copy_of(path: str, content: str) -> str:
    return f"{path}.conflict-{digest(content)[:8]}"


# --- versions ------------------------------------------------------------------------------------------------


def test_untouched_entries_stay_as_they_are() -> None:
    """Commits that touch nothing of ours change nothing."""
    ours = draft(version("state", 4), put=[file_put("files/a")], remove=["files/old"])
    decisions, settled = decide(ours, draft(version("other", 4), put=[file_put("files/b")], remove=["files/c"]))
    assert decisions == []
    assert settled.draft == ours


@pytest.mark.holds("I3")
def test_same_version_published_already_is_left_out() -> None:
    """Same number, same metadata id, same digest: our lost first try has published it."""
    ours = draft(version("state", 4, "x", identifier="i"))
    decisions, settled = decide(ours, draft(version("state", 4, "x", identifier="i")))
    assert [(d.verdict, d.path) for d in decisions] == [(Verdict.ALREADY_PUBLISHED, f"{STATE}/4")]
    assert settled.draft.is_empty


@pytest.mark.holds("I3")
@pytest.mark.parametrize(("content", "identifier"), [("y", "i"), ("x", "j"), ("y", "j")])
def test_same_number_of_another_version_is_renumbered(content: str, identifier: str) -> None:
    """Same number with another id or digest: ours takes the next that nobody ever had, we included."""
    rows = version("state", 4, "x", identifier="i")
    decisions, settled = decide(draft(rows), draft(version("state", 4, content, identifier=identifier)))
    assert [(d.verdict, d.path, d.number) for d in decisions] == [(Verdict.RENUMBER, f"{STATE}/4", 5)]
    assert settled.draft.is_empty
    assert settled.renumber == ((decisions[0], rows),)


@pytest.mark.holds("I3")
def test_renumbering_keeps_our_order_and_uses_no_number_of_ours_again() -> None:
    """With one of our versions move all behind it: their contents keep their order, and no key is written twice."""
    ours = draft(version("state", 3), version("state", 4), version("state", 5))
    decisions, settled = decide(ours, draft(version("state", 4, "theirs")), draft(version("state", 9, "theirs")))
    assert {d.path: d.number for d in decisions} == {f"{STATE}/4": 10, f"{STATE}/5": 11}
    assert [row.version for row in settled.draft.artifacts] == [3]


def test_renumbering_goes_above_our_own_claims() -> None:
    """The numbers behind the one that is taken are ours in the bucket already, with other content."""
    decisions, _ = decide(draft(version("state", 4), version("state", 5)), draft(version("state", 4, "theirs")))
    assert {d.path: d.number for d in decisions} == {f"{STATE}/4": 6, f"{STATE}/5": 7}


def test_number_that_was_used_and_removed_is_not_free() -> None:
    """A number that somebody published and removed meanwhile is used."""
    decisions, _ = decide(
        draft(version("state", 4)), draft(version("state", 4, "theirs")), draft(remove=remove_version("state", 4))
    )
    assert [(d.verdict, d.number) for d in decisions] == [(Verdict.RENUMBER, 5)]


def test_our_version_that_was_published_and_removed_meanwhile_stays_removed() -> None:
    """Our lost first try was published, and somebody removed it since: publishing it again would bring it back."""
    rows = version("state", 4)
    decisions, settled = decide(draft(rows), draft(rows), draft(remove=remove_version("state", 4)))
    assert [d.verdict for d in decisions] == [Verdict.ALREADY_PUBLISHED]
    assert settled.draft.is_empty


def test_new_version_outlives_the_removal_of_the_others() -> None:
    """Whoever deleted the artifact did not know of our version: it stays."""
    ours = draft(version("state", 5))
    decisions, settled = decide(ours, draft(remove=remove_version("state", 4)), before=draft(version("state", 4)))
    assert decisions == []
    assert settled.draft == ours


# --- other files ---------------------------------------------------------------------------------------------


def test_file_changed_on_both_sides_is_kept_twice() -> None:
    """The newer commit's content stays at the path; ours lies beside it, its object where it is."""
    ours = draft(put=[file_put("files/a", "ours", base="old", key="files/a~1a2b3c4d")])
    decisions, settled = decide(ours, draft(put=[file_put("files/a", "theirs", base="old")]))
    assert [(d.verdict, d.new_path) for d in decisions] == [(Verdict.KEEP_BOTH, copy_of("files/a", "ours"))]
    assert settled.draft.put == (file_put(copy_of("files/a", "ours"), "ours", key="files/a~1a2b3c4d"),)


def test_file_created_on_both_sides_is_kept_twice() -> None:
    """Two new files of one path are both kept; ours is found at its own path's key."""
    decisions, settled = decide(
        draft(put=[file_put("files/a", "ours")]), draft(put=[file_put("files/a", "theirs", key="files/a~1")])
    )
    assert [d.verdict for d in decisions] == [Verdict.KEEP_BOTH]
    assert settled.draft.put == (file_put(copy_of("files/a", "ours"), "ours", key="files/a"),)


def test_equal_content_on_both_sides_is_one_file() -> None:
    """The same change on both sides is no conflict."""
    decisions, settled = decide(
        draft(put=[file_put("files/a", "same")]), draft(put=[file_put("files/a", "same", key="files/a~1")])
    )
    assert [d.verdict for d in decisions] == [Verdict.ALREADY_PUBLISHED]
    assert settled.draft.is_empty


def test_change_based_on_theirs_is_no_conflict() -> None:
    """Ours replaced exactly what they put."""
    ours = draft(put=[file_put("files/a", "ours", base="theirs")])
    assert decide(ours, draft(put=[file_put("files/a", "theirs")]))[0] == []


def test_lines_changed_on_both_sides_are_for_merging() -> None:
    """Files of records a line are handed back for merging, with the path of a copy if that fails."""
    row = file_put("audit/log.jsonl", "ours", base="old")
    decisions, settled = decide(draft(put=[row]), draft(put=[file_put("audit/log.jsonl", "theirs", base="old")]))
    assert settled.draft.is_empty
    ((decision, handed),) = settled.merge
    assert (decision, handed) == (decisions[0], row)
    assert decision.theirs == file_put("audit/log.jsonl", "theirs", base="old")
    assert keep_beside(handed, decision).path == copy_of("audit/log.jsonl", "ours")


def test_change_wins_over_their_removal() -> None:
    """A file that they removed and we changed exists again."""
    ours = draft(put=[file_put("files/a", "ours", base="old", key="files/a~1")])
    decisions, settled = decide(ours, draft(remove=["files/a"]), before=draft(put=[file_put("files/a", "old")]))
    assert [d.verdict for d in decisions] == [Verdict.OURS_STAYS]
    assert settled.draft == ours


def test_their_change_wins_over_our_removal() -> None:
    """A file that we removed and they changed stays."""
    decisions, settled = decide(draft(remove=["files/a"]), draft(put=[file_put("files/a", "new", base="old")]))
    assert [d.verdict for d in decisions] == [Verdict.THEIRS_STAYS]
    assert settled.draft.is_empty


def test_removal_on_both_sides_is_done_once() -> None:
    """What is removed already is left out."""
    ours = draft(remove=["files/a", *remove_version("state", 1)])
    decisions, settled = decide(ours, draft(remove=["files/a", *remove_version("state", 1)]))
    assert {d.verdict for d in decisions} == {Verdict.ALREADY_REMOVED}
    assert settled.draft.is_empty


def test_version_that_came_back_is_not_removed() -> None:
    """A version that was removed by us and put back by them stays whole."""
    decisions, settled = decide(draft(remove=remove_version("state", 1)), draft(version("state", 1)))
    assert {d.verdict for d in decisions} == {Verdict.THEIRS_STAYS}
    assert settled.draft.is_empty


@pytest.mark.parametrize(
    ("ours", "theirs", "kept"),
    [
        ("files/a", "files/a/b", "files/a.conflict-{}"),
        ("files/a/b", "files/a", "files/a.conflict-{}/b"),
        ("files/a/b/c", "files/a", "files/a.conflict-{}/b/c"),
    ],
)
def test_file_where_the_other_side_has_a_directory_is_kept_beside(ours: str, theirs: str, kept: str) -> None:
    """One path cannot be a file and a directory: ours moves, whichever it is."""
    _, settled = decide(draft(put=[file_put(ours, "ours")]), draft(put=[file_put(theirs, "theirs")]))
    assert [row.path for row in settled.draft.put] == [kept.format(digest("ours")[:8])]


def test_conflict_copy_that_exists_is_not_written_again() -> None:
    """Our content was kept beside once before."""
    before = draft(put=[file_put(copy_of("files/a", "ours"), "ours")])
    decisions, settled = decide(
        draft(put=[file_put("files/a", "ours")]), draft(put=[file_put("files/a", "theirs")]), before=before
    )
    assert [d.verdict for d in decisions] == [Verdict.ALREADY_PUBLISHED]
    assert settled.draft.is_empty


def test_conflict_copy_makes_way_for_other_content() -> None:
    """Where eight digits are taken by other content, sixteen are used."""
    before = draft(put=[file_put(copy_of("files/a", "ours"), "something else")])
    _, settled = decide(
        draft(put=[file_put("files/a", "ours")]), draft(put=[file_put("files/a", "theirs")]), before=before
    )
    assert [row.path for row in settled.draft.put] == [f"files/a.conflict-{digest('ours')[:16]}"]


def test_conflict_copy_of_a_long_path_fits() -> None:
    """A path as long as a key may be still gets a copy."""
    path = "files/" + "ä" * 509
    assert len(path.encode()) == 1024
    copy = conflict_path(path, digest("x"))
    assert len(copy.encode()) <= 1024
    assert copy.endswith(f".conflict-{digest('x')[:8]}")


@pytest.mark.parametrize(
    ("base", "theirs", "ours", "expected"),
    [
        (b"1\n", b"1\n2\n", b"1\n3\n", b"1\n2\n3\n"),
        (b"", b"2\n", b"3\n", b"2\n3\n"),
        (b"1\n", b"1\n2", b"1\n3\n", b"1\n2\n3\n"),
        (b"1\n", b"1\n", b"1\n3\n", b"1\n3\n"),
        (b"1\n", b"2\n", b"1\n3\n", None),
        (b"1\n", b"1\n2\n", b"3\n", None),
        (b"1", b"12\n", b"13\n", None),
    ],
)
def test_lines_are_merged_as_base_theirs_ours(base: bytes, theirs: bytes, ours: bytes, expected: bytes | None) -> None:
    """Both sides' additions follow the base; where either changed the base, nothing is merged."""
    assert merge_lines(base, theirs=theirs, ours=ours) == expected


# --- nothing is ever dropped ---------------------------------------------------------------------------------

FILES = ["files/a", "files/b", "files/a/b", "files/c.jsonl", "files/c.jsonl/d"]
CONTENTS = ["1", "2", "3"]


@st.composite
def plans(data: st.DrawFn) -> CommitDraft:
    put: list[FilePut] = []
    remove: list[str] = []
    for path in data(st.lists(st.sampled_from(FILES), unique=True, max_size=4)):
        if data(st.booleans()):
            put.append(
                file_put(path, data(st.sampled_from(CONTENTS)), base=data(st.none() | st.sampled_from(CONTENTS)))
            )
        else:
            remove.append(path)
    versions = []
    for number in data(st.lists(st.integers(1, 4), unique=True, max_size=3)):
        if data(st.integers(0, 3)):
            versions.append(version("state", number, data(st.sampled_from(CONTENTS))))
        else:
            remove.extend(remove_version("state", number))
    return draft(*versions, put=put, remove=remove)


@settings(max_examples=200, deadline=None)
@given(plans(), st.lists(plans(), min_size=1, max_size=3))
def test_nothing_is_ever_dropped(ours: CommitDraft, theirs: list[CommitDraft]) -> None:
    """Every content and removal of ours is published, handed back, in the log already, or reported."""
    decisions, settled = decide(ours, *theirs)
    reported = {decision.path: decision.verdict for decision in decisions}
    published: list[Row] = [row for plan in theirs for row in plan.rows()]
    ever = {(row.path, row.sha256) for row in published if isinstance(row, FilePut)}
    ever_ids = {(row.path, row.metadata["id"]) for row in published if isinstance(row, ArtifactRow)}
    handed = [row for _, rows in settled.renumber for row in rows] + [row for _, row in settled.merge]
    for put in ours.put:
        is_there = put in settled.draft.put or put in handed or (put.path, put.sha256) in ever
        is_beside = any(row.sha256 == put.sha256 and row.object_path == put.object_path for row in settled.draft.put)
        assert is_there or is_beside
    for row in ours.artifacts:
        assert row in settled.draft.artifacts or row in handed or (row.path, row.metadata["id"]) in ever_ids
    for path in ours.remove:
        assert path in settled.draft.remove or reported[path] in {Verdict.ALREADY_REMOVED, Verdict.THEIRS_STAYS}
    assert len({row.path for row in settled.draft.put}) == len(settled.draft.put)
    numbers = [decision.number for decision in decisions if decision.number is not None]
    assert len(set(numbers)) == len(numbers)
