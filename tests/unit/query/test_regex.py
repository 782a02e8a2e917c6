"""Regular expressions in RE2's syntax, in time proportional to the text."""

from __future__ import annotations

import re
import time
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swampsync.query.regex import compile_pattern
from swampsync.query.values import EvaluationError


@pytest.mark.parametrize(
    ("pattern", "text", "wanted"),
    [
        ("", "", True),
        ("a", "bab", True),
        ("^a", "ba", False),
        ("a$", "ab", False),
        ("^a$", "a", True),
        ("a$", "a\n", False),
        ("^$", "", True),
        (".", "\n", False),
        ("(?s).", "\n", True),
        ("(?m)^b$", "a\nb\nc", True),
        ("^b$", "a\nb\nc", False),
        (r"\Ab", "a\nb", False),
        (r"b\z", "b", True),
        ("a|b|", "x", True),
        ("^(a|bc)$", "bc", True),
        ("^(?:a|bc)d$", "bcd", True),
        ("(?P<n>a)(?<m>b)", "ab", True),
        ("^a*$", "aaa", True),
        ("^a+$", "", False),
        ("^a?b$", "ab", True),
        ("^a{2}$", "aa", True),
        ("^a{2}$", "aaa", False),
        ("^a{2,}$", "aaaa", True),
        ("^a{1,2}$", "aaa", False),
        ("^a{0}$", "", True),
        ("a{,2}", "a{,2}", True),
        ("^a*?$", "aa", True),
        ("[abc]", "xbx", True),
        ("[^abc]", "abc", False),
        ("[a-c]+", "cab", True),
        ("[]a]", "]", True),
        ("[a-]", "-", True),
        (r"[\d-]", "-", True),
        (r"^\d+$", "0123", True),
        (r"^\d+$", "\u0661", False),
        (r"\w", "é", False),
        (r"^\w+$", "a_9", True),
        (r"\s", "\v", False),
        (r"\S\W", "a.", True),
        ("[[:alpha:]]", "5a", True),
        ("[[:^alpha:]]", "ab", False),
        (r"\bfoo\b", "a foo.", True),
        (r"\bfoo\b", "afoo", False),
        (r"\Boo", "foo", True),
        ("(?i)FoO", "xfoo", True),
        ("(?i:a)b", "Ab", True),
        ("(?i:a)b", "AB", False),
        ("(?i)[a-c]", "B", True),
        (r"\pL", "é", True),
        (r"\p{Lu}", "é", False),
        (r"\PL", "é", False),
        (r"[\p{N}]", "٣", True),
        (r"\x41\x{1F600}", "A😀", True),
        (r"\101", "A", True),
        (r"\t", "\t", True),
        (r"\Qa.b\E+", "a.bb", True),
        (r"\Qa.b", "axb", False),
        (r"\.", ".", True),
        ("é+", "éé", True),
        ("(a*)*b", "aab", True),
        ("(a*)+", "", True),
        ("x*", "", True),
        ("(|a)*b", "aab", True),
        ("^(a?){3}$", "aa", True),
        ("(?i)ß", "ß", True),
    ],
)
def test_pattern_matches_as_re2_does(pattern: str, text: str, wanted: bool) -> None:  # noqa: FBT001
    """A pattern is found, or not, where RE2 finds it."""
    assert compile_pattern(pattern).search(text) is wanted


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        ")",
        "[",
        "[z-a]",
        "*",
        "+a",
        "a**",
        "a{2}{3}",
        "a{1001}",
        "a{2,1}",
        r"\1",
        r"(a)\1",
        "(?=a)",
        "(?!a)",
        "(?<=a)",
        "(?<!a)",
        "(?P=n)",
        "(?P<1>a)",
        r"\y",
        r"\x4",
        r"\x{110000}",
        r"\p{Foo}",
        "[[:foo:]]",
        "\\",
        "(?x)a",
        "(?)",
        "(" * 200 + ")" * 200,
    ],
)
def test_what_re2_refuses_is_refused(pattern: str) -> None:
    """Back-references, look-around and what is no pattern are errors that say why."""
    with pytest.raises(EvaluationError, match="is no regular expression: "):
        compile_pattern(pattern)


def test_large_programs_are_refused() -> None:
    """Repetitions of repetitions do not fill the memory."""
    with pytest.raises(EvaluationError, match="the pattern is too large"):
        compile_pattern("((a{100}){100}){100}")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(a+)+$", "a" * 60_000 + "b"),
        ("^(a|a)*$", "a" * 60_000 + "b"),
        ("(.*)*x", "y" * 60_000),
        ("a*a*a*a*a*b", "a" * 60_000),
    ],
)
def test_patterns_that_backtrack_elsewhere_take_linear_time(pattern: str, text: str) -> None:
    """Nested and neighbouring repetitions cost no more than others."""
    start = time.process_time()
    assert compile_pattern(pattern).search(text) is False
    assert time.process_time() - start < 1


def test_patterns_with_endless_states_are_given_up() -> None:
    """An automaton that keeps growing is an error and not a hang."""
    text = "".join(Random(1).choices("ab", k=100_000))
    start = time.process_time()
    with pytest.raises(EvaluationError, match="too expensive"):
        compile_pattern("(a|b)*a(a|b){900}c").search(text)
    assert time.process_time() - start < 10


_ATOMS = st.sampled_from(["a", "b", "ab", ".", "[ab]", "[^a]", r"\d", r"\w", "(a|b)", "(?:ab|)", r"\b", "^"])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(_ATOMS, st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,2}"])), max_size=5),
    st.text(alphabet="ab1 \n", max_size=8),
)
def test_patterns_agree_with_the_standard_library(parts: list[tuple[str, str]], text: str) -> None:
    """Where both have the same syntax and meaning, both find the same."""
    pattern = "".join(atom + ("" if atom in {r"\b", "^"} else count) for atom, count in parts)
    assert compile_pattern(pattern).search(text) is (re.search(pattern, text, re.ASCII) is not None)
