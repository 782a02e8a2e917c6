"""Reading one artifact's directory into rows of the catalog: the tight loop of cataloguing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.metadata_yaml import parse_metadata
from swampsync.artifacts.rows import row_from_metadata
from swampsync.artifacts.scan import LATEST_NAME, RAW_NAME, parse_version, read_marker, read_version
from swampsync.catalog.latest import assign_latest
from swampsync.catalog.rows import ArtifactKey, CatalogRow
from swampsync.disk import Disk, Kind
from swampsync.errors import DataError
from swampsync.namespace import Namespace

GRANULE_NS: Final = 2_000_000_000
"""The coarsest time stamp of a file system in use; what changed within it may have changed twice."""

_NO_SIGNATURE: Final = (0, 0, 0)


class ArtifactRows(NamedTuple):
    """What an artifact's directory holds.

    Args:
        rows: One for every whole version, `is_latest` decided; none if the latest is renamed or deleted.
        seen: The numbers of all version directories, whole or not.
        signature: Of the directory, taken before it was read.
        watched: The version whose directory must be looked at too because it can be appended to, or 0.
        watched_signature: Of that directory, taken before its metadata was read.
        is_whole: Whether every version directory held a version; if not, look again next time.
        problems: Path and message of metadata that cannot be used.
        versions_read: How many metadata files were read.
    """

    rows: list[CatalogRow]
    seen: frozenset[int]
    signature: tuple[int, int, int]
    watched: int
    watched_signature: tuple[int, int, int]
    is_whole: bool
    problems: list[tuple[str, str]]
    versions_read: int

    @property
    def highest(self) -> int:
        """The highest number of any version directory, 0 for none."""
        return max(self.seen, default=0)


def read_artifact(
    disk: Disk,
    directory: str,
    *,
    key: ArtifactKey,
    namespace: Namespace,
    known: Mapping[int, CatalogRow] | None = None,
    unchanged_before_ns: int = 0,
) -> ArtifactRows:
    """Read all versions of an artifact.

    Args:
        disk: Where the tree lies.
        directory: The artifact's directory.
        key: The artifact.
        namespace: The namespace that `key` names.
        known: Rows from an earlier reading; those of version directories that have not changed since are kept.
        unchanged_before_ns: A version directory whose ctime is not later has not changed since that reading.

    Raises:
        OSError: The directory cannot be read, or is not there.
    """
    signature = disk.stat(directory).signature
    problems: list[tuple[str, str]] = []
    rows: list[CatalogRow] = []
    deleted: set[int] = set()
    numbers, has_marker = _list_versions(disk, directory)
    versions_read = streaming = 0
    for number in numbers:
        version_directory = f"{directory}/{number}"
        if known is not None and number in known and not known[number].streaming:
            try:
                if disk.stat(version_directory).ctime_ns <= unchanged_before_ns:
                    rows.append(known[number])
                    continue
            except FileNotFoundError:
                continue
        versions_read += 1
        metadata = read_version(disk, directory, key.data_name, number)
        if not isinstance(metadata, Metadata):
            # Content that is missing or too short is still being written, for all we know.
            if metadata is not None and not metadata.path.endswith(RAW_NAME):
                problems.append((metadata.path, metadata.reason))
            continue
        if metadata.lifecycle is not None or metadata.renamed_to is not None:
            deleted.add(number)
        streaming = number if metadata.streaming else streaming
        rows.append(row_from_metadata(namespace, key.type_normalized, key.model_id, metadata, is_latest=False))
    is_whole = len(rows) == len(numbers)
    watched, watched_signature = 0, _NO_SIGNATURE
    if rows:
        latest = _resolve_latest(disk, directory, rows, has_marker=has_marker)
        rows = [] if latest in deleted else assign_latest(rows)
        if streaming == latest and rows:
            watched = latest
            watched_signature, rows = _watch(disk, directory, rows, latest, key=key, namespace=namespace)
    return ArtifactRows(
        rows, frozenset(numbers), signature, watched, watched_signature, is_whole, problems, versions_read
    )


def _list_versions(disk: Disk, directory: str) -> tuple[list[int], bool]:
    """List the version numbers, ascending, and say whether there is a `latest` marker."""
    numbers = []
    has_marker = False
    for entry in disk.scandir(directory):
        if entry.name == LATEST_NAME:
            has_marker = True
        elif entry.kind is Kind.DIRECTORY and (number := parse_version(entry.name)) is not None:
            numbers.append(number)
    numbers.sort()
    return numbers, has_marker


def _resolve_latest(disk: Disk, directory: str, rows: list[CatalogRow], *, has_marker: bool) -> int:
    """Return the version that readers take: the marker's if it is whole, else the highest."""
    marker = read_marker(disk, directory) if has_marker else None
    return marker if marker is not None and any(row.version == marker for row in rows) else rows[-1].version


def _watch(
    disk: Disk, directory: str, rows: list[CatalogRow], version: int, *, key: ArtifactKey, namespace: Namespace
) -> tuple[tuple[int, int, int], list[CatalogRow]]:
    """Take the signature of a version that may be appended to, and read its metadata after that once more."""
    path = f"{directory}/{version}/metadata.yaml"
    try:
        signature = disk.stat(f"{directory}/{version}").signature
        metadata = parse_metadata(disk.read_bytes(path), path=path)
    except (OSError, DataError):
        return _NO_SIGNATURE, rows
    fresh = row_from_metadata(namespace, key.type_normalized, key.model_id, metadata, is_latest=False)
    return signature, [fresh._replace(is_latest=row.is_latest) if row.version == version else row for row in rows]
