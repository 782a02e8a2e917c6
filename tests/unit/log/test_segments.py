from __future__ import annotations

import gzip
import hashlib
import random
import zlib

import pytest

from swampsync.errors import DataError, InvalidInput
from swampsync.log.commit import SegmentRef
from swampsync.log.rows import AnyRow, ArtifactRow, Highest, Removal, UsedPath
from swampsync.log.segments import (
    MAX_LINE_BYTES,
    MAX_PLAIN_BYTES,
    check_segment,
    pack_segments,
    row_to_line,
    unpack_segment,
)
from tests.unit.log.conftest import Ids, file_put, version

KEY = "infra/_segments/s.jsonl.gz"


def ref_of(body: bytes, rows: int) -> SegmentRef:
    return SegmentRef("s", rows, len(body), hashlib.sha256(body).hexdigest())


def rows_of(count: int) -> list[AnyRow]:
    rows: list[AnyRow] = []
    for number in range(count):
        rows.extend(version(f"artifact-{number % 50}", number + 1, f"content {number}"))
    rows += [
        Removal("files/old"),
        Highest("data/t/m/n", 7),
        UsedPath("files/once"),
        file_put("files/a", key="files/a~1"),
    ]
    return rows


def test_segments_round_trip_every_kind_of_row() -> None:
    """What is packed comes back row by row, each as its own kind."""
    rows = rows_of(300)
    packed = list(pack_segments(map(row_to_line, rows), new_id=Ids()))
    assert len(packed) == 1
    found = [row for ref, body in packed for row in unpack_segment(body, ref, key=KEY)]
    assert found == rows
    assert [type(row) for row in found] == [type(row) for row in rows]


def test_segments_are_cut_at_their_target_and_readable_by_gzip() -> None:
    """A segment ends near its target size, rows in order, and any gzip can read it."""
    rng = random.Random(1)
    lines = [row_to_line(file_put(f"files/{rng.getrandbits(256):x}", str(n))) for n in range(12_000)]
    packed = list(pack_segments(lines, new_id=Ids(), target_bytes=200_000))
    assert len(packed) > 2
    assert all(200_000 <= ref.size < 500_000 for ref, _ in packed[:-1])
    assert b"".join(gzip.decompress(body) for _, body in packed) == b"".join(lines)
    assert sum(ref.rows for ref, _ in packed) == 12_000


def test_equal_rows_give_equal_bytes() -> None:
    """No time or name gets into a segment."""
    lines = list(map(row_to_line, rows_of(20)))
    assert [b for _, b in pack_segments(lines, new_id=Ids(1))] == [b for _, b in pack_segments(lines, new_id=Ids(2))]


def test_no_rows_need_no_segment() -> None:
    """Nothing is written for nothing."""
    assert list(pack_segments([], new_id=Ids())) == []


def test_exchanged_or_damaged_segment_is_refused() -> None:
    """A segment that is not byte for byte the one that was named is damage."""
    (ref, body), *_ = pack_segments(map(row_to_line, rows_of(5)), new_id=Ids())
    check_segment(body, ref, key=KEY)
    for damaged in (body[:-1], body + b"x", body[:20] + b"\x00" + body[21:], b""):
        with pytest.raises(DataError) as caught:
            check_segment(damaged, ref, key=KEY)
        assert caught.value.key == KEY


@pytest.mark.parametrize(
    "plain",
    [
        b'["x","y"]\n',
        b"5\n",
        b"[]\n",
        b'["p"]\n',
        b'["p","files/a",1]\n',
        b'["p","../a",1,"' + b"0" * 64 + b'"]\n',
        b'["r","files/a","more"]\n',
        b'["r",5]\n',
        b'["r",["files/a"]]\n',
        b'["h","data/t/m/n",0]\n',
        b'["h","files/x",1]\n',
        b'["u","_log/x"]\n',
        b'["a","t","m",{}]\n',
        b"{not json\n",
        b'["r","files/a"]\n["r","files/b"]\n',
        b'["r","files/a"]',
    ],
)
def test_rows_that_are_none_are_damage(plain: bytes) -> None:
    """A well-packed segment with a wrong row, a wrong number of rows or a cut last line is damage."""
    body = gzip.compress(plain, mtime=0)
    with pytest.raises(DataError):
        list(unpack_segment(body, ref_of(body, 1), key=KEY))


@pytest.mark.parametrize("cut", [1, 8, 12])
def test_cut_gzip_is_damage(cut: int) -> None:
    """A stream without its end is damage although every row in it is whole."""
    body = gzip.compress(b'["r","files/a"]\n', mtime=0)[:-cut]
    with pytest.raises(DataError):
        list(unpack_segment(body, ref_of(body, 1), key=KEY))


def test_bytes_behind_the_end_are_damage() -> None:
    """A second member behind the first is not read over."""
    body = gzip.compress(b'["r","files/a"]\n', mtime=0) * 2
    with pytest.raises(DataError):
        list(unpack_segment(body, ref_of(body, 1), key=KEY))


@pytest.mark.parametrize("filling", [b"\n", b" "])
def test_bombs_do_not_inflate(filling: bytes) -> None:
    """A few KiB that would inflate to gigabytes are refused at a bound."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = filling * (1 << 20)
    body = b"".join(deflate.compress(block) for _ in range(MAX_PLAIN_BYTES // (1 << 20) + 2)) + deflate.flush()
    assert len(body) < 200_000
    with pytest.raises(DataError):
        list(unpack_segment(body, ref_of(body, 1), key=KEY))


def test_row_too_long_for_a_segment_is_refused_before_it_is_written() -> None:
    """What a reader would refuse is not written."""
    row, _ = version("state", 1)
    with pytest.raises(InvalidInput, match="too large"):
        row_to_line(ArtifactRow(row.model_type, row.model_id, row.metadata, "x" * MAX_LINE_BYTES))
