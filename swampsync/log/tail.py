"""The tail: what is new in a log since a position.

One listing that begins at the last applied commit itself. That commit must come back as we know it; if nothing
follows it, nothing is new, and that was the only request. What follows is read side by side and verified: numbers
without a gap, and each commit's parent is the one before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from swampsync.backends.base import ETag, ObjectNotFound
from swampsync.errors import DataError, Unavailable
from swampsync.log.log import PAGE_KEYS, Log, LogEntry, missing_commit

if TYPE_CHECKING:
    from swampsync.log.commit import Commit, PublishedCommit


@dataclass(frozen=True, slots=True)
class Position:
    """How far a log was applied.

    Args:
        seq: The last applied commit's number; 0 at the beginning.
        id: Its id; empty at the beginning.
        etag: Of its object, if known.
    """

    seq: int
    id: str
    etag: ETag | None = None

    @classmethod
    def of(cls, published: PublishedCommit) -> Position:
        """Stand behind a commit."""
        return cls(published.commit.seq, published.commit.id, published.etag)


BEGINNING: Final = Position(0, "")


class Freshness(Enum):
    """How a position relates to the log."""

    NOTHING_NEW = "nothing new"
    NEWER = "newer commits"
    FAR_BEHIND = "far behind"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class Tail:
    """What one listing told.

    Args:
        log: Whose.
        freshness: `FAR_BEHIND` after a full page of keys: more may follow, and a checkpoint may be the shorter way.
            `REPLACED` if the log is not the one that we have applied.
        position: Where we stand, with the ETag as the store tells it now.
        entries: What was listed after it.
    """

    log: Log
    freshness: Freshness
    position: Position
    entries: tuple[LogEntry, ...]

    def commits(self) -> Iterator[PublishedCommit]:
        """Read the listed commits side by side; yield each after it has been verified.

        Raises:
            DataError: A gap, a break in the chain, or a commit that cannot be read; the key is named.
        """
        entries = self._without_former_lives()
        before: Position | None = self.position if entries and entries[0].seq == self.position.seq + 1 else None
        for published in self.log.read_commits(entry.seq for entry in entries):
            verify_next(self.log, published.commit, before=before)
            before = Position.of(published)
            yield published

    def _without_former_lives(self) -> tuple[LogEntry, ...]:
        """Check that numbers follow each other; a tombstone ends a life, and what is gone before it is not missed."""
        gap = find_gap(self.entries, after=self.position.seq)
        if gap is None:
            return self.entries
        behind = [index for index, entry in enumerate(self.entries) if entry.seq > gap]
        commits = self.log.read_commits(self.entries[index].seq for index in behind)
        ends = [index for index, published in zip(behind, commits, strict=True) if published.commit.is_tombstone]
        rest = self.entries[ends[-1] :] if ends else ()
        if not rest or find_gap(rest, after=rest[0].seq - 1) is not None:
            raise missing_commit(self.log.layout, gap)
        return rest


def tail(log: Log, position: Position, *, limit: int | None = PAGE_KEYS) -> Tail:
    """Look at a log from a position on; one request if nothing is new.

    Args:
        log: Which.
        position: Up to where it was applied.
        limit: How many keys make a page; `None` lists them all and never says `FAR_BEHIND`.

    Raises:
        Unavailable: The listing does not show what a read finds.
    """
    entries = log.list_commits(position.seq, limit=limit)
    return _judge(log, position, entries, is_full=limit is not None and len(entries) >= limit)


def tail_within(listed: Tail, position: Position) -> Tail | None:
    """Look at a log from a position on, in a listing from the beginning that was made before; mostly no request.

    Args:
        listed: The tail of the beginning.
        position: Of a commit.

    Returns:
        What `tail` gives; `None` if the listing ends before, or does not tell of the position.

    Raises:
        Unavailable: The listing does not show what a read finds.
    """
    entries = [entry for entry in listed.entries if entry.seq >= position.seq]
    if listed.freshness is Freshness.FAR_BEHIND or not entries:
        return None
    return _judge(listed.log, position, entries, is_full=False)


def _judge(log: Log, position: Position, entries: list[LogEntry], *, is_full: bool) -> Tail:
    """Say what a listing that begins at a position tells."""
    if position.seq == 0:
        freshness = Freshness.FAR_BEHIND if is_full else Freshness.NEWER if entries else Freshness.NOTHING_NEW
        return Tail(log, freshness, position, tuple(entries))
    if not entries or entries[0].seq != position.seq:
        _check_absence(log, position)
        return Tail(log, Freshness.REPLACED, position, tuple(entries))
    first = entries[0]
    if first.etag is not None and first.etag != position.etag:
        # A store may give another ETag to the same bytes, after a copy or with another encryption key; and a position
        # that comes from a checkpoint may know none.
        if not _holds(log, position):
            return Tail(log, Freshness.REPLACED, position, tuple(entries))
        position = replace(position, etag=first.etag)
    freshness = Freshness.FAR_BEHIND if is_full else Freshness.NEWER if entries[1:] else Freshness.NOTHING_NEW
    return Tail(log, freshness, position, tuple(entries[1:]))


def verify_next(log: Log, commit: Commit, *, before: Position | None) -> None:
    """Check that a commit follows a position; a tombstone follows anything, and `None` is before the first.

    Raises:
        DataError: It does not; its key is named.
    """
    key = log.layout.log_key(commit.seq).text
    if commit.is_tombstone and (before is None or commit.seq > before.seq):
        return
    if before is None or commit.seq != before.seq + 1:
        raise missing_commit(log.layout, 1 if before is None else before.seq + 1)
    if commit.parent != (before.id or None):
        raise DataError(
            f"commit `{key}` names `{commit.parent}` as its parent, but commit {before.seq} is `{before.id}`",
            hint="swamp datastore verify --repair",
            key=key,
        )


def find_gap(entries: tuple[LogEntry, ...], *, after: int) -> int | None:
    """Return the first number that is missing from a listing."""
    for expected, entry in enumerate(entries, start=after + 1):
        if entry.seq != expected:
            return expected
    return None


def _check_absence(log: Log, position: Position) -> None:
    """Do not start over because of a listing that lies."""
    try:
        found = log.read_commit(position.seq)
    except (ObjectNotFound, DataError):
        return
    if found.commit.id == position.id:
        key = log.layout.log_key(position.seq).text
        raise Unavailable(f"the listing of the log does not show commit `{key}`, although it exists", key=key)


def _holds(log: Log, position: Position) -> bool:
    try:
        return log.read_commit(position.seq).commit.id == position.id
    except ObjectNotFound:
        return False
