"""Writing what was fetched into the copy, with few calls to the operating system: most of it lies where nothing was.

A version's directory that this call has made belongs to nobody else: `raw` is written in its place, and
`metadata.yaml`, which makes a version of it, comes by rename. Where something lies already, everything comes by
rename. Nothing is synced: what a crash of the machine takes can be fetched again, and is told by its size or signature.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple

from swampsync.artifacts.scan import LATEST_NAME
from swampsync.catalog.files import FileRecord
from swampsync.disk import Disk, DiskStat, WriteMode
from swampsync.log.paths import METADATA_FILE, RAW_FILE, parse_version_path
from swampsync.sync.downloading import Download
from swampsync.sync.kept_aside import KeptAside
from swampsync.sync.local_copy import LocalCopy, WrongContent

_MAX_GUARDED: Final = 10_000
_METADATA_TEMPORARY: Final = f".{METADATA_FILE}.tmp"


class Written(NamedTuple):
    """A file that came.

    Args:
        stat: Of the file as it lies in the copy.
        unsettled: The artifact whose `latest` has to be looked at; `None` if it is right.
    """

    stat: DiskStat
    unsettled: str | None


class FetchedFiles:
    """Writes fetched files; one for each run of fetches, called from many threads.

    Args:
        disk: Where the copy lies.
        copy: The copy.
        kept: Keeps what lies in the way and is nobody's but a person's.
    """

    def __init__(self, disk: Disk, copy: LocalCopy, kept: KeptAside) -> None:
        self._disk = disk
        self._copy = copy
        self._kept = kept
        # Directories that were looked at in this run: no symbolic link leads through them.
        self._guarded: set[str] = set()

    def write_body(self, record: FileRecord, body: bytes, metadata: bytes | None) -> Written:
        """Write a small file that was read whole.

        Args:
            record: What the log says of it.
            body: What came.
            metadata: The version's `metadata.yaml`, if the file is its `raw`.

        Raises:
            WrongContent: The body is other bytes; nothing was changed.
            Refused: The path leads through a symbolic link.
        """
        if len(body) != record.size or hashlib.sha256(body).hexdigest() != record.sha256:
            raise WrongContent(
                f"the object of `{record.path}` does not hold the content that the log names", key=record.path
            )
        version = parse_version_path(record.path)
        if version is None or version.file != RAW_FILE or metadata is None:
            return self.write_chunks(record, (body,), metadata)
        directory = self._copy.path(record.path).rpartition("/")[0]
        artifact = directory.rpartition("/")[0]
        try:
            is_new_artifact = self._make_artifact(artifact)
            if not self._make(directory):
                return self.write_chunks(record, (body,), metadata)
            with self._disk.open_write(f"{directory}/{RAW_FILE}", WriteMode.CREATE) as file:
                file.write(body)
                stat = file.stat()
            with self._disk.open_write(f"{directory}/{_METADATA_TEMPORARY}", WriteMode.CREATE) as file:
                file.write(metadata)
            self._disk.rename(f"{directory}/{_METADATA_TEMPORARY}", f"{directory}/{METADATA_FILE}")
            if not is_new_artifact:
                return Written(stat, version.artifact)
            with self._disk.open_write(f"{artifact}/{LATEST_NAME}", WriteMode.CREATE) as file:
                file.write(str(version.number).encode())
        except (FileNotFoundError, FileExistsError):
            # Somebody else works in the same directory: then as carefully as ever.
            self._guarded.clear()
            return self.write_chunks(record, (body,), metadata)
        return Written(stat, None)

    def write_chunks(self, record: FileRecord, chunks: Iterable[bytes], metadata: bytes | None) -> Written:
        """Write a file of any size; see `write_body`."""
        stat = self._copy.write(
            record.path,
            chunks,
            size=record.size,
            sha256=record.sha256,
            before_replacing=lambda: self._kept.keep_file(record),
        )
        return self._finish(record, stat, metadata)

    def write_download(self, record: FileRecord, download: Download, metadata: bytes | None) -> Written:
        """Write a large file as its parts come; see `write_body`."""
        stat = self._copy.write_download(
            record.path,
            download,
            size=record.size,
            sha256=record.sha256,
            before_replacing=lambda: self._kept.keep_file(record),
        )
        return self._finish(record, stat, metadata)

    def _finish(self, record: FileRecord, stat: DiskStat, metadata: bytes | None) -> Written:
        version = parse_version_path(record.path)
        if version is None or metadata is None:
            return Written(stat, None)
        self._copy.write_bytes(
            f"{version.directory}/{METADATA_FILE}",
            metadata,
            before_replacing=lambda: self._kept.keep_metadata(version.directory, metadata),
        )
        return Written(stat, version.artifact)

    def _make_artifact(self, path: str) -> bool:
        """Make an artifact's directory; say whether it was this call that made it."""
        if path in self._guarded:
            return False
        if len(self._guarded) > _MAX_GUARDED:
            self._guarded.clear()
        model = path.rpartition("/")[0]
        if model not in self._guarded:
            self._copy.make_directory(model)
            self._guarded.add(model)
        is_new = self._make(path)
        self._guarded.add(path)
        return is_new

    def _make(self, path: str) -> bool:
        """Make a directory in one that is guarded; say whether it was this call that made it."""
        try:
            self._disk.mkdir(path)
        except FileExistsError:
            self._copy.make_directory(path)
            return False
        return True
