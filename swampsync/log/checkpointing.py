"""Writing checkpoints, by whoever finds more than 64 commits since the newest one.

It happens after the writer's own commit was acknowledged, and no failure here is a failure of that command. What
changed since the newest checkpoint becomes a delta; five deltas are folded into one, and deltas above a quarter of the
base are compacted with it into a new base. So a commit costs a few KiB of this work, whatever the namespace's size.

A base that stays is named again and again, however old it is. That is safe because vacuum keeps what the newest
checkpoint of any moment inside the horizon names (`vacuum`), and because a writer who took longer than a day gives up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from swampsync.backends.base import Create, ObjectExists
from swampsync.clock import Clock, format_timestamp
from swampsync.errors import DataError, SwampsyncError
from swampsync.log.checkpoint import (
    MAX_DELTAS,
    Checkpoint,
    LoadedCheckpoint,
    encode_checkpoint,
    list_checkpoints,
    load_checkpoint,
    nameable_checkpoints,
)
from swampsync.log.commit import SegmentRef
from swampsync.log.log import Log
from swampsync.log.overlay import Overlay
from swampsync.log.segments import pack_segments
from swampsync.log.tail import BEGINNING, Freshness, Position, Tail, tail

INTERVAL: Final = 64
MAX_SECONDS: Final = 24 * 3600.0
DELTA_TARGET_BYTES: Final = 8 * 1024 * 1024
BASE_SHARE: Final = 4


@dataclass(frozen=True, slots=True)
class CheckpointOutcome:
    """What came of looking whether a checkpoint is due.

    Args:
        newest: The number of the newest checkpoint known now; 0 for none. Remember it for the next time.
        is_written: Whether we wrote it.
        problem: Why it could not be done; the next command tries again.
    """

    newest: int
    is_written: bool = False
    problem: SwampsyncError | None = None


@dataclass(frozen=True, slots=True)
class Checkpointer:
    """Writes checkpoints of one log.

    Args:
        log: Which.
        clock: Measures how long it takes.
        new_id: Makes names of segments.
        tool: `swampsync/{version}`.
    """

    log: Log
    clock: Clock
    new_id: Callable[[], str]
    tool: str

    def write_if_due(self, head: Position, *, newest_known: int) -> CheckpointOutcome:
        """Write the checkpoint of our own acknowledged commit if there was none for more than 64 commits.

        No request is made while the newest known one is near; then one, which mostly tells that another wrote one.

        Args:
            head: Of our commit.
            newest_known: The number of the newest checkpoint that we have heard of.
        """
        if head.seq - newest_known <= INTERVAL:
            return CheckpointOutcome(newest_known)
        try:
            newest = next((entry.seq for entry in list_checkpoints(self.log, limit=1)), 0)
            if head.seq - newest <= INTERVAL:
                return CheckpointOutcome(newest)
            return self.write(head)
        except SwampsyncError as problem:
            return CheckpointOutcome(newest_known, problem=problem)

    def write(self, head: Position) -> CheckpointOutcome:
        """Write the checkpoint of a commit of the log.

        Raises:
            DataError: The log between the newest checkpoint and the commit is damaged.
        """
        began = self.clock.uptime()
        is_wary = False
        for older in chain(nameable_checkpoints(self.log, at_most=head.seq), (None,)):
            if older is not None and older.position.id == head.id:
                return CheckpointOutcome(head.seq)
            try:
                if is_wary and older is not None:
                    load_checkpoint(self.log, older.checkpoint)
                base, deltas = self._build(older, head)
            except DataError:
                if older is None:
                    raise
                is_wary = True  # a segment is damaged: the checkpoint before may do, but may name it too
                continue
            if self.clock.uptime() - began > MAX_SECONDS:  # what it names may be vacuumed by now
                return CheckpointOutcome(0 if older is None else older.position.seq)
            self.put(head, base=base, deltas=deltas)
            return CheckpointOutcome(head.seq, is_written=True)
        raise AssertionError("without an older checkpoint one is built or an error raised")

    def _build(
        self, older: LoadedCheckpoint | None, head: Position
    ) -> tuple[tuple[SegmentRef, ...], tuple[SegmentRef, ...]]:
        """Upload what a checkpoint of the head names beyond what an older one does."""
        seen = tail(self.log, BEGINNING if older is None else older.position, limit=None)
        if seen.freshness is Freshness.REPLACED:  # a checkpoint that outlived its log
            older, seen = None, tail(self.log, BEGINNING, limit=None)
        return self._put_segments(older, self._collect(seen, head))

    def put(self, head: Position, *, base: tuple[SegmentRef, ...], deltas: tuple[SegmentRef, ...]) -> None:
        """Create a checkpoint's object; whoever was first has described the same state."""
        checkpoint = Checkpoint(
            head,
            self.log.namespace,
            self.tool,
            format_timestamp(self.clock.now()),
            base=base,
            deltas=deltas,
        )
        try:
            self.log.store.put(self.log.layout.checkpoint_key(head.seq), encode_checkpoint(checkpoint), Create())
        except ObjectExists:
            return

    def _collect(self, seen: Tail, head: Position) -> Overlay:
        """Take in the commits of a tail up to the head."""
        changes = Overlay()
        last = seen.position
        until = replace(seen, entries=tuple(entry for entry in seen.entries if entry.seq <= head.seq))
        for published in until.commits():
            commit = published.commit
            last = Position.of(published)
            if commit.is_tombstone:
                changes.clear()
            for row in self.log.rows(commit):
                changes.add(row)
        if last.id != head.id:
            key = self.log.layout.log_key(head.seq).text
            raise DataError(f"commit `{key}` is `{last.id}` and not `{head.id}`", key=key)
        return changes

    def _put_segments(
        self, older: LoadedCheckpoint | None, changes: Overlay
    ) -> tuple[tuple[SegmentRef, ...], tuple[SegmentRef, ...]]:
        """Upload what changed as a delta, with the older deltas folded in or as a new base; return what to name."""
        if older is None or changes.voids_base:
            return self.log.put_segments(changes.base_lines(()), new_id=self.new_id), ()
        base, deltas = older.checkpoint.base, older.checkpoint.deltas
        base_bytes = sum(ref.size for ref in base)
        packed = self._pack(changes)
        delta_bytes = sum(ref.size for ref in deltas) + sum(ref.size for ref, _ in packed)
        folded: Overlay | None = None
        if len(deltas) + len(packed) > MAX_DELTAS or delta_bytes * BASE_SHARE > base_bytes:
            folded = older.overlay()
            for row in changes.replay():
                folded.add(row)
        if folded is not None and delta_bytes * BASE_SHARE <= base_bytes:
            packed, deltas = self._pack(folded), ()
        if folded is not None and (delta_bytes * BASE_SHARE > base_bytes or len(packed) > MAX_DELTAS):
            return self.log.put_segments(folded.base_lines(older.base_rows()), new_id=self.new_id), ()
        return base, deltas + tuple(self.log.put_segment(ref, body) for ref, body in packed)

    def _pack(self, overlay: Overlay) -> list[tuple[SegmentRef, bytes]]:
        return list(pack_segments(overlay.delta_lines(), new_id=self.new_id, target_bytes=DELTA_TARGET_BYTES))
