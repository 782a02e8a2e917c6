"""Wildcards in paths and names."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swampsync.log.wildcards import compile_name, compile_path, has_wildcards

PATHS = st.lists(st.text("ab*?.[\\", min_size=1, max_size=4), min_size=1, max_size=4).map("/".join)


@settings(max_examples=50)
@given(PATHS, PATHS)
def test_path_matches_itself_and_what_is_below(path: str, below: str) -> None:
    """Whatever characters it has, the exact path is found, and everything in that directory."""
    assert compile_path(path).fullmatch(path)
    assert compile_path(f"{path}/").fullmatch(f"{path}/{below}")
    assert compile_path("").fullmatch(path)


@settings(max_examples=50)
@given(PATHS, PATHS)
def test_path_without_wildcards_matches_nothing_else(path: str, other: str) -> None:
    """Without wildcards only the path itself and what lies below it match."""
    if not has_wildcards(path):
        assert (compile_path(path).fullmatch(other) is not None) == f"{other}/".startswith(f"{path}/")


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("a/*/c", "a/b/c", True),
        ("a/*/c", "a/b/b/c", False),
        ("a/**/c", "a/c", True),
        ("a/**/c", "a/b/b/c", True),
        ("**/c", "c", True),
        ("a/**", "a/b/c", True),
        ("a/**", "a", False),
        ("a/b?", "a/b1/below", True),
        ("a/b?", "a/b/1", False),
        ("a.b", "axb", False),
    ],
)
def test_wildcards_stay_within_a_name_unless_doubled(pattern: str, path: str, matches: bool) -> None:  # noqa: FBT001
    """`*` and `?` never match a slash; `**/` matches any number of directories, none included."""
    assert (compile_path(pattern).fullmatch(path) is not None) == matches


def test_name_is_matched_whole() -> None:
    """A name's pattern has nothing below it."""
    assert compile_name("st*").fullmatch("state")
    assert not compile_name("st").fullmatch("st/ate")
    assert not compile_name("st").fullmatch("state")
