"""`sync --scan`: recording what a scan found, so that the next push publishes it.

A version that the log has is never changed: what was made of it becomes the next version, and its own content is
fetched again when it is read. New content lies durable under its new name before it is recorded, with an id that a
second try computes alike, so that a process that dies in between doubles nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.metadata_yaml import format_metadata, parse_metadata
from swampsync.artifacts.model import Model
from swampsync.artifacts.scan import METADATA_NAME, RAW_NAME
from swampsync.catalog.files import FileRecord, FileState
from swampsync.catalog.rows import ArtifactKey
from swampsync.clock import format_timestamp
from swampsync.errors import DataError
from swampsync.log.conflict_copies import conflict_path, is_json_lines
from swampsync.log.paths import parse_version_path
from swampsync.log.rows import FilePut
from swampsync.sync.clone import Clone, artifact_key_of
from swampsync.sync.copied_content import Content, digest_from, hash_file, here
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.merging import merge_file
from swampsync.sync.pending import Op, PendingWork
from swampsync.sync.recording import Recorder
from swampsync.sync.scan_plan import Change, Finding
from swampsync.sync.scanning import Scanner

_KIND = "scan"


class Intake:
    """Takes in what a scan found; the caller holds the clone's lock, and for versions their model's.

    Everything is looked at again before it is recorded: the scan held no lock.

    Args:
        clone: Which.
        copy: Its local copy.
        scanner: What looks at a version or file again.
    """

    def __init__(self, clone: Clone, copy: LocalCopy, scanner: Scanner) -> None:
        self._clone = clone
        self._copy = copy
        self._scanner = scanner
        self._work = PendingWork(clone.state, clone.namespace, clock=clone.clock)
        self._recorder = Recorder(clone, copy)

    # --- versions ------------------------------------------------------------------------------------

    def take_version(self, directory: str) -> Finding | None:
        """Take in one version; `None` if there is nothing to take in any more.

        Raises:
            SwampsyncError: It cannot be used.
            OSError: It cannot be read.
        """
        finding = self._scanner.examine_version(directory)
        if finding is None:
            return None
        version = parse_version_path(f"{directory}/{RAW_NAME}")
        assert version is not None
        key = artifact_key_of(self._clone.namespace, version.artifact)
        record = self._clone.state.files.find(self._clone.namespace, f"{directory}/{RAW_NAME}")
        if finding.change is Change.FOUND and record is not None:
            self._note_here(record)
            return finding
        if finding.change is Change.COPY:
            self._give_back(directory, record)
            return finding
        metadata, _ = self._scanner.read_version(directory)
        if not isinstance(metadata, Metadata):
            raise DataError("changed while it was taken in", key=directory)
        content = hash_file(self._copy, f"{directory}/{RAW_NAME}", head=metadata.size or 0)
        entry = self._work.find(directory)
        is_pending = entry is not None and entry.op is Op.PUT
        is_free = entry is None and record is None and version.number > self._clone.state.highest.find(key)
        if (finding.change is Change.EDITED_VERSION and is_pending) or is_free:
            self._record_in_place(key, directory, metadata, content)
            return finding
        number = self._record_as_next(key, directory, metadata, record, finding.change)
        return replace(finding, path=f"{version.artifact}/{number}")

    def _record_in_place(self, key: ArtifactKey, directory: str, metadata: Metadata, content: Content) -> None:
        raw = f"{directory}/{RAW_NAME}"
        text: bytes | None = None
        size, sha256 = metadata.size, metadata.checksum
        if size is not None and sha256 is not None and content.size > size and content.head_sha256 == sha256:
            # What an append that died has left behind the content.
            self._copy.write(raw, self._chunks(raw, 0, size), size=size, sha256=sha256, is_only_one=True)
        elif not metadata.is_deleted and (content.size, content.sha256) != (metadata.size, metadata.checksum):
            metadata = replace(metadata, size=content.size, checksum=content.sha256)
            self._copy.write_bytes(f"{directory}/{METADATA_NAME}", format_metadata(metadata), is_only_one=True)
        else:
            text = self._copy.read(f"{directory}/{METADATA_NAME}")
        texts = {} if text is None else {metadata.version: text}
        self._recorder.versions(_model(key, metadata), [metadata], kind=_KIND, texts=texts)

    def _record_as_next(
        self, key: ArtifactKey, directory: str, metadata: Metadata, record: FileRecord | None, change: Change
    ) -> int:
        clone, raw = self._clone, f"{directory}/{RAW_NAME}"
        start = 0
        content = hash_file(self._copy, raw, head=0 if record is None else record.size)
        sha256, size = content.sha256, content.size
        if change is Change.EDITED_VERSION:
            if metadata.streaming and record is not None and content.head_sha256 == record.sha256:
                # What is published is closed: the next version holds what was added.
                start, size = record.size, content.size - record.size
                sha256 = digest_from(self._copy, raw, start=start)
            identifier = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{metadata.id}:{sha256}"))
            metadata = replace(metadata, id=identifier, created_at=format_timestamp(clone.clock.now()))
        if not metadata.is_deleted:
            metadata = replace(metadata, size=size, checksum=sha256)
        taken = self._scanner.find_id(key, metadata)
        if taken is not None:  # an earlier try was killed before it removed what it had taken in
            self._give_back(directory, record)
            return taken.version
        artifact = directory.rpartition("/")[0]
        number = self._claim(artifact, clone.state.highest.find(key) + 1, metadata.id)
        metadata = replace(metadata, version=number)
        target = f"{artifact}/{number}"
        chunks = self._chunks(raw, start, size)
        self._copy.write(f"{target}/{RAW_NAME}", chunks, size=size, sha256=sha256, is_only_one=True)
        self._copy.write_bytes(f"{target}/{METADATA_NAME}", format_metadata(metadata), is_only_one=True)
        with clone.state.atomic():
            self._recorder.versions(_model(key, metadata), [metadata], kind=_KIND)
            self._note_remote(record)
        self._copy.remove_version(directory)
        return number

    def _claim(self, artifact: str, number: int, identifier: str) -> int:
        """Take a number that is free here, or the one that an earlier try of this has taken."""
        while not self._copy.claim_directory(f"{artifact}/{number}"):
            path = f"{artifact}/{number}/{METADATA_NAME}"
            with suppress(OSError, DataError):
                if parse_metadata(self._copy.read(path), path=path).id == identifier:
                    break
            number += 1
        return number

    def _give_back(self, directory: str, record: FileRecord | None) -> None:
        """Let a version be again what the log has; its content is fetched when it is read."""
        self._note_remote(record)
        self._copy.remove_version(directory)

    def _note_remote(self, record: FileRecord | None) -> None:
        if record is not None:
            remote = record._replace(state=FileState.REMOTE, mtime_ns=0, ctime_ns=0, inode=0)
            self._clone.state.files.put([remote])

    def _chunks(self, path: str, start: int, size: int) -> Iterable[bytes]:
        with self._copy.open(path) as stream:
            stream.seek(start)
            while size > 0 and (chunk := stream.read(min(size, 1 << 20))):
                size -= len(chunk)
                yield chunk

    # --- other files ---------------------------------------------------------------------------------

    def take_file(self, path: str) -> Finding | None:
        """Take in one other file; see `take_version`.

        Raises:
            Unavailable: Others' lines have to be merged with it, and the store cannot be reached.
        """
        finding = self._scanner.examine_file(path)
        if finding is None:
            return None
        record = self._clone.state.files.find(self._clone.namespace, path)
        if record is None or record.state is not FileState.REMOTE:
            self._recorder.file(path, kind=_KIND)
            return finding
        if finding.change is Change.FOUND:
            self._note_here(record)
            return finding
        return replace(finding, path=self._take_unseen(record))

    def _take_unseen(self, record: FileRecord) -> str:
        """Take in a file whose writer cannot have seen what the log has at its path; return where it is now."""
        clone, path = self._clone, record.path
        content = hash_file(self._copy, path)
        ours = record._replace(size=content.size, sha256=content.sha256)
        if is_json_lines(path):
            theirs = FilePut(path, record.size, record.sha256, record.key)
            with suppress(LookupError):
                merged = merge_file(clone, self._copy, record=ours, base=None, theirs=theirs)
                with clone.state.atomic():
                    clone.state.files.put([merged])
                    self._work.put(path, is_version=False, kind=_KIND, base=record.sha256)
                return path
        beside = conflict_path(path, content.sha256)
        self._copy.rename(path, beside)
        self._recorder.file(beside, kind=_KIND)
        return beside

    def _note_here(self, record: FileRecord) -> None:
        stat = self._copy.stat(record.path)
        if stat is not None:
            self._clone.state.files.put([here(record, stat)])

    # --- removals ------------------------------------------------------------------------------------

    def take_removals(self, paths: Iterable[str]) -> list[Finding]:
        """Record that what was here and is gone was removed; only what was fetched, and is still gone."""
        taken: list[Finding] = []
        for path in paths:
            record = self._clone.state.files.find(self._clone.namespace, path)
            if record is None or record.state is not FileState.SYNCED or self._copy.stat(path) is not None:
                continue
            version = parse_version_path(path)
            if version is None:
                self._recorder.file_removed(path, kind=_KIND)
                taken.append(Finding(Change.REMOVED, path, record.size))
                continue
            key = artifact_key_of(self._clone.namespace, version.artifact)
            model = Model(key.type_normalized, key.model_id, "")
            self._recorder.removed(model, key.data_name, [version.number], kind=_KIND)
            self._copy.remove_version(version.directory)
            taken.append(Finding(Change.REMOVED, version.directory, record.size))
        return taken


def _model(key: ArtifactKey, metadata: Metadata) -> Model:
    return Model(key.type_normalized, key.model_id, metadata.tags.get("modelName", ""))
