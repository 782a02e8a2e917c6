"""How the state database came to have its tables: a list of steps, each applied once and recorded with it.

A step is never changed once it has been released; a change is a further step. The step and the record that it was
applied share one transaction, so a process that dies in between leaves neither.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple

from swampsync.catalog.sqlite import CorruptDatabase
from swampsync.errors import DataError


class Migration(NamedTuple):
    """A named step and the statements that it consists of, separated by semicolons at line ends."""

    name: str
    sql: str


_RECORD: Final = (
    "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID"
)


def applied(connection: sqlite3.Connection) -> list[str]:
    """List the steps that a database has been through, in order; writes nothing."""
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'migrations'").fetchone()
    if known is None:
        return []
    return [name for (name,) in connection.execute("SELECT name FROM migrations ORDER BY position")]


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    """Apply the steps that are missing.

    Raises:
        DataError: The database has been through steps that this version does not know; it stays as it is.
        CorruptDatabase: The database holds tables without any record of steps.
    """
    wanted = [migration.name for migration in migrations]
    if applied(connection) == wanted:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = applied(connection)
        _check(connection, done, wanted)
        connection.execute(_RECORD)
        for position, migration in enumerate(migrations):
            if position < len(done):
                continue
            for statement in migration.sql.split(";\n"):
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?, ?)", (migration.name, position))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _check(connection: sqlite3.Connection, done: list[str], wanted: list[str]) -> None:
    if done != wanted[: len(done)]:
        raise DataError(
            f"the repo's state was written by a newer version of swampsync (`{done[-1]}`)",
            hint="pip install --upgrade swampsync",
        )
    if not done and connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None:
        raise CorruptDatabase("the state holds tables that are not ours")
