from __future__ import annotations

import pytest

from swampsync.config.sizes import parse_size
from swampsync.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0), ("500", 500), ("500B", 500), ("1k", 1_024), ("1KB", 1_000), ("2KiB", 2_048), ("3 MB", 3_000_000),
        ("2GiB", 2 * 1_024**3), ("2G", 2 * 1_024**3), ("1tb", 10**12), (" 5 MiB ", 5 << 20),
    ],
)  # fmt: skip
def test_size_is_read_as_people_write_it(text: str, size: int) -> None:
    """Units of a thousand end in `B`, units of 1,024 in nothing or `iB`."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "-1", "1.5G", "1 PB", "lots", "٣"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """The error shows what sizes look like."""
    with pytest.raises(InvalidInput) as caught:
        parse_size(text)
    assert "2GiB" in str(caught.value.hint)
