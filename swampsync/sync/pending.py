"""What our commands did and the log does not know yet: one entry a version, file or removal.

An entry keeps its id when its path changes (a version that is renumbered, a file that is kept beside another). What
was begun to be uploaded is `claimed`: from then on its content is fixed, and taking it back is a removal of its own,
because a commit whose answer was lost may have published it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final, NamedTuple

from swampsync.catalog.state import SyncState
from swampsync.clock import Clock, format_timestamp


class Op(StrEnum):
    """What is to be published."""

    PUT = "put"
    REMOVE = "remove"


_OPS: Final = {op.value: op for op in Op}


class PendingEntry(NamedTuple):
    """One thing that is to be published; the columns of the table in their order."""

    id: int
    namespace: str
    path: str  # of the file; of a version its directory
    op: Op
    is_version: bool
    kind: str  # the command that recorded it
    at: str  # since when; what changes again waits since the first time
    base: str | None  # the digest of the published content that it replaces or removes
    key: str | None  # where its upload goes, if not to its path
    claimed_at: str | None  # when its upload began
    is_uploaded: bool


class PendingWork:
    """The entries of one namespace.

    Args:
        state: Where they are kept.
        namespace: Whose.
        clock: Dates them.
    """

    def __init__(self, state: SyncState, namespace: str, *, clock: Clock) -> None:
        self._database = state.database
        self._namespace = namespace
        self._clock = clock

    # --- reading -----------------------------------------------------------------------------------

    def entries(self) -> list[PendingEntry]:
        """List all entries in the order in which they were recorded."""
        sql = "SELECT * FROM pending WHERE namespace = ? ORDER BY id"
        with self._database.read() as connection:
            return [_entry(row) for row in connection.execute(sql, (self._namespace,))]

    def is_empty(self) -> bool:
        """Say whether there is nothing to publish."""
        sql = "SELECT EXISTS (SELECT 1 FROM pending WHERE namespace = ?)"
        with self._database.read() as connection:
            return not connection.execute(sql, (self._namespace,)).fetchone()[0]

    def find(self, path: str) -> PendingEntry | None:
        """Find the entry of a path, or `None`."""
        sql = "SELECT * FROM pending WHERE namespace = ? AND path = ?"
        with self._database.read() as connection:
            row = connection.execute(sql, (self._namespace, path)).fetchone()
        return None if row is None else _entry(row)

    def get(self, entry_id: int) -> PendingEntry:
        """Return an entry as it is now.

        Raises:
            LookupError: It is no longer there.
        """
        with self._database.read() as connection:
            row = connection.execute("SELECT * FROM pending WHERE id = ?", (entry_id,)).fetchone()
        if row is None:
            raise LookupError(f"no pending entry {entry_id}")
        return _entry(row)

    def paths(self, op: Op) -> set[str]:
        """Return the paths that entries of one kind name."""
        sql = "SELECT path FROM pending WHERE namespace = ? AND op = ?"
        with self._database.read() as connection:
            return {path for (path,) in connection.execute(sql, (self._namespace, op.value))}

    # --- recording ---------------------------------------------------------------------------------

    def put(self, path: str, *, is_version: bool, kind: str, base: str | None = None) -> None:
        """Record content that was written.

        What an entry of the same path had already replaced stays its base; its upload, if it was begun, is forgotten.
        """
        known = self.find(path)
        if known is not None:
            base = known.base
        self._write(path, Op.PUT, is_version=is_version, kind=kind, base=base)

    def remove(self, path: str, *, is_version: bool, kind: str, base: str | None) -> None:
        """Record that something was removed.

        What was never uploaded vanishes without a trace.

        Args:
            path: Of the file; of a version its directory.
            is_version: Which of the two.
            kind: The command.
            base: The digest of what was there.
        """
        known = self.find(path)
        if known is not None and known.op is Op.PUT and known.base is None and known.claimed_at is None:
            self.drop([known.id])
            return
        if known is not None and known.base is not None:
            base = known.base
        self._write(path, Op.REMOVE, is_version=is_version, kind=kind, base=base)

    def _write(self, path: str, op: Op, *, is_version: bool, kind: str, base: str | None) -> None:
        at = format_timestamp(self._clock.now())
        with self._database.atomic() as connection:
            connection.execute(
                "INSERT INTO pending (namespace, path, op, is_version, kind, at, base, is_uploaded)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT (namespace, path) DO UPDATE SET op = excluded.op,"
                " kind = excluded.kind, at = CASE WHEN op = excluded.op THEN at ELSE excluded.at END,"
                " base = excluded.base, key = NULL, claimed_at = NULL, is_uploaded = 0",
                (self._namespace, path, op.value, int(is_version), kind, at, base),
            )

    # --- publishing --------------------------------------------------------------------------------

    def claim(self, entry: PendingEntry, *, key: str | None) -> PendingEntry:
        """Note, before the first request, that an upload begins, and where it goes if not to the entry's path.

        Returns:
            The entry as it is now.
        """
        return self.claim_many([(entry, key)])[0]

    def claim_many(self, entries: Iterable[tuple[PendingEntry, str | None]]) -> list[PendingEntry]:
        """Note that uploads begin, each with its key as in `claim`; return the entries as they are now."""
        at = format_timestamp(self._clock.now())
        claimed = [entry._replace(claimed_at=at, key=key, is_uploaded=False) for entry, key in entries]
        with self._database.atomic() as connection:
            sql = "UPDATE pending SET claimed_at = ?, key = ?, is_uploaded = 0 WHERE id = ?"
            connection.executemany(sql, [(at, entry.key, entry.id) for entry in claimed])
        return claimed

    def mark_uploaded(self, ids: Iterable[int]) -> None:
        """Note that the objects of entries are whole in the bucket."""
        with self._database.atomic() as connection:
            connection.executemany("UPDATE pending SET is_uploaded = 1 WHERE id = ?", [(i,) for i in ids])

    def move(self, entry: PendingEntry, path: str, *, base: str | None, is_upload_kept: bool = False) -> None:
        """Give an entry another path.

        Args:
            entry: Which.
            path: The new one.
            base: What it replaces there.
            is_upload_kept: Whether its object stays where it was uploaded to; else it is uploaded again.
        """
        key = entry.key or (entry.path if entry.claimed_at is not None else None)
        kept = (key, entry.claimed_at, int(entry.is_uploaded)) if is_upload_kept else (None, None, 0)
        with self._database.atomic() as connection:
            sql = "UPDATE pending SET path = ?, base = ?, key = ?, claimed_at = ?, is_uploaded = ? WHERE id = ?"
            connection.execute(sql, (path, base, *kept, entry.id))

    def rebase(self, entry: PendingEntry, base: str | None) -> None:
        """Note that something else, or nothing, is now what an entry replaces."""
        with self._database.atomic() as connection:
            connection.execute("UPDATE pending SET base = ? WHERE id = ?", (base, entry.id))

    def drop(self, ids: Iterable[int]) -> None:
        """Forget entries: they are published, or there is nothing left to publish."""
        with self._database.atomic() as connection:
            connection.executemany("DELETE FROM pending WHERE id = ?", [(i,) for i in ids])

    # --- commits under way -------------------------------------------------------------------------

    def remember_sent(self, *, seq: int, commit_id: str) -> None:
        """Note a commit before it is sent; it is ours, should it turn up in the log."""
        with self._database.atomic() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO sent_commits VALUES (?, ?, ?, ?)",
                (self._namespace, commit_id, seq, format_timestamp(self._clock.now())),
            )

    def sent(self) -> dict[int, set[str]]:
        """Return the commits that were sent and whose fate is unknown: ids by number."""
        found: dict[int, set[str]] = {}
        sql = "SELECT seq, commit_id FROM sent_commits WHERE namespace = ?"
        with self._database.read() as connection:
            for seq, commit_id in connection.execute(sql, (self._namespace,)):
                found.setdefault(seq, set()).add(commit_id)
        return found

    def forget_sent(self, up_to: int) -> None:
        """Forget commits that were sent, up to a number whose commit is applied."""
        with self._database.atomic() as connection:
            sql = "DELETE FROM sent_commits WHERE namespace = ? AND seq <= ?"
            connection.execute(sql, (self._namespace, up_to))


def _entry(row: tuple[Any, ...]) -> PendingEntry:
    # Not `_make` and `_replace`: a push reads thousands of entries more than once.
    identifier, namespace, path, op, is_version, kind, at, base, key, claimed_at, is_uploaded = row
    return PendingEntry(
        identifier, namespace, path, _OPS[op], bool(is_version), kind, at, base, key, claimed_at, bool(is_uploaded)
    )
