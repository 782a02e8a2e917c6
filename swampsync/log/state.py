"""The state of a namespace: the replay of its commits.

Everything here is a function of rows, without I/O. A state of 100,000 versions takes about 110 MB, because metadata is
kept encoded; what only wants to fill a database takes the rows of a checkpoint (`Checkpoint.rows`) and of later commits
(`Log.rows`) one by one instead, in constant memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import orjson

from swampsync.log.commit import Commit
from swampsync.log.paths import METADATA_FILE, parse_version_path
from swampsync.log.rows import AnyRow, ArtifactRow, FilePut, Highest, Removal, Row, StateRow, UsedPath


class FileState(NamedTuple):
    """A file that exists: size in bytes, digest, and where its object lies if not at its path."""

    size: int
    sha256: str
    key: str | None


class NamespaceState:
    """What exists in a namespace at one commit, and what may never be used again.

    Attributes:
        seq: The commit's number; 0 for the empty beginning.
        commit_id: Its id; empty at the beginning.
        files: Every file that exists, by path; a version's `metadata.yaml` is in `artifacts` instead.
        highest: The highest number that every artifact ever had, by artifact path.
        used: Every path of other files that was ever used.
    """

    def __init__(self) -> None:
        self.seq = 0
        self.commit_id = ""
        self.files: dict[str, FileState] = {}
        self.highest: dict[str, int] = {}
        self.used: set[str] = set()
        self._artifacts: dict[str, bytes] = {}

    @classmethod
    def from_rows(cls, rows: Iterable[StateRow], *, seq: int, commit_id: str) -> NamespaceState:
        """Build the state that a checkpoint describes."""
        state = cls()
        for row in rows:
            state.absorb(row)
        state.seq, state.commit_id = seq, commit_id
        return state

    def apply(self, commit: Commit, rows: Iterable[Row]) -> None:
        """Go on to the next commit.

        Args:
            commit: The commit.
            rows: Its rows, wherever they were (`Log.rows`).
        """
        if commit.is_tombstone:
            self.clear()
        for row in rows:
            self.absorb(row)
        self.seq, self.commit_id = commit.seq, commit.id

    def clear(self) -> None:
        """Forget everything: the namespace ended, and another life may begin."""
        self.files.clear()
        self.highest.clear()
        self.used.clear()
        self._artifacts.clear()

    def absorb(self, row: AnyRow) -> None:
        """Take in one row of a commit or checkpoint."""
        if isinstance(row, FilePut):
            self.files[row.path] = FileState(row.size, row.sha256, row.key)
            self._note(row.path)
        elif isinstance(row, ArtifactRow):
            path = row.path
            self._artifacts[path] = orjson.dumps(tuple(row))
            self._note(path)
        elif isinstance(row, Removal):
            self.files.pop(row.path, None)
            self._artifacts.pop(row.path, None)
            # Only what existed once can be removed: a replay that begins at a checkpoint may not have seen it.
            self._note(row.path)
        elif isinstance(row, Highest):
            self._raise_highest(row.artifact, row.number)
        else:
            self.used.add(row.path)

    def _note(self, path: str) -> None:
        version = parse_version_path(path)
        if version is None:
            self.used.add(path)
        else:
            self._raise_highest(version.artifact, version.number)

    def _raise_highest(self, artifact: str, number: int) -> None:
        if self.highest.get(artifact, 0) < number:
            self.highest[artifact] = number

    @property
    def artifact_paths(self) -> Iterable[str]:
        """The paths of all rows of metadata: `data/{type…}/{id}/{name}/{N}/metadata.yaml`."""
        return self._artifacts.keys()

    def artifact(self, path: str) -> ArtifactRow | None:
        """Return the metadata of the version whose `metadata.yaml` has this path."""
        encoded = self._artifacts.get(path)
        return None if encoded is None else ArtifactRow(*orjson.loads(encoded))

    def artifacts(self) -> Iterator[ArtifactRow]:
        """Iterate the metadata of every version that exists."""
        for encoded in self._artifacts.values():
            yield ArtifactRow(*orjson.loads(encoded))

    def exists(self, path: str) -> bool:
        """Say whether a path exists."""
        return path in self.files or path in self._artifacts

    def is_used(self, path: str) -> bool:
        """Say whether a path was ever used, so that its own key may never be written again."""
        version = parse_version_path(path)
        if version is None:
            return path in self.used
        return self.highest.get(version.artifact, 0) >= version.number

    def object_paths(self) -> Iterator[str]:
        """Iterate where every object of the state lies, relative to the namespace."""
        for path, file in self.files.items():
            yield file.key or path
        for path, encoded in self._artifacts.items():
            key = orjson.loads(encoded)[4]
            yield key or path

    def rows(self) -> Iterator[StateRow]:
        """Iterate the rows of a checkpoint of this state, similar ones side by side."""
        for path in sorted(self.files.keys() | self._artifacts.keys()):
            row = self.artifact(path)
            if row is not None:
                yield row
            file = self.files.get(path)
            if file is not None:
                yield FilePut(path, *file)
        existing = self.highest_existing()
        for artifact, number in sorted(self.highest.items()):
            if existing.get(artifact, 0) < number:
                yield Highest(artifact, number)
        for path in sorted(self.used - self.files.keys()):
            yield UsedPath(path)

    def highest_existing(self) -> dict[str, int]:
        """Return the highest number that exists now of every artifact that exists."""
        found: dict[str, int] = {}
        for paths in (self.files, self._artifacts):
            for path in paths:
                version = parse_version_path(path)
                if version is not None and found.get(version.artifact, 0) < version.number:
                    found[version.artifact] = version.number
        return found

    def diff(self, newer: NamespaceState) -> Iterator[Row]:
        """Iterate the rows of a commit that would lead from this state to `newer`."""
        for path in sorted((self.files.keys() | self._artifacts.keys()) - newer.files.keys() - newer._artifacts.keys()):
            yield Removal(path)
        for path in sorted(newer.files.keys() | newer._artifacts.keys()):
            row = newer.artifact(path)
            if row is not None and row != self.artifact(path):
                yield row
            file = newer.files.get(path)
            old = self.files.get(path)
            if file is not None and file != old:
                yield FilePut(path, *file, base=old.sha256 if old is not None else None)

    def copy(self) -> NamespaceState:
        """Return an independent copy."""
        other = NamespaceState()
        other.seq, other.commit_id = self.seq, self.commit_id
        other.files = dict(self.files)
        other.highest = dict(self.highest)
        other.used = set(self.used)
        other._artifacts = dict(self._artifacts)
        return other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NamespaceState):
            return NotImplemented
        return (self.seq, self.commit_id, self.files, self._artifacts, self.highest, self.used) == (
            other.seq,
            other.commit_id,
            other.files,
            other._artifacts,
            other.highest,
            other.used,
        )

    __hash__ = None  # type: ignore[assignment]


def metadata_path(artifact: str, number: int) -> str:
    """Make the path of a version's `metadata.yaml`."""
    return f"{artifact}/{number}/{METADATA_FILE}"
