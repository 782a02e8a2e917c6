from __future__ import annotations

import pytest

from swampsync.artifacts.model import normalise_type
from swampsync.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("command/shell", "command/shell"),
        ("@Acme/Widget.Foo::Bar baz", "@acme/widget/foo/bar/baz"),
        ("../x/..//y", "x/y"),
        (" a \t\n b ", "a/b"),
        ("a:b", "a:b"),
        ("Ä/é", "ä/é"),
    ],
)
def test_type_is_normalised_as_swamp_does(text: str, expected: str) -> None:
    """Lower case, every separator a slash, none doubled or outside; and doing it twice changes nothing."""
    assert normalise_type(text) == expected
    assert normalise_type(expected) == expected


@pytest.mark.parametrize("text", ["", "/", "..", " :: ", "a\\b", "a\x00b"])
def test_type_without_content_is_refused(text: str) -> None:
    """A type of separators only, or with a backslash or a control character, is refused."""
    with pytest.raises(InvalidInput, match="model type"):
        normalise_type(text)
