"""The past that vacuum has taken: which states can no longer be read, and which is the oldest that can.

Vacuum keeps every commit, and of segments and checkpoints what the states inside its horizon need. So a state before
that can be read only as long as no commit on the way to it has its rows in a segment that is gone.
"""

from __future__ import annotations

from swampsync.backends.base import ObjectNotFound
from swampsync.clock import format_timestamp
from swampsync.errors import DataError, NotFound
from swampsync.log.checkpoint import list_checkpoints, read_checkpoint
from swampsync.log.history import read_state_at
from swampsync.log.log import Log, SegmentMissing
from swampsync.log.state import NamespaceState


def read_past_state(log: Log, seq: int) -> NamespaceState:
    """Read the state at a commit into memory; where vacuum has taken it, say so, and which states are left.

    Raises:
        NotFound: The log does not reach so far, or vacuum has taken what that state is read from.
        DataError: A commit or segment in between is missing or damaged, for another reason.
    """
    try:
        return read_state_at(log, seq)
    except SegmentMissing as error:
        oldest = find_oldest_state(log, after=seq)
        if oldest is None:
            raise
        published = format_timestamp(log.store.head(log.layout.log_key(oldest)).modified_at)
        raise NotFound(
            f"the state at commit {seq} is gone: it was vacuumed; the oldest one after it that can be read is"
            f" that of commit {oldest}, of {published}",
            hint=f"--as-of {oldest}",
            key=error.key,
        ) from error


def find_oldest_state(log: Log, *, after: int) -> int | None:
    """Return the number of the oldest commit after another one whose state can be read from a checkpoint.

    One listing tells which segments are there; none is read.
    """
    present = {info.key.text: info.size for info in log.list_objects("_segments")}
    for entry in reversed(list_checkpoints(log)):
        if entry.seq <= after:
            continue
        try:
            checkpoint = read_checkpoint(log, entry.seq)
        except (DataError, ObjectNotFound):
            continue
        if all(present.get(log.layout.segment_key(ref.id).text) == ref.size for ref in checkpoint.segments):
            return entry.seq
    return None
