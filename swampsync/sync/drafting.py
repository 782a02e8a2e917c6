"""From pending entries to rows of the log: the draft of a commit, and the view of the state that decisions want."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from swampsync.catalog.files import FileRecord, FileState
from swampsync.catalog.metadata_rows import MetadataRow
from swampsync.catalog.rows import ArtifactKey
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


@dataclass(frozen=True, slots=True)
class EntryContent:
    """What the state knows of an entry that puts something.

    Args:
        record: Of its content.
        metadata: The version's; `None` for other files.
    """

    record: FileRecord
    metadata: MetadataRow | None


def contents_of(clone: Clone, entries: Iterable[PendingEntry]) -> dict[int, EntryContent]:
    """Look up what belongs to entries that put something, by their ids; what the state lacks is missing."""
    namespace = clone.namespace
    paths: dict[int, str] = {}
    versions: dict[int, tuple[ArtifactKey, int]] = {}
    for entry in entries:
        if entry.op is Op.REMOVE:
            continue
        if not entry.is_version:
            paths[entry.id] = entry.path
            continue
        paths[entry.id] = path = f"{entry.path}/{RAW_FILE}"
        version = parse_version_path(path)
        assert version is not None
        versions[entry.id] = (artifact_key_of(namespace, version.artifact), version.number)
    records = clone.state.files.find_many(namespace, paths.values())
    metadata = clone.state.metadata.find_many(versions.values())
    found: dict[int, EntryContent] = {}
    for entry_id, path in paths.items():
        record = records.get(path)
        row = metadata.get(versions[entry_id]) if entry_id in versions else None
        if record is not None and (row is not None or entry_id not in versions):
            found[entry_id] = EntryContent(record, row)
    return found


def missing_content(entry: PendingEntry) -> DataError:
    """Make the error for an entry whose content the state does not know."""
    return DataError(f"nothing is known of the content of `{entry.path}`", key=entry.path)


def make_draft(clone: Clone, entries: Sequence[PendingEntry], *, kind: str) -> CommitDraft:
    """Make the draft that publishes entries, in the order of their paths.

    Raises:
        DataError: The state lacks what belongs to an entry.
    """
    contents = contents_of(clone, entries)
    put: list[FilePut] = []
    artifacts: list[ArtifactRow] = []
    remove: list[str] = []
    for entry in sorted(entries, key=lambda e: e.path):
        if entry.op is Op.REMOVE:
            remove += version_files(entry.path) if entry.is_version else (entry.path,)
            continue
        content = contents.get(entry.id)
        if content is None:
            raise missing_content(entry)
        record = content.record
        key = None if entry.is_version else entry.key
        put.append(FilePut(record.path, record.size, record.sha256, key, entry.base))
        if content.metadata is not None:
            artifacts.append(artifact_row_of(content.metadata))
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
