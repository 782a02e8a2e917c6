"""The catalog's tables, exactly as swamp creates them: schema version "4".

Both programs work in one file, so nothing of ours is in it: no column, index, table, pragma or meta key that swamp does
not write itself. What we remember beside the rows lies in the state database.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from swampsync.catalog.rows import COLUMNS
from swampsync.catalog.sqlite import CorruptDatabase

SCHEMA_VERSION: Final = "4"

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS catalog (
  namespace TEXT NOT NULL DEFAULT '',
  type_normalized TEXT NOT NULL,
  model_id TEXT NOT NULL,
  data_name TEXT NOT NULL,
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  is_latest INTEGER NOT NULL DEFAULT 1,
  model_name TEXT NOT NULL,
  spec_name TEXT NOT NULL DEFAULT '',
  data_type TEXT NOT NULL DEFAULT '',
  content_type TEXT NOT NULL DEFAULT '',
  lifetime TEXT NOT NULL DEFAULT '',
  owner_type TEXT NOT NULL DEFAULT '',
  streaming INTEGER NOT NULL DEFAULT 0,
  size INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL,
  tags TEXT NOT NULL DEFAULT '{}',
  owner_ref TEXT NOT NULL DEFAULT '',
  workflow_run_id TEXT NOT NULL DEFAULT '',
  workflow_name TEXT NOT NULL DEFAULT '',
  job_name TEXT NOT NULL DEFAULT '',
  step_name TEXT NOT NULL DEFAULT '',
  source TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (namespace, type_normalized, model_id, data_name, version)
)
"""

_META: Final = "CREATE TABLE IF NOT EXISTS catalog_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)"

INDEXES: Final = {
    "idx_catalog_model_name": "model_name",
    "idx_catalog_spec_name": "spec_name",
    "idx_catalog_data_type": "data_type",
    "idx_catalog_created_at": "created_at",
    "idx_catalog_workflow_run_id": "workflow_run_id",
    "idx_catalog_step_name": "step_name",
    "idx_namespace": "namespace",
    "idx_catalog_is_latest": "namespace, type_normalized, model_id, data_name, is_latest",
    "idx_catalog_latest_lookup": "model_name, data_name, is_latest, namespace",
}
PRIMARY_KEY_INDEX: Final = "sqlite_autoindex_catalog_1"


def prepare_catalog(connection: sqlite3.Connection) -> None:
    """Create what is missing of the schema and refuse a file that holds another one.

    Raises:
        CorruptDatabase: The file holds another schema version, or tables of other shape under our names.
    """
    present = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if "catalog_meta" in present:
        found = _stored_version(connection)
        if found is not None and found != SCHEMA_VERSION:
            raise CorruptDatabase(f"the catalog has schema `{found}`, this version knows `{SCHEMA_VERSION}`")
        if found == SCHEMA_VERSION and "catalog" in present and present.issuperset(INDEXES):
            _check_columns(connection)
            return
    if "catalog" in present:
        _check_columns(connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_META)
        if _stored_version(connection) is None:
            # Rows without a version are of unknown origin, and so is a claim that they are complete.
            connection.execute("DROP TABLE IF EXISTS catalog")
            connection.execute("DELETE FROM catalog_meta WHERE key = 'populated'")
            connection.execute("INSERT INTO catalog_meta VALUES ('schema_version', ?)", (SCHEMA_VERSION,))
        connection.execute(_TABLE)
        create_indexes(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def create_indexes(connection: sqlite3.Connection) -> None:
    """Create the indexes that are missing."""
    for name, columns in INDEXES.items():
        connection.execute(f"CREATE INDEX IF NOT EXISTS {name} ON catalog ({columns})")


def drop_indexes(connection: sqlite3.Connection) -> None:
    """Drop all indexes but the primary key's, within a transaction that creates them again."""
    for name in INDEXES:
        connection.execute(f"DROP INDEX IF EXISTS {name}")


def _stored_version(connection: sqlite3.Connection) -> str | None:
    row = connection.execute("SELECT value FROM catalog_meta WHERE key = 'schema_version'").fetchone()
    return None if row is None else str(row[0])


def _check_columns(connection: sqlite3.Connection) -> None:
    found = [name for (name,) in connection.execute("SELECT name FROM pragma_table_info('catalog')")]
    if found != list(COLUMNS):
        raise CorruptDatabase("the catalog's columns are not those of its schema version")
