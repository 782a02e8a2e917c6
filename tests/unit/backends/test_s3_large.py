"""Into what large objects are cut, and how many pieces are on their way."""

from __future__ import annotations

import io

import pytest

from swampsync.backends.s3_pieces import MAX_PARTS, choose_part_bytes, choose_range_bytes
from swampsync.backends.s3_sharing import Sharing
from swampsync.backends.s3_upload import read_parts

MIB = 1 << 20


@pytest.mark.parametrize(
    ("size", "expected"), [(5, 4), (64, 4), (65, 8), (128, 8), (200, 16), (1_024, 16), (100_000, 16)]
)
def test_ranges_grow_with_the_object(size: int, expected: int) -> None:
    """Ranges of large objects are larger, up to a limit that memory sets."""
    assert choose_range_bytes(size * MIB) == expected * MIB


@pytest.mark.parametrize(("size", "expected"), [(9, 8), (127, 8), (128, 16), (1_024, 16), (None, 16)])
def test_parts_grow_with_the_object(size: int | None, expected: int) -> None:
    """Parts of large objects are larger, and so are those of a stream whose size nobody knows."""
    assert choose_part_bytes(None if size is None else size * MIB) == expected * MIB


@pytest.mark.parametrize("tebibytes", [1, 5])
def test_parts_are_never_more_than_s3_takes(tebibytes: int) -> None:
    """The largest objects that S3 has fit its number of parts."""
    size = tebibytes << 40
    assert -(-size // choose_part_bytes(size)) <= MAX_PARTS


def test_parts_are_read_in_small_pieces_and_whole() -> None:
    """A file goes up in pieces that are never in memory together, and none is lost."""
    body = bytes(range(256)) * (9 * MIB // 256) + b"tail"
    whole, parts = read_parts(io.BytesIO(body))
    assert whole == b""
    assert parts is not None
    pieces = list(parts)
    assert max(map(len, pieces)) <= MIB
    assert (b"".join(pieces), parts.sent, parts.part_bytes) == (body, len(body), 8 * MIB)


def test_transfers_share_what_is_on_its_way() -> None:
    """One alone has all requests, two have half each, many have one each; who ends gives its share back."""
    sharing = Sharing()
    with sharing.joined():
        assert sharing.share_of(4) == 4
        with sharing.joined():
            assert sharing.share_of(4) == 2
            with sharing.joined(), sharing.joined(), sharing.joined():
                assert sharing.share_of(4) == 1
        assert sharing.share_of(4) == 4
