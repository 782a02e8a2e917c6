"""The catalog: one row for every version that this repo knows of, its own and other namespaces'.

It is a cache. What it holds can be had again from the tree or the log, so a file that is missing, unreadable or of
another schema is replaced by a fresh one (`notices` says so), and writers that were interrupted by that are run
again. Whether the rows are complete is what `is_populated` says; whoever finds them incomplete fills them from the
tree.

An artifact whose latest version is renamed or deleted has no rows at all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Final, NamedTuple, Self, TypeVar

from swampsync.catalog.database import Database, SetAside
from swampsync.catalog.inserting import INSERT, insert_all
from swampsync.catalog.latest import assign_latest
from swampsync.catalog.reading import CatalogReader
from swampsync.catalog.rows import COLUMNS, ArtifactKey, CatalogRow, artifact_key
from swampsync.catalog.schema import PRIMARY_KEY_INDEX, prepare_catalog
from swampsync.catalog.sqlite import CorruptDatabase
from swampsync.clock import Clock
from swampsync.disk import Disk

_ARTIFACT: Final = "namespace = ? AND type_normalized = ? AND model_id = ? AND data_name = ?"
_SELECT: Final = f"SELECT {', '.join(COLUMNS)} FROM catalog INDEXED BY {PRIMARY_KEY_INDEX} WHERE {_ARTIFACT}"
_DELETE: Final = f"DELETE FROM catalog WHERE {_ARTIFACT}"
_BULK_CACHE_KIB: Final = 32_768

_Result = TypeVar("_Result")


class RowChange(NamedTuple):
    """What a write changed, in rows."""

    added: int = 0
    changed: int = 0
    removed: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not (self.added or self.changed or self.removed)

    def plus(self, other: RowChange) -> RowChange:
        """Sum two changes up."""
        return RowChange(self.added + other.added, self.changed + other.changed, self.removed + other.removed)


class Catalog(CatalogReader):
    """Reading and writing of one catalog file; usable from threads.

    Every method is one transaction, or part of the surrounding `atomic()`.
    """

    @classmethod
    def open(cls, path: str, *, disk: Disk, clock: Clock, rng: Random) -> Self:
        """Make a catalog over the file at `path`; the file is opened when first used.

        Args:
            path: `Layout.catalog_path()`, or `:memory:`.
            disk: The machine's disk, on which the file lies.
            clock: Waits while the file is busy.
            rng: Jitter for waiting.
        """
        return cls(Database(path, disk=disk, clock=clock, rng=rng, prepare=prepare_catalog))

    @property
    def notices(self) -> list[SetAside]:
        """What was set aside since the catalog was opened; the caller tells the user."""
        return self.database.notices

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """Make one transaction of everything that this thread writes inside the block."""
        with self.database.atomic():
            yield
        if not self.database.is_in_transaction and not self.database.is_current():
            # Another program swapped the file between our look and our commit: what we wrote may be in the old one.
            with self.database.atomic() as connection:
                connection.execute("DELETE FROM catalog_meta WHERE key = 'populated'")

    # --- one artifact ------------------------------------------------------------------------------

    def upsert_latest(self, row: CatalogRow) -> None:
        """Write a version that was just made; its `is_latest` is decided here.

        The latest mark of the same artifact and step moves to the row, unless a higher version is there already.
        """
        self._write(lambda connection: _upsert(connection, row))

    def upsert_latest_many(self, rows: Sequence[CatalogRow]) -> None:
        """Write the versions of a batch in one transaction."""

        def work(connection: sqlite3.Connection) -> None:
            for row in rows:
                _upsert(connection, row)

        self._write(work)

    def replace_artifact(self, key: ArtifactKey, rows: Sequence[CatalogRow]) -> RowChange:
        """Make the rows of an artifact equal to what was found of it, ghosts removed.

        Args:
            key: The artifact.
            rows: Its versions, none if it is gone, renamed or deleted; `is_latest` is decided here.
        """
        return self._write(lambda connection: _replace(connection, key, rows))

    def remove_versions(self, key: ArtifactKey, versions: Iterable[int]) -> int:
        """Remove versions of an artifact and mark what is the latest now; returns how many rows went."""
        gone = set(versions)

        def work(connection: sqlite3.Connection) -> int:
            rows = _load(connection, key)
            return _replace(connection, key, [row for row in rows if row.version not in gone]).removed

        return self._write(work)

    def remove_artifact(self, key: ArtifactKey) -> int:
        """Remove all rows of an artifact; returns how many there were."""
        return self._write(lambda connection: connection.execute(_DELETE, key).rowcount)

    def rename_artifact(self, old: ArtifactKey, row: CatalogRow) -> None:
        """Write the first version under an artifact's new name and remove every row of the old one."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(_DELETE, old)
            _upsert(connection, row)

        self._write(work)

    # --- many --------------------------------------------------------------------------------------

    def apply(self, upserts: Iterable[CatalogRow], removals: Iterable[tuple[ArtifactKey, int]] = ()) -> RowChange:
        """Add and remove versions of any artifacts, and decide anew what is the latest of each one touched.

        A version that is both added and removed stays.
        """
        added: dict[ArtifactKey, dict[int, CatalogRow]] = {}
        removed: dict[ArtifactKey, set[int]] = {}
        for row in upserts:
            added.setdefault(artifact_key(row), {})[row.version] = row
        for key, version in removals:
            removed.setdefault(key, set()).add(version)

        def work(connection: sqlite3.Connection) -> RowChange:
            change = RowChange()
            for key in sorted(added.keys() | removed.keys()):
                rows = {row.version: row for row in _load(connection, key)}
                for version in removed.get(key, ()):
                    rows.pop(version, None)
                rows.update(added.get(key, {}))
                change = change.plus(_replace(connection, key, list(rows.values())))
            return change

        return self._write(work)

    def replace_artifacts(self, found: Sequence[tuple[ArtifactKey, Sequence[CatalogRow]]]) -> list[RowChange]:
        """Do what `replace_artifact` does for many, in one transaction."""
        return self._write(lambda connection: [_replace(connection, key, rows) for key, rows in found])

    def load(self, rows: Iterable[CatalogRow]) -> int:
        """Insert rows that are known to be new or to replace their own key, as fast as SQLite takes them.

        `is_latest` is taken as it stands: the rows went through `assign_latest`. Sorted by key they go in fastest.

        Returns:
            How many rows were written.
        """

        def work(connection: sqlite3.Connection) -> int:
            before = connection.total_changes
            connection.executemany(INSERT, rows)
            return connection.total_changes - before

        return self._write(work)

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Give SQLite a cache that holds the hot ends of all indexes while much is loaded."""
        with self.database.read() as connection:
            (before,) = connection.execute("PRAGMA cache_size").fetchone()
            connection.execute(f"PRAGMA cache_size = -{_BULK_CACHE_KIB}")
        try:
            yield
        finally:
            with self.database.read() as connection:
                connection.execute(f"PRAGMA cache_size = {int(before)}")

    def replace_namespace(self, namespace: str, rows: Iterable[CatalogRow]) -> RowChange:
        """Make the rows of a namespace exactly these, in one transaction.

        Args:
            namespace: Whose rows; all `rows` carry it.
            rows: All of its rows with `is_latest` decided, each artifact's versions together.
        """

        def work(connection: sqlite3.Connection) -> RowChange:
            removed = connection.execute("DELETE FROM catalog WHERE namespace = ?", (namespace,)).rowcount
            return RowChange(added=insert_all(connection, rows), removed=removed)

        return self._write(work)

    def remove_namespace(self, namespace: str) -> int:
        """Remove every row of a namespace; returns how many there were."""
        sql = "DELETE FROM catalog WHERE namespace = ?"
        return self._write(lambda connection: connection.execute(sql, (namespace,)).rowcount)

    # --- meta --------------------------------------------------------------------------------------

    def mark_populated(self) -> None:
        """Say that the rows are complete."""
        self.write_meta("populated", "true")

    def clear_populated(self) -> None:
        """Say that the rows may be incomplete; whoever lists next fills them from the tree."""
        self.write_meta("populated", None)

    def write_meta(self, key: str, value: str | None) -> None:
        """Set a value of `catalog_meta`, or remove it."""

        def work(connection: sqlite3.Connection) -> None:
            if value is None:
                connection.execute("DELETE FROM catalog_meta WHERE key = ?", (key,))
            else:
                connection.execute("INSERT OR REPLACE INTO catalog_meta VALUES (?, ?)", (key, value))

        self._write(work)

    def _write(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Run `work` in a transaction, once more if the file had to be replaced under it."""
        try:
            return self._write_once(work)
        except CorruptDatabase:
            if self.database.is_in_transaction:
                raise
            return self._write_once(work)

    def _write_once(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        with self.atomic(), self.database.read() as connection:
            return work(connection)


def _load(connection: sqlite3.Connection, key: ArtifactKey) -> list[CatalogRow]:
    return [CatalogRow._make(row) for row in connection.execute(_SELECT, key)]


def _upsert(connection: sqlite3.Connection, row: CatalogRow) -> None:
    step = f"{_ARTIFACT} AND step_name = ?"
    of_step = (*artifact_key(row), row.step_name, row.version)
    higher = f"SELECT EXISTS (SELECT 1 FROM catalog INDEXED BY {PRIMARY_KEY_INDEX} WHERE {step} AND version > ?)"
    (has_higher,) = connection.execute(higher, of_step).fetchone()
    if not has_higher:
        connection.execute(
            "UPDATE catalog INDEXED BY idx_catalog_is_latest SET is_latest = 0"
            f" WHERE {step} AND version <> ? AND is_latest = 1",
            of_step,
        )
    connection.execute(INSERT, row._replace(is_latest=0 if has_higher else 1))


def _replace(connection: sqlite3.Connection, key: ArtifactKey, rows: Sequence[CatalogRow]) -> RowChange:
    known = {row.version: row for row in _load(connection, key)}
    wanted = assign_latest(rows)
    fresh = [row for row in wanted if known.get(row.version) != row]
    gone = known.keys() - {row.version for row in wanted}
    if gone:
        connection.executemany(f"{_DELETE} AND version = ?", [(*key, version) for version in gone])
    connection.executemany(INSERT, fresh)
    added = sum(1 for row in fresh if row.version not in known)
    return RowChange(added=added, changed=len(fresh) - added, removed=len(gone))
