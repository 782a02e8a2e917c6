"""Taking removals back: what a command recorded under a lock that it lost is not published.

What the copy held of a version is gone by then; the log still has it, so it is fetched again when somebody reads it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from swampsync.catalog.feed import UPSERT
from swampsync.catalog.files import FileRecord, FileState
from swampsync.catalog.metadata_rows import MetadataRow
from swampsync.catalog.rows import ArtifactKey
from swampsync.layout import Layout
from swampsync.log.paths import RAW_FILE
from swampsync.sync.cataloguing import catalogue_artifacts
from swampsync.sync.clone import Clone
from swampsync.sync.pending import Op, PendingWork


class Published(NamedTuple):
    """A version that the log has, as the state knew it before its removal was recorded.

    Args:
        directory: Of the version.
        key: Of its artifact.
        metadata: What it says.
        content: The record of its content.
    """

    directory: str
    key: ArtifactKey
    metadata: MetadataRow
    content: FileRecord


def find_published(clone: Clone, key: ArtifactKey, numbers: Collection[int]) -> list[Published]:
    """Find which versions of an artifact are published, before their removal is recorded; the others are only ours."""
    rows = clone.state.metadata.find_many((key, number) for number in numbers)
    directories = {
        number: Layout.version_path(key.type_normalized, key.model_id, key.data_name, number) for _, number in rows
    }
    paths = {number: f"{directory}/{RAW_FILE}" for number, directory in directories.items()}
    records = clone.state.files.find_many(clone.namespace, paths.values())
    return [
        Published(directories[number], key, row, record)
        for (_, number), row in rows.items()
        if (record := records.get(paths[number])) is not None and record.state is not FileState.PENDING
    ]


def take_back(clone: Clone, removed: Iterable[Published]) -> int:
    """Forget removals that are not published yet; return how many. The caller holds the clone's lock.

    A removal that the log has meanwhile, or that gave way to somebody's change, is settled and stays so.

    Args:
        clone: Where they were recorded.
        removed: What `find_published` found before.
    """
    work = PendingWork(clone.state, clone.namespace, clock=clone.clock)
    with clone.state.atomic():
        entries = {entry.path: entry.id for entry in work.entries() if entry.op is Op.REMOVE}
        back = [version for version in removed if version.directory in entries]
        work.drop(entries[version.directory] for version in back)
        clone.state.metadata.put(version.metadata for version in back)
        clone.state.files.put(
            version.content._replace(state=FileState.REMOTE, mtime_ns=0, ctime_ns=0, inode=0) for version in back
        )
        clone.state.feed.record((UPSERT, version.key, version.metadata.version) for version in back)
        catalogue_artifacts(clone.catalog, clone.state, {version.key for version in back})
    return len(back)
