"""`_sync.db`: what this clone knows that cannot be had again from the tree alone.

What is pending, how far each log was read, which numbers were ever used, what failed. It is not a cache; a file that
is unreadable is set aside, never deleted, reported in `notices` and begun anew, and `sync` rebuilds from the log and
the copy what can be rebuilt. Rows of other namespaces stand under their own name everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Self

from swampsync.catalog.database import Database, SetAside
from swampsync.catalog.feed import Feed
from swampsync.catalog.files import Files
from swampsync.catalog.metadata_rows import HighestVersions, MetadataRows
from swampsync.catalog.migrations import migrate
from swampsync.catalog.records import DeadLetters, JsonContent, Positions, Settings
from swampsync.catalog.signatures import Signatures
from swampsync.catalog.state_schema import MIGRATIONS
from swampsync.clock import Clock
from swampsync.disk import Disk


class SyncState:
    """The tables of one state database; usable from threads.

    Every method of a table is one transaction, or part of the surrounding `atomic()`.

    Attributes:
        signatures: Directories of the tree as they were catalogued.
        highest: Highest version number of every artifact.
        feed: Changes in the order in which they were seen.
        files: Files of the local copy.
        metadata: Full metadata of versions.
        positions: How far each log was applied.
        dead_letters: What could not be transferred.
        json_content: JSON documents by digest.
        settings: Values by key.
    """

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database = database
        self.signatures = Signatures(database)
        self.highest = HighestVersions(database)
        self.feed = Feed(database, clock=clock)
        self.files = Files(database)
        self.metadata = MetadataRows(database)
        self.positions = Positions(database)
        self.dead_letters = DeadLetters(database, clock=clock)
        self.json_content = JsonContent(database)
        self.settings = Settings(database)

    @classmethod
    def open(cls, path: str, *, disk: Disk, clock: Clock, rng: Random) -> Self:
        """Make a state over the file at `path`; the file is opened when first used.

        Args:
            path: `Layout.state_path()`, or `:memory:`.
            disk: The machine's disk, on which the file lies.
            clock: Waits while the file is busy, and dates entries.
            rng: Jitter for waiting.
        """
        database = Database(path, disk=disk, clock=clock, rng=rng, prepare=lambda c: migrate(c, MIGRATIONS))
        return cls(database, clock=clock)

    @property
    def notices(self) -> list[SetAside]:
        """What was set aside since the state was opened; the caller tells the user."""
        return self.database.notices

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """Make one transaction of everything that this thread writes inside the block."""
        with self.database.atomic():
            yield

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
