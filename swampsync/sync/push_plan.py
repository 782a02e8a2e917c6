"""What a push would do, before it does it: requests, bytes, and whether it may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from swampsync.backends.s3_pieces import count_writes
from swampsync.catalog.files import FileState
from swampsync.errors import Refused
from swampsync.log.paths import RAW_FILE
from swampsync.sync.clone import Clone
from swampsync.sync.pending import Op, PendingEntry

# Of a row in a commit, and of a row in a segment, about.
_ROW_BYTES: Final = 450
_PACKED_ROW_BYTES: Final = 90
_ROWS_IN_SEGMENT: Final = 20_000


@dataclass(frozen=True, slots=True)
class PushLimits:
    """What a push may do.

    Args:
        max_requests: Stop before the first write if more would be needed; `None` for any number.
        requests_besides: What the command sends besides the push, which counts too.
        max_delete: How many versions and files may be removed; `None` for at most half of what there is.
        is_confirmed: Whether any number may be removed.
        asked: Paths of what the command itself removed, which it asked about: these do not count.
    """

    max_requests: int | None = None
    requests_besides: int = 0
    max_delete: int | None = None
    is_confirmed: bool = False
    asked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PushPlan:
    """What is pending, and what it takes to publish it.

    Args:
        entries: In the order in which they were recorded.
        puts: How many versions and files.
        removals: How many versions and files.
        requests: How many, as long as nobody else publishes meanwhile and no checkpoint is due.
        size: Bytes that go up, about.
    """

    entries: tuple[PendingEntry, ...]
    puts: int
    removals: int
    requests: int
    size: int


def plan_push(entries: Sequence[PendingEntry], sizes: dict[str, int]) -> PushPlan:
    """Plan a push.

    Args:
        entries: What is pending.
        sizes: Bytes of content by the path of the entry.
    """
    from swampsync.log.commit import MAX_INLINE_ENTRIES  # noqa: PLC0415 - where nothing is pending it is not needed

    puts = [entry for entry in entries if entry.op is Op.PUT]
    removals = len(entries) - len(puts)
    if not entries:
        return PushPlan((), 0, 0, 0, 0)
    requests = size = rows = 0
    for entry in puts:
        rows += 2 if entry.is_version else 1
        if entry.is_uploaded:  # looked at, mostly
            requests += 2 if entry.is_version else 1
            continue
        content = sizes.get(entry.path, 0)
        size += content
        requests += count_writes(content)
        if entry.is_version:
            requests += 1
            size += _ROW_BYTES
    rows += sum(2 if entry.is_version else 1 for entry in entries if entry.op is Op.REMOVE)
    if rows > MAX_INLINE_ENTRIES:
        requests += -(-rows // _ROWS_IN_SEGMENT)
        size += rows * _PACKED_ROW_BYTES
    else:
        size += rows * _ROW_BYTES
    return PushPlan(tuple(entries), len(puts), removals, requests + 1, size)


def sizes_of(clone: Clone, entries: Sequence[PendingEntry]) -> dict[str, int]:
    """Look up how large the content of entries is."""
    paths = {f"{e.path}/{RAW_FILE}" if e.is_version else e.path: e.path for e in entries if e.op is Op.PUT}
    return {paths[path]: record.size for path, record in clone.state.files.find_many(clone.namespace, paths).items()}


def check_limits(clone: Clone, plan: PushPlan, limits: PushLimits) -> None:
    """Refuse a plan that goes beyond what it may.

    Raises:
        Refused: It needs too many requests, or removes too much; nothing was written.
    """
    needed = plan.requests + limits.requests_besides
    if limits.max_requests is not None and needed > limits.max_requests:
        raise too_many_requests(needed, limits.max_requests)
    removals = sum(1 for entry in plan.entries if entry.op is Op.REMOVE and entry.path not in limits.asked)
    # What is to be removed is recorded, and so no longer counted.
    check_removals(removals, count_published(clone) + plan.removals, limits)


def too_many_requests(needed: int, allowed: int) -> Refused:
    """Make the error for a sync that needs more requests than it may send."""
    return Refused(
        f"this sync needs {needed} requests, and {allowed} are allowed",
        hint=f"swamp datastore sync --max-requests {needed}",
    )


def count_published(clone: Clone) -> int:
    """Count the versions and files that the log has, as far as no removal of them is recorded."""
    counts = clone.state.files.count(clone.namespace)
    return sum(number for state, (number, _) in counts.items() if state is not FileState.PENDING)


def check_removals(removals: int, published: int, limits: PushLimits) -> None:
    """Refuse to remove more than allowed.

    Args:
        removals: How many versions and files.
        published: Of how many.
        limits: What is allowed; if they do not say, half.

    Raises:
        Refused: It is more.
    """
    if limits.is_confirmed or not removals:
        return
    allowed = published // 2 if limits.max_delete is None else limits.max_delete
    if removals > allowed:
        raise Refused(
            f"this push would remove {removals} of {published} versions and files, and {allowed} are allowed",
            hint=f"if that is meant: swamp datastore sync --yes, or --max-delete {removals}",
        )


def kind_of(entries: Sequence[PendingEntry]) -> str:
    """Name what a commit of entries is: the command that made all of them, or a push of several."""
    kinds = {entry.kind for entry in entries}
    return kinds.pop() if len(kinds) == 1 else "push"
