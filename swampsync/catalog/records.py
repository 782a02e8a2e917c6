"""The small tables of the state: settings, positions, dead letters, JSON content."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from swampsync.catalog.database import Database
from swampsync.clock import Clock, format_timestamp


class Settings:
    """What this clone remembers for itself, by key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, key: str) -> str | None:
        """Return a value, or `None`."""
        with self._database.read() as connection:
            row = connection.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def put(self, key: str, value: str | None) -> None:
        """Set a value, or remove it."""
        with self._database.atomic() as connection:
            if value is None:
                connection.execute("DELETE FROM settings WHERE key = ?", (key,))
            else:
                connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, value))

    def under(self, prefix: str) -> dict[str, str]:
        """Return the values whose keys begin with a text, by key."""
        with self._database.read() as connection:
            sql = "SELECT key, value FROM settings WHERE key >= ? AND substr(key, 1, ?) = ? ORDER BY key"
            return {str(k): str(v) for k, v in connection.execute(sql, (prefix, len(prefix), prefix))}

    def remove(self, keys: Iterable[str]) -> None:
        """Remove values."""
        rows = [(key,) for key in keys]
        if rows:
            with self._database.atomic() as connection:
                connection.executemany("DELETE FROM settings WHERE key = ?", rows)


class Position(NamedTuple):
    """How far the log of a namespace was applied."""

    namespace: str
    seq: int
    commit_id: str
    etag: str  # of that commit's object, to notice a log that was replaced
    at: str  # when it was applied


class Positions:
    """The position in each namespace's log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, namespace: str) -> Position | None:
        """Return how far a log was applied, or `None`."""
        with self._database.read() as connection:
            row = connection.execute("SELECT * FROM positions WHERE namespace = ?", (namespace,)).fetchone()
        return None if row is None else Position._make(row)

    def all(self) -> list[Position]:
        """List all positions, by namespace."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT * FROM positions ORDER BY namespace")
            return [Position._make(row) for row in rows]

    def put(self, position: Position) -> None:
        """Write a position; it belongs into the transaction that applies what it stands for."""
        with self._database.atomic() as connection:
            connection.execute("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?)", position)

    def remove(self, namespace: str) -> None:
        """Forget a position: the log is read from its newest checkpoint."""
        with self._database.atomic() as connection:
            connection.execute("DELETE FROM positions WHERE namespace = ?", (namespace,))


class DeadLetter(NamedTuple):
    """A file that could not be transferred."""

    namespace: str
    path: str
    attempts: int
    last_error: str
    first_at: str
    last_at: str


class DeadLetters:
    """What could not be transferred, and how often it was tried."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def record(self, namespace: str, path: str, *, error: str) -> None:
        """Count one more failed attempt."""
        at = format_timestamp(self._clock.now())
        with self._database.atomic() as connection:
            connection.execute(
                "INSERT INTO dead_letters VALUES (?, ?, 1, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET attempts = attempts + 1, last_error = excluded.last_error, last_at = excluded.last_at",
                (namespace, path, error, at, at),
            )

    def of_namespace(self, namespace: str) -> list[DeadLetter]:
        """List what failed in a namespace, by path."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT * FROM dead_letters WHERE namespace = ? ORDER BY path", (namespace,))
            return [DeadLetter._make(row) for row in rows]

    def remove(self, namespace: str, paths: Iterable[str]) -> None:
        """Forget files that arrived after all, or are given up."""
        with self._database.atomic() as connection:
            sql = "DELETE FROM dead_letters WHERE namespace = ? AND path = ?"
            connection.executemany(sql, [(namespace, path) for path in paths])


class JsonContent:
    """JSON documents by the digest of the file that held them, for queries that look into content."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, sha256: str) -> str | None:
        """Return the text of a document, or `None` if it is not kept."""
        with self._database.read() as connection:
            row = connection.execute("SELECT json FROM json_content WHERE sha256 = ?", (sha256,)).fetchone()
        return None if row is None else str(row[0])

    def missing(self, digests: Sequence[str]) -> list[str]:
        """Return those of the digests whose documents are not kept, in their order."""
        kept: set[str] = set()
        with self._database.read() as connection:
            for start in range(0, len(digests), 500):
                part = digests[start : start + 500]
                sql = f"SELECT sha256 FROM json_content WHERE sha256 IN ({', '.join('?' * len(part))})"
                kept.update(digest for (digest,) in connection.execute(sql, part))
        return [digest for digest in digests if digest not in kept]

    def put(self, documents: Iterable[tuple[str, int, str]]) -> None:
        """Keep documents: digest, size of the file in bytes, text."""
        with self._database.atomic() as connection:
            connection.executemany("INSERT OR IGNORE INTO json_content VALUES (?, ?, ?)", documents)

    def remove_all(self) -> None:
        """Forget all documents; they can be read again from their files."""
        with self._database.atomic() as connection:
            connection.execute("DELETE FROM json_content")
