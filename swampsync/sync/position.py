"""How far a clone has applied the log of its namespace: read and written, apart from what applies it."""

from __future__ import annotations

from swampsync.backends.base import ETag
from swampsync.catalog.records import Position as KeptPosition
from swampsync.clock import format_timestamp
from swampsync.log.tail import BEGINNING, Position
from swampsync.sync.clone import Clone


def read_position(clone: Clone) -> Position:
    """Return how far the log was applied."""
    kept = clone.state.positions.find(clone.namespace)
    if kept is None or kept.seq == 0:
        return BEGINNING
    return Position(kept.seq, kept.commit_id, ETag(kept.etag) if kept.etag else None)


def was_empty(clone: Clone) -> bool:
    """Say whether the log was looked at before, and nothing was published then."""
    kept = clone.state.positions.find(clone.namespace)
    return kept is not None and kept.seq == 0


def write_position(clone: Clone, position: Position) -> None:
    """Write how far the log was applied, and when."""
    etag = "" if position.etag is None else position.etag.text
    at = format_timestamp(clone.clock.now())
    clone.state.positions.put(KeptPosition(clone.namespace, position.seq, position.id, etag, at))
