"""What can be asked of the catalog.

Every question names the index that answers it (`INDEXED BY`), because SQLite, which has no statistics here, would
sometimes choose one that mixes all namespaces: then the time to list one namespace would grow with the others. Where
swamp's indexes do not serve a question directly (which models has a namespace?), the primary key is hopped over, one
seek a model.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from swampsync.catalog.database import Database
from swampsync.catalog.rows import COLUMNS, ArtifactKey, CatalogRow
from swampsync.catalog.schema import PRIMARY_KEY_INDEX
from swampsync.catalog.search import SearchFilter

_LIST: Final = ", ".join(COLUMNS)
_KEYED: Final = f"FROM catalog INDEXED BY {PRIMARY_KEY_INDEX}"
_ARTIFACT: Final = "namespace = ? AND type_normalized = ? AND model_id = ? AND data_name = ?"
_BY_LATEST: Final = "FROM catalog INDEXED BY idx_catalog_is_latest"

# The rows with is_latest = 1 hold the latest of every step; the artifact's own is the highest of them. SQLite takes the
# other columns of a group from the row that has the maximum.
_LATEST_COLUMNS: Final = ", ".join(f"max({c}) AS version" if c == "version" else c for c in COLUMNS)
_GROUP: Final = "GROUP BY namespace, type_normalized, model_id, data_name"


class ModelKey(NamedTuple):
    """A model that has rows, by the name it was last written under."""

    namespace: str
    type_normalized: str
    model_id: str
    model_name: str


class ModelSummary(NamedTuple):
    """How much a model holds, as far as the catalog knows."""

    namespace: str
    type_normalized: str
    model_id: str
    model_name: str
    artifacts: int
    versions: int
    size: int  # bytes, all versions


class SearchAnswer(NamedTuple):
    """The newest rows that a search found, and how many there are in all."""

    rows: list[CatalogRow]
    total: int


class CatalogReader:
    """Point look-ups, listings and searches over one catalog.

    Namespaces are plain strings here as in the rows, `''` for solo: they were validated where they came in.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    # --- one artifact ------------------------------------------------------------------------------

    def find_latest(self, key: ArtifactKey) -> CatalogRow | None:
        """Find the highest version of an artifact that is a latest one, or `None`."""
        sql = f"SELECT {_LIST} {_KEYED} WHERE {_ARTIFACT} AND is_latest = 1 ORDER BY version DESC LIMIT 1"
        return self._first(sql, key)

    def find_version(self, key: ArtifactKey, version: int) -> CatalogRow | None:
        """Find one version of an artifact, or `None`."""
        return self._first(f"SELECT {_LIST} {_KEYED} WHERE {_ARTIFACT} AND version = ?", (*key, version))

    def versions(self, key: ArtifactKey) -> list[CatalogRow]:
        """List all versions of an artifact, the highest first."""
        return self._all(f"SELECT {_LIST} {_KEYED} WHERE {_ARTIFACT} ORDER BY version DESC", key)

    def find_by_model_name(self, namespace: str, model_name: str, *, data_name: str) -> list[CatalogRow]:
        """Find the latest rows of an artifact by the name of its model: one for each model of that name."""
        sql = (
            f"SELECT {_LATEST_COLUMNS} FROM catalog INDEXED BY idx_catalog_latest_lookup "
            f"WHERE model_name = ? AND data_name = ? AND is_latest = 1 AND namespace = ? {_GROUP}"
        )
        return self._all(sql, (model_name, data_name, namespace))

    # --- models and namespaces ---------------------------------------------------------------------

    def namespaces(self) -> list[str]:
        """List the namespaces that have rows, in order; one seek each."""
        sql = (
            "WITH RECURSIVE hop(ns) AS ("
            " SELECT min(namespace) FROM catalog UNION ALL"
            " SELECT (SELECT min(namespace) FROM catalog WHERE namespace > hop.ns) FROM hop WHERE hop.ns IS NOT NULL)"
            " SELECT ns FROM hop WHERE ns IS NOT NULL"
        )
        with self.database.read() as connection:
            return [name for (name,) in connection.execute(sql)]

    def has_rows(self, namespace: str) -> bool:
        """Say whether a namespace has any row."""
        with self.database.read() as connection:
            sql = "SELECT EXISTS (SELECT 1 FROM catalog INDEXED BY idx_namespace WHERE namespace = ?)"
            return bool(connection.execute(sql, (namespace,)).fetchone()[0])

    def models(self, namespace: str) -> list[ModelKey]:
        """List the models of a namespace that have rows, by type and id; a few seeks each.

        A model's name is that of its first artifact that carries one; reports do not.
        """
        found = []
        with self.database.read() as connection:
            kind, model_id = "", ""
            while True:
                sql = f"SELECT min(model_id) {_KEYED} WHERE namespace = ? AND type_normalized = ? AND model_id > ?"
                (following,) = connection.execute(sql, (namespace, kind, model_id)).fetchone()
                if following is not None:
                    model_id = following
                    found.append(ModelKey(namespace, kind, model_id, self._name_model(namespace, kind, model_id)))
                    continue
                sql = f"SELECT min(type_normalized) {_KEYED} WHERE namespace = ? AND type_normalized > ?"
                (kind,) = connection.execute(sql, (namespace, kind)).fetchone()
                if kind is None:
                    return found
                model_id = ""

    def find_models(self, namespace: str, *, model_name: str) -> list[ModelKey]:
        """Find the models of a namespace that go by a name; two only where types differ or one was replaced."""
        return [model for model in self.models(namespace) if model.model_name == model_name]

    def model_summaries(self, namespace: str) -> list[ModelSummary]:
        """Sum up every model of a namespace; reads all rows of the namespace, and no others."""
        sql = (
            "SELECT namespace, type_normalized, model_id, model_name, count(DISTINCT data_name), count(*), sum(size),"
            # The row that has this minimum is the one that gives model_name.
            f" min(CASE WHEN model_name <> '' THEN data_name END) {_KEYED}"
            " WHERE namespace = ? GROUP BY type_normalized, model_id"
        )
        with self.database.read() as connection:
            return [ModelSummary._make(row[:7]) for row in connection.execute(sql, (namespace,))]

    def data_names(self, namespace: str, model_type: str, *, model_id: str) -> list[str]:
        """List the names of a model's artifacts; answered from an index alone."""
        sql = (
            f"SELECT DISTINCT data_name {_BY_LATEST}"
            " WHERE namespace = ? AND type_normalized = ? AND model_id = ? ORDER BY data_name"
        )
        with self.database.read() as connection:
            return [name for (name,) in connection.execute(sql, (namespace, model_type, model_id))]

    # --- listings ----------------------------------------------------------------------------------

    def latest_of_model(self, namespace: str, model_type: str, *, model_id: str) -> list[CatalogRow]:
        """List the latest version of every artifact of a model, by name."""
        where = "WHERE namespace = ? AND type_normalized = ? AND model_id = ? AND is_latest = 1"
        return self._all(f"SELECT {_LATEST_COLUMNS} {_BY_LATEST} {where} {_GROUP}", (namespace, model_type, model_id))

    def latest_of_namespace(self, namespace: str) -> list[CatalogRow]:
        """List the latest version of every artifact of a namespace, by type, model and name."""
        sql = f"SELECT {_LATEST_COLUMNS} {_BY_LATEST} WHERE namespace = ? AND is_latest = 1 {_GROUP}"
        return self._all(sql, (namespace,))

    def latest_of_run(self, namespace: str, workflow_run_id: str) -> list[CatalogRow]:
        """List what a workflow run wrote that is still a latest, one row for each step that wrote it."""
        sql = (
            f"SELECT {_LIST} FROM catalog INDEXED BY idx_catalog_workflow_run_id"
            " WHERE workflow_run_id = ? AND namespace = ? AND is_latest = 1 ORDER BY data_name, step_name"
        )
        return self._all(sql, (workflow_run_id, namespace))

    def search(self, filters: SearchFilter, *, namespaces: Sequence[str], limit: int | None) -> SearchAnswer:
        """Find the latest versions that pass the filters, newest first.

        Args:
            filters: What must hold for an artifact's latest version.
            namespaces: Where to look.
            limit: How many rows to return at most; all are counted.
        """
        conditions, parameters = filters.to_sql()
        latest = f"SELECT {_LATEST_COLUMNS} {_BY_LATEST} WHERE namespace = ? AND is_latest = 1 {_GROUP}"
        sql = f"SELECT {_LIST} FROM ({latest}) WHERE {conditions}"
        total = 0

        def matches(connection: sqlite3.Connection) -> Iterator[CatalogRow]:
            nonlocal total
            for namespace in namespaces:
                for row in connection.execute(sql, (namespace, *parameters)):
                    total += 1
                    yield CatalogRow._make(row)

        with self.database.read() as connection:
            if limit is None:
                rows = sorted(matches(connection), key=_age, reverse=True)
            else:
                rows = heapq.nlargest(limit, matches(connection), key=_age)
        return SearchAnswer(rows, total)

    def rows(self, namespace: str, *, latest_only: bool = False, chunk: int = 1_000) -> Iterator[CatalogRow]:
        """Go through the rows of a namespace in the order of the key, `chunk` at a time.

        The next chunk starts after the last key seen, so rows that are replaced, added or removed meanwhile neither
        hide nor repeat others; no transaction stays open in between.
        """
        condition = " AND is_latest = 1" if latest_only else ""
        sql = (
            f"SELECT {_LIST} {_KEYED} WHERE namespace = ?"
            f" AND (type_normalized, model_id, data_name, version) > (?, ?, ?, ?){condition}"
            " ORDER BY type_normalized, model_id, data_name, version LIMIT ?"
        )
        after: tuple[str, str, str, int] = ("", "", "", 0)
        while True:
            found = self._all(sql, (namespace, *after, chunk))
            yield from found
            if len(found) < chunk:
                return
            last = found[-1]
            after = (last.type_normalized, last.model_id, last.data_name, last.version)

    def count(self, namespace: str) -> int:
        """Count the rows of a namespace."""
        with self.database.read() as connection:
            sql = "SELECT count(*) FROM catalog INDEXED BY idx_namespace WHERE namespace = ?"
            return int(connection.execute(sql, (namespace,)).fetchone()[0])

    # --- meta --------------------------------------------------------------------------------------

    def is_populated(self) -> bool:
        """Whether the rows were once complete; both programs take the mark away when they no longer know."""
        return self.read_meta("populated") == "true"

    def read_meta(self, key: str) -> str | None:
        """Read a value of `catalog_meta`, or `None`."""
        with self.database.read() as connection:
            row = connection.execute("SELECT value FROM catalog_meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def _name_model(self, namespace: str, model_type: str, model_id: str) -> str:
        where = "WHERE namespace = ? AND type_normalized = ? AND model_id = ? AND model_name <> ''"
        with self.database.read() as connection:
            sql = f"SELECT model_name {_KEYED} {where} ORDER BY data_name LIMIT 1"
            row = connection.execute(sql, (namespace, model_type, model_id)).fetchone()
        return "" if row is None else str(row[0])

    def _first(self, sql: str, parameters: Sequence[object]) -> CatalogRow | None:
        with self.database.read() as connection:
            row = connection.execute(sql, tuple(parameters)).fetchone()
        return None if row is None else CatalogRow._make(row)

    def _all(self, sql: str, parameters: Sequence[object]) -> list[CatalogRow]:
        with self.database.read() as connection:
            return [CatalogRow._make(row) for row in connection.execute(sql, tuple(parameters))]


def _age(row: CatalogRow) -> tuple[str, str, str, int]:
    return (row.created_at, row.data_name, row.model_id, row.version)
