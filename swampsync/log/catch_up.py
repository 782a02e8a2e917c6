"""Catching up: from any position to the head of a log by the shorter way.

Near the head, and where nothing was published at the last look, that is the tail alone: one request if nothing is
new. A new clone, one that is a thousand commits behind, and one whose log was replaced start over from the newest
checkpoint that can be read; what reads one is imported there. The listing of a log that was empty until now, if it is
whole, serves for what comes behind the checkpoint too.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from swampsync.errors import DataError
from swampsync.log.log import PAGE_KEYS, Log
from swampsync.log.tail import BEGINNING, Freshness, Position, Tail, tail, tail_within

if TYPE_CHECKING:
    from swampsync.log.checkpoint import LoadedCheckpoint
    from swampsync.log.commit import PublishedCommit
    from swampsync.log.state import NamespaceState


def _tell_nobody(_read: int, _of: int, _size: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class CatchUp:
    """The way to the head.

    Args:
        starts_over: Forget what was applied; `checkpoint`, or emptiness, is the state to begin with.
        is_replaced: The log is not the one that was applied; what is pending must be kept.
        checkpoint: Whose rows come first, if any.
        tail: What comes then.
    """

    starts_over: bool
    is_replaced: bool
    checkpoint: LoadedCheckpoint | None
    tail: Tail

    @property
    def is_nothing_new(self) -> bool:
        """Whether there is nothing to apply."""
        return not self.starts_over and not self.tail.entries

    def commits(self) -> Iterator[PublishedCommit]:
        """Read and verify the commits of the tail; see `Tail.commits`."""
        return self.tail.commits()


def catch_up(
    log: Log,
    position: Position,
    *,
    was_empty: bool = False,
    page_keys: int = PAGE_KEYS,
    at_most: int | None = None,
    on_read: Callable[[int, int, int], None] = _tell_nobody,
) -> CatchUp:
    """Find the way from a position to the head; reads no commit yet.

    Args:
        log: Which.
        position: Up to where it was applied; `BEGINNING` for a new clone.
        was_empty: Whether nothing was published when it was last looked at: then it is likely that nothing is now. A
            first look asks for a checkpoint first, which saves it a listing of a log that is long.
        page_keys: From how many commits on a checkpoint is looked for.
        at_most: Only checkpoints of this commit or an earlier one, because those of later ones turned out damaged.
        on_read: Told how many segments of a checkpoint were read, of how many, and their bytes.

    Raises:
        DataError: A commit is too large to be one.
        Unavailable: The listing does not show what a read finds.
    """
    is_new = position.seq == 0
    first = Tail(log, Freshness.FAR_BEHIND, position, ())
    if not is_new or was_empty:
        try:
            first = tail(log, position, limit=page_keys)
        except DataError:
            if not is_new:
                raise
            # A checkpoint may lie behind what cannot be read.
    is_replaced = first.freshness is Freshness.REPLACED
    if first.freshness is Freshness.NOTHING_NEW and is_new:
        return CatchUp(starts_over=True, is_replaced=False, checkpoint=None, tail=first)
    if not is_new and first.freshness in {Freshness.NOTHING_NEW, Freshness.NEWER}:
        return CatchUp(starts_over=False, is_replaced=False, checkpoint=None, tail=first)
    from swampsync.log.checkpoint import readable_checkpoints

    after = 0 if is_replaced else position.seq
    for checkpoint in readable_checkpoints(log, after=after, at_most=at_most, on_read=on_read):
        seen = tail_within(first, checkpoint.position) if is_new else None
        seen = seen or tail(log, checkpoint.position, limit=None)
        if seen.freshness is not Freshness.REPLACED:
            return CatchUp(starts_over=True, is_replaced=is_replaced, checkpoint=checkpoint, tail=seen)
    if is_new and first.freshness is Freshness.NEWER:
        return CatchUp(starts_over=True, is_replaced=False, checkpoint=None, tail=first)
    start = BEGINNING if is_replaced else position
    seen = tail(log, start, limit=None)
    return CatchUp(starts_over=start.seq == 0, is_replaced=is_replaced, checkpoint=None, tail=seen)


def read_state(log: Log) -> tuple[NamespaceState, Position]:
    """Read the state at the head into memory, with where that is; for what must know everything at once."""
    from swampsync.log.state import NamespaceState

    way = catch_up(log, BEGINNING)
    state = NamespaceState()
    if way.checkpoint is not None:
        start = way.checkpoint.position
        state = NamespaceState.from_rows(way.checkpoint.rows(), seq=start.seq, commit_id=start.id)
    head = way.tail.position
    for published in way.commits():
        state.apply(published.commit, log.rows(published.commit))
        head = Position.of(published)
    return state, head
