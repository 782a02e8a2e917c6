"""Commands that run at the same time, one step after the other: a drawn order says who takes the next step.

A step ends where a process next asks the store something, or sleeps: between clones nothing else is shared, so orders
of requests are all the interleavings that there are. Each command has a thread of its own, of which one runs at a
time; the same order makes the same run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from swampsync.backends.base import Capabilities, GetResult, ObjectInfo, ObjectStore, PutMode, PutResult
from swampsync.backends.places import Places
from swampsync.errors import SwampsyncError
from swampsync.layout import ObjectKey
from swampsync.testing.manual_clock import ManualClock

# A run takes milliseconds; a thread that is stuck is told of with a name.
STUCK_SECONDS = 120.0


class Interleaver:
    """Runs pieces of work in turns."""

    def __init__(self) -> None:
        self._baton = threading.Condition()
        self._running: int | None = None
        self._waiting: list[int] = []
        self._order: Iterator[int] = iter(())
        self._names: dict[int, int] = {}
        self.trace: list[int] = []
        """Who took each step of the last run."""

    @property
    def is_inside(self) -> bool:
        """Whether the calling thread is one that takes turns."""
        return threading.get_ident() in self._names

    def run(self, works: Sequence[Callable[[], object]], order: Iterable[int]) -> None:
        """Run works to their ends.

        Args:
            works: Each is begun in a thread of its own.
            order: At every step who goes on: 0 for who ran last, else one of the others. Zeros follow it for ever.

        Raises:
            BaseException: What the first work that failed raised; the others ran to their ends.
        """
        self._order, self.trace = iter(order), []
        self._waiting, self._running = list(range(len(works))), None
        failures: dict[int, BaseException] = {}
        threads = [
            threading.Thread(target=self._live, args=(number, work, failures), name=f"turn-{number}", daemon=True)
            for number, work in enumerate(works)
        ]
        for thread in threads:
            thread.start()
        with self._baton:
            self._next(0)
        for thread in threads:
            thread.join(STUCK_SECONDS)
            assert not thread.is_alive(), f"{thread.name} is stuck after the steps {self.trace}"
        for number in sorted(failures):
            raise failures[number]

    def turn(self) -> None:
        """Let whoever is next go on; at once for a thread that takes no turns."""
        number = self._names.get(threading.get_ident())
        if number is None:
            return
        with self._baton:
            self._waiting.append(number)
            self._next(number)
            self._await(number)

    def _live(self, number: int, work: Callable[[], object], failures: dict[int, BaseException]) -> None:
        identity = threading.get_ident()
        with self._baton:
            self._names[identity] = number
            self._await(number)
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that runs all
            failures[number] = error
        finally:
            with self._baton:
                del self._names[identity]
                self._next(number)

    def _await(self, number: int) -> None:
        if not self._baton.wait_for(lambda: self._running == number, STUCK_SECONDS):
            raise TimeoutError(f"turn-{number} waits for ever after the steps {self.trace}")

    def _next(self, last: int) -> None:
        """Choose who goes on; the caller holds the baton."""
        if not self._waiting:
            self._running = None
            return
        ring = sorted(self._waiting, key=lambda number: (number < last, number))
        chosen = ring[next(self._order, 0) % len(ring)]
        self._waiting.remove(chosen)
        self._running = chosen
        self.trace.append(chosen)
        self._baton.notify_all()


class TurnClock(ManualClock):
    """A clock on which whoever sleeps lets others go on; time passes at once."""

    def __init__(self, turns: Interleaver) -> None:
        super().__init__()
        self._turns = turns

    def sleep(self, seconds: float) -> None:
        """Move the clock."""
        super().sleep(seconds)
        self._turns.turn()

    def wait(self, event: threading.Event, timeout_seconds: float) -> bool:
        """Move the clock, whichever thread asks: there are no heartbeats here."""
        if not self._turns.is_inside:
            return super().wait(event, timeout_seconds)
        if not event.is_set():
            self.advance(max(0.0, timeout_seconds))
            self._turns.turn()
        return event.is_set()


class TurnStore:
    """Passes every call on once it is its process's turn, and says what is written.

    Args:
        store: What is asked.
        turns: Whose turn it is.
        on_write: Told each key that is to be written or removed.
    """

    def __init__(
        self, store: ObjectStore, turns: Interleaver, on_write: Callable[[str], None] = lambda _key: None
    ) -> None:
        self._store = store
        self._turns = turns
        self._on_write = on_write

    @property
    def capabilities(self) -> Capabilities:
        """What the store declares it can do."""
        return self._store.capabilities

    def get(self, key: ObjectKey, *, start: int = 0, length: int | None = None) -> GetResult:
        """See `ObjectStore`."""
        self._turns.turn()
        return self._store.get(key, start=start, length=length)

    @contextmanager
    def open(self, key: ObjectKey) -> Iterator[tuple[ObjectInfo, Iterator[bytes]]]:
        """See `ObjectStore`."""
        self._turns.turn()
        with self._store.open(key) as opened:
            yield opened

    @contextmanager
    def download(self, key: ObjectKey, target: Places) -> Iterator[tuple[ObjectInfo, Iterator[int]]]:
        """See `ObjectStore`."""
        self._turns.turn()
        with self._store.download(key, target) as opened:
            yield opened

    def head(self, key: ObjectKey) -> ObjectInfo:
        """See `ObjectStore`."""
        self._turns.turn()
        return self._store.head(key)

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        """See `ObjectStore`."""
        self._write(key)
        return self._store.put(key, body, mode)

    def put_stream(self, key: ObjectKey, body: BinaryIO) -> PutResult:
        """See `ObjectStore`."""
        self._write(key)
        return self._store.put_stream(key, body)

    def delete(self, key: ObjectKey) -> None:
        """See `ObjectStore`."""
        self._write(key)
        self._store.delete(key)

    def delete_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SwampsyncError]:
        """See `ObjectStore`."""
        self._write(*keys)
        return self._store.delete_many(keys)

    def list(self, prefix: str, *, start: str | None = None) -> Iterator[ObjectInfo]:
        """See `ObjectStore`; a listing is seen as it is when it is asked for."""
        self._turns.turn()
        return iter([*self._store.list(prefix, start=start)])

    def list_dirs(self, prefix: str) -> Iterable[str]:
        """See `ObjectStore`."""
        self._turns.turn()
        return self._store.list_dirs(prefix)

    def _write(self, *keys: ObjectKey) -> None:
        for key in keys:
            self._on_write(key.text)
        self._turns.turn()
