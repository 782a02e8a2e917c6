"""Pull: from where this clone stands to the head of the log.

What applies commits is imported when there are some: most pulls find nothing new.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from swampsync.artifacts.tree import no_check
from swampsync.errors import DataError
from swampsync.log.catch_up import CatchUp, catch_up
from swampsync.log.tail import Position
from swampsync.sync.cataloguing import ensure_catalogued
from swampsync.sync.clone import Clone
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.position import read_position, was_empty, write_position
from swampsync.sync.progress import Progress, Stages, no_stages

if TYPE_CHECKING:
    from swampsync.log.commit import PublishedCommit
    from swampsync.log.log import Log
    from swampsync.log.rows import Row
    from swampsync.sync.applying import Applied

_BATCH_ROWS: Final = 20_000
_MANY_COMMITS: Final = 64


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull did.

    Args:
        position: Where the clone stands now.
        tailed_at: When the log was listed, in seconds of the clock's uptime.
        checkpoint: The number of the checkpoint that was begun from; 0 for none.
        is_replaced: Whether the log was another one than before.
        applied: What came, and what became of pending entries.
    """

    position: Position
    tailed_at: float
    checkpoint: int
    is_replaced: bool
    applied: tuple[Applied, ...]

    @property
    def commits(self) -> int:
        """How many commits were applied one by one."""
        return sum(applied.commits for applied in self.applied)

    @property
    def is_nothing_new(self) -> bool:
        """Whether the log was as it is known."""
        return not self.applied and not self.checkpoint and not self.is_replaced


def tell_nobody(_applied: Applied) -> None:
    """Leave untold what was applied."""


def pull(
    clone: Clone,
    copy: LocalCopy,
    *,
    check: Callable[[], None] = no_check,
    on_applied: Callable[[Applied], None] = tell_nobody,
    stages: Stages = no_stages,
) -> Pulled:
    """Apply everything that is new; one request if nothing is. The caller holds the clone's lock.

    Args:
        clone: Which.
        copy: Its local copy.
        check: Called between steps; raises to stop there, whatever was applied stays.
        on_applied: Told what was applied, step by step: also if a later one fails.
        stages: Opens what is told how far it is, where there is much to read.

    Raises:
        DataError: The log is damaged; the key is named, and nothing of the damaged part was applied.
        Unavailable: The store cannot be reached.
    """
    ensure_catalogued(clone.catalog, clone.state, clone.namespace)
    tailed_at = clone.clock.uptime()
    known = read_position(clone)
    way = _find_way(clone, known, stages)
    if way.is_nothing_new:
        write_position(clone, way.tail.position)
        return Pulled(way.tail.position, tailed_at, checkpoint=0, is_replaced=False, applied=())
    from swampsync.sync.applying import Applied, Applier
    from swampsync.sync.starting_over import has_published, start_over

    applied: list[Applied] = []
    while way.starts_over and (way.checkpoint is not None or has_published(clone)):
        try:
            resolved = start_over(clone, copy, way.checkpoint, is_replaced=way.is_replaced, stages=stages)
        except DataError:
            if way.checkpoint is None:
                raise
            # Whole as objects, but not what it says of them: nothing of it was taken, and the one before does.
            way = _find_way(clone, known, stages, at_most=way.checkpoint.position.seq - 1)
            continue
        applied.append(Applied(resolved=resolved))
        on_applied(applied[-1])
        break
    applier = Applier(clone, copy)
    with stages("Reading commits") as progress:
        for batch in _batches(clone.log, way.commits(), progress, total=len(way.tail.entries)):
            check()
            applied.append(applier.apply(batch))
            on_applied(applied[-1])
    if not applied:
        write_position(clone, way.tail.position)
    return Pulled(
        position=read_position(clone),
        tailed_at=tailed_at,
        checkpoint=0 if way.checkpoint is None else way.checkpoint.position.seq,
        is_replaced=way.is_replaced,
        applied=tuple(applied),
    )


def _find_way(clone: Clone, known: Position, stages: Stages, *, at_most: int | None = None) -> CatchUp:
    with stages("Reading the log") as progress:

        def tell(read: int, total: int, size: int) -> None:
            if total > 1:  # what is read at once needs no bar
                progress(read, total, size)

        return catch_up(clone.log, known, was_empty=was_empty(clone), at_most=at_most, on_read=tell)


def _batches(
    log: Log, commits: Iterable[PublishedCommit], progress: Progress, *, total: int
) -> Iterator[list[tuple[PublishedCommit, list[Row]]]]:
    """Read the rows of commits, so many commits at a time as are applied in one transaction."""
    batch: list[tuple[PublishedCommit, list[Row]]] = []
    count = 0
    for number, published in enumerate(commits, start=1):
        if total >= _MANY_COMMITS:
            progress(number, total)
        rows = list(log.rows(published.commit))
        batch.append((published, rows))
        count += len(rows)
        if count >= _BATCH_ROWS:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch
