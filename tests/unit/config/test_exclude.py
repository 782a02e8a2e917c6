from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swampsync.config.exclude import ExcludeRules, translate_pattern
from swampsync.errors import InvalidInput

MATCHES = {
    "telemetry": (["telemetry"], ["telemetry2", "x/telemetry"]),
    "/telemetry": (["telemetry"], ["x/telemetry"]),
    "data/*": (["data/x", "data/"], ["data", "data/x/y"]),
    "data/**": (["data/x", "data/x/y"], ["data", "datax"]),
    "**/secret": (["secret", "a/secret", "a/b/secret"], ["asecret", "secret/x"]),
    "data/**/raw": (["data/raw", "data/a/raw", "data/a/b/raw"], ["dataraw", "data/a/braw"]),
    "a?c": (["abc"], ["a/c", "ac"]),
    "a[bc]d": (["abd", "acd"], ["aed", "a[bc]d"]),
    "a[^b]d": (["acd"], ["abd"]),
    "a[b": (["a[b"], ["ab"]),
    "a.b": (["a.b"], ["axb"]),
    "a+(b)|c$": (["a+(b)|c$"], ["aab"]),
    "**": (["a", "a/b"], []),
    "[[x]": (["[", "x"], ["y"]),
}


@pytest.mark.parametrize(("pattern", "expected"), MATCHES.items(), ids=MATCHES)
def test_pattern_matches_whole_paths(pattern: str, expected: tuple[list[str], list[str]]) -> None:
    """A pattern is anchored at both ends, and its wildcards mean what swamp's mean."""
    compiled = re.compile(translate_pattern(pattern))
    assert [path for path in expected[0] if not compiled.fullmatch(path)] == []
    assert [path for path in expected[1] if compiled.fullmatch(path)] == []


def test_last_match_wins() -> None:
    """`!` takes back what an earlier pattern excluded, and may be overruled by a later one."""
    rules = ExcludeRules(["logs/**", "!logs/keep/**", "logs/keep/x"])
    assert rules("logs/a")
    assert not rules("logs/keep/a")
    assert rules("logs/keep/x")
    assert not rules("data/a")


def test_excluded_directory_takes_what_lies_below() -> None:
    """An artifact that is excluded is so with all its versions, whoever asks about which depth."""
    rules = ExcludeRules(["data/**/secret-*"])
    assert not rules("data/t/id/plain/1/raw")
    assert rules("data/t/id/secret-a")
    assert rules("data/t/id/secret-a/1/raw")


def test_excluded_subdirectory_is_local_altogether() -> None:
    """As in swamp, a pattern for a bare subdirectory cannot be taken back for a part of it."""
    rules = ExcludeRules(["telemetry", "!telemetry/keep"])
    assert rules("telemetry")
    assert rules("telemetry/keep")


def test_blank_lines_and_comments_are_no_patterns() -> None:
    """Nothing is excluded by a list of comments."""
    rules = ExcludeRules(["", "  ", "# data"])
    assert rules.is_empty
    assert not rules("data")


def test_malformed_class_is_refused() -> None:
    """A range that runs backwards is an error that names the pattern."""
    with pytest.raises(InvalidInput, match=r"data/\[z-a\]"):
        ExcludeRules(["data/[z-a]"])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text(alphabet="ab/*?![]-&~|#.", max_size=8), max_size=4), st.lists(st.sampled_from("ab"), max_size=4)
)
def test_verdicts_agree_along_a_path(patterns: list[str], below: list[str]) -> None:
    """Whatever the patterns: a subdirectory that is excluded has nothing below it that is not."""
    try:
        rules = ExcludeRules(patterns)
    except InvalidInput:
        return
    if rules("data"):
        assert rules("/".join(["data", *below]))
