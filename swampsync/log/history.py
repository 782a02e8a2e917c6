"""History: who changed what, and what was true then.

Times are the store's, which go up with the numbers; those that writers put into commits are for people.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from swampsync.backends.base import ObjectNotFound
from swampsync.clock import format_timestamp
from swampsync.errors import NotFound
from swampsync.log.checkpoint import list_checkpoints, readable_checkpoints
from swampsync.log.commit import Commit, PublishedCommit
from swampsync.log.log import Log, SegmentMissing
from swampsync.log.state import NamespaceState
from swampsync.log.tail import BEGINNING, Freshness, tail
from swampsync.log.wildcards import compile_path


def _pass_over(_commit: Commit) -> None:
    pass


def iterate_history(
    log: Log,
    *,
    head: int,
    path: str | None = None,
    since: datetime | None = None,
    on_unknown: Callable[[Commit], None] = _pass_over,
) -> Iterator[PublishedCommit]:
    """Iterate commits, newest first; reads as far as is consumed.

    Args:
        log: Whose.
        head: The newest commit's number.
        path: Only commits that put or removed what this names, wildcards included, or something below it; an
            artifact's path finds all of its versions.
        since: Only those published at or after this time.
        on_unknown: Told each commit of which nobody knows any more what it touched: its rows were vacuumed.

    Raises:
        DataError: A commit is missing or damaged, or a segment is damaged.
    """
    wanted = None if path is None else compile_path(path)
    for published in log.read_commits(range(head, 0, -1)):
        moment = published.published_at
        if since is not None and moment is not None and moment < since:
            return
        try:
            is_wanted = wanted is None or _touches(log, published, wanted)
        except SegmentMissing:
            on_unknown(published.commit)
            is_wanted = False
        if is_wanted:
            yield published
        if published.commit.is_tombstone:
            return


def find_commit_at(log: Log, moment: datetime, *, head: int) -> int:
    """Return the number of the newest commit published at or before a time; 0 if the log began later.

    Takes about as many requests as the number has binary digits. A time is as it is printed, in whole milliseconds:
    whoever names the time of a commit that was shown means that commit.
    """
    low, high = 0, head
    while low < high:
        middle = (low + high + 1) // 2
        try:
            published = log.store.head(log.layout.log_key(middle)).modified_at
            is_before = published - timedelta(microseconds=published.microsecond % 1000) <= moment
        except ObjectNotFound:  # of a former life
            is_before = True
        low, high = (middle, high) if is_before else (low, middle - 1)
    return low


def read_state_at(log: Log, seq: int) -> NamespaceState:
    """Read the state at a commit into memory.

    Raises:
        NotFound: The log does not reach so far.
        DataError: A commit or segment in between is missing or damaged.
    """
    if seq == 0:
        return NamespaceState()
    for checkpoint in readable_checkpoints(log, at_most=seq):
        seen = tail(log, checkpoint.position, limit=None)
        if seen.freshness is not Freshness.REPLACED:
            start = checkpoint.position
            state = NamespaceState.from_rows(checkpoint.rows(), seq=start.seq, commit_id=start.id)
            break
    else:
        seen, state = tail(log, BEGINNING, limit=None), NamespaceState()
    if state.seq == seq:
        return state
    for published in seen.commits():
        state.apply(published.commit, log.rows(published.commit))
        if published.commit.seq == seq:
            return state
    if seq < state.seq:
        raise NotFound(
            f"commit {seq} belongs to an earlier life of the namespace, which was deleted since",
            hint="swamp datastore log",
        )
    raise NotFound(f"the log has no commit {seq}: its newest is {state.seq}", hint="swamp datastore log")


def find_head(log: Log, *, known: int = 0) -> int:
    """Return the newest commit's number, 0 for none; one listing if the number of one near it is known.

    Args:
        log: Whose.
        known: A commit that existed once; the newest checkpoint's serves where none is known.
    """
    start = known or next((entry.seq for entry in list_checkpoints(log, limit=1)), 0)
    entries = log.list_commits(start)
    if not entries and start:  # the log was replaced by a shorter one
        entries = log.list_commits(0)
    return entries[-1].seq if entries else 0


def find_commit_as_of(log: Log, when: int | datetime, *, head: int) -> int:
    """Return the number of the commit that was the newest at a time, or check that a number exists.

    Raises:
        NotFound: The log began later, or does not reach so far.
    """
    if head == 0:
        raise NotFound("nothing was published yet", hint="swamp data put MODEL NAME FILE")
    if isinstance(when, int):
        if not 0 < when <= head:
            raise NotFound(
                f"the log has no commit {when}: its commits are 1 to {head}", hint=f"--as-of {head}, or a time"
            )
        return when
    found = find_commit_at(log, when, head=head)
    if found == 0:
        first = format_timestamp(log.store.head(log.layout.log_key(1)).modified_at)
        raise NotFound(
            f"nothing was published yet at {format_timestamp(when)}: the first commit is of {first}",
            hint=f"--as-of {first}",
        )
    return found


def _touches(log: Log, published: PublishedCommit, wanted: re.Pattern[str]) -> bool:
    return any(wanted.fullmatch(row.path) for row in log.rows(published.commit))
