"""Giving space back: the write-ahead log folded in, the file rewritten without its holes.

SQLite's own VACUUM does the rewriting. It takes SQLite's locks, so other processes that have the file open see the old
content or the new one and never a swapped file; swamp, whose runtime cannot vacuum, swaps files instead.
"""

from __future__ import annotations

from typing import NamedTuple

from swampsync.catalog.database import Database
from swampsync.errors import Unavailable


class Checkpoint(NamedTuple):
    """What was in the write-ahead log, in pages; both are 0 when all of it was folded in and the log emptied."""

    pages_total: int
    pages_done: int


class Compaction(NamedTuple):
    """What a compaction gave back."""

    wal_pages_total: int
    wal_pages_checkpointed: int
    bytes_reclaimed: int
    is_vacuum_skipped: bool  # other processes were reading for so long that the file could not be rewritten


def fold_log(database: Database) -> Checkpoint:
    """Fold the write-ahead log into the file as far as other readers let us; nothing to do for other journals."""
    with database.read() as connection:
        _busy, total, done = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return Checkpoint(max(total, 0), max(done, 0))


def compact(database: Database) -> Compaction:
    """Rewrite the file without its free pages; safe while other processes have it open."""
    checkpoint = fold_log(database)
    before = _measure(database)
    try:
        with database.read() as connection:
            connection.execute("VACUUM")
    except Unavailable:
        return Compaction(*checkpoint, bytes_reclaimed=0, is_vacuum_skipped=True)
    fold_log(database)
    saved = max(0, before - _measure(database))
    return Compaction(*checkpoint, bytes_reclaimed=saved, is_vacuum_skipped=False)


def _measure(database: Database) -> int:
    with database.read() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(size)
