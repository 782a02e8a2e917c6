from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from swampsync.artifacts.core_schema import is_ambiguous, resolve_plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("true", True), ("FALSE", False), ("yes", "yes"), ("nULL", "nULL"),
        ("0", 0), ("-12", -12), ("1_000", 1000), ("0x1F", 31), ("0b11", 3), ("017", 15), ("0o17", 15), ("089", "089"),
        ("1.5", 1.5), ("1e3", 1000.0), (".5", 0.5), ("-.inf", float("-inf")), ("12_", "12_"), ("+", "+"), (".", "."),
        ("2026-01-01", date.min), ("2026-11-21T09:15:37.969Z", date.min), ("2026-1-1", "2026-1-1"),
        ("1.2.3", "1.2.3"), ("2026.02.09.1", "2026.02.09.1"), ("-", "-"), ("_1", "_1"), ("a1", "a1"), ("0x", "0x"),
    ],
)  # fmt: skip
def test_plain_scalar_means_what_swamp_takes_it_for(text: str, value: Any) -> None:
    """Nulls, booleans, numbers and timestamps of the core schema are told from text."""
    assert resolve_plain(text) == value
    assert type(resolve_plain(text)) is type(value)


@pytest.mark.parametrize("text", ["yes", "Off", "n", "123", "1e5", "null", "", "2026-01-01", "<<", "=", ".nan", "0b1"])
def test_text_that_looks_like_something_else_is_ambiguous(text: str) -> None:
    """What any reader could take for another type is not written without quotes."""
    assert is_ambiguous(text)


@pytest.mark.parametrize("text", ["abc", "30d", "v1", "nope", "a.b", "deadbeef"])
def test_plain_words_are_not_ambiguous(text: str) -> None:
    """Ordinary words need no quotes."""
    assert not is_ambiguous(text)
