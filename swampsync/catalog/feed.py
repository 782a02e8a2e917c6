"""The change feed: every addition and removal that this repo saw, its own and others', in the order it saw them.

Followers remember the last number they read and ask for what came after. Entries are written before the catalog's
rows, so that a process that dies in between leaves an entry too many and never one too few: an entry says "look here
again".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from swampsync.catalog.database import Database
from swampsync.catalog.rows import ArtifactKey
from swampsync.clock import Clock, format_timestamp

KEPT_ENTRIES: Final = 20_000
_TRIM_EVERY: Final = 1_000

UPSERT: Final = "upsert"
REMOVE: Final = "remove"
REBUILD: Final = "rebuild"  # the namespace was catalogued anew: look at all of it


class FeedEntry(NamedTuple):
    """One change, numbered; numbers only grow and are never given twice."""

    seq: int
    op: str
    namespace: str
    type_normalized: str
    model_id: str
    data_name: str
    version: int
    at: str


class Feed:
    """The feed of one repo."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def record(self, changes: Iterable[tuple[str, ArtifactKey, int]]) -> None:
        """Append changes: operation, artifact and version."""
        at = format_timestamp(self._clock.now())
        entries = [(op, *key, version, at) for op, key, version in changes]
        if not entries:
            return
        with self._database.atomic() as connection:
            connection.executemany(
                "INSERT INTO feed (op, namespace, type_normalized, model_id, data_name, version, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                entries,
            )
            (last,) = connection.execute("SELECT max(seq) FROM feed").fetchone()
            if last // _TRIM_EVERY != (last - len(entries)) // _TRIM_EVERY:
                connection.execute("DELETE FROM feed WHERE seq <= ?", (last - KEPT_ENTRIES,))

    def record_rebuild(self, namespace: str) -> None:
        """Append that a whole namespace was catalogued anew."""
        self.record([(REBUILD, ArtifactKey(namespace, "", "", ""), 0)])

    def after(self, seq: int, *, namespace: str | None = None, limit: int = 1_000) -> list[FeedEntry]:
        """List entries with numbers above `seq`, the oldest first."""
        condition = "" if namespace is None else " AND namespace = :namespace"
        sql = (
            "SELECT seq, op, namespace, type_normalized, model_id, data_name, version, at FROM feed"
            f" WHERE seq > :seq{condition} ORDER BY seq LIMIT :limit"
        )
        with self._database.read() as connection:
            rows = connection.execute(sql, {"seq": seq, "namespace": namespace, "limit": limit})
            return [FeedEntry._make(row) for row in rows]

    def last(self) -> int:
        """Return the number of the newest entry ever written, 0 if there was none."""
        with self._database.read() as connection:
            row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'feed'").fetchone()
        return 0 if row is None else int(row[0])

    def first(self) -> int:
        """Return the number of the oldest entry that is still kept; a follower before it has missed some."""
        with self._database.read() as connection:
            (first,) = connection.execute("SELECT min(seq) FROM feed").fetchone()
        return self.last() + 1 if first is None else int(first)
