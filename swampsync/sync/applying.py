"""Applying commits: what the log says enters both databases in one transaction with the new position.

The catalog is written first and the position last. A process that dies in between applies the same commits again,
which changes nothing: every row says what is, not what changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from swampsync.catalog.feed import REMOVE, UPSERT
from swampsync.catalog.files import FileRecord, FileState
from swampsync.catalog.metadata_rows import MetadataRow
from swampsync.catalog.rows import ArtifactKey
from swampsync.log.commit import PublishedCommit
from swampsync.log.paths import METADATA_FILE, RAW_FILE, parse_version_path
from swampsync.log.rows import ArtifactRow, FilePut, Removal, Row
from swampsync.log.tail import Position
from swampsync.sync.cataloguing import catalogue_artifacts, metadata_of, metadata_row_of
from swampsync.sync.clone import Clone, artifact_key_of
from swampsync.sync.drafting import unit_path
from swampsync.sync.kept_aside import KeptAside
from swampsync.sync.leftovers import remove_leftovers, sweep_leftovers
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.pending import Op, PendingWork
from swampsync.sync.position import write_position
from swampsync.sync.resolving import Resolved, Resolver


@dataclass(slots=True)
class Applied:
    """What applying commits did.

    Attributes:
        commits: How many.
        put: Versions and files that came.
        removed: Versions and files that went.
        resolved: What became of pending entries.
        came: The paths of what came: of files, and of versions their directories.
        went: The paths of what went.
    """

    commits: int = 0
    put: int = 0
    removed: int = 0
    resolved: Resolved = field(default_factory=Resolved)
    came: list[str] = field(default_factory=list)
    went: list[str] = field(default_factory=list)


class Applier:
    """Applies commits to one clone; the caller holds the clone's lock."""

    def __init__(self, clone: Clone, copy: LocalCopy) -> None:
        self._clone = clone
        self._copy = copy
        self._work = PendingWork(clone.state, clone.namespace, clock=clone.clock)
        self._kept = KeptAside(clone.disk, clone.layout, copy)

    def apply(self, commits: Sequence[tuple[PublishedCommit, Sequence[Row]]]) -> Applied:
        """Apply commits in their order, all or none of them.

        Args:
            commits: Each with its rows, wherever they were.
        """
        if not commits:
            return Applied()
        clone = self._clone
        with clone.state.atomic():
            sweep_leftovers(clone, self._copy)
            sent = self._work.sent()
            resolver = Resolver(clone, self._copy, self._work)
            applied = Applied(commits=len(commits), resolved=resolver.resolved)
            self._kept.moved = applied.resolved.kept_aside
            touched = resolver.resolved.touched
            for published, rows in commits:
                commit = published.commit
                if commit.is_tombstone:
                    self._forget_everything(touched)
                self._raise_highest(rows)
                is_ours = commit.id in sent.get(commit.seq, ())
                taken = () if is_ours else self._find_passed_over(rows, commits)
                resolver.resolve(rows, is_ours=is_ours, taken=taken)
                self._take_in(rows, touched, applied)
            write_position(clone, Position.of(commits[-1][0]))
            self._work.forget_sent(commits[-1][0].commit.seq)
            catalogue_artifacts(clone.catalog, clone.state, touched)
        finish_resolving(clone, self._copy, applied.resolved)
        return applied

    def _find_passed_over(
        self, rows: Sequence[Row], commits: Sequence[tuple[PublishedCommit, Sequence[Row]]]
    ) -> list[str]:
        """Find pending versions whose numbers the log has passed before they were claimed.

        Such a number may have been claimed by somebody who died, and vacuum removes claims that the log has passed:
        taken now, the same key could be written twice. What one of the commits has published keeps its number.
        """
        waiting = [e for e in self._work.entries() if e.op is Op.PUT and e.is_version and e.claimed_at is None]
        if not waiting:
            return []
        reached: dict[str, int] = {}
        for version in (parse_version_path(row.path) for row in rows):
            if version is not None:
                reached[version.artifact] = max(reached.get(version.artifact, 0), version.number)
        passed = []
        for entry in waiting:
            artifact, _, number = entry.path.rpartition("/")
            if int(number) < reached.get(artifact, 0):
                row = self._clone.state.metadata.find(artifact_key_of(self._clone.namespace, artifact), int(number))
                passed.append((entry.path, None if row is None else metadata_of(row).id))
        if not passed:
            return []
        published = {row.metadata["id"] for _, those in commits for row in those if isinstance(row, ArtifactRow)}
        return [path for path, identifier in passed if identifier not in published]

    def _raise_highest(self, rows: Iterable[Row]) -> None:
        numbers = (parse_version_path(row.path) for row in rows)
        namespace = self._clone.namespace
        self._clone.state.highest.raise_to(
            (artifact_key_of(namespace, v.artifact), v.number) for v in numbers if v is not None
        )

    def _forget_everything(self, touched: set[ArtifactKey]) -> None:
        """Take in a tombstone: the namespace ended; what is pending is kept."""
        pending = self._work.paths(Op.PUT)
        state, namespace = self._clone.state, self._clone.namespace
        for record in list(state.files.all(namespace)):
            if unit_path(record.path) not in pending:
                self._forget_content(record)
        with state.database.read() as connection:
            sql = "SELECT type_normalized, model_id, data_name, version FROM metadata WHERE namespace = ?"
            known = [(ArtifactKey(namespace, *row[:3]), int(row[3])) for row in connection.execute(sql, (namespace,))]
        gone = [(key, n) for key, n in known if _directory(key, n) not in pending]
        state.metadata.remove(gone)
        touched.update(key for key, _ in gone)

    def _take_in(self, rows: Sequence[Row], touched: set[ArtifactKey], applied: Applied) -> None:
        """Take in the rows of one commit, which names each path once; what is pending stands above them."""
        state, namespace = self._clone.state, self._clone.namespace
        changes: list[tuple[str, ArtifactKey, int]] = []
        gone: list[tuple[ArtifactKey, int]] = []
        entries = {entry.path: entry for entry in self._work.entries()}
        files: list[FilePut] = []
        artifacts: dict[tuple[ArtifactKey, int], MetadataRow] = {}
        for row in rows:
            entry = entries.get(unit_path(row.path)) if entries else None
            if isinstance(row, Removal):
                if entry is None or entry.op is not Op.PUT:
                    self._take_in_removal(row, gone, applied)
            elif entry is not None:  # ours stands above it: another content, or a removal
                continue
            elif isinstance(row, FilePut):
                files.append(row)
            else:
                key = ArtifactKey(namespace, row.model_type, row.model_id, row.name)
                artifacts[key, row.version] = metadata_row_of(namespace, row)
                changes.append((UPSERT, key, row.version))
        known = state.metadata.find_many(artifacts)
        # What was recorded here is in the catalog already.
        new = {version: row for version, row in artifacts.items() if known.get(version) != row}
        state.metadata.put(new.values())
        touched.update(key for key, _ in new)
        # Only now: what a `metadata.yaml` should say tells whether somebody edited it.
        state.metadata.remove(gone)
        touched.update(key for key, _ in gone)
        changes += [(REMOVE, key, number) for key, number in gone]
        self._take_in_files(files)
        applied.put += len(files)
        applied.came += [unit_path(row.path) for row in files]
        state.feed.record(changes)

    def _take_in_files(self, rows: Sequence[FilePut]) -> None:
        state, namespace = self._clone.state, self._clone.namespace
        known = state.files.find_many(namespace, (row.path for row in rows))
        records: list[FileRecord] = []
        for row in rows:
            record = known.get(row.path)
            if record is not None and record.sha256 == row.sha256 and record.state is not FileState.REMOTE:
                records.append(record._replace(state=FileState.SYNCED, key=row.key))
                continue
            if record is not None:
                self._forget_content(record)
            records.append(remote_record(namespace, row))
        state.files.put(records)

    def _take_in_removal(self, row: Removal, gone: list[tuple[ArtifactKey, int]], applied: Applied) -> None:
        state, namespace = self._clone.state, self._clone.namespace
        version = parse_version_path(row.path)
        known = state.files.find(namespace, row.path)
        if known is not None:
            self._forget_content(known)
            applied.removed += 1
            applied.went.append(unit_path(row.path))
        if version is None:
            note_used(self._clone, [row.path])
        elif version.file == METADATA_FILE:
            gone.append((artifact_key_of(namespace, version.artifact), version.number))

    def _forget_content(self, record: FileRecord) -> None:
        """Forget a file, and remove what the copy holds of it: until the commit it can be fetched again.

        What is not as it was noted is somebody's own, and kept aside.
        """
        if record.state is not FileState.REMOTE:
            version = parse_version_path(record.path)
            if version is not None and version.file == RAW_FILE:
                key = artifact_key_of(record.namespace, version.artifact)
                row = self._clone.state.metadata.find(key, version.number)
                self._kept.keep_version(record, row)
                self._copy.remove_version(version.directory)
            else:
                self._kept.keep_file(record)
                self._copy.remove(record.path)
        self._clone.state.files.remove(record.namespace, [record.path])


def remote_record(namespace: str, row: FilePut) -> FileRecord:
    """Make the record of a file whose content is in the bucket only."""
    return FileRecord(namespace, row.path, FileState.REMOTE, 0, 0, 0, row.size, row.sha256, row.key, None)


def note_used(clone: Clone, paths: Iterable[str]) -> None:
    """Note paths whose own key was used once, so that it is never written again."""
    with clone.state.database.atomic() as connection:
        rows = [(clone.namespace, path) for path in paths]
        connection.executemany("INSERT OR IGNORE INTO used_paths VALUES (?, ?)", rows)


def was_used(clone: Clone, path: str) -> bool:
    """Say whether a path's own key was ever used."""
    with clone.state.database.read() as connection:
        sql = "SELECT EXISTS (SELECT 1 FROM used_paths WHERE namespace = ? AND path = ?)"
        return bool(connection.execute(sql, (clone.namespace, path)).fetchone()[0])


def finish_resolving(clone: Clone, copy: LocalCopy, resolved: Resolved) -> None:
    """Remove what resolving has replaced from the copy, now that the databases are written."""
    if resolved.leftovers:
        kept = KeptAside(clone.disk, clone.layout, copy)
        kept.moved = resolved.kept_aside
        remove_leftovers(clone, copy, resolved.leftovers, kept)
        resolved.leftovers.clear()


def _directory(key: ArtifactKey, number: int) -> str:
    return f"data/{key.type_normalized}/{key.model_id}/{key.data_name}/{number}"
