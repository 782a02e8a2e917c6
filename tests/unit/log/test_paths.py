from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swampsync.errors import InvalidInput
from swampsync.layout import find_key_problem
from swampsync.log.paths import SHARED_SUBDIRS, VersionPath, check_path, find_path_problem, parse_version_path


@pytest.mark.parametrize(
    "path",
    [
        "data/command/shell/id/state/4/raw",
        "data/@acme/widget/foo/id/my name/12/metadata.yaml",
        "outputs/a/b.yaml",
        "files/notes~1a2b3c4d",
        "files/ä ö.txt",
        "audit/.hidden/log.jsonl",
        "files/a.conflict-0123abcd",
        "files/x.locked.yaml",
        "files/lock",
        "workflows-evaluated/x.yaml",
        "definitions-evaluated/one-segment/x.yaml",
    ],
)
def test_paths_of_shared_subdirectories_are_accepted(path: str) -> None:
    """A file of the datastore tier may be named, whatever harmless characters it has."""
    assert find_path_problem(path) is None
    assert check_path(path) == path


@pytest.mark.holds("I4")
@pytest.mark.holds("I10")
@pytest.mark.parametrize(
    "path",
    [
        "",
        "data",
        "/data/x",
        "data/../../other/x",
        "data/./x",
        "data//x",
        "data/x/",
        "data\\x/y",
        "data/a\nb",
        "data/a\x00b",
        "data/e\u0301",
        "other/data/x",
        "_log/00000000000000000001.json",
        "_segments/x.jsonl.gz",
        ".namespace.json",
        ".locks/infra.lock",
        "secrets/key",
        "bundles/x",
        "data/command/shell/id/.lock",
        "data/_catalog.db",
        "data/_catalog.db-wal",
        "data/_sync.db",
        "data/" + "x" * 1100,
    ],
)
def test_paths_outside_of_the_shared_subdirectories_are_refused(path: str) -> None:
    """No commit names a path that leaves its namespace, reaches what is internal, or holds secrets."""
    with pytest.raises(InvalidInput):
        check_path(path)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([*SHARED_SUBDIRS, "other", "_log", "..", "secrets"]),
    st.lists(st.text(st.sampled_from("ab._-~@ :\\\n/é"), max_size=5), max_size=4),
)
def test_no_accepted_path_is_a_bad_key(first: str, rest: list[str]) -> None:
    """The quick look at a path accepts nothing that the rules for keys refuse."""
    path = "/".join([first, *rest])
    if find_path_problem(path) is None:
        assert find_key_problem(path) is None
        assert path.partition("/")[0] in SHARED_SUBDIRS


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("data/t/m/n/1/raw", VersionPath("data/t/m/n", 1, "raw")),
        ("data/a/b/m/n/20/metadata.yaml", VersionPath("data/a/b/m/n", 20, "metadata.yaml")),
        ("data/m/n/1/raw", None),
        ("data/t/m/n/0/raw", None),
        ("data/t/m/n/01/raw", None),
        ("data/t/m/n/x/raw", None),
        ("data/t/m/n/²/raw", None),
        ("data/t/m/n/latest", None),
        ("outputs/t/m/n/1/raw", None),
    ],
)
def test_version_paths_are_told_from_others(path: str, expected: VersionPath | None) -> None:
    """A version's file is known by its place below `data/` and its decimal number."""
    assert parse_version_path(path) == expected
