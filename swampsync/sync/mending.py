"""Mending what a verification found: lost objects come back from what is known, a clone is rebuilt from the log.

Only what is certain is done. An object is put back with exactly the bytes that the log names, and only where none is;
one that holds other bytes stays as it is, since nobody can say who reads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from swampsync.artifacts.metadata_yaml import parse_metadata
from swampsync.artifacts.tree import no_check
from swampsync.backends.base import Create, ObjectExists
from swampsync.catalog.files import FileRecord, FileState
from swampsync.errors import DataError
from swampsync.log.paths import METADATA_FILE, parse_version_path
from swampsync.log.repair import Signature
from swampsync.log.rows import ArtifactRow
from swampsync.log.state import NamespaceState
from swampsync.log.verify import Problem, ProblemKind
from swampsync.sync.cataloguing import (
    artifact_row_of,
    catalogue_namespace,
    make_metadata_row,
    metadata_row_of,
    metadata_text_of,
)
from swampsync.sync.clone import Clone, artifact_key_of
from swampsync.sync.copied_content import hash_file, here
from swampsync.sync.kept_aside import kept_aside_directory
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.pending import PendingWork
from swampsync.sync.starting_over import forget_published, load_rows

MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PutBack:
    """An object that is gone and can come back.

    Args:
        object_path: Where it lay, relative to the namespace.
        source: The file of the local copy that holds its bytes; `None` for metadata, which the log has.
        size: In bytes.
        sha256: Of its content.
    """

    object_path: str
    source: str | None
    size: int
    sha256: str


def make_signature(clone: Clone) -> Signature:
    """Say who signs what a repair publishes."""
    return Signature(clone.repo_id, clone.author, clone.tool)


@dataclass(frozen=True, slots=True)
class MetadataReader:
    """Reads `metadata.yaml` objects of one namespace as rows; see `ArtifactReader`."""

    namespace: str

    def __call__(self, path: str, body: bytes, /) -> ArtifactRow | None:
        """Turn a `metadata.yaml` into a row; `None` if it is no valid metadata of the version at that path."""
        version = parse_version_path(path)
        if version is None or version.file != METADATA_FILE:
            return None
        try:
            metadata = parse_metadata(body, path=path)
        except DataError:
            return None
        key = artifact_key_of(self.namespace, version.artifact)
        if (metadata.name, metadata.version) != (key.data_name, version.number):
            return None
        return artifact_row_of(make_metadata_row(key, metadata, text=body))


def plan_put_back(
    clone: Clone, copy: LocalCopy, head: NamespaceState, problems: Iterable[Problem]
) -> tuple[PutBack, ...]:
    """Find which objects that are gone this clone can put back; makes no request.

    Args:
        clone: Which.
        copy: Its local copy.
        head: The state that names them.
        problems: What a verification found.
    """
    prefix = len(clone.layout.prefix_of(""))
    gone = {problem.key[prefix:] for problem in problems if problem.kind is ProblemKind.OBJECT_MISSING}
    if not gone:
        return ()
    found: list[PutBack] = []
    for row in head.artifacts():
        if row.object_path in gone:
            body = metadata_text_of(metadata_row_of(clone.namespace, row))
            found.append(PutBack(row.object_path, None, len(body), hashlib.sha256(body).hexdigest()))
    for path, file in head.files.items():
        object_path = file.key or path
        if object_path in gone and file.size <= MAX_BYTES and _is_here(copy, path, sha256=file.sha256):
            found.append(PutBack(object_path, path, file.size, file.sha256))
    return tuple(sorted(found, key=lambda item: item.object_path))


def _is_here(copy: LocalCopy, path: str, *, sha256: str) -> bool:
    try:
        return hash_file(copy, path).sha256 == sha256
    except OSError:
        return False


def put_back(
    clone: Clone,
    copy: LocalCopy,
    head: NamespaceState,
    plan: Iterable[PutBack],
    *,
    check: Callable[[], None] = no_check,
) -> int:
    """Put objects back where none is; return how many.

    Args:
        clone: Which.
        copy: Its local copy.
        head: The state that names them.
        plan: From `plan_put_back`.
        check: Called before each write; raises to stop there.
    """
    texts = {row.object_path: row for row in head.artifacts()}
    done = 0
    for item in plan:
        if item.source is None:
            body = metadata_text_of(metadata_row_of(clone.namespace, texts[item.object_path]))
        else:
            body = copy.read(item.source)
        if hashlib.sha256(body).hexdigest() != item.sha256:
            continue  # changed since it was planned
        check()
        try:
            clone.log.store.put(clone.layout.key(item.object_path), body, Create())
        except ObjectExists:
            continue
        done += 1
    return done


def rebuild_state(clone: Clone, copy: LocalCopy, head: NamespaceState) -> None:
    """Make the clone's state say what the log says, in one transaction; what is pending stays.

    Content of the copy that is what the log names stays; other content is kept aside, never removed. The caller holds
    the clone's lock.

    Args:
        clone: Which.
        copy: Its local copy.
        head: The log's state at the clone's position.
    """
    state, namespace = clone.state, clone.namespace
    entries = PendingWork(state, namespace, clock=clone.clock).entries()
    with state.atomic():
        synced = state.files.of_state(namespace, FileState.SYNCED)
        forget_published(clone, entries)
        load_rows(clone, head.rows(), {entry.path for entry in entries})
        for record in synced:
            _settle(clone, copy, record)
        state.feed.record_rebuild(namespace)
        catalogue_namespace(clone.catalog, state, namespace)


def _settle(clone: Clone, copy: LocalCopy, record: FileRecord) -> None:
    """Keep what is here and named; keep aside what is here and is not."""
    known = clone.state.files.find(record.namespace, record.path)
    try:
        content = hash_file(copy, record.path)
    except FileNotFoundError:
        return
    if known is not None and known.state is FileState.REMOTE and content.sha256 == known.sha256:
        clone.state.files.put([here(known, content.stat)])
    elif known is None or known.state is not FileState.PENDING:
        copy.move_aside(record.path, kept_aside_directory(clone.layout))


def rebuild_catalog(clone: Clone) -> None:
    """Make all rows of the namespace in the catalog follow the state."""
    with clone.state.atomic(), clone.catalog.atomic():
        catalogue_namespace(clone.catalog, clone.state, clone.namespace)
