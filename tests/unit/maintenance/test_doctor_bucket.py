"""What the bucket does on its own, and what becomes of uploads that break off."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import BinaryIO

import pytest

from swampsync.backends.base import ObjectStoreRefused, Overwrite, PutResult
from swampsync.backends.bucket_rules import BucketVersions
from swampsync.backends.memory import MemoryStore
from swampsync.clock import spawn_daemon
from swampsync.errors import AccessDenied
from swampsync.layout import ObjectKey
from swampsync.maintenance.doctor_bucket import check_multipart, check_removal
from swampsync.maintenance.doctor_report import Finding, Result
from swampsync.maintenance.doctor_scratch import FULL, QUICK, Effort, Scratch
from swampsync.testing.manual_clock import ManualClock


def scratch_of(store: MemoryStore, effort: Effort = FULL) -> Scratch:
    clock = ManualClock()
    return Scratch(store, "infra/d/", clock=clock, rng=random.Random(1), spawner=spawn_daemon, effort=effort)


class Piecemeal(MemoryStore):
    """Shows an upload as far as it came."""

    def put_stream(self, key: ObjectKey, body: BinaryIO) -> PutResult:
        came = b""
        while piece := body.read(1 << 20):
            came += piece
            self.put(key, came, Overwrite())
        return self.put(key, came, Overwrite())


class Mangling(MemoryStore):
    """Loses the first part."""

    def put_stream(self, key: ObjectKey, body: BinaryIO) -> PutResult:
        pieces = list(iter(lambda: body.read(1 << 20), b""))
        return self.put(key, b"".join(pieces[8:]), Overwrite())


class Lacking(MemoryStore):
    """Has no multipart uploads."""

    def put_stream(self, key: ObjectKey, body: BinaryIO) -> PutResult:
        body.read(1)
        raise ObjectStoreRefused("501 NotImplemented")


class Whole(MemoryStore):
    """Reads as S3 does."""

    def put_stream(self, key: ObjectKey, body: BinaryIO) -> PutResult:
        return self.put(key, b"".join(iter(lambda: body.read(1 << 20), b"")), Overwrite())


@pytest.mark.parametrize(
    ("kind", "result", "said"),
    [
        (Whole, Result.KEPT, "whole or not at all"),
        (MemoryStore, Result.KEPT, "whole or not at all"),
        (Piecemeal, Result.BROKEN, "half a file may be read"),
        (Mangling, Result.BROKEN, "comes back as something else"),
        (Lacking, Result.ABSENT, "cannot be pushed: 501"),
    ],
)
def test_uploads_are_whole_or_not_there(kind: type[MemoryStore], result: Result, said: str) -> None:
    """A store that shows half an upload, or loses a part of one, is found out."""
    finding = check_multipart(scratch_of(kind(ManualClock())), None)
    assert finding.result is result
    assert said in finding.consequence


def test_parts_that_are_left_behind_are_counted_and_removed() -> None:
    """What broken uploads leave costs money and no listing shows it."""
    asked: list[str] = []

    def leave_two(prefix: str) -> list[str]:
        asked.append(prefix)
        return ["a", "b"]

    finding = check_multipart(scratch_of(Whole(ManualClock())), leave_two)
    assert (finding.result, asked) == (Result.BROKEN, ["infra/d/"])
    assert "parts of 2 uploads" in finding.consequence
    assert check_multipart(scratch_of(Whole(ManualClock())), lambda _: []) == Finding(
        Result.KEPT, "an upload is visible whole or not at all, and leaves no parts when it breaks off"
    )


def test_parts_that_could_not_be_looked_for_are_not_said_to_be_gone() -> None:
    """Who may not list uploads, or has nothing to ask, is told that nobody looked."""

    def refuse(_prefix: str) -> list[str]:
        raise AccessDenied("not yours")

    said = (
        "an upload is visible whole or not at all; whether parts are left when it breaks off could not be looked at{}"
    )
    refused = check_multipart(scratch_of(Whole(ManualClock())), refuse)
    assert refused == Finding(Result.KEPT, said.format(": not yours"))
    assert check_multipart(scratch_of(Whole(ManualClock())), None) == Finding(Result.KEPT, said.format(""))


def test_quick_probe_uploads_nothing_large() -> None:
    """Set-up does not wait for it."""
    store = Lacking(ManualClock())
    assert check_multipart(scratch_of(store, QUICK), None).result is Result.NOT_CHECKED
    assert list(store.list("")) == []


def deny() -> BucketVersions:
    raise AccessDenied("not yours")


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (
            lambda: BucketVersions(is_kept=False),
            Finding(Result.KEPT, "what is removed or replaced is gone, and frees its room"),
        ),
        (
            lambda: BucketVersions(is_kept=True),
            Finding(
                Result.ABSENT,
                "the bucket keeps versions: what is removed or replaced takes room until a lifecycle rule expires it",
            ),
        ),
        (
            lambda: BucketVersions(is_kept=True, retention="1 day (COMPLIANCE)"),
            Finding(
                Result.ABSENT,
                "Object Lock keeps what is removed or replaced for 1 day (COMPLIANCE), and it takes room until then",
            ),
        ),
        (
            deny,
            Finding(Result.NOT_CHECKED, "whether the bucket keeps versions could not be found out: not yours"),
        ),
    ],
)
def test_whether_removal_frees_room_is_said(read: Callable[[], BucketVersions], expected: Finding) -> None:
    """A bucket with versions, or under Object Lock, keeps what vacuum removes."""
    assert check_removal(scratch_of(MemoryStore(ManualClock())), read) == expected
