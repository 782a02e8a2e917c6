"""Rows into the catalog: few among many others, or a whole namespace as the first one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import islice
from typing import Final

from swampsync.catalog.rows import COLUMNS, CatalogRow
from swampsync.catalog.schema import create_indexes, drop_indexes

INSERT: Final = f"INSERT OR REPLACE INTO catalog VALUES ({', '.join('?' * len(COLUMNS))})"
# From so many rows on, sorting them into nine indexes at the end costs less than finding the place of each in turn.
MANY_ROWS: Final = 5_000


def insert_all(connection: sqlite3.Connection, rows: Iterable[CatalogRow]) -> int:
    """Insert rows; where they are many and the only ones, their indexes are made afterwards.

    Args:
        connection: In a transaction, so that nobody sees the table without its indexes.
        rows: In the order of the key they go in fastest.

    Returns:
        How many rows were inserted.
    """
    before = connection.total_changes
    (has_others,) = connection.execute("SELECT EXISTS (SELECT 1 FROM catalog)").fetchone()
    rest = iter(rows)
    first = list(islice(rest, MANY_ROWS))
    is_bulk = len(first) == MANY_ROWS and not has_others
    if is_bulk:
        drop_indexes(connection)
    connection.executemany(INSERT, first)
    connection.executemany(INSERT, rest)
    if is_bulk:
        create_indexes(connection)
    return connection.total_changes - before
