from __future__ import annotations

import pytest

from swampsync.artifacts.names import check_name, find_name_problem
from swampsync.errors import InvalidInput

REFUSED = ["latest", "LATEST", ".", "..", ".lock", ".x.tmp", "", " ", "\t", "a/b", "a\\b", "a\0b", "a\nb", "a..b"]
REFUSED += ["x\x7f", "x\x85", "\ud800", "\u00e9" * 128, "a" * 256]
ACCEPTED = [
    "result",
    "207333",
    "1",
    "latest2",
    "my latest",
    "a.b",
    " a",
    "A" + chr(0x308),
    chr(0xC4),
    "a" * 255,
    "metadata.yaml",
]


@pytest.mark.parametrize("name", REFUSED, ids=ascii)
def test_name_that_collides_with_internal_files_is_refused(name: str) -> None:
    """Internal names (core fact 10.1.2), blank names, separators, control characters and long names are refused."""
    with pytest.raises(InvalidInput, match="artifact name"):
        check_name(name)


@pytest.mark.parametrize("name", ACCEPTED, ids=ascii)
def test_name_of_any_other_shape_is_accepted(name: str) -> None:
    """Numeric names, dots inside, spaces, scripts and normal forms are left as they are."""
    assert find_name_problem(name) is None
