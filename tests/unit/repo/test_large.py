"""Content too large for one request, through everything that stands between a command and a bucket."""

from __future__ import annotations

import io
from pathlib import Path

from swampsync.repo import Repo
from swampsync.sync.hydrate import STREAM_BYTES
from swampsync.testing.faulty_store import Call, Fault, Faulty
from tests.unit.repo.buckets import MemoryBuckets, make_repo

BUCKET = 'datastore:\n  type: "@swampsync/s3"\n  config:\n    bucket: team\n  namespace: infra\n'


def test_large_content_is_sent_again_from_its_beginning(tmp_path: Path) -> None:
    """A large put that fails for the moment is repeated whole, and another repo reads the same bytes."""
    failures = [Fault.LOST_ANSWER]

    def fail_once(call: Call) -> Fault | None:
        return failures.pop() if call.method == "put_stream" and failures else None

    buckets = MemoryBuckets(wrap=lambda store: Faulty(store, fail_once))
    body = bytes(range(256)) * (STREAM_BYTES // 256) + b"and more"
    with Repo(buckets.parts(make_repo(tmp_path / "a", more=BUCKET))) as repo:
        repo.data.put("vpc", "image", io.BytesIO(body))
    assert failures == []
    with Repo(buckets.parts(make_repo(tmp_path / "b", more=BUCKET))) as other:
        found = other.reading.get("vpc", "image")
        assert b"".join(other.reading.read(found)) == body


def test_large_content_is_fetched_on_where_it_broke(tmp_path: Path) -> None:
    """A download that breaks off is resumed, and what was written is read back: the bytes are those of the log."""
    cuts = [Fault.CUT, Fault.LOST_REQUEST]

    def cut(call: Call) -> Fault | None:
        return cuts.pop() if call.method in {"download", "get"} and cuts and is_reading else None

    is_reading = False
    buckets = MemoryBuckets(wrap=lambda store: Faulty(store, cut))
    body = bytes(range(256)) * (STREAM_BYTES // 256) + b"and more"
    with Repo(buckets.parts(make_repo(tmp_path / "a", more=BUCKET))) as repo:
        repo.data.put("vpc", "image", io.BytesIO(body))
    with Repo(buckets.parts(make_repo(tmp_path / "b", more=BUCKET))) as other:
        found = other.reading.get("vpc", "image")
        is_reading = True
        assert b"".join(other.reading.read(found)) == body
    assert cuts == []
