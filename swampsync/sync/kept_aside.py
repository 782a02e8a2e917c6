"""Keeping what somebody changed in the local copy: a sync that replaces or removes it moves it aside first.

Others' changes and a person's meet without our having been told of the latter: commands walk nothing, and only a scan
looks for edits. So whatever a sync is about to replace or remove is looked at: a stat says whether it still is what was
noted, and only where it is not, its content is read. What is neither what was noted nor what comes is moved to
`.swamp/kept-aside/`, where it is never published by itself, and told.

It costs a `stat` of each file that goes, which is little beside removing it, and nothing for content that comes where
nothing lay.
"""

from __future__ import annotations

from typing import Final

from swampsync.artifacts.metadata_yaml import parse_metadata
from swampsync.artifacts.scan import LATEST_NAME
from swampsync.catalog.files import FileRecord, FileState
from swampsync.catalog.metadata_rows import MetadataRow
from swampsync.catalog.rows import ArtifactKey
from swampsync.disk import Disk, Kind
from swampsync.errors import DataError
from swampsync.layout import Layout
from swampsync.log.paths import METADATA_FILE, RAW_FILE, parse_version_path
from swampsync.sync.cataloguing import make_metadata_row, metadata_of, metadata_text_of
from swampsync.sync.copied_content import hash_file
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.not_data import is_data

KEPT_ASIDE: Final = "kept-aside"
_OURS: Final = frozenset({RAW_FILE, METADATA_FILE, LATEST_NAME})


def kept_aside_directory(layout: Layout) -> str:
    """Make the path of the directory that holds what was kept aside of a namespace."""
    return layout.local_path(KEPT_ASIDE, *filter(None, (layout.namespace.name,)))


class KeptAside:
    """Moves aside what is not ours to replace or remove; the caller holds the clone's lock.

    Args:
        disk: Where the copy lies.
        layout: Of the namespace.
        copy: Its local copy.

    Attributes:
        moved: What was moved: its path, and where it is, relative to the repo.
    """

    def __init__(self, disk: Disk, layout: Layout, copy: LocalCopy) -> None:
        self._disk = disk
        self._layout = layout
        self._copy = copy
        self._directory = kept_aside_directory(layout)
        self.moved: list[tuple[str, str]] = []

    def keep_version(self, record: FileRecord, row: MetadataRow | None) -> None:
        """Keep what of a version's directory is not as it was noted; the directory can be removed then.

        Args:
            record: Of its content as it was noted here.
            row: What its `metadata.yaml` said; `None` if that is not known any more.
        """
        version = parse_version_path(record.path)
        assert version is not None
        try:
            entries = list(self._disk.scandir(self._copy.path(version.directory)))
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            path = f"{version.directory}/{entry.name}"
            if entry.name == RAW_FILE:
                self.keep_file(record, is_streaming=row is not None and _is_streaming(row))
            elif entry.name == METADATA_FILE:
                if row is not None:
                    self.keep_metadata(version.directory, _text_of(row), row)
            elif entry.name not in _OURS and entry.kind is not Kind.LINK and is_data(entry.name):
                self._move(path)

    def keep_file(self, record: FileRecord, *, is_streaming: bool = False) -> None:
        """Keep a file, unless it is what was noted, or what the log names.

        Args:
            record: As it was noted; of what was never here the digest counts.
            is_streaming: Whether bytes may lie behind it that a killed append has left.
        """
        if not self._is_known(record, is_streaming=is_streaming):
            self._move(record.path)

    def keep_metadata(self, directory: str, text: bytes | None, row: MetadataRow | None = None) -> None:
        """Keep a version's `metadata.yaml`, unless it says what ours says.

        Args:
            directory: Of the version.
            text: Ours; `None` if there is none.
            row: What it stands for, if that is known.
        """
        path = f"{directory}/{METADATA_FILE}"
        stat = self._copy.stat(path)
        if stat is None or stat.size == 0:
            return
        try:
            found = self._copy.read(path)
        except OSError:
            found = None
        if found != text and (row is None or found is None or not _says_the_same(found, row, path)):
            self._move(path)

    def _is_known(self, record: FileRecord, *, is_streaming: bool) -> bool:
        stat = self._copy.stat(record.path)
        if stat is None or stat.size == 0:
            return True  # nothing can be lost
        if record.state is not FileState.REMOTE and stat.signature == record.signature and stat.size == record.size:
            return True
        may_be_longer = is_streaming and record.state is FileState.PENDING
        try:
            content = hash_file(self._copy, record.path, head=record.size if may_be_longer else 0)
        except OSError:
            return False
        return record.sha256 in {content.sha256, content.head_sha256}

    def _move(self, path: str) -> None:
        moved = self._copy.move_aside(path, self._directory)
        if moved is not None:
            self.moved.append((path, moved.removeprefix(f"{self._layout.repo_dir}/")))


def _text_of(row: MetadataRow) -> bytes | None:
    try:
        return metadata_text_of(row)
    except DataError:
        return None


def _is_streaming(row: MetadataRow) -> bool:
    try:
        return metadata_of(row).streaming
    except DataError:
        return False


def _says_the_same(body: bytes, row: MetadataRow, path: str) -> bool:
    key = ArtifactKey(row.namespace, row.type_normalized, row.model_id, row.data_name)
    try:
        return make_metadata_row(key, parse_metadata(body, path=path)).json == row.json
    except DataError:
        return False
