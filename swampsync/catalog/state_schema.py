"""The tables of the state database, `_sync.db`: of our own design, beside the catalog that we share with swamp.

`watched` of a directory's signature is the version whose directory is looked at too, because an append changes that
one without touching the artifact's own. The feed counts with AUTOINCREMENT, so that a number is not given again
after its row was trimmed.
"""

from __future__ import annotations

from typing import Final

from swampsync.catalog.migrations import Migration

_FIRST: Final = """
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE directory_signatures (
  namespace TEXT NOT NULL,
  root INTEGER NOT NULL,
  path TEXT NOT NULL,
  kind TEXT NOT NULL,
  mtime_ns INTEGER NOT NULL,
  ctime_ns INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  watched INTEGER NOT NULL,
  watched_mtime_ns INTEGER NOT NULL,
  watched_ctime_ns INTEGER NOT NULL,
  watched_inode INTEGER NOT NULL,
  row_count INTEGER NOT NULL,
  is_complete INTEGER NOT NULL,
  seen_at TEXT NOT NULL,
  PRIMARY KEY (namespace, root, path)
) WITHOUT ROWID;

CREATE TABLE highest_versions (
  namespace TEXT NOT NULL,
  type_normalized TEXT NOT NULL,
  model_id TEXT NOT NULL,
  data_name TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (namespace, type_normalized, model_id, data_name)
) WITHOUT ROWID;

CREATE TABLE feed (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  op TEXT NOT NULL,
  namespace TEXT NOT NULL,
  type_normalized TEXT NOT NULL,
  model_id TEXT NOT NULL,
  data_name TEXT NOT NULL,
  version INTEGER NOT NULL,
  at TEXT NOT NULL
);

CREATE TABLE files (
  namespace TEXT NOT NULL,
  path TEXT NOT NULL,
  state TEXT NOT NULL,
  mtime_ns INTEGER NOT NULL,
  ctime_ns INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  size INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  key TEXT,
  etag TEXT,
  PRIMARY KEY (namespace, path)
) WITHOUT ROWID;

CREATE INDEX files_by_state ON files (namespace, state);

CREATE TABLE metadata (
  namespace TEXT NOT NULL,
  type_normalized TEXT NOT NULL,
  model_id TEXT NOT NULL,
  data_name TEXT NOT NULL,
  version INTEGER NOT NULL,
  json TEXT NOT NULL,
  yaml BLOB,
  PRIMARY KEY (namespace, type_normalized, model_id, data_name, version)
) WITHOUT ROWID;

CREATE TABLE positions (
  namespace TEXT PRIMARY KEY,
  seq INTEGER NOT NULL,
  commit_id TEXT NOT NULL,
  etag TEXT NOT NULL,
  at TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE dead_letters (
  namespace TEXT NOT NULL,
  path TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  last_error TEXT NOT NULL,
  first_at TEXT NOT NULL,
  last_at TEXT NOT NULL,
  PRIMARY KEY (namespace, path)
) WITHOUT ROWID;

CREATE TABLE json_content (sha256 TEXT PRIMARY KEY, size INTEGER NOT NULL, json TEXT NOT NULL)
"""

# A pending entry keeps its id when it gets another path: whoever publishes it knows it by that. What was claimed in the
# bucket is closed: it is published as it is, or another number is taken.
_PENDING: Final = """
CREATE TABLE pending (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  namespace TEXT NOT NULL,
  path TEXT NOT NULL,
  op TEXT NOT NULL,
  is_version INTEGER NOT NULL,
  kind TEXT NOT NULL,
  at TEXT NOT NULL,
  base TEXT,
  key TEXT,
  claimed_at TEXT,
  is_uploaded INTEGER NOT NULL,
  UNIQUE (namespace, path)
);

CREATE TABLE sent_commits (
  namespace TEXT NOT NULL,
  commit_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (namespace, commit_id)
) WITHOUT ROWID;

CREATE TABLE used_paths (namespace TEXT NOT NULL, path TEXT NOT NULL, PRIMARY KEY (namespace, path)) WITHOUT ROWID
"""

MIGRATIONS: Final = (
    Migration("0001-first-tables", _FIRST),
    Migration("0002-pending-work", _PENDING),
)
