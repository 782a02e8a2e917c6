"""The one module that opens SQLite files and translates what SQLite raises.

A connection is opened in a fixed order: the busy time-out first, because switching the journal ignores one that
comes later; then the journal, switched only where it is not already as it should be, because the switch needs
the file for itself; then whatever the caller prepares. What is busy is tried again, a bounded number of times
with jitter.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Final, TypeVar

from swampsync.clock import Clock
from swampsync.errors import AccessDenied, DataError, SwampsyncError, Unavailable

BUSY_TIMEOUT_SECONDS: Final = 5.0
ATTEMPTS: Final = 8
FIRST_DELAY_SECONDS: Final = 0.02

# WAL keeps its index in memory that all processes map, which these file systems cannot share between hosts.
_SHARED_FILESYSTEMS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "9p", "afpfs", "webdav", "davfs", "drvfs", "vboxsf"}
    | {"prl_fs", "virtiofs", "ceph", "lustre", "gpfs", "beegfs", "afs", "ncpfs", "acfs", "gfs2", "ocfs2"}
)

_Result = TypeVar("_Result")


class CorruptDatabase(DataError):
    """A file that SQLite cannot read, or whose schema is not one that we know."""


def journal_mode_for(filesystem_type: str) -> str:
    """Choose the journal by the file system's type: `wal`, or `delete` where hosts or FUSE are in between."""
    kind = filesystem_type.lower()
    return "delete" if kind in _SHARED_FILESYSTEMS or kind.startswith("fuse") else "wal"


def connect(
    path: str, *, filesystem_type: str, clock: Clock, rng: Random, must_exist: bool = False
) -> sqlite3.Connection:
    """Open a database for use from any thread (one at a time), in autocommit mode.

    Args:
        path: The file, or `:memory:`.
        filesystem_type: What `Disk.filesystem_type` says of it; decides the journal.
        clock: Waits between attempts.
        rng: Jitter.
        must_exist: Whether a missing file is an error instead of a new database.

    Raises:
        CorruptDatabase: The file is no database.
        Unavailable: Others kept the file busy for all attempts.
        AccessDenied: The file may not be opened or written.
    """

    def attempt() -> sqlite3.Connection:
        with translated(path):
            target = f"file:{_quote_uri(path)}?mode=rw" if must_exist else path
            connection = sqlite3.connect(
                target,
                timeout=BUSY_TIMEOUT_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                uri=must_exist,
                cached_statements=64,
            )
            try:
                if path != ":memory:":
                    _set_journal(connection, journal_mode_for(filesystem_type))
            except BaseException:
                connection.close()
                raise
            return connection

    return retrying(attempt, clock=clock, rng=rng)


def copy_database(source: str, target: str, *, filesystem_type: str, clock: Clock, rng: Random) -> None:
    """Copy a database as it is at one moment, also while others write to it.

    Args:
        source: An existing file.
        target: A file that does not exist.
        filesystem_type: Of the source.
        clock: Waits between attempts.
        rng: Jitter.

    Raises:
        CorruptDatabase: The source is no database.
        Unavailable: Others kept it busy for all attempts.
    """
    theirs = connect(source, filesystem_type=filesystem_type, clock=clock, rng=rng, must_exist=True)
    try:
        with translated(target):
            ours = sqlite3.connect(target, isolation_level=None)
            try:
                theirs.backup(ours)
            finally:
                ours.close()
    finally:
        theirs.close()


def retrying(attempt: Callable[[], _Result], *, clock: Clock, rng: Random) -> _Result:
    """Run `attempt` again while the database is busy, `ATTEMPTS` times at most, waiting longer each time.

    Raises:
        Unavailable: The last attempt found the database busy too.
    """
    for number in range(ATTEMPTS - 1):
        try:
            return attempt()
        except Unavailable:
            clock.sleep(FIRST_DELAY_SECONDS * 2**number * (0.5 + rng.random()))
    return attempt()


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn what SQLite raises inside the block into our own errors, `from` the cause."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, path=path) from error


def translate(error: sqlite3.Error, *, path: str) -> SwampsyncError:
    """Say in our own classes what an error of SQLite means for the caller.

    A programming mistake (bad SQL, a violated constraint) is not translated but raised again as it is.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    text = str(error)
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}:
        return CorruptDatabase(f"`{path}` cannot be read as a database: {text}", key=path)
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return Unavailable(f"`{path}` is in use by another process", hint="try again", key=path)
    if code == sqlite3.SQLITE_FULL:
        return Unavailable(f"no space is left to write `{path}`", hint=f"df -h {path}", key=path)
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}:
        return AccessDenied(f"`{path}` cannot be written: {text}", hint=f"ls -l {path}", key=path)
    if code == sqlite3.SQLITE_CANTOPEN:
        return AccessDenied(f"`{path}` cannot be opened", hint=f"ls -ld {path}", key=path)
    if code == sqlite3.SQLITE_IOERR:
        return Unavailable(
            f"reading or writing `{path}` failed: {text}", hint=f"is the disk full? df -h {path}", key=path
        )
    raise error


def _set_journal(connection: sqlite3.Connection, wanted: str) -> None:
    (current,) = connection.execute("PRAGMA journal_mode").fetchone()
    if current == wanted:
        return
    if wanted == "delete" and current != "wal":
        return  # truncate and persist are rollback journals too
    connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()


def _quote_uri(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
