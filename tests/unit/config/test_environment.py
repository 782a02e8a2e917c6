from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swampsync.config.environment import collapse_home, expand_path, find_swamp_home, parse_positive_integer
from swampsync.errors import InvalidInput

ENVIRON = {"HOME": "/home/u", "DS": "/srv/ds", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5000", 5000), (" 12abc", 12), ("+7", 7), ("0x10", 16), ("1.9", 1), ("1e3", 1),
        ("0", None), ("-5", None), ("", None), ("abc", None), ("0x", None), ("--1", None),
    ],
)  # fmt: skip
def test_positive_integer_is_read_as_javascript_does(text: str, number: int | None) -> None:
    """Leading digits count, and what is not above 0 is ignored."""
    assert parse_positive_integer(text) == number


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/srv/ds", "/srv/ds"), ("../ds", "/ds"), ("ds/", "/repo/ds"), (".", "/repo"), ("~", "/home/u"),
        ("~/ds", "/home/u/ds"), ("a/~/b", "/repo/a/~/b"), ("$DS/x", "/srv/ds/x"), ("${DS}x", "/srv/dsx"),
        ("/a/$DS", "/a/srv/ds"), ("//srv//x/../y", "/srv/y"), ("/a/$1$", "/a/$1$"), ("./~u", "/repo/~u"),
    ],
)  # fmt: skip
def test_path_is_expanded_against_the_repo(text: str, path: str) -> None:
    """`~` at the start, variables anywhere; the rest is relative to the repo, not to the working directory."""
    assert expand_path(text, repo_dir="/repo", environ=ENVIRON) == path


@pytest.mark.parametrize("text", ["", "$UNSET/x", "${EMPTY}", "~root/x", "a\0b"])
def test_path_that_cannot_be_meant_is_refused(text: str) -> None:
    """An unset or empty variable must not turn into the root directory."""
    with pytest.raises(InvalidInput):
        expand_path(text, repo_dir="/repo", environ=ENVIRON)


def test_home_must_be_known_to_be_expanded() -> None:
    """`~` without `HOME` is an error and no path called `~`."""
    with pytest.raises(InvalidInput, match="HOME"):
        expand_path("~/x", repo_dir="/repo", environ={})


@given(st.text(alphabet="ab/.", min_size=1, max_size=12))
def test_expanded_path_is_absolute_and_normal(text: str) -> None:
    """Expanding what was expanded changes nothing."""
    path = expand_path(text, repo_dir="/repo", environ={})
    assert path.startswith("/")
    assert "//" not in path
    assert expand_path(path, repo_dir="/other", environ={}) == path


def test_home_is_collapsed_only_where_it_is_a_directory_above() -> None:
    """`/home/user2` is not below `/home/u`; what was collapsed expands to the same path."""
    assert collapse_home("/home/u/ds", environ=ENVIRON) == "$HOME/ds"
    assert collapse_home("/home/user2/ds", environ=ENVIRON) == "/home/user2/ds"
    assert collapse_home("/srv", environ={}) == "/srv"
    assert expand_path("$HOME/ds", repo_dir="/r", environ=ENVIRON) == "/home/u/ds"


def test_swamp_home_is_the_variable_or_in_the_home_directory() -> None:
    """An empty variable counts as unset."""
    assert find_swamp_home({"SWAMP_HOME": "/s", "HOME": "/h"}) == "/s"
    assert find_swamp_home({"SWAMP_HOME": "", "HOME": "/h"}) == "/h/.swamp"
    assert find_swamp_home({}) is None
