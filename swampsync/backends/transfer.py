"""Many calls at a time, few in memory: how objects are transferred side by side.

Workers take the next item themselves, so that a small object costs a few microseconds here, not the hundred that an
executor's future takes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from swampsync.errors import SwampsyncError

if TYPE_CHECKING:
    from concurrent.futures import Executor

I = TypeVar("I")  # noqa: E741 - an item
R = TypeVar("R")

_BACKLOG: Final = 4


@dataclass(frozen=True, slots=True)
class Done(Generic[I, R]):
    """A call that succeeded."""

    item: I
    result: R


@dataclass(frozen=True, slots=True)
class Failed(Generic[I]):
    """A call that did not, for a reason that a person can be told."""

    item: I
    error: SwampsyncError | OSError


def run_many(
    items: Iterable[I], act: Callable[[I], R], *, pool: Executor, concurrency: int
) -> Iterator[Done[I, R] | Failed[I]]:
    """Do `act` for every item, `concurrency` at a time; yield the outcomes as they come, in no order.

    Items are taken from their iterable when a worker is free, and only a few outcomes wait to be taken, so that
    both may be endless. Closing the generator stops it: calls under way are waited for, no others are begun.

    Args:
        items: What to do it for; iterated by the workers, one at a time.
        act: What to do; called in the pool's threads.
        pool: Runs the workers; it must have `concurrency` threads to spare, or less is done at a time.
        concurrency: How many at a time.

    Raises:
        Exception: What `act` or the iterable raised that is neither a `SwampsyncError` nor an `OSError`: a mistake of
            ours, not an outcome. The other calls under way are waited for.
    """
    run = _Run(iter(items), act, concurrency)
    workers = [pool.submit(run.work) for _ in range(concurrency)]
    try:
        yield from run.outcomes(len(workers))
    finally:
        run.stop()
        for worker in workers:
            if not worker.cancel():
                worker.exception()
    for worker in workers:
        if not worker.cancelled():
            worker.result()


class _Run(Generic[I, R]):
    """What the workers of one call share."""

    def __init__(self, items: Iterator[I], act: Callable[[I], R], concurrency: int) -> None:
        self._items = items
        self._act = act
        self._taking = threading.Lock()
        self._concurrency = concurrency
        self._stopped = threading.Event()
        # `None` says that a worker has ended.
        self._queue: SimpleQueue[Done[I, R] | Failed[I] | None] = SimpleQueue()
        self._room = threading.Semaphore(_BACKLOG * concurrency)

    def outcomes(self, workers: int) -> Iterator[Done[I, R] | Failed[I]]:
        """Yield what the workers put, until all have ended."""
        while workers:
            outcome = self._queue.get()
            if outcome is None:
                workers -= 1
            else:
                self._room.release()
                yield outcome

    def stop(self) -> None:
        """Begin no further call."""
        self._stopped.set()
        # One for each worker that may wait.
        self._room.release(self._concurrency)

    def work(self) -> None:
        """Do one item after the other."""
        try:
            while not self._stopped.is_set():
                self._room.acquire()  # released by whoever takes the outcome
                with self._taking:
                    if self._stopped.is_set():
                        return
                    try:
                        item = next(self._items)
                    except StopIteration:
                        return
                self._queue.put(self._do(item))
        except BaseException:
            # Nobody is to go on after a mistake; `run_many` raises it.
            self._stopped.set()
            raise
        finally:
            self._queue.put(None)

    def _do(self, item: I) -> Done[I, R] | Failed[I]:
        try:
            return Done(item, self._act(item))
        except (SwampsyncError, OSError) as error:
            return Failed(item, error)
