"""The state database when a repo's datastore becomes another place.

What it knows is about one place: files, positions, what was used. Of that only the highest numbers go along, because a
number that an artifact ever had is not given again. A clone that was set up beside this one brings its own rows.
"""

from __future__ import annotations

from typing import Final

from swampsync.catalog.state import SyncState

# Of one place, whichever namespace.
_OF_A_PLACE: Final = (
    "files",
    "metadata",
    "positions",
    "pending",
    "sent_commits",
    "used_paths",
    "dead_letters",
    "directory_signatures",
)
_TAKEN_OVER: Final = ("files", "metadata", "positions", "used_paths", "highest_versions")
# Settings about a place: how far something was done there, and whom this repo followed in it.
_MARKS: Final = ("catalogued:", "checkpoint:", "scanned:", "follow")
_ROWS_AT_ONCE: Final = 2_000


def leave_place(state: SyncState, *, old: str, new: str) -> None:
    """Forget what is known of the place that was used, all its namespaces; part of the surrounding transaction.

    Args:
        state: Of the repo.
        old: The namespace that was used there; empty in solo mode.
        new: The namespace that is used from now on, which inherits its highest numbers.
    """
    with state.database.atomic() as connection:
        namespaces = [name for (name,) in connection.execute("SELECT DISTINCT namespace FROM highest_versions")]
        for table in _OF_A_PLACE:
            connection.execute(f"DELETE FROM {table}")
        for mark in _MARKS:
            connection.execute("DELETE FROM settings WHERE key LIKE ? || '%'", (mark,))
        inherit_highest(state, old=old, new=new)
        for name in namespaces:
            if name not in {old, new}:
                connection.execute("DELETE FROM highest_versions WHERE namespace = ?", (name,))


def inherit_highest(state: SyncState, *, old: str, new: str) -> None:
    """Raise a namespace's highest numbers to those of the one whose data moved there."""
    if old == new:
        return
    with state.database.atomic() as connection:
        connection.execute(
            "INSERT INTO highest_versions SELECT ?, type_normalized, model_id, data_name, version"
            " FROM highest_versions WHERE namespace = ?"
            " ON CONFLICT DO UPDATE SET version = excluded.version WHERE excluded.version > version",
            (new, old),
        )


def take_over(state: SyncState, other: SyncState, namespace: str) -> None:
    """Take what another state knows of a namespace, with no content here; part of the surrounding transaction."""
    with state.database.atomic() as connection:
        for table in _TAKEN_OVER:
            with other.database.read() as reading:
                cursor = reading.execute(f"SELECT * FROM {table} WHERE namespace = ?", (namespace,))
                row_of = ", ".join("?" * len(cursor.description))
                merge = f"INSERT OR REPLACE INTO {table} VALUES ({row_of})"
                if table == "highest_versions":
                    merge = (
                        f"INSERT INTO {table} VALUES ({row_of})"
                        " ON CONFLICT DO UPDATE SET version = excluded.version WHERE excluded.version > version"
                    )
                while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                    connection.executemany(merge, rows)
        connection.execute("UPDATE files SET state = 'remote' WHERE namespace = ?", (namespace,))
    state.feed.record_rebuild(namespace)
