"""How far a log has gone on since a clone last read it: one listing from where that ended, and nothing is applied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from swampsync.clock import Clock, format_timestamp
from swampsync.errors import SwampsyncError
from swampsync.log.tail import Freshness, Position, tail

if TYPE_CHECKING:
    from swampsync.log.log import Log


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What a clone does not know yet of a log.

    Args:
        commits: How many there are; `None` if that could not be found out, or if the log is another one.
        is_more: Whether there may be more than that: only one page of keys is listed.
        newest_seq: The number of the newest one; `None` if there is none, or if it is not on that page.
        newest_at: When it was published, by the store's clock.
        newest_age_seconds: How long ago that is.
        newest_by: Who published it; `None` if it was not read.
        newest_kind: With which command.
        is_replaced: Whether the log is another one than was read before.
        problem: Why it could not be found out, or why the newest commit could not be read.
    """

    commits: int | None
    is_more: bool = False
    newest_seq: int | None = None
    newest_at: str | None = None
    newest_age_seconds: float | None = None
    newest_by: str | None = None
    newest_kind: str | None = None
    is_replaced: bool = False
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Make a document of it."""
        newest = None
        if self.newest_seq is not None:
            age = self.newest_age_seconds
            newest = {
                "seq": self.newest_seq,
                "at": self.newest_at,
                "ageSeconds": None if age is None else round(age, 3),
                "author": self.newest_by,
                "kind": self.newest_kind,
            }
        return {
            "commits": self.commits,
            "atLeast": self.is_more,
            "newest": newest,
            "logReplaced": self.is_replaced,
            "problem": self.problem,
        }


def look_behind(log: Log, position: Position, *, clock: Clock) -> Behind:
    """Look how far a log has gone on; what fails is in the answer.

    One request; one more if the position's commit did not come back as it is known.

    Args:
        log: Which.
        position: Up to where the clone has applied it.
        clock: Tells the age of the newest commit.
    """
    try:
        seen = tail(log, position)
    except SwampsyncError as error:
        return Behind(commits=None, problem=error.message)
    is_replaced = seen.freshness is Freshness.REPLACED
    is_more = seen.freshness is Freshness.FAR_BEHIND
    commits = None if is_replaced else len(seen.entries)
    if is_more or not seen.entries:  # the last commit of a full page is not the newest one
        return Behind(commits=commits, is_more=is_more, is_replaced=is_replaced)
    newest = seen.entries[-1]
    return Behind(
        commits=commits,
        newest_seq=newest.seq,
        newest_at=format_timestamp(newest.published_at),
        newest_age_seconds=max((clock.now() - newest.published_at).total_seconds(), 0.0),
        is_replaced=is_replaced,
    )


def read_newest(log: Log, behind: Behind) -> Behind:
    """Read who published the newest commit, if one is known; one request."""
    if behind.newest_seq is None:
        return behind
    try:
        commit = log.read_commit(behind.newest_seq).commit
    except SwampsyncError as error:
        return replace(behind, problem=error.message)
    return replace(behind, newest_by=commit.author, newest_kind=commit.kind)
