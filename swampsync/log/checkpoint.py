"""Checkpoints: the state at a commit, so that nobody has to replay the log from its beginning.

A checkpoint names base segments and up to four delta segments that are laid over them in order. Its key counts
downwards, so that the newest lists first. One that cannot be read is no damage: the one before does, with a longer
tail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

import orjson

from swampsync.backends.base import ETag, ObjectNotFound
from swampsync.errors import DataError
from swampsync.layout import SEQUENCE_DIGITS
from swampsync.log.commit import FORMAT, MAX_COMMIT_BYTES, MAX_SEQ, SegmentRef
from swampsync.log.commit_json import (
    decode_document,
    find_segments_problem,
    is_identifier,
    segments_from_json,
    segments_to_json,
)
from swampsync.log.log import Log
from swampsync.log.overlay import Overlay
from swampsync.log.rows import AnyRow, StateRow
from swampsync.log.segments import unpack_segment
from swampsync.log.tail import Position

MAX_DELTAS: Final = 4
CANDIDATES: Final = 8
_HELD_BYTES: Final = 64 * 1024 * 1024
# Told how many segments were read, of how many, and their bytes.
OnRead = Callable[[int, int, int], None]
_NAME: Final = re.compile(rf"([0-9]{{{SEQUENCE_DIGITS}}})\.json")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint's object says.

    Args:
        position: Of the commit whose state it is.
        namespace: Whose.
        tool: Who wrote it.
        at: When, by the writer's clock, for people.
        base: Segments with one row for everything that exists.
        deltas: Segments laid over them, oldest first; they may hold removals.
    """

    position: Position
    namespace: str
    tool: str
    at: str
    base: tuple[SegmentRef, ...]
    deltas: tuple[SegmentRef, ...]

    @property
    def seq(self) -> int:
        """The commit's number."""
        return self.position.seq

    @property
    def segments(self) -> tuple[SegmentRef, ...]:
        """Everything that must be read."""
        return self.base + self.deltas


@dataclass(frozen=True, slots=True)
class CheckpointEntry:
    """A checkpoint as a listing shows it; times are the store's own."""

    seq: int
    published_at: datetime


@dataclass(frozen=True, slots=True)
class LoadedCheckpoint:
    """A checkpoint whose segments have been found whole.

    Args:
        checkpoint: What it says.
        log: Whose.
        bodies: Its segments as read, compressed; empty if they are too large to be held, and are read on the way.
    """

    checkpoint: Checkpoint
    log: Log
    bodies: dict[str, bytes]

    @property
    def position(self) -> Position:
        """Of the commit whose state it is."""
        return self.checkpoint.position

    def rows(self) -> Iterator[StateRow]:
        """Iterate the state: every file and version once, numbers and paths once used perhaps more often.

        In constant memory but for the deltas, which are at most a quarter of the base.
        """
        overlay = self.overlay()
        yield from overlay.rows(self.base_rows())

    def overlay(self) -> Overlay:
        """Fold the deltas."""
        overlay = Overlay()
        for row in self._rows_of(self.checkpoint.deltas):
            overlay.add(row)
        return overlay

    def base_rows(self) -> Iterator[AnyRow]:
        """Iterate the rows of the base as they are."""
        return self._rows_of(self.checkpoint.base)

    def _rows_of(self, refs: tuple[SegmentRef, ...]) -> Iterator[AnyRow]:
        if self.bodies:
            found: Iterator[tuple[SegmentRef, bytes]] = ((ref, self.bodies[ref.id]) for ref in refs)
        else:
            found = self.log.read_segments(refs)
        for ref, body in found:
            yield from unpack_segment(body, ref, key=self.log.layout.segment_key(ref.id).text)


def _tell_nobody(_read: int, _of: int, _size: int) -> None:
    pass


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Encode a checkpoint canonically."""
    position = checkpoint.position
    return orjson.dumps(
        {
            "format": FORMAT,
            "seq": position.seq,
            "id": position.id,
            "etag": None if position.etag is None else position.etag.text,
            "namespace": checkpoint.namespace,
            "tool": checkpoint.tool,
            "at": checkpoint.at,
            "base": segments_to_json(checkpoint.base),
            "deltas": segments_to_json(checkpoint.deltas),
        }
    )


def decode_checkpoint(body: bytes, *, key: str, seq: int, namespace: str) -> Checkpoint:
    """Decode and check a checkpoint.

    Raises:
        DataError: It is damaged, of an unknown format, or belongs elsewhere.
    """
    document = decode_document(body, what="checkpoint", key=key)
    try:
        checkpoint = _from_json(document)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"checkpoint `{key}` is malformed: {type(error).__name__} {error}", key=key) from error
    problem = find_segments_problem(checkpoint.segments)
    if not is_identifier(checkpoint.position.id):
        problem = "has a malformed id"
    if (checkpoint.seq, checkpoint.namespace) != (seq, namespace):
        problem = f"says that it is number {checkpoint.seq} of namespace `{checkpoint.namespace}`"
    if problem is not None:
        raise DataError(f"checkpoint `{key}` {problem}", key=key)
    return checkpoint


def _from_json(document: dict[str, Any]) -> Checkpoint:
    seq, identifier, etag = document["seq"], document["id"], document["etag"]
    texts = (document["namespace"], document["tool"], document["at"])
    if type(seq) is not int or not 0 < seq < MAX_SEQ or type(identifier) is not str:
        raise ValueError("`seq` or `id`")
    if any(type(text) is not str for text in texts) or (etag is not None and type(etag) is not str):
        raise ValueError("a field that is no text")
    return Checkpoint(
        Position(seq, identifier, None if etag is None else ETag.parse(etag)),
        *texts,
        base=segments_from_json(document["base"]),
        deltas=segments_from_json(document["deltas"]),
    )


def list_checkpoints(log: Log, *, at_most: int | None = None, limit: int | None = None) -> list[CheckpointEntry]:
    """List checkpoints, newest first.

    Args:
        log: Whose.
        at_most: Only those of this commit or an earlier one.
        limit: At most so many.
    """
    prefix = log.layout.prefix_of("_checkpoints")
    start = None if at_most is None else log.layout.checkpoint_key(at_most).text
    entries: list[CheckpointEntry] = []
    for info in islice(log.store.list(prefix, start=start), limit):
        match = _NAME.fullmatch(info.key.text[len(prefix) :])
        if match is not None and info.size <= MAX_COMMIT_BYTES:
            entries.append(CheckpointEntry(10**SEQUENCE_DIGITS - 1 - int(match[1]), info.modified_at))
    return entries


def read_checkpoint(log: Log, seq: int) -> Checkpoint:
    """Read the checkpoint of a commit.

    Raises:
        ObjectNotFound: There is none.
        DataError: It is damaged, or of an unknown format.
    """
    key = log.layout.checkpoint_key(seq)
    return decode_checkpoint(log.store.get(key).body, key=key.text, seq=seq, namespace=log.namespace)


def load_checkpoint(log: Log, checkpoint: Checkpoint, *, on_read: OnRead = _tell_nobody) -> LoadedCheckpoint:
    """Read a checkpoint's segments side by side, so that what is missing shows before the first row is used.

    Raises:
        DataError: One is missing or damaged; its key is named.
    """
    if sum(ref.size for ref in checkpoint.segments) > _HELD_BYTES:
        return LoadedCheckpoint(checkpoint, log, {})
    bodies: dict[str, bytes] = {}
    size = 0
    for ref, body in log.read_segments(checkpoint.segments):
        bodies[ref.id] = body
        size += ref.size
        on_read(len(bodies), len(checkpoint.segments), size)
    return LoadedCheckpoint(checkpoint, log, bodies)


def readable_checkpoints(
    log: Log, *, after: int = 0, at_most: int | None = None, on_read: OnRead = _tell_nobody
) -> Iterator[LoadedCheckpoint]:
    """Iterate the checkpoints that can be read, newest first; what cannot is skipped, eight are tried.

    Args:
        log: Whose.
        after: Only those of later commits than this one.
        at_most: Only those of this commit or an earlier one.
        on_read: See `OnRead`.
    """
    for entry in list_checkpoints(log, at_most=at_most, limit=CANDIDATES):
        if entry.seq <= after:
            return
        try:
            yield load_checkpoint(log, read_checkpoint(log, entry.seq), on_read=on_read)
        except (DataError, ObjectNotFound):
            continue


def nameable_checkpoints(log: Log, *, at_most: int) -> Iterator[LoadedCheckpoint]:
    """Iterate the checkpoints upon which another may be built, newest first, without reading their segments.

    One listing tells that all segments are there in their size; what turns out to be damaged is an error later.
    """
    sizes: dict[str, int] | None = None
    for entry in list_checkpoints(log, at_most=at_most, limit=CANDIDATES):
        try:
            checkpoint = read_checkpoint(log, entry.seq)
        except (DataError, ObjectNotFound):
            continue
        if sizes is None:
            sizes = {info.key.text: info.size for info in log.list_objects("_segments")}
        if all(sizes.get(log.layout.segment_key(ref.id).text) == ref.size for ref in checkpoint.segments):
            yield LoadedCheckpoint(checkpoint, log, {})
