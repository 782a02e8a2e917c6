"""How this clone stands to the bucket, from what it knows: no request is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from swampsync.catalog.files import FileState
from swampsync.catalog.records import DeadLetter
from swampsync.clock import parse_timestamp
from swampsync.disk import Disk, Kind
from swampsync.sync.clone import Clone
from swampsync.sync.kept_aside import kept_aside_directory
from swampsync.sync.letters import find_letters
from swampsync.sync.pending import Op, PendingEntry, PendingWork


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncStatus:
    """A clone's standing.

    Args:
        namespace: Whose; empty in solo mode.
        seq: The last applied commit; 0 for none.
        synced_at: When the log was last looked at; `None` for never.
        age_seconds: How long ago that is.
        pending: What is to be published.
        pending_age_seconds: How long the oldest of it waits; `None` if nothing does.
        conflicts: Copies that lie beside somebody else's content.
        kept_aside: Files that the log does not know, as paths below `.swamp/kept-aside`.
        dead_letters: What could not be transferred.
        files: How many files the namespace has.
        not_here: How many of them have no content here.
    """

    namespace: str
    seq: int
    synced_at: str | None
    age_seconds: float | None
    pending: tuple[PendingEntry, ...]
    pending_age_seconds: float | None
    conflicts: tuple[str, ...]
    kept_aside: tuple[str, ...]
    dead_letters: tuple[DeadLetter, ...]
    files: int
    not_here: int

    @property
    def pending_puts(self) -> int:
        """How many versions and files are to be put."""
        return sum(1 for entry in self.pending if entry.op is Op.PUT)

    @property
    def pending_removals(self) -> int:
        """How many versions and files are to be removed."""
        return len(self.pending) - self.pending_puts

    def to_json(self) -> dict[str, Any]:
        """Make a document of it."""
        return {
            "namespace": self.namespace,
            "seq": self.seq,
            "syncedAt": self.synced_at,
            "ageSeconds": None if self.age_seconds is None else round(self.age_seconds, 3),
            "pending": [{"path": entry.path, "op": entry.op.value, "since": entry.at} for entry in self.pending],
            "conflicts": list(self.conflicts),
            "keptAside": list(self.kept_aside),
            "deadLetters": [
                {"path": d.path, "attempts": d.attempts, "error": d.last_error, "firstAt": d.first_at, "at": d.last_at}
                for d in self.dead_letters
            ],
            "files": self.files,
            "notHydrated": self.not_here,
        }


def read_sync_status(clone: Clone) -> SyncStatus:
    """Read how a clone stands."""
    state, namespace = clone.state, clone.namespace
    position = state.positions.find(namespace)
    at = None if position is None else position.at
    counts = state.files.count(namespace)
    with state.database.read() as connection:
        sql = "SELECT path FROM files WHERE namespace = ? AND path LIKE '%.conflict-%' ORDER BY path"
        conflicts = tuple(path for (path,) in connection.execute(sql, (namespace,)))
    now = clone.clock.now()
    pending = tuple(PendingWork(state, namespace, clock=clone.clock).entries())
    oldest = min((parse_timestamp(entry.at) for entry in pending), default=None)
    return SyncStatus(
        namespace=namespace,
        seq=0 if position is None else position.seq,
        synced_at=at,
        age_seconds=None if at is None else (now - parse_timestamp(at)).total_seconds(),
        pending=pending,
        pending_age_seconds=None if oldest is None else (now - oldest).total_seconds(),
        conflicts=conflicts,
        kept_aside=tuple(_walk(clone.disk, kept_aside_directory(clone.layout), prefix="")),
        dead_letters=tuple(find_letters(clone)[0]),
        files=sum(number for number, _ in counts.values()),
        not_here=counts.get(FileState.REMOTE, (0, 0))[0],
    )


def _walk(disk: Disk, directory: str, *, prefix: str) -> list[str]:
    try:
        entries = sorted(disk.scandir(directory), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    found: list[str] = []
    for entry in entries:
        if entry.kind is Kind.DIRECTORY:
            found += _walk(disk, f"{directory}/{entry.name}", prefix=f"{prefix}{entry.name}/")
        else:
            found.append(f"{prefix}{entry.name}")
    return found
