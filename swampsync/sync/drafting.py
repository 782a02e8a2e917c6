"""From pending entries to rows of the log: the draft of a commit, and the view of the state that decisions want."""

from __future__ import annotations

from collections.abc import Sequence

from swampsync.catalog.files import FileState
from swampsync.errors import DataError
from swampsync.log.commit import CommitDraft
from swampsync.log.paths import METADATA_FILE, RAW_FILE, parse_version_path, version_files
from swampsync.log.rows import ArtifactRow, FilePut
from swampsync.sync.cataloguing import artifact_row_of
from swampsync.sync.clone import Clone, artifact_key_of
from swampsync.sync.pending import Op, PendingEntry


class StateOfClone:
    """What decisions on conflicts need to know; a `StateView` over the state database."""

    def __init__(self, clone: Clone) -> None:
        self._clone = clone

    def highest_number(self, artifact: str) -> int:
        """Return the highest number that the artifact ever had, as far as is known."""
        return self._clone.state.highest.find(artifact_key_of(self._clone.namespace, artifact))

    def file_digest(self, path: str) -> str | None:
        """Return the digest of the published file at a path."""
        record = self._clone.state.files.find(self._clone.namespace, path)
        return None if record is None or record.state is FileState.PENDING else record.sha256


def rows_of_entry(clone: Clone, entry: PendingEntry) -> tuple[FilePut, ArtifactRow | None]:
    """Make the rows of an entry that puts something.

    Raises:
        DataError: The state lacks what belongs to the entry.
    """
    path = f"{entry.path}/{RAW_FILE}" if entry.is_version else entry.path
    record = clone.state.files.find(clone.namespace, path)
    if record is None:
        raise DataError(f"nothing is known of the content of `{entry.path}`", key=entry.path)
    put = FilePut(path, record.size, record.sha256, entry.key if not entry.is_version else None, entry.base)
    if not entry.is_version:
        return put, None
    version = parse_version_path(path)
    assert version is not None
    row = clone.state.metadata.find(artifact_key_of(clone.namespace, version.artifact), version.number)
    if row is None:
        raise DataError(f"nothing is known of the metadata of `{entry.path}`", key=entry.path)
    return put, artifact_row_of(row)


def make_draft(clone: Clone, entries: Sequence[PendingEntry], *, kind: str) -> CommitDraft:
    """Make the draft that publishes entries, in the order of their paths.

    Raises:
        DataError: See `rows_of_entry`.
    """
    put: list[FilePut] = []
    artifacts: list[ArtifactRow] = []
    remove: list[str] = []
    for entry in sorted(entries, key=lambda e: e.path):
        if entry.op is Op.REMOVE:
            remove += version_files(entry.path) if entry.is_version else (entry.path,)
            continue
        content, artifact = rows_of_entry(clone, entry)
        put.append(content)
        if artifact is not None:
            artifacts.append(artifact)
    return CommitDraft(
        kind,
        clone.repo_id,
        clone.author,
        clone.tool,
        put=tuple(put),
        remove=tuple(remove),
        artifacts=tuple(artifacts),
    )


def unit_path(path: str) -> str:
    """Return what an entry is called that a path belongs to: a version's directory, or the path itself."""
    version = parse_version_path(path)
    return version.directory if version is not None and version.file in {RAW_FILE, METADATA_FILE} else path
