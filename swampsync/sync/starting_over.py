"""Starting over: the state of a checkpoint takes the place of what was applied; what is pending is kept.

Rows go from the checkpoint into SQLite as they are read, so that a new clone of any size takes little memory. Content
that is here and that the checkpoint names stays; other content goes, or is kept aside if the whole log is another one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import islice
from typing import Final

import orjson

from swampsync.backends.base import ObjectNotFound
from swampsync.catalog.files import FileRecord, FileState
from swampsync.catalog.metadata_rows import MetadataRow
from swampsync.log.checkpoint import LoadedCheckpoint
from swampsync.log.paths import RAW_FILE, parse_version_path
from swampsync.log.rows import ArtifactRow, FilePut, Highest, Row, StateRow
from swampsync.log.tail import BEGINNING
from swampsync.sync.applying import finish_resolving, note_used
from swampsync.sync.cataloguing import catalogue_namespace
from swampsync.sync.clone import Clone, artifact_key_of
from swampsync.sync.drafting import unit_path
from swampsync.sync.kept_aside import KeptAside, kept_aside_directory
from swampsync.sync.leftovers import sweep_leftovers
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.pending import PendingEntry, PendingWork
from swampsync.sync.position import write_position
from swampsync.sync.progress import Progress, Stages, no_stages, silent
from swampsync.sync.resolving import Resolved, Resolver

_BATCH: Final = 5_000
_FILE: Final = (
    "INSERT OR REPLACE INTO files (namespace, path, state, mtime_ns, ctime_ns, inode, size, sha256, key)"
    " VALUES (?, ?, 'remote', 0, 0, 0, ?, ?, ?)"
)
_METADATA: Final = "INSERT OR REPLACE INTO metadata VALUES (?, ?, ?, ?, ?, ?, ?)"


def start_over(
    clone: Clone,
    copy: LocalCopy,
    checkpoint: LoadedCheckpoint | None,
    *,
    is_replaced: bool,
    stages: Stages = no_stages,
) -> Resolved:
    """Make the databases say what a checkpoint says, or nothing without one, in one transaction.

    Args:
        clone: Which.
        copy: Its local copy.
        checkpoint: Found whole before.
        is_replaced: Whether the log is another one than was applied: then nothing that is here is thrown away.
        stages: Opens what is told how far each step is.
    """
    work = PendingWork(clone.state, clone.namespace, clock=clone.clock)
    resolver = Resolver(clone, copy, work)
    with clone.state.atomic():
        sweep_leftovers(clone, copy)
        _set_synced_aside(clone)
        head = BEGINNING if checkpoint is None else checkpoint.position
        forget_published(clone, work.entries())
        _resolve_sent(clone, work, resolver, head.seq)
        if checkpoint is not None:
            entries = work.entries()
            if entries:
                _resolve_all(clone, checkpoint, entries, resolver)
            total = sum(ref.rows for ref in checkpoint.checkpoint.segments)
            with stages("Taking in the log") as progress:
                pending = {entry.path for entry in work.entries()}
                load_rows(clone, checkpoint.rows(), pending, progress=progress, total=total)
        _take_back_synced(clone, copy, resolver.resolved, is_replaced=is_replaced)
        write_position(clone, head)
        work.forget_sent(head.seq)
        clone.state.feed.record_rebuild(clone.namespace)
        with stages("Cataloguing") as progress:
            catalogue_namespace(clone.catalog, clone.state, clone.namespace, progress=progress)
    finish_resolving(clone, copy, resolver.resolved)
    return resolver.resolved


def _set_synced_aside(clone: Clone) -> None:
    """Remember what is here, and what its metadata said; a clone without content has nothing to remember."""
    with clone.state.database.atomic() as connection:
        connection.execute("DROP TABLE IF EXISTS temp.synced")
        connection.execute("DROP TABLE IF EXISTS temp.said")
        connection.execute(
            "CREATE TEMP TABLE synced AS SELECT * FROM files WHERE namespace = ? AND state = 'synced'",
            (clone.namespace,),
        )
        connection.execute(
            "CREATE TEMP TABLE said AS SELECT * FROM metadata WHERE namespace = ? AND EXISTS (SELECT 1 FROM synced)",
            (clone.namespace,),
        )


def forget_published(clone: Clone, entries: Iterable[PendingEntry]) -> None:
    """Forget everything that the log told, but not the metadata of what is pending."""
    kept = [entry.path for entry in entries]
    namespace = clone.namespace
    with clone.state.database.atomic() as connection:
        connection.execute("DELETE FROM files WHERE namespace = ? AND state <> 'pending'", (namespace,))
        connection.execute("CREATE TEMP TABLE IF NOT EXISTS kept AS SELECT * FROM metadata WHERE 0")
        connection.execute("DELETE FROM temp.kept")
        for path in kept:
            version = parse_version_path(f"{path}/{RAW_FILE}")
            if version is not None:
                key = artifact_key_of(namespace, version.artifact)
                connection.execute(
                    "INSERT INTO temp.kept SELECT * FROM metadata WHERE namespace = ? AND type_normalized = ?"
                    " AND model_id = ? AND data_name = ? AND version = ?",
                    (*key, version.number),
                )
        connection.execute("DELETE FROM metadata WHERE namespace = ?", (namespace,))
        connection.execute("INSERT INTO metadata SELECT * FROM temp.kept")
        connection.execute("DELETE FROM temp.kept")


def _resolve_sent(clone: Clone, work: PendingWork, resolver: Resolver, head: int) -> None:
    """Find out about commits that were sent before the checkpoint: their rows are in it, but not whose they are."""
    for seq, ids in work.sent().items():
        if seq > head:
            continue
        try:
            commit = clone.log.read_commit(seq).commit
        except ObjectNotFound:
            continue
        if commit.id in ids:
            resolver.resolve(list(clone.log.rows(commit)), is_ours=True)


def _resolve_all(clone: Clone, checkpoint: LoadedCheckpoint, entries: list[PendingEntry], resolver: Resolver) -> None:
    """Let pending entries meet those rows of the checkpoint that could concern them."""
    artifacts = {entry.path.rpartition("/")[0] for entry in entries if entry.is_version}
    has_files = any(not entry.is_version for entry in entries)
    highest: dict[str, int] = {}
    rows: list[Row] = []
    for row in checkpoint.rows():
        if isinstance(row, Highest):
            if row.artifact in artifacts:
                highest[row.artifact] = max(highest.get(row.artifact, 0), row.number)
            continue
        version = parse_version_path(row.path)
        if version is None:
            if has_files and isinstance(row, FilePut):
                rows.append(row)
        elif version.artifact in artifacts and isinstance(row, FilePut | ArtifactRow):
            highest[version.artifact] = max(highest.get(version.artifact, 0), version.number)
            rows.append(row)
    clone.state.highest.raise_to((artifact_key_of(clone.namespace, a), n) for a, n in highest.items())
    # Below the highest number and not there: it may have come and gone. What we have claimed is ours all the same.
    taken = [
        entry.path
        for entry in entries
        if entry.is_version and entry.claimed_at is None and _number(entry) <= highest.get(_artifact(entry), 0)
    ]
    resolver.resolve(rows, taken=taken)


def _artifact(entry: PendingEntry) -> str:
    return entry.path.rpartition("/")[0]


def _number(entry: PendingEntry) -> int:
    return int(entry.path.rpartition("/")[2])


def load_rows(
    clone: Clone, rows: Iterable[StateRow], pending: set[str], *, progress: Progress = silent, total: int | None = None
) -> None:
    """Stream rows into the tables; what is pending stands above them."""
    done = 0
    with clone.state.database.atomic() as connection:
        connection.execute("PRAGMA cache_size = -32768")
        iterator = iter(rows)
        while batch := list(islice(iterator, _BATCH)):
            _load_batch(clone, connection, batch, pending)
            done += len(batch)
            if len(batch) == _BATCH:  # what is one batch in all needs no bar
                progress(done, total)


def _load_batch(clone: Clone, connection: sqlite3.Connection, rows: Iterable[StateRow], pending: set[str]) -> None:
    namespace = clone.namespace
    files: list[tuple[object, ...]] = []
    metadata: list[tuple[object, ...]] = []
    highest: dict[tuple[str, str, str], int] = {}
    used: list[str] = []
    for row in rows:
        if isinstance(row, FilePut):
            if not pending or unit_path(row.path) not in pending:
                files.append((namespace, row.path, row.size, row.sha256, row.key))
        elif isinstance(row, ArtifactRow):
            name, number = row.name, row.version
            identity = (row.model_type, row.model_id, name)
            if highest.get(identity, 0) < number:
                highest[identity] = number
            if not pending or unit_path(row.path) not in pending:
                text = None if row.text is None else row.text.encode()
                metadata.append((namespace, *identity, number, orjson.dumps(row.metadata).decode(), text))
        elif isinstance(row, Highest):
            key = artifact_key_of(namespace, row.artifact)
            identity = (key.type_normalized, key.model_id, key.data_name)
            if highest.get(identity, 0) < row.number:
                highest[identity] = row.number
        else:
            used.append(row.path)
    connection.executemany(_FILE, files)
    connection.executemany(_METADATA, metadata)
    connection.executemany(
        "INSERT INTO highest_versions VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET version = excluded.version WHERE excluded.version > version",
        [(namespace, *identity, number) for identity, number in highest.items()],
    )
    note_used(clone, used)


def _take_back_synced(clone: Clone, copy: LocalCopy, resolved: Resolved, *, is_replaced: bool) -> None:
    """Keep what is here and still named; remove, or keep aside, what is not."""
    namespace = clone.namespace
    kept = KeptAside(clone.disk, clone.layout, copy)
    kept.moved = resolved.kept_aside
    with clone.state.database.atomic() as connection:
        connection.execute(
            "UPDATE files SET state = 'synced', mtime_ns = s.mtime_ns, ctime_ns = s.ctime_ns, inode = s.inode"
            " FROM temp.synced AS s WHERE files.namespace = ? AND files.path = s.path AND files.sha256 = s.sha256"
            " AND files.state = 'remote'",
            (namespace,),
        )
        gone = connection.execute(
            "SELECT s.* FROM temp.synced AS s LEFT JOIN files AS f ON f.namespace = ? AND f.path = s.path"
            " WHERE f.path IS NULL OR f.state = 'remote'",
            (namespace,),
        ).fetchall()
        if gone:
            connection.execute("CREATE INDEX temp.said_of ON said (type_normalized, model_id, data_name, version)")
        for row in gone:
            record = FileRecord._make(row)._replace(state=FileState.SYNCED)
            if is_replaced:
                copy.move_aside(record.path, kept_aside_directory(clone.layout))
            version = parse_version_path(record.path)
            if version is not None and version.file == RAW_FILE:
                kept.keep_version(record, _find_said(connection, record))
                copy.remove_version(version.directory)
            else:
                kept.keep_file(record)
                copy.remove(record.path)
        connection.execute("DROP TABLE temp.synced")
        connection.execute("DROP TABLE temp.said")


def _find_said(connection: sqlite3.Connection, record: FileRecord) -> MetadataRow | None:
    version = parse_version_path(record.path)
    if version is None:
        return None
    row = connection.execute(
        "SELECT * FROM temp.said WHERE type_normalized = ? AND model_id = ? AND data_name = ? AND version = ?",
        (*artifact_key_of("", version.artifact)[1:], version.number),
    ).fetchone()
    return None if row is None else MetadataRow._make(row)


def has_published(clone: Clone) -> bool:
    """Say whether the state holds anything published."""
    states = (FileState.SYNCED.value, FileState.REMOTE.value)
    with clone.state.database.read() as connection:
        sql = "SELECT EXISTS (SELECT 1 FROM files WHERE namespace = ? AND state IN (?, ?))"
        return bool(connection.execute(sql, (clone.namespace, *states)).fetchone()[0])
