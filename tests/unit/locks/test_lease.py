from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swampsync.locks.lease import (
    Holder,
    LockRecord,
    Sight,
    TornRecord,
    find_time_offset,
    make_record,
    parse_record,
    renew_record,
)

SWAMP_FILE = b"""{
  "holder": "ana@build-7",
  "hostname": "build-7",
  "pid": 40117,
  "acquiredAt": "2026-11-21T09:15:37.969Z",
  "ttlMs": 30000,
  "nonce": "5b0c4f0e-6a5e-4c0e-9c55-0f3f0f1d2c3b"
}"""

SWAMP_RECORD = LockRecord(
    holder="ana@build-7",
    hostname="build-7",
    pid=40117,
    acquired_at="2026-11-21T09:15:37.969Z",
    ttl_ms=30000,
    nonce="5b0c4f0e-6a5e-4c0e-9c55-0f3f0f1d2c3b",
)

HOLDER = Holder("ana@build-7", "build-7", 40117, "boot", "pid:[4026531836]", 305053)


def test_file_of_swamp_is_read_and_written_byte_for_byte() -> None:
    """A record with only swamp's keys has swamp's bytes: two spaces, its order, no newline at the end."""
    assert parse_record(SWAMP_FILE) == SWAMP_RECORD
    assert SWAMP_RECORD.format() == SWAMP_FILE


def test_our_keys_follow_those_of_swamp() -> None:
    """What we add comes after what swamp reads, which is unchanged."""
    record = make_record(
        HOLDER, nonce=SWAMP_RECORD.nonce, command="data gc", acquired_at=SWAMP_RECORD.acquired_at, ttl_seconds=30
    )
    assert record.format().startswith(SWAMP_FILE.removesuffix(b"\n}") + b",\n")
    assert list(json.loads(record.format()))[6:] == ["command", "heldSince", "bootId", "pidNamespace", "processStart"]


@given(
    st.builds(
        LockRecord,
        holder=st.text(max_size=30),
        hostname=st.text(max_size=30),
        pid=st.integers(0, 2**40),
        acquired_at=st.datetimes().map(lambda t: f"{t:%m-%dT%H:%M:%S}.000Z"),
        ttl_ms=st.integers(0, 10**9),
        nonce=st.text(max_size=30),
        command=st.text(max_size=30),
        process_start=st.none() | st.integers(0, 10**12),
        beat=st.none() | st.integers(0, 10**6),
        is_released=st.booleans(),
    )
)
@settings(max_examples=100, deadline=None)
def test_record_survives_the_file(record: LockRecord) -> None:
    """Whatever is in a record is read back, and its time is found for rewriting in place."""
    body = record.format()
    assert parse_record(body) == record
    offset = find_time_offset(body)
    assert body[offset : offset + len(record.acquired_at)] == record.acquired_at.encode()


def test_time_is_not_found_inside_a_holders_name() -> None:
    """A holder whose name looks like the key does not get its name overwritten."""
    body = LockRecord('\n  "acquiredAt": "x', "h", 1, "2026-01-01T00:00:00.000Z", 1, "n").format()
    assert body[find_time_offset(body) :].startswith(b"2026-01-01T00:00:00.000Z")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b"\xff",
        SWAMP_FILE[:-1],
        SWAMP_FILE[:80],
        SWAMP_FILE.replace(b"40117", b'"40117"'),
        SWAMP_FILE.replace(b"40117", b"true"),
        SWAMP_FILE.replace(b"40117", b"NaN"),
        SWAMP_FILE.replace(b"30000", b"null"),
        SWAMP_FILE.replace(b'"ana@build-7"', b"7"),
        b"[" * 100_000,
    ],
)
def test_torn_file_is_no_error(body: bytes) -> None:
    """What a crash or a stranger leaves behind is a torn record, never an exception."""
    assert parse_record(body) == TornRecord(body)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_can_be_parsed(body: bytes) -> None:
    """There are no bytes that break the parser."""
    assert isinstance(parse_record(body), LockRecord | TornRecord)


def test_record_of_old_swamp_has_no_nonce() -> None:
    """Old versions wrote no nonce; the rest counts."""
    document = json.loads(SWAMP_FILE)
    del document["nonce"]
    record = parse_record(json.dumps(document).encode())
    assert isinstance(record, LockRecord)
    assert record.nonce == ""


@pytest.mark.parametrize("nonce", ["", "../../etc/passwd", "a/b", "x" * 65, "ü", "a\nb", ".."])
def test_identifier_is_safe_in_a_file_name(nonce: str) -> None:
    """A nonce from a file is never taken into a path unless it is harmless."""
    sight = Sight("/k", LockRecord("h", "h", 1, "t", 1, nonce), (7, b"body"))
    assert len(sight.identifier) == 32
    assert sight.identifier.isalnum()


def test_identifier_is_the_same_for_every_heartbeat() -> None:
    """Everybody who judges one holder uses one name for it, whatever heartbeat they saw."""
    one = Sight("/k", SWAMP_RECORD, (7, b"one"))
    two = Sight("/k", renew_record(SWAMP_RECORD, "2026-11-21T09:15:47.969Z"), (7, b"two"))
    assert one.identifier == two.identifier == SWAMP_RECORD.nonce


def test_heartbeat_counts_only_in_buckets() -> None:
    """A directory's record keeps its length; a bucket's counts beats, so that no two bodies are equal."""
    assert renew_record(SWAMP_RECORD, SWAMP_RECORD.acquired_at) == SWAMP_RECORD
    in_bucket = parse_record(SWAMP_FILE[:-2] + b',\n  "beat": 3\n}')
    assert isinstance(in_bucket, LockRecord)
    assert renew_record(in_bucket, in_bucket.acquired_at).beat == 4
