"""Lost objects: what lies in the bucket and may have been published by a commit that cannot be read any more.

Only what no readable commit ever named can be that, and only if it was uploaded at about that time. Versions must be
whole; every content is read and its digest taken. A push that died leaves the same picture: it is published with the
others, which loses nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from swampsync.backends.base import ObjectInfo, ObjectNotFound
from swampsync.errors import Refused
from swampsync.log.examine import Examination, list_objects
from swampsync.log.paths import METADATA_FILE, VersionPath, find_path_problem, parse_version_path, version_files
from swampsync.log.rows import ArtifactRow, FilePut, find_row_problem
from swampsync.log.state import NamespaceState

_UPLOAD_AGE: Final = timedelta(days=1)
_SPARE_KEY: Final = re.compile(r"~[0-9a-f]{8}$")
_ENDING: Final = re.compile(r"(~[0-9a-f]{8})?")


class ArtifactReader(Protocol):
    """How the metadata of a version is read; what it looks like is not the log's business."""

    def __call__(self, path: str, body: bytes, /) -> ArtifactRow | None:
        """Turn a `metadata.yaml` into a row; `None` if it is no valid metadata of the version at that path."""
        ...


class LostObjects:
    """Finds them.

    Args:
        examination: Of the log.
        state: Replayed from what can be read.
        read_artifact: See `ArtifactReader`.

    Attributes:
        notes: What could not be decided, for people.
    """

    def __init__(self, examination: Examination, state: NamespaceState, read_artifact: ArtifactReader) -> None:
        self._examination = examination
        self._log = examination.log
        self._state = state
        self._read_artifact = read_artifact
        self.notes: list[str] = []

    def find(self, *, between: tuple[int, int]) -> Iterator[FilePut | ArtifactRow]:
        """Iterate rows for what the lost commits from one number to another may have published.

        Raises:
            Refused: The listing lacks an object that exists: it is not complete.
        """
        objects = list_objects(self._log)
        self._check_listing(objects)
        low, high = self._times(between)
        named = self._named_paths()
        for path in sorted(objects):
            info = objects[path]
            if path in named or info.modified_at > high or info.modified_at < low:
                continue
            version = parse_version_path(path)
            if version is not None:
                # What was brought back lies under keys with a common ending.
                ending = version.file.removeprefix(METADATA_FILE)
                raw = objects.get(f"{version_files(version.directory)[1]}{ending}")
                is_metadata = version.file == METADATA_FILE + ending and _ENDING.fullmatch(ending) is not None
                if is_metadata and raw is not None and not (ending and self._state.exists(_metadata_path(version))):
                    yield from self._version(version, info, raw, ending=ending)
            elif find_path_problem(path) is not None or _SPARE_KEY.search(path) is not None:
                self.notes.append(f"object `{info.key}` may belong to a lost commit, but its path is not known")
            else:
                yield FilePut(path, info.size, self._digest(info))

    def _version(
        self, version: VersionPath, metadata: ObjectInfo, raw: ObjectInfo, *, ending: str
    ) -> Iterator[FilePut | ArtifactRow]:
        path = _metadata_path(version)
        row = self._read_artifact(path, self._log.store.get(metadata.key).body)
        if row is None or find_row_problem(row) is not None or row.path != path:
            self.notes.append(f"object `{metadata.key}` is no valid metadata of its version")
            return
        size, checksum = row.metadata.get("size"), row.metadata.get("checksum")
        digest = self._digest(raw)
        if (size is not None and size != raw.size) or (checksum is not None and checksum != digest):
            self.notes.append(f"object `{raw.key}` is not what its metadata says")
            return
        raw_path = version_files(version.directory)[1]
        yield row._replace(key=f"{path}{ending}" if ending else None)
        yield FilePut(raw_path, raw.size, digest, key=f"{raw_path}{ending}" if ending else None)

    def _digest(self, info: ObjectInfo) -> str:
        digest = hashlib.sha256()
        with self._log.store.open(info.key) as (_, chunks):
            for chunk in chunks:
                digest.update(chunk)
        return digest.hexdigest()

    def _check_listing(self, objects: dict[str, ObjectInfo]) -> None:
        for path in self._state.object_paths():
            if path in objects:
                continue
            key = self._log.layout.key(path)
            try:
                self._log.store.head(key)
            except ObjectNotFound:
                self.notes.append(f"object `{key}` is missing and cannot be rebuilt")
            else:
                raise Refused(f"object `{key}` exists but is not listed: nothing is rebuilt from it", key=key.text)

    def _named_paths(self) -> set[str]:
        """Collect where every object lies that a readable commit put, and every path that one removed."""
        named = set(self._state.object_paths())
        for entry in self._examination.found:
            if entry.published is not None and entry.is_sound:
                for row in self._log.rows(entry.published.commit):
                    named.add(row.object_path if isinstance(row, FilePut | ArtifactRow) else row.path)
        return named

    def _times(self, between: tuple[int, int]) -> tuple[datetime, datetime]:
        """Return when uploads of the lost commits can have happened, by their readable neighbours."""
        first, last = between
        low, high = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        for entry in self._examination.found:
            moment = None if entry.published is None else entry.published.published_at
            if moment is None:
                continue
            if entry.seq < first:
                low = moment - _UPLOAD_AGE
            elif entry.seq > last:
                return low, moment
        return low, high


def _metadata_path(version: VersionPath) -> str:
    return version_files(version.directory)[0]
