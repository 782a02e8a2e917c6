"""Recording what a command did in the local copy, so that a push publishes it; the catalog follows at once."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.metadata_yaml import format_metadata
from swampsync.artifacts.model import Model
from swampsync.catalog.feed import REMOVE, UPSERT
from swampsync.catalog.files import FileRecord, FileState
from swampsync.catalog.rows import ArtifactKey
from swampsync.disk import DiskStat
from swampsync.errors import Conflict, DataError, NotFound
from swampsync.layout import Layout
from swampsync.log.paths import METADATA_FILE, RAW_FILE
from swampsync.sync.cataloguing import catalogue_artifacts, make_metadata_row
from swampsync.sync.clone import Clone
from swampsync.sync.leftovers import Leftover, note_leftovers
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.pending import Op, PendingWork


class Recorder:
    """Records versions, files and removals of one clone."""

    def __init__(self, clone: Clone, copy: LocalCopy) -> None:
        self._clone = clone
        self._copy = copy
        self._work = PendingWork(clone.state, clone.namespace, clock=clone.clock)

    # --- versions ----------------------------------------------------------------------------------

    def versions(
        self, model: Model, versions: Sequence[Metadata], *, kind: str, texts: dict[int, bytes] | None = None
    ) -> list[Metadata]:
        """Record versions that lie in the copy, whole and durable.

        Args:
            model: Whose they are.
            versions: Their metadata.
            kind: The command.
            texts: The exact `metadata.yaml` of some, by number, where it is not of our making.

        Returns:
            Their metadata as recorded: a number that somebody else's version has taken meanwhile is another one.

        Raises:
            DataError: Content is missing from the copy.
        """
        clone = self._clone
        recorded: list[Metadata] = []
        left: list[str] = []
        with clone.state.atomic():
            touched: set[ArtifactKey] = set()
            for metadata in versions:
                key = ArtifactKey(clone.namespace, model.type, model.id, metadata.name)
                text = (texts or {}).get(metadata.version)
                known = clone.state.metadata.find(key, metadata.version)
                if known is not None and make_metadata_row(key, metadata).json != known.json:
                    pending = self._work.find(_directory(key, metadata.version))
                    if pending is None or pending.op is Op.REMOVE:
                        left.append(_directory(key, metadata.version))
                        metadata, text = self._take_another_number(key, metadata), None  # noqa: PLW2901
                self._record(key, metadata, kind=kind, text=text)
                touched.add(key)
                recorded.append(metadata)
            clone.state.feed.record(
                (UPSERT, ArtifactKey(clone.namespace, model.type, model.id, m.name), m.version) for m in recorded
            )
            catalogue_artifacts(clone.catalog, clone.state, touched)
        for directory in left:
            self._copy.remove_version(directory)
        return recorded

    def _record(self, key: ArtifactKey, metadata: Metadata, *, kind: str, text: bytes | None) -> None:
        clone = self._clone
        directory = _directory(key, metadata.version)
        path = f"{directory}/{RAW_FILE}"
        stat = self._copy.stat(path)
        if stat is None:
            raise DataError(f"`{path}` is missing from the local copy", key=path)
        sha256, size = metadata.checksum, metadata.size
        if sha256 is None or size is None:  # markers carry neither
            sha256, size = self._digest(path)
        clone.state.metadata.put([make_metadata_row(key, metadata, text=text)])
        clone.state.files.put([_pending_record(clone.namespace, path, stat, size=size, sha256=sha256)])
        clone.state.highest.raise_to([(key, metadata.version)])
        self._work.put(directory, is_version=True, kind=kind)

    def _digest(self, path: str) -> tuple[str, int]:
        body = self._copy.read(path)
        return hashlib.sha256(body).hexdigest(), len(body)

    def _take_another_number(self, key: ArtifactKey, metadata: Metadata) -> Metadata:
        """Move a version whose number was published by somebody else while it was written."""
        old = f"{_directory(key, metadata.version)}/{RAW_FILE}"
        number = self._clone.state.highest.find(key) + 1
        while not self._copy.claim_directory(_directory(key, number)):
            number += 1
        moved = replace(metadata, version=number)
        sha256, size = metadata.checksum, metadata.size
        if sha256 is None or size is None:
            sha256, size = self._digest(old)
        self._copy.copy(old, f"{_directory(key, number)}/{RAW_FILE}", size=size, sha256=sha256)
        self._copy.write_bytes(f"{_directory(key, number)}/{METADATA_FILE}", format_metadata(moved))
        return moved

    def removed(self, model: Model, name: str, numbers: Collection[int], *, kind: str) -> None:
        """Record that versions were removed, and note that what the copy holds of them is nobody's."""
        clone = self._clone
        key = ArtifactKey(clone.namespace, model.type, model.id, name)
        with clone.state.atomic():
            for number in sorted(numbers):
                directory = _directory(key, number)
                record = clone.state.files.find(clone.namespace, f"{directory}/{RAW_FILE}")
                if record is None and clone.state.metadata.find(key, number) is None:
                    continue
                base = None if record is None else record.sha256
                self._work.remove(directory, is_version=True, kind=kind, base=base)
                if record is not None and record.state is not FileState.REMOTE:
                    note_leftovers(clone, [Leftover(directory, record)])
                clone.state.files.remove(clone.namespace, [f"{directory}/{RAW_FILE}"])
            clone.state.metadata.remove((key, number) for number in numbers)
            clone.state.feed.record((REMOVE, key, number) for number in numbers)
            catalogue_artifacts(clone.catalog, clone.state, [key])

    def require_open(self, model: Model, metadata: Metadata) -> bool:
        """Say whether a version may still be extended: it is pending, and nothing of it was uploaded."""
        key = ArtifactKey(self._clone.namespace, model.type, model.id, metadata.name)
        entry = self._work.find(_directory(key, metadata.version))
        return entry is not None and entry.op is Op.PUT and entry.claimed_at is None

    # --- other files -------------------------------------------------------------------------------

    def file(self, path: str, *, kind: str) -> bool:
        """Record another file as it lies in the copy; say whether that changes anything.

        Raises:
            NotFound: There is no such file.
            Conflict: It belongs to a version.
        """
        clone = self._clone
        if path.startswith("data/"):
            raise Conflict(f"`{path}` lies among versions, which are recorded as such", key=path)
        stat = self._copy.stat(path)
        if stat is None:
            raise NotFound(f"there is no file `{path}` in the local copy", key=path)
        digest = hashlib.sha256()
        size = 0
        with self._copy.open(path) as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
                size += len(chunk)
        sha256 = digest.hexdigest()
        with clone.state.atomic():
            known = clone.state.files.find(clone.namespace, path)
            if known is not None and known.sha256 == sha256:
                if known.state is FileState.REMOTE:
                    record = _pending_record(clone.namespace, path, stat, size=size, sha256=sha256)
                    clone.state.files.put([record._replace(state=FileState.SYNCED, key=known.key)])
                return False
            base = known.sha256 if known is not None and known.state is not FileState.PENDING else None
            clone.state.files.put([_pending_record(clone.namespace, path, stat, size=size, sha256=sha256)])
            self._work.put(path, is_version=False, kind=kind, base=base)
        return True

    def file_removed(self, path: str, *, kind: str) -> None:
        """Record that another file was removed."""
        clone = self._clone
        with clone.state.atomic():
            known = clone.state.files.find(clone.namespace, path)
            if known is None:
                return
            base = known.sha256 if known.state is not FileState.PENDING else None
            self._work.remove(path, is_version=False, kind=kind, base=base)
            clone.state.files.remove(clone.namespace, [path])
            with clone.state.database.atomic() as connection:
                connection.execute("INSERT OR IGNORE INTO used_paths VALUES (?, ?)", (clone.namespace, path))


def _directory(key: ArtifactKey, number: int) -> str:
    return Layout.version_path(key.type_normalized, key.model_id, key.data_name, number)


def _pending_record(namespace: str, path: str, stat: DiskStat, *, size: int, sha256: str) -> FileRecord:
    return FileRecord(namespace, path, FileState.PENDING, *stat.signature, size, sha256, None, None)
