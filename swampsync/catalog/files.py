"""The files of the local copy: what each looked like, what it holds, where it lies in the bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, Final, NamedTuple

from swampsync.catalog.database import Database


class FileState(StrEnum):
    """Where a file's content is."""

    PENDING = "pending"  # here, not yet published
    SYNCED = "synced"  # here and published
    REMOTE = "remote"  # published, not hydrated


class FileRecord(NamedTuple):
    """What is known of one file; the signature is zero where there is no local file."""

    namespace: str
    path: str  # relative to the namespace's root
    state: FileState
    mtime_ns: int
    ctime_ns: int
    inode: int
    size: int  # bytes
    sha256: str
    key: str | None  # where the object does not lie at its path
    etag: str | None

    @property
    def signature(self) -> tuple[int, int, int]:
        """What `DiskStat.signature` was when the digest was taken."""
        return (self.mtime_ns, self.ctime_ns, self.inode)


_STATES: Final = {state.value: state for state in FileState}
_COLUMNS: Final = ", ".join(FileRecord._fields)
_PUT: Final = f"INSERT OR REPLACE INTO files ({_COLUMNS}) VALUES ({', '.join('?' * len(FileRecord._fields))})"


class Files:
    """The records of all files, own and foreign, under their namespace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, records: Iterable[FileRecord]) -> None:
        """Write records, replacing those of the same path."""
        with self._database.atomic() as connection:
            connection.executemany(_PUT, records)

    def find(self, namespace: str, path: str) -> FileRecord | None:
        """Find the record of a path, or `None`."""
        with self._database.read() as connection:
            sql = f"SELECT {_COLUMNS} FROM files WHERE namespace = ? AND path = ?"
            row = connection.execute(sql, (namespace, path)).fetchone()
        return None if row is None else _record(row)

    def find_many(self, namespace: str, paths: Iterable[str]) -> dict[str, FileRecord]:
        """Find the records of many paths; those that are not known are missing from the result."""
        sql = f"SELECT {_COLUMNS} FROM files WHERE namespace = ? AND path = ?"
        with self._database.read() as connection:
            rows = (connection.execute(sql, (namespace, path)).fetchone() for path in paths)
            return {row[1]: _record(row) for row in rows if row is not None}

    def of_state(self, namespace: str, state: FileState) -> list[FileRecord]:
        """List the files in a state, by path."""
        return list(self.all(namespace, state=state))

    def under(self, namespace: str, directory: str) -> list[FileRecord]:
        """List the files at and below a directory, by path; `""` for all."""
        if not directory:
            return list(self.all(namespace))
        of_namespace = f"SELECT {_COLUMNS} FROM files WHERE namespace = ?"
        # Two ranges of the key; joined with OR they would be one scan. "0" is the character after "/".
        sql = f"{of_namespace} AND path = ? UNION ALL {of_namespace} AND path > ? AND path < ? ORDER BY path"
        with self._database.read() as connection:
            rows = connection.execute(sql, (namespace, directory, namespace, f"{directory}/", f"{directory}0"))
            return [_record(row) for row in rows]

    def all(self, namespace: str, *, state: FileState | None = None, chunk: int = 1_000) -> Iterator[FileRecord]:
        """Go through all files of a namespace, or those in a state, by path; no transaction is open in between.

        Args:
            namespace: Whose.
            state: Which of them; `None` for all.
            chunk: How many are read at a time.
        """
        of_state = "" if state is None else " AND state = :state"
        sql = f"SELECT {_COLUMNS} FROM files WHERE namespace = :namespace{of_state} AND path > :after"
        values = {"namespace": namespace, "state": state, "after": "", "chunk": chunk}
        while True:
            with self._database.read() as connection:
                rows = connection.execute(f"{sql} ORDER BY path LIMIT :chunk", values)
                found = [_record(row) for row in rows]
            yield from found
            if len(found) < chunk:
                return
            values["after"] = found[-1].path

    def remove(self, namespace: str, paths: Iterable[str]) -> None:
        """Forget files."""
        with self._database.atomic() as connection:
            sql = "DELETE FROM files WHERE namespace = ? AND path = ?"
            connection.executemany(sql, [(namespace, path) for path in paths])

    def remove_namespace(self, namespace: str) -> None:
        """Forget all files of a namespace."""
        with self._database.atomic() as connection:
            connection.execute("DELETE FROM files WHERE namespace = ?", (namespace,))

    def count(self, namespace: str) -> dict[FileState, tuple[int, int]]:
        """Count files and bytes by state."""
        sql = "SELECT state, count(*), sum(size) FROM files WHERE namespace = ? GROUP BY state"
        with self._database.read() as connection:
            rows = connection.execute(sql, (namespace,)).fetchall()
        return {FileState(state): (number, size) for state, number, size in rows}


def _record(row: tuple[Any, ...]) -> FileRecord:
    # Not `_make` and `_replace`: hundreds of thousands of rows come through here.
    namespace, path, state, mtime, ctime, inode, size, sha256, key, etag = row
    return FileRecord(namespace, path, _STATES[state], mtime, ctime, inode, size, sha256, key, etag)
