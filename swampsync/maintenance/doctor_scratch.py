"""What the checks of `doctor backend` share: the store, scratch keys, nonces, sizes of races."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from swampsync.backends.base import ObjectNotFound, ObjectStore
from swampsync.clock import Clock, Spawner
from swampsync.errors import SwampsyncError
from swampsync.layout import ObjectKey


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is tried.

    Args:
        race_threads: How many put at the same moment.
        race_rounds: How often.
        swap_workers: How many increment one counter.
        swap_increments: How often each of them.
        rounds: How often the sequential checks repeat themselves.
        page_keys: How many objects are listed at once, 0 for none.
        throughput_bytes: The size of the object that is sent and fetched, 0 for none.
    """

    race_threads: int
    race_rounds: int
    swap_workers: int
    swap_increments: int
    rounds: int
    page_keys: int
    throughput_bytes: int


FULL = Effort(32, 20, 5, 20, rounds=15, page_keys=1_010, throughput_bytes=16 * 1024 * 1024)
QUICK = Effort(16, 4, 4, 4, rounds=4, page_keys=0, throughput_bytes=0)


@dataclass(slots=True)
class Scratch:
    """A place in a store that belongs to one probe.

    Args:
        store: The store as it is, without repetitions: they would hide what it does.
        prefix: The place, ending in a slash; nothing else is below it.
        clock: For latencies and skew.
        rng: For nonces.
        spawner: Starts the racing threads.
        effort: How much is tried.
    """

    store: ObjectStore
    prefix: str
    clock: Clock
    rng: random.Random
    spawner: Spawner
    effort: Effort
    _numbers: Iterator[int] = field(default_factory=lambda: iter(range(1_000_000)))

    def key(self, name: str) -> ObjectKey:
        """Make the key of a name that a check chose, below the prefix."""
        return ObjectKey.parse(f"{self.prefix}{name}")

    def fresh_key(self, check: str) -> ObjectKey:
        """Make a key that was never used."""
        return self.key(f"{check}/{next(self._numbers):06d}")

    def fresh_place(self, check: str) -> str:
        """Make a prefix that was never used, relative to this one and ending in a slash."""
        return f"{check}/{next(self._numbers):06d}/"

    def exists(self, key: ObjectKey) -> bool:
        """Look whether the store has an object; one request."""
        try:
            self.store.head(key)
        except ObjectNotFound:
            return False
        return True

    def nonce(self) -> str:
        """Make a text that nobody else makes."""
        return f"{self.rng.getrandbits(96):024x}"

    def clean(self) -> None:
        """Remove everything below the prefix.

        Raises:
            SwampsyncError: Something is left.
        """
        failures = self.store.delete_many([info.key for info in self.store.list(self.prefix)])
        for error in failures.values():
            raise error


@contextmanager
def cleaned(scratch: Scratch) -> Iterator[list[SwampsyncError]]:
    """Clean up after the block, whatever happens in it; the list holds the error where that failed."""
    left: list[SwampsyncError] = []
    try:
        yield left
    except BaseException:
        with suppress(SwampsyncError):
            scratch.clean()
        raise
    for last in (False, True):
        try:
            scratch.clean()
        except SwampsyncError as error:
            if last:
                left.append(error)
        else:
            break
