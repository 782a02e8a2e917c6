"""What the directories of the tree looked like when they were last catalogued."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from swampsync.catalog.database import Database

TYPE: Final = "type"  # also the root of the tree, whose path is empty
MODEL: Final = "model"
ARTIFACT: Final = "artifact"


class Signature(NamedTuple):
    """A directory as it was when its content was catalogued.

    An artifact that can be appended to is watched one level deeper: an append changes the directory of its latest
    version and not its own.
    """

    namespace: str
    root: int  # which data root: 0 the datastore's, 1 the repo's own
    path: str  # relative to the data root: `{type…}/{id}/{name}`
    kind: str
    mtime_ns: int
    ctime_ns: int
    inode: int
    watched: int  # version number, 0 for none
    watched_mtime_ns: int
    watched_ctime_ns: int
    watched_inode: int
    row_count: int  # rows in the catalog; artifacts only
    is_complete: int  # 0: look again next time, whatever the stat says
    seen_at: str

    @property
    def own(self) -> tuple[int, int, int]:
        """What `DiskStat.signature` was."""
        return (self.mtime_ns, self.ctime_ns, self.inode)

    @property
    def inner(self) -> tuple[int, int, int]:
        """What `DiskStat.signature` of the watched version's directory was."""
        return (self.watched_mtime_ns, self.watched_ctime_ns, self.watched_inode)


_COLUMNS: Final = ", ".join(Signature._fields)
_PUT: Final = f"INSERT OR REPLACE INTO directory_signatures VALUES ({', '.join('?' * len(Signature._fields))})"


class Signatures:
    """The signatures of all namespaces."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, signatures: Iterable[Signature]) -> None:
        """Write signatures, replacing those of the same directory."""
        with self._database.atomic() as connection:
            connection.executemany(_PUT, signatures)

    def find(self, namespace: str, root: int, *, path: str) -> Signature | None:
        """Find the signature of one directory, or `None`."""
        sql = f"SELECT {_COLUMNS} FROM directory_signatures WHERE namespace = ? AND root = ? AND path = ?"
        with self._database.read() as connection:
            row = connection.execute(sql, (namespace, root, path)).fetchone()
        return None if row is None else Signature._make(row)

    def under(self, namespace: str, root: int, *, path: str) -> dict[str, Signature]:
        """Return the signatures of a directory and of all below it, by path; `""` for the whole root."""
        of_root = f"SELECT {_COLUMNS} FROM directory_signatures WHERE namespace = ? AND root = ?"
        if not path:
            sql = of_root
            parameters: tuple[object, ...] = (namespace, root)
        else:
            # Two ranges of the key; joined with OR they would be one scan. "0" is the character after "/".
            sql = f"{of_root} AND path = ? UNION ALL {of_root} AND path > ? AND path < ?"
            parameters = (namespace, root, path, namespace, root, f"{path}/", f"{path}0")
        with self._database.read() as connection:
            return {row[2]: Signature._make(row) for row in connection.execute(sql, parameters)}

    def has_rows(self, namespace: str) -> bool:
        """Say whether any artifact of a namespace had rows."""
        sql = "SELECT EXISTS (SELECT 1 FROM directory_signatures WHERE namespace = ? AND row_count > 0)"
        with self._database.read() as connection:
            return bool(connection.execute(sql, (namespace,)).fetchone()[0])

    def remove(self, namespace: str, root: int, *, paths: Iterable[str]) -> None:
        """Forget directories."""
        sql = "DELETE FROM directory_signatures WHERE namespace = ? AND root = ? AND path = ?"
        with self._database.atomic() as connection:
            connection.executemany(sql, [(namespace, root, path) for path in paths])

    def remove_namespace(self, namespace: str) -> None:
        """Forget all directories of a namespace: the next look is at everything."""
        with self._database.atomic() as connection:
            connection.execute("DELETE FROM directory_signatures WHERE namespace = ?", (namespace,))
