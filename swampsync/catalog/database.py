"""One SQLite file, used by many threads and many processes, that heals itself.

Threads share one connection behind a re-entrant lock: what we ask of SQLite takes microseconds to milliseconds, one
connection has one page cache, and closing it closes everything. Whoever needs a long read of its own takes `reader()`.

Other programs may put another file in this one's place (swamp compacts its catalog that way), so the file behind
the path is compared with the open one before each transaction. A file that cannot be read is set aside, never deleted,
and a fresh one takes its place; what happened is kept in `notices` for the caller to print.
"""

from __future__ import annotations

import posixpath
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from random import Random
from typing import Final, NamedTuple, Self

from swampsync.catalog.sqlite import CorruptDatabase, connect, retrying, translated
from swampsync.clock import Clock
from swampsync.disk import Disk

MEMORY: Final = ":memory:"
_SIDE_FILES: Final = ("-wal", "-shm", "-journal")


class SetAside(NamedTuple):
    """A database that was unreadable, and what became of it."""

    path: str
    kept_as: str
    reason: str

    def __str__(self) -> str:
        """Say it in one line for the person at the terminal."""
        return f"{self.reason}; it was set aside as `{posixpath.basename(self.kept_as)}` and begun anew"


class Database:
    """A connection that follows its path, with nested transactions.

    Args:
        path: The file, created with its directory when missing; or `:memory:`.
        disk: The disk that the file lies on; SQLite itself opens the file, so this is the machine's.
        clock: Waits and names what is set aside.
        rng: Jitter.
        prepare: Called with every new connection: creates or checks the schema, in a transaction of its own.
            It raises `CorruptDatabase` for a schema that is not ours to use.
    """

    def __init__(
        self,
        path: str,
        *,
        disk: Disk,
        clock: Clock,
        rng: Random,
        prepare: Callable[[sqlite3.Connection], None],
    ) -> None:
        self.path = path
        self._disk = disk
        self._clock = clock
        self._rng = rng
        self._prepare = prepare
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._filesystem_type: str | None = None
        self._depth = 0
        self.notices: list[SetAside] = []

    # --- using it ----------------------------------------------------------------------------------

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for reading; inside `atomic` it sees what the transaction wrote."""
        with self._lock, self._healing(), translated(self.path):
            yield self._current()

    @contextmanager
    def atomic(self) -> Iterator[sqlite3.Connection]:
        """Run a block as one transaction; inside another one, as a savepoint of it.

        The outermost block begins with the write lock, so that it never fails half-way because somebody else
        wrote in between.
        """
        with self._lock, self._healing(), translated(self.path):
            connection = self._current()
            mark = f"s{self._depth}"
            if self._depth == 0:
                retrying(lambda: self._begin(connection), clock=self._clock, rng=self._rng)
            else:
                connection.execute(f"SAVEPOINT {mark}")
            is_outermost = self._depth == 0
            self._depth += 1
            try:
                yield connection
                connection.execute("COMMIT" if is_outermost else f"RELEASE {mark}")
            except BaseException:
                # SQLite may have ended the transaction itself; a failing rollback would hide the first error.
                if connection.in_transaction:
                    connection.execute("ROLLBACK" if is_outermost else f"ROLLBACK TO {mark}")
                    if not is_outermost:
                        connection.execute(f"RELEASE {mark}")
                raise
            finally:
                self._depth -= 1

    @contextmanager
    def reader(self, *, attach: Mapping[str, str] | None = None) -> Iterator[sqlite3.Connection]:
        """Lend a connection of the caller's own that refuses to write.

        Args:
            attach: Schema name and path of further databases to read beside this one.
        """
        with self._lock, self._healing():
            self._current()
        with translated(self.path):
            own = connect(self.path, filesystem_type=self._type(), clock=self._clock, rng=self._rng, must_exist=True)
            try:
                for name, path in (attach or {}).items():
                    own.execute(f'ATTACH DATABASE ? AS "{name}"', (path,))
                own.execute("PRAGMA query_only = 1")
                yield own
            finally:
                own.close()

    @property
    def is_in_transaction(self) -> bool:
        """Whether this thread is inside `atomic`."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            return self._depth > 0
        finally:
            self._lock.release()

    def is_current(self) -> bool:
        """Whether the open file is still the one behind the path; true too when nothing is open yet."""
        with self._lock:
            return self._connection is None or self.path == MEMORY or self._identity == self._look()

    def identity(self) -> tuple[int, int] | None:
        """Return device and inode of the file, `None` in memory; opens it if need be."""
        with self._lock, self._healing():
            self._current()
            return self._identity

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # --- opening and healing -----------------------------------------------------------------------

    def _begin(self, connection: sqlite3.Connection) -> None:
        with translated(self.path):
            connection.execute("BEGIN IMMEDIATE")

    def _current(self) -> sqlite3.Connection:
        if self._depth == 0 and self._connection is not None and not self.is_current():
            self.close()
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        for _ in range(2):
            try:
                return self._open_once()
            except CorruptDatabase as error:
                self._set_aside(error)
        return self._open_once()

    def _open_once(self) -> sqlite3.Connection:
        if self.path != MEMORY:
            self._disk.makedirs(posixpath.dirname(self.path))
        self._identity = self._look()
        connection = connect(self.path, filesystem_type=self._type(), clock=self._clock, rng=self._rng)

        def attempt() -> None:
            with translated(self.path):
                self._prepare(connection)

        try:
            retrying(attempt, clock=self._clock, rng=self._rng)
        except BaseException:
            connection.close()
            raise
        if self._identity is None:
            self._identity = self._look()
        return connection

    def _type(self) -> str:
        if self._filesystem_type is None:
            known = self.path != MEMORY
            self._filesystem_type = self._disk.filesystem_type(posixpath.dirname(self.path)) if known else ""
        return self._filesystem_type

    def _look(self) -> tuple[int, int] | None:
        if self.path == MEMORY:
            return None
        try:
            found = self._disk.stat(self.path)
        except FileNotFoundError:
            return None
        return (found.device, found.inode)

    @contextmanager
    def _healing(self) -> Iterator[None]:
        """Set the file aside when its corruption shows in the middle of its use; the error still goes up."""
        try:
            yield
        except CorruptDatabase as error:
            if self._depth == 0 and self._connection is not None:
                self.close()
                self._set_aside(error)
            raise

    def _set_aside(self, error: CorruptDatabase) -> None:
        if self.path == MEMORY:
            return
        from filelock import FileLock  # noqa: PLC0415  (needed only when something is broken)

        kept_as = f"{self.path}.corrupt-{self._clock.now():%Y%m%dT%H%M%S%f}"
        with FileLock(f"{self.path}.healing"):
            if self._identity is None or self._look() != self._identity:
                return  # somebody else was faster: what lies there now is fresh
            # The side files go first: beside a fresh database, an old write-ahead log would be replayed into it.
            for suffix in (*_SIDE_FILES, ""):
                with suppress(FileNotFoundError):
                    self._disk.rename(self.path + suffix, kept_as + suffix)
        self.notices.append(SetAside(self.path, kept_as, error.message))
