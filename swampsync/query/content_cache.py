"""JSON content beside the catalog, so that SQL can look into it.

A table of our own in the state database, filled on first use for the rows that a query may still match. An entry
belongs to the version with its `id` and number, and only while size and time of creation are the same; one that is
out of date is read again unless its digest says that the content is the same. What SQLite would read differently from
us (very deep or long JSON, numbers with more digits than it keeps) is stored as NULL, and the evaluator looks at the
content itself.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from swampsync.catalog.rows import CatalogRow
from swampsync.errors import AccessDenied, Unavailable
from swampsync.query.activation import JSON_TYPE, ContentSource, parse_json
from swampsync.query.ahead import prefetch
from swampsync.query.values import EvaluationError

MAX_CONTENT_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 200  # SQLite's own limits lie between 1,000 and 2,000
SCHEMA_NAME: Final = "query_state"
TABLE: Final = "attribute_content"

_ROWS_AT_ONCE: Final = 2000
_BYTES_AT_ONCE: Final = 8 << 20
_CREATE: Final = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  size INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  json TEXT,
  PRIMARY KEY (id, version)
)
"""
_IS_ENTRY: Final = "j.id = c.id AND j.version = c.version AND j.size = c.size AND j.created_at = c.created_at"
JOIN: Final = f" LEFT JOIN {SCHEMA_NAME}.{TABLE} AS j ON c.content_type = '{JSON_TYPE}' AND {_IS_ENTRY}"
# A row of JSON that SQL cannot look into.
IS_UNAVAILABLE: Final = f"(c.content_type = '{JSON_TYPE}' AND j.json IS NULL)"

_IS_FILLABLE: Final = f"(j.id IS NULL AND c.id <> '' AND c.size <= {MAX_CONTENT_BYTES})"
_FRESH: Final = 6  # columns of a new entry; one that only moves has four

_MAY_BE_LONG: Final = re.compile("[0-9.]{16}|[0-9][eE]|Infinity")

Transaction = Callable[[], AbstractContextManager[sqlite3.Connection]]


class ContentCache:
    """The table of JSON content in one state database.

    Args:
        path: The state database, which is attached to the catalog's connection for reading.
        transaction: Lends a connection to the same database for writing, as one transaction.
    """

    def __init__(self, path: str, transaction: Transaction) -> None:
        self._path = path
        self._transaction = transaction
        self._is_created = False

    def attach(self, connection: sqlite3.Connection) -> None:
        """Make the table readable through the catalog's connection."""
        self._create()
        attached = {name for _, name, _ in connection.execute("PRAGMA database_list")}
        if SCHEMA_NAME not in attached:
            connection.execute(f"ATTACH DATABASE ? AS {SCHEMA_NAME}", (self._path,))

    def _create(self) -> None:
        if not self._is_created:
            with self._transaction() as writer:
                writer.execute(_CREATE)
            self._is_created = True

    def survey(self, connection: sqlite3.Connection, where: str, parameters: Mapping[str, Any]) -> tuple[int, int]:
        """Count candidate rows whose content SQL cannot look into.

        Args:
            connection: The catalog, with this cache attached.
            where: SQL over `c` that holds for every row the query may match.
            parameters: Its parameters.

        Returns:
            How many there are, and how many of them `fill` can do something about.
        """
        sql = (
            f"SELECT count(*), coalesce(sum({_IS_FILLABLE}), 0) FROM catalog AS c{JOIN}"  # noqa: S608  constants
            f" WHERE ({where}) AND {IS_UNAVAILABLE}"
        )
        unavailable, fillable = connection.execute(sql, dict(parameters)).fetchone()
        return int(unavailable), int(fillable)

    def fill(
        self, connection: sqlite3.Connection, contents: ContentSource, where: str, parameters: Mapping[str, Any]
    ) -> int:
        """Read the content of candidate rows that has no entry yet.

        Args:
            connection: The catalog, with this cache attached.
            contents: Where content comes from.
            where: SQL over `c` that holds for every row the query may match.
            parameters: Its parameters.

        Returns:
            The number of rows that got an entry.
        """
        columns = ", ".join(f"c.{name}" for name in CatalogRow._fields)
        # The statement is finished before anything is written: without a write-ahead log, a reader blocks the writer.
        candidates = (
            f"SELECT c.rowid, {columns}, old.sha256 FROM catalog AS c{JOIN}"  # noqa: S608  made of constants
            f" LEFT JOIN {SCHEMA_NAME}.{TABLE} AS old ON old.id = c.id AND old.version = c.version"
            f" WHERE c.rowid > :after AND ({where}) AND c.content_type = '{JSON_TYPE}' AND {_IS_FILLABLE}"
            f" ORDER BY c.rowid LIMIT {_ROWS_AT_ONCE}"
        )
        after, filled = -1, 0
        while rows := connection.execute(candidates, {**parameters, "after": after}).fetchall():
            after = rows[-1][0]
            entries: list[tuple[Any, ...]] = []
            volume = 0
            prefetch(contents, _unread(rows, contents))
            for _, *values, old_digest in rows:
                entry = _make_entry(CatalogRow(*values), contents, old_digest)
                if entry is None:
                    continue
                entries.append(entry)
                volume += len(entry[-1] or "") if len(entry) == _FRESH else 0
                if volume > _BYTES_AT_ONCE:
                    filled += self._write(entries)
                    entries, volume = [], 0
            filled += self._write(entries)
            if len(rows) < _ROWS_AT_ONCE:
                break
        return filled

    def _write(self, entries: list[tuple[Any, ...]]) -> int:
        moved = [entry for entry in entries if len(entry) != _FRESH]
        fresh = [entry for entry in entries if len(entry) == _FRESH]
        try:
            with self._transaction() as writer:
                writer.executemany(f"INSERT OR REPLACE INTO {TABLE} VALUES (?, ?, ?, ?, ?, ?)", fresh)  # noqa: S608
                writer.executemany(f"UPDATE {TABLE} SET size = ?, created_at = ? WHERE id = ? AND version = ?", moved)  # noqa: S608
        except (Unavailable, AccessDenied):
            # Whoever cannot write still gets every row: the evaluator reads the content of those without an entry.
            return 0
        return len(entries)

    def forget(self, version_id: str, version: int) -> None:
        """Drop the entry of a version whose content changed in place."""
        self._create()
        with self._transaction() as writer:
            writer.execute(f"DELETE FROM {TABLE} WHERE id = ? AND version = ?", (version_id, version))  # noqa: S608


def _unread(rows: list[tuple[Any, ...]], contents: ContentSource) -> list[CatalogRow]:
    """Name the candidates whose content will be read."""
    found = ((CatalogRow(*values), old_digest) for _, *values, old_digest in rows)
    return [row for row, old in found if old is None or contents.digest(row) != old]


def _make_entry(row: CatalogRow, contents: ContentSource, old_digest: str | None) -> tuple[Any, ...] | None:
    if old_digest is not None and contents.digest(row) == old_digest:
        return (row.size, row.created_at, row.id, row.version)
    data = contents.read_content(row)
    if data is None:
        return None
    import hashlib  # noqa: PLC0415  needed while the cache is filled

    digest = hashlib.sha256(data).hexdigest()
    return (row.id, row.version, row.size, row.created_at, digest, normalise(data))


def normalise(data: bytes) -> str | None:
    """Return JSON that SQLite reads as we do, `{}` for what is no JSON, or nothing if there is no such text."""
    if len(data) > MAX_CONTENT_BYTES:
        return None
    try:
        value = parse_json(data)
    except ValueError:
        return "{}"
    except EvaluationError:
        return None
    try:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        text.encode()
    except (RecursionError, UnicodeEncodeError):
        return None
    # Looking through the value is needed only where its text could be deep, or hold a long number.
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth_exceeds(value, MAX_DEPTH):
        return None
    if "\\u0000" in text or (_MAY_BE_LONG.search(text) and _has_long_double(value)):
        return None
    return text


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return False
    return True


def _has_long_double(value: Any) -> bool:
    """Whether there is a double whose decimals SQLite may not read to the last bit."""
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
        elif isinstance(node, float):
            text = repr(node)
            if len(text) > 16 or "e" in text or "n" in text:
                return True
    return False
