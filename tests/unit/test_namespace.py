from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from swampsync.errors import InvalidInput
from swampsync.namespace import (
    ALWAYS_LOCAL_SUBDIRS,
    DATASTORE_SUBDIRS,
    RESERVED,
    SOLO,
    Namespace,
    derive_namespace,
    parse_scoped_name,
)

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9_-]{0,30}[a-z0-9])?", fullmatch=True).filter(lambda n: n not in RESERVED)


@pytest.mark.parametrize(
    "name", ["a", "0", "production", "my-app", "my_app-v1", "tenant-1", "a--b", "a" * 64, "default", "com10", "null"]
)
def test_valid_names_are_taken_as_they_are(name: str) -> None:
    """An explicit name is never changed."""
    assert Namespace.parse(name).name == name


@pytest.mark.parametrize(
    "name",
    ["", "a" * 65, "-a", "a-", "_a", "a_", "a b", "my@app", "my.app", ".", "..", "../x", "a/b", "a\\b", "A", "Ä",
     "\uff41", "a\n", "a\0", "*", "a:b", "_index", ".locks", "\u202ea", "\ud800", "\u017f"],
)  # fmt: skip
def test_malformed_names_are_refused(name: str) -> None:
    """What could escape, collide or confuse is an error with the name made printable."""
    with pytest.raises(InvalidInput) as caught:
        Namespace.parse(name)
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    "name",
    sorted(
        {
            *DATASTORE_SUBDIRS,
            *ALWAYS_LOCAL_SUBDIRS,
            "core",
            "pgmq",
            "system",
            "shared",
            "all",
            "con",
            "nul",
            "com1",
            "lpt9",
        }
    ),
)
def test_reserved_names_are_refused_with_another_one(name: str) -> None:
    """The hint names a command that works."""
    with pytest.raises(InvalidInput, match="reserved") as caught:
        Namespace.parse(name)
    assert caught.value.hint is not None
    assert not Namespace.parse(caught.value.hint.split()[-1]).is_solo


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
@example("My Repo")
@example("data")
@example("x" * 63 + "-y")
@example("İK")
def test_derived_names_are_valid_and_stable(text: str) -> None:
    """Any directory name gives a valid namespace or an error, and what was derived derives to itself."""
    try:
        derived = derive_namespace(text)
    except InvalidInput:
        return
    assert Namespace.parse(derived.name) == derived
    assert derive_namespace(derived.name) == derived


@given(NAMES)
def test_valid_names_derive_to_themselves(name: str) -> None:
    """A directory with a valid name gives that name."""
    assert derive_namespace(name).name == name


@pytest.mark.parametrize("text", ["", "/", "---", "日本", "..", "_"])
def test_nothing_is_derived_from_nothing(text: str) -> None:
    """There is no silent fallback name."""
    with pytest.raises(InvalidInput, match="no namespace can be made"):
        derive_namespace(text)


def test_hint_suggests_a_valid_name() -> None:
    """`My App` is refused, and `my-app` suggested."""
    with pytest.raises(InvalidInput) as caught:
        Namespace.parse("My App")
    assert caught.value.hint == "a valid name: my-app"


def test_solo_is_the_empty_namespace() -> None:
    """Only the constant makes it; an empty text is refused."""
    assert SOLO.is_solo
    assert str(SOLO) == ""
    assert not Namespace.parse("a").is_solo


def test_underscore_is_ours_alone() -> None:
    """swamp knows no underscore."""
    assert not Namespace.parse("a_b").is_swamp_compatible
    assert Namespace.parse("a-b").is_swamp_compatible


@given(NAMES, st.text(min_size=1))
def test_scoped_name_splits_at_its_first_colon(name: str, rest: str) -> None:
    """`ns:name` names both, whatever the name holds."""
    assert parse_scoped_name(f"{name}:{rest}") == (Namespace.parse(name), rest)


def test_scoped_name_without_a_namespace() -> None:
    """No colon names no namespace; an empty one in front names solo; an empty name is refused."""
    assert parse_scoped_name("m/x") == (None, "m/x")
    assert parse_scoped_name(":m") == (SOLO, "m")
    for text in ("infra:", ":"):
        with pytest.raises(InvalidInput, match="missing after the colon"):
            parse_scoped_name(text)
    with pytest.raises(InvalidInput, match="may hold"):
        parse_scoped_name("../x:m")
