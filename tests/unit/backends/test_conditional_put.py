"""The decision after a conditional put that did not simply succeed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from swampsync.backends.base import Create, ETag, GetResult, IfMatch, ObjectInfo
from swampsync.backends.conditional_put import Seen, Verdict, judge_conditional_put, look_at
from swampsync.layout import ObjectKey

SWAP = IfMatch(ETag("before"))


@pytest.mark.parametrize(
    ("mode", "seen", "expected"),
    [
        (Create(), Seen.OURS, Verdict.DONE),
        (Create(), Seen.ABSENT, Verdict.REPEAT),
        (Create(), Seen.OTHER, Verdict.CONFLICT),
        (Create(), Seen.UNCHANGED, Verdict.CONFLICT),
        (SWAP, Seen.OURS, Verdict.DONE),
        (SWAP, Seen.ABSENT, Verdict.CONFLICT),
        (SWAP, Seen.OTHER, Verdict.CONFLICT),
        (SWAP, Seen.UNCHANGED, Verdict.REPEAT),
    ],
)
def test_verdict_follows_from_what_was_seen(mode: Create | IfMatch, seen: Seen, expected: Verdict) -> None:
    """Our bytes mean done, an unchanged state may be tried again, everything else is somebody's."""
    assert judge_conditional_put(mode, seen) is expected


def found(body: bytes, etag: str, size: int | None = None) -> GetResult:
    info = ObjectInfo(ObjectKey("k"), len(body) if size is None else size, ETag(etag), datetime(2026, 1, 1, tzinfo=UTC))
    return GetResult(info, body)


@pytest.mark.parametrize(
    ("mode", "result", "expected"),
    [
        (Create(), None, Seen.ABSENT),
        (SWAP, None, Seen.ABSENT),
        (Create(), found(b"ours", "any"), Seen.OURS),
        (SWAP, found(b"ours", "any"), Seen.OURS),
        (SWAP, found(b"ours", "before"), Seen.OURS),
        (SWAP, found(b"old", "before"), Seen.UNCHANGED),
        (SWAP, found(b"new", "after"), Seen.OTHER),
        (Create(), found(b"their", "any"), Seen.OTHER),
        (Create(), found(b"ours!", "any", size=900), Seen.OTHER),
        (Create(), found(b"ours", "any", size=900), Seen.OTHER),
    ],
)
def test_what_was_found_is_classed(mode: Create | IfMatch, result: GetResult | None, expected: Seen) -> None:
    """Equal bytes of equal length are ours, the named ETag is unchanged, a longer object that begins alike is not."""
    assert look_at(mode, b"ours", result) is expected
