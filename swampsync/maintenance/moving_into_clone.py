"""Data moves into a bucket: into the local copy of a clone, recorded, and published some at a time.

Commits are bounded, so that a move of any size takes little memory and a kill costs little. What the log has already,
under any number, is found again by its id, so that running again doubles nothing.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import orjson

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.metadata_yaml import format_metadata
from swampsync.artifacts.model import Model
from swampsync.catalog.files import FileRecord, FileState
from swampsync.catalog.rows import ArtifactKey
from swampsync.errors import DataError
from swampsync.layout import Layout
from swampsync.log.conflict_copies import ancestors, conflict_path, is_json_lines
from swampsync.log.paths import METADATA_FILE, RAW_FILE, SHARED_SUBDIRS, find_path_problem
from swampsync.maintenance.moving_copies import digest_of, read_chunks
from swampsync.maintenance.moving_in import REMOVED_THERE
from swampsync.maintenance.moving_items import ArtifactItem, FileItem, MoveTally, VersionItem
from swampsync.maintenance.moving_numbers import Identity, Placement, Placing, place_versions
from swampsync.sync.clone import Clone
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.recording import Recorder

KIND: Final = "setup"
ENTRIES_AT_ONCE: Final = 5_000
# An index of swamp's that it makes anew: of no use to anybody else, and different in every clone.
_LOCAL_INDEX: Final = ".runs-index.json"

Publish = Callable[[], None]


def stays_out_of_buckets(relative: str) -> bool:
    """Say whether a file is nothing for a bucket: swamp's own index, or what hides among versions (`.DS_Store`)."""
    name = posixpath.basename(relative)
    return name == _LOCAL_INDEX or (name.startswith(".") and relative.startswith("data/"))


class CloneTarget:
    """Takes data into a clone that nobody uses yet; implements `MoveTarget`. It has pulled.

    Args:
        clone: Which.
        copy: Its local copy.
        tally: Counts what happens.
        publish: Pushes what is recorded; called with some thousand entries at a time.
        check: Called before each file; raises if the lock was lost.
    """

    def __init__(
        self, clone: Clone, copy: LocalCopy, tally: MoveTally, *, publish: Publish, check: Callable[[], None]
    ) -> None:
        self._clone = clone
        self._copy = copy
        self._tally = tally
        self._publish = publish
        self._check = check
        self._recorder = Recorder(clone, copy)
        self._versions: list[tuple[Model, Metadata, bytes]] = []
        self._files: list[str] = []

    def finish(self) -> None:
        """Publish what is left, also of a killed run."""
        self._record()
        self._publish()

    # --- artifacts ---------------------------------------------------------------------------------

    def take_artifact(self, item: ArtifactItem) -> None:
        """Copy the versions that the log does not have, to be published."""
        for version, placed in zip(item.versions, self._place(item), strict=True):
            old = f"{item.relative}/{version.metadata.version}"
            if placed.placing is Placing.PRESENT:
                self._tally.present += 1
            elif placed.placing is Placing.REMOVED:
                self._tally.left_out.append((old, REMOVED_THERE))
            elif (problem := find_path_problem(f"{item.relative}/{placed.number}/{RAW_FILE}")) is not None:
                self._tally.problems.append((old, problem))
            else:
                self._take_version(item, version, placed.number)

    def _place(self, item: ArtifactItem) -> list[Placement]:
        key = self._key(item)
        theirs = {row.version: _identity(row.json) for row in self._clone.state.metadata.of_artifact(key)}
        ours = [(v.metadata.version, Identity(v.metadata.id, v.metadata.checksum)) for v in item.versions]
        return place_versions(ours, theirs, highest=self._clone.state.highest.find(key))

    def _take_version(self, item: ArtifactItem, version: VersionItem, number: int) -> None:
        self._check()
        metadata, text = version.metadata, version.text
        if number != metadata.version:
            old = f"{item.relative}/{metadata.version}"
            metadata = replace(metadata, version=number)
            text = format_metadata(metadata)
            self._tally.renumbered.append((old, f"{item.relative}/{number}"))
        disk = self._clone.disk
        digest = metadata.checksum or digest_of(disk, version.raw, size=version.size)
        directory = f"{item.relative}/{number}"
        chunks = read_chunks(disk, version.raw, size=version.size)
        try:
            self._copy.write(f"{directory}/{RAW_FILE}", chunks, size=version.size, sha256=digest)
        except DataError:
            self._tally.problems.append((version.raw, "does not have the checksum that its metadata names"))
            return
        self._copy.write_bytes(f"{directory}/{METADATA_FILE}", text)
        model = Model(item.model_type, item.model_id, metadata.tags.get("modelName", ""))
        self._versions.append((model, metadata, text))
        self._count(2, version.size + len(text))

    def _key(self, item: ArtifactItem) -> ArtifactKey:
        return ArtifactKey(self._clone.namespace, item.model_type, item.model_id, item.name)

    def holds_version(self, item: ArtifactItem, version: VersionItem, digest: str) -> bool:
        """Say whether the log has a version, whatever its number."""
        state, namespace = self._clone.state, self._clone.namespace
        for row in state.metadata.of_artifact(self._key(item)):
            if _identity(row.json).id == version.metadata.id:
                path = Layout.version_path(item.model_type, item.model_id, item.name, row.version)
                if _is_published(state.files.find(namespace, f"{path}/{RAW_FILE}"), digest):
                    return True
        return False

    # --- other files -------------------------------------------------------------------------------

    def holds_content(self, relative: str, digest: str) -> bool:
        """Say whether the log has exactly this path with the content of a digest."""
        return _is_published(self._clone.state.files.find(self._clone.namespace, relative), digest)

    def take_file(self, item: FileItem) -> None:
        """Copy a file, to be published; other content of its path stays, and ours goes beside it."""
        problem = find_path_problem(item.relative)
        if problem is not None:
            self._tally.problems.append((item.path, problem))
            return
        digest = digest_of(self._clone.disk, item.path)
        path = self._choose_path(item, digest)
        if path is None:
            self._tally.present += 1
            return
        self._check()
        self._copy.write(path, read_chunks(self._clone.disk, item.path), size=item.size, sha256=digest)
        self._files.append(path)
        self._count(1, item.size)
        if path != item.relative:
            self._tally.kept_beside.append((item.relative, path))

    def _choose_path(self, item: FileItem, digest: str) -> str | None:
        """Choose where a file goes: `None` if it is there."""
        files, namespace = self._clone.state.files, self._clone.namespace
        beside = conflict_path(item.relative, digest)
        known = files.find(namespace, item.relative)
        if any(record is not None and record.sha256 == digest for record in (known, files.find(namespace, beside))):
            return None
        if known is None:
            above = next((p for p in ancestors(item.relative) if files.find(namespace, p) is not None), None)
            if above is not None:
                return conflict_path(item.relative, digest, at=above)
            return beside if files.under(namespace, item.relative) else item.relative
        # What was taken in before is ours to replace: it changed at the source since, as by a command between two runs.
        if known.state is not FileState.REMOTE:
            return item.relative
        if is_json_lines(item.relative):
            theirs = self._clone.log.store.get(self._clone.layout.key(known.key or known.path)).body
            ours = b"".join(read_chunks(self._clone.disk, item.path))
            if theirs.startswith(ours):
                return None
            if ours.startswith(theirs):
                return item.relative
        return beside

    def holds_file(self, item: FileItem, digest: str) -> bool:
        """Say whether the log has a file's content: at its path, as the beginning of its lines, or beside it."""
        files, namespace = self._clone.state.files, self._clone.namespace
        known = files.find(namespace, item.relative)
        if _is_published(known, digest):
            return True
        if known is not None and known.size > item.size and is_json_lines(item.relative):
            body = self._clone.log.store.get(self._clone.layout.key(known.key or known.path)).body
            if hashlib.sha256(body[: item.size]).hexdigest() == digest:
                return True
        return any(
            record.sha256 == digest and _is_published(record, digest)
            for record in files.under(namespace, posixpath.dirname(item.relative))
            if ".conflict-" in record.path
        )

    # --- publishing --------------------------------------------------------------------------------

    def _count(self, files: int, size: int) -> None:
        self._tally.files += files
        self._tally.size += size
        if len(self._versions) + len(self._files) >= ENTRIES_AT_ONCE:
            self._record()
            self._publish()

    def _record(self) -> None:
        """Record what was copied, once it is durable: what a power cut tears must not be taken for whole."""
        clone = self._clone
        if not self._versions and not self._files:
            return
        clone.disk.sync_filesystem(clone.layout.base)
        with clone.state.atomic(), clone.catalog.atomic():
            for model, metadata, text in self._versions:
                self._recorder.versions(model, [metadata], kind=KIND, texts={metadata.version: text})
            for path in self._files:
                self._recorder.file(path, kind=KIND)
        self._versions.clear()
        self._files.clear()


def find_missing_objects(clone: Clone, *, limit: int = 5) -> list[str]:
    """List a namespace's objects and name those that its state has and the bucket lacks, or has in another size.

    One request for a thousand objects; nothing is held in memory.

    Args:
        clone: It has pulled, and nothing is pending.
        limit: How many are named at most.
    """
    offset = len(clone.layout.prefix_of(""))
    with clone.state.database.atomic() as connection:
        connection.execute("CREATE TEMP TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, size INTEGER) WITHOUT ROWID")
        connection.execute("DELETE FROM temp.seen")
        for directory in SHARED_SUBDIRS:
            rows = ((info.key.text[offset:], info.size) for info in clone.log.list_objects(directory))
            connection.executemany("INSERT OR REPLACE INTO temp.seen VALUES (?, ?)", rows)
        sql = (
            "SELECT coalesce(f.key, f.path) FROM files AS f LEFT JOIN temp.seen AS s ON s.key = coalesce(f.key, f.path)"
            " WHERE f.namespace = ? AND (s.key IS NULL OR s.size <> f.size) LIMIT ?"
        )
        missing = [key for (key,) in connection.execute(sql, (clone.namespace, limit))]
        claims = (
            "SELECT m.path FROM (SELECT substr(path, 1, length(path) - 3) || 'metadata.yaml' AS path FROM files"
            " WHERE namespace = ? AND path LIKE 'data/%/raw') AS m LEFT JOIN temp.seen AS s ON s.key = m.path"
            " WHERE s.key IS NULL LIMIT ?"
        )
        missing += [key for (key,) in connection.execute(claims, (clone.namespace, limit))]
        connection.execute("DROP TABLE temp.seen")
    return missing[:limit]


def _identity(text: str) -> Identity:
    fields = orjson.loads(text)
    return Identity(fields["id"], fields.get("checksum"))


def _is_published(record: FileRecord | None, digest: str) -> bool:
    return record is not None and record.state is not FileState.PENDING and record.sha256 == digest
