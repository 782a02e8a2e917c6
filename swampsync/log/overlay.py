"""Rows laid over one another: the net effect of commits, of deltas, and of both over a base.

Lines are kept as they are, so that folding and compacting touch no more than they must.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson

from swampsync.log.paths import parse_version_path
from swampsync.log.rows import AnyRow, ArtifactRow, FilePut, Highest, Removal, StateRow, UsedPath, row_from_list
from swampsync.log.segments import row_to_line


class Overlay:
    """The net effect of rows, to be laid over a base."""

    def __init__(self) -> None:
        self._files: dict[str, bytes | None] = {}
        self._artifacts: dict[str, bytes | None] = {}
        self._highest: dict[str, int] = {}
        self._used: set[str] = set()
        self.voids_base = False

    def clear(self) -> None:
        """Take in a tombstone: nothing of what was before counts, the base included."""
        self._files.clear()
        self._artifacts.clear()
        self._highest.clear()
        self._used.clear()
        self.voids_base = True

    def add(self, row: AnyRow) -> None:
        """Take in the next row."""
        if isinstance(row, FilePut):
            self._files[row.path] = row_to_line(row)
        elif isinstance(row, ArtifactRow):
            self._artifacts[row.path] = row_to_line(row)
        elif isinstance(row, Removal):
            self._files[row.path] = None
            self._artifacts[row.path] = None
            version = parse_version_path(row.path)
            if version is None:
                self._used.add(row.path)
            else:
                self._raise_highest(version.artifact, version.number)
        elif isinstance(row, Highest):
            self._raise_highest(row.artifact, row.number)
        else:
            self._used.add(row.path)

    def _raise_highest(self, artifact: str, number: int) -> None:
        if self._highest.get(artifact, 0) < number:
            self._highest[artifact] = number

    def covers(self, row: AnyRow) -> bool:
        """Say whether a row of the base is replaced or removed."""
        if isinstance(row, FilePut):
            return row.path in self._files
        if isinstance(row, ArtifactRow):
            return row.path in self._artifacts
        return False

    def delta_lines(self) -> Iterator[bytes]:
        """Iterate the lines of a delta segment."""
        for path in sorted(self._files.keys() | self._artifacts.keys()):
            lines = [line for line in (self._artifacts.get(path), self._files.get(path)) if line is not None]
            yield from lines or (row_to_line(Removal(path)),)
        yield from self._memory_lines()

    def replay(self) -> Iterator[AnyRow]:
        """Iterate rows that lead another overlay to the same."""
        for line in self.delta_lines():
            yield row_from_list(orjson.loads(line), key="overlay")

    def rows(self, base: Iterable[AnyRow]) -> Iterator[StateRow]:
        """Iterate the state that the base and this overlay make together."""
        for row in base:
            if not self.covers(row) and not isinstance(row, Removal):
                yield row
        for line in self._state_lines():
            row = row_from_list(orjson.loads(line), key="overlay")
            assert not isinstance(row, Removal)
            yield row

    def base_lines(self, base: Iterable[AnyRow]) -> Iterator[bytes]:
        """Iterate the lines of a new base; what only remembers former use is folded."""
        for row in base:
            if isinstance(row, Highest | UsedPath):
                self.add(row)
            elif not self.covers(row):
                yield row_to_line(row)
        yield from self._state_lines()

    def _state_lines(self) -> Iterator[bytes]:
        for path in sorted(self._files.keys() | self._artifacts.keys()):
            for line in (self._artifacts.get(path), self._files.get(path)):
                if line is not None:
                    yield line
        yield from self._memory_lines()

    def _memory_lines(self) -> Iterator[bytes]:
        for artifact, number in sorted(self._highest.items()):
            yield row_to_line(Highest(artifact, number))
        for path in sorted(self._used):
            if self._files.get(path) is None:
                yield row_to_line(UsedPath(path))
