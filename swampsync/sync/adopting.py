"""Adopting files of the local copy that the state does not know: after the state was lost, or data was moved in.

The state is no cache: it knows what is pending. Where it is gone, the log and the copy tell as much as can be told.
What the log has, with the same digest, is here; a version above the log's highest number is pending again; anything
else is kept aside and never published by itself, so that a deletion elsewhere does not come back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.model import Model
from swampsync.artifacts.scan import METADATA_NAME, RAW_NAME, walk_artifacts
from swampsync.catalog.files import FileRecord, FileState
from swampsync.catalog.rows import ArtifactKey
from swampsync.disk import Kind
from swampsync.errors import SwampsyncError
from swampsync.layout import Layout
from swampsync.log.paths import SHARED_SUBDIRS, find_path_problem
from swampsync.sync.clone import Clone
from swampsync.sync.kept_aside import kept_aside_directory
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.pending import PendingWork
from swampsync.sync.recording import Recorder


@dataclass(slots=True)
class Adopted:
    """What became of the files of a copy.

    Attributes:
        here: How many turned out to be what the log has.
        pending: Paths of versions and files that are to be published.
        kept_aside: Paths that were moved to `.swamp/kept-aside`.
        problems: Path and reason of what cannot be used, and stays where it is.
    """

    here: int = 0
    pending: list[str] = field(default_factory=list)
    kept_aside: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


class Adopter:
    """Looks at every file of a copy; the caller holds the clone's lock and has pulled.

    Args:
        clone: Which.
        copy: Its local copy.
        is_ours: Whether everything that the log does not know was put there to be published (data that moves in).
        kind: What the entries are recorded as.
    """

    def __init__(self, clone: Clone, copy: LocalCopy, *, is_ours: bool = False, kind: str = "adopt") -> None:
        self._clone = clone
        self._copy = copy
        self._is_ours = is_ours
        self._kind = kind
        self._recorder = Recorder(clone, copy)
        self._work = PendingWork(clone.state, clone.namespace, clock=clone.clock)
        self._result = Adopted()

    def adopt(self) -> Adopted:
        """Go through the copy once."""
        layout = self._clone.layout
        for model_type, model_id, scan in walk_artifacts(self._clone.disk, layout):
            key = ArtifactKey(self._clone.namespace, model_type, model_id, scan.name)
            # The numbers that the log knows; those that are recorded here do not make others look old.
            highest = self._clone.state.highest.find(key)
            for metadata in scan.versions:
                self._adopt_version(key, metadata, highest)
            self._result.problems += [(problem.path, problem.reason) for problem in scan.problems]
        for subdir in SHARED_SUBDIRS:
            if subdir != "data" and not layout.is_local(subdir):
                for path in self._walk(layout.datastore_path(subdir), subdir):
                    self._adopt_file(path)
        return self._result

    def _adopt_version(self, key: ArtifactKey, metadata: Metadata, highest: int) -> None:
        clone = self._clone
        directory = Layout.version_path(key.type_normalized, key.model_id, key.data_name, metadata.version)
        path = f"{directory}/{RAW_NAME}"
        if self._work.find(directory) is not None:
            return
        record = clone.state.files.find(clone.namespace, path)
        if record is not None:
            self._compare(record)
        elif self._is_ours or metadata.version > highest:
            model = Model(key.type_normalized, key.model_id, metadata.tags.get("modelName", ""))
            text = self._copy.read(f"{directory}/{METADATA_NAME}")
            self._recorder.versions(model, [metadata], kind=self._kind, texts={metadata.version: text})
            self._result.pending.append(directory)
        else:
            for name in (RAW_NAME, METADATA_NAME):
                self._keep_aside(f"{directory}/{name}")
            self._copy.remove_version(directory)

    def _adopt_file(self, path: str) -> None:
        clone = self._clone
        if self._work.find(path) is not None:
            return
        record = clone.state.files.find(clone.namespace, path)
        if record is not None:
            self._compare(record)
            return
        problem = find_path_problem(path)
        if problem is not None:
            self._result.problems.append((path, problem))
        elif self._is_ours:
            try:
                self._recorder.file(path, kind=self._kind)
                self._result.pending.append(path)
            except (SwampsyncError, OSError) as error:
                self._result.problems.append((path, str(error)))
        else:
            self._keep_aside(path)

    def _compare(self, record: FileRecord) -> None:
        """Take a file as what the log has if it is that; what it replaces is fetched again when it is read."""
        stat = self._copy.stat(record.path)
        if stat is None or record.state is not FileState.REMOTE:
            return
        digest = hashlib.sha256()
        with self._copy.open(record.path) as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
        if digest.hexdigest() != record.sha256:
            self._keep_aside(record.path)
            return
        mtime, ctime, inode = stat.signature
        synced = record._replace(state=FileState.SYNCED, mtime_ns=mtime, ctime_ns=ctime, inode=inode)
        self._clone.state.files.put([synced])
        self._result.here += 1

    def _keep_aside(self, path: str) -> None:
        self._copy.move_aside(path, kept_aside_directory(self._clone.layout))
        self._result.kept_aside.append(path)

    def _walk(self, directory: str, relative: str) -> Iterator[str]:
        """List files in order; links are reported, hidden files are ours or nobody's."""
        try:
            entries = sorted(self._clone.disk.scandir(directory), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            path = f"{relative}/{entry.name}"
            if entry.kind is Kind.DIRECTORY:
                yield from self._walk(f"{directory}/{entry.name}", path)
            elif entry.kind is Kind.LINK:
                self._result.problems.append((path, "is a symbolic link, which is not followed"))
            elif entry.kind is Kind.FILE and not (
                entry.name.startswith(".") and entry.name.endswith((".tmp", ".lock"))
            ):
                yield path
