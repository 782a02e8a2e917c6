"""Examining a log: every commit and checkpoint is read, and what cannot be read is noted instead of raised.

The replay is anchored: where a commit cannot be read, the state is unknown up to the next readable checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from swampsync.backends.base import ETag, ObjectInfo, ObjectNotFound
from swampsync.errors import DataError
from swampsync.log.checkpoint import LoadedCheckpoint, list_checkpoints, read_checkpoint
from swampsync.log.commit import PublishedCommit, SegmentRef
from swampsync.log.commit_json import UnknownFormat
from swampsync.log.log import Log, LogEntry
from swampsync.log.paths import SHARED_SUBDIRS
from swampsync.log.state import NamespaceState


@dataclass(frozen=True, slots=True)
class Found:
    """What was found at a number of the log.

    Args:
        seq: The number.
        published: The commit, if it can be read.
        error: Why it cannot, or why its rows cannot.
        etag: Of the object, if there is one.
    """

    seq: int
    published: PublishedCommit | None
    error: DataError | None
    etag: ETag | None

    @property
    def is_sound(self) -> bool:
        """Whether commit and rows can be read."""
        return self.error is None


@dataclass(slots=True)
class Examination:
    """All that was found.

    Args:
        log: Whose.
        found: Every number from the beginning of this life to the newest that anything knows of.
        anchors: Readable checkpoints, by number.
        unreadable: Why the other checkpoints cannot be read, by number.
    """

    log: Log
    found: list[Found] = field(default_factory=list)
    anchors: dict[int, LoadedCheckpoint] = field(default_factory=dict)
    unreadable: dict[int, DataError] = field(default_factory=dict)

    @property
    def last_anchor(self) -> int:
        """The number of the newest readable checkpoint; 0 for none."""
        return max(self.anchors, default=0)

    def anchor_state(self, seq: int) -> NamespaceState:
        """Read the state that a checkpoint describes."""
        anchor = self.anchors[seq]
        return NamespaceState.from_rows(anchor.rows(), seq=seq, commit_id=anchor.position.id)


def examine(log: Log) -> Examination:
    """Read a whole log.

    Raises:
        UnknownFormat: Part of it can be read by a newer version only; nothing is known to be wrong with it.
        Unavailable: The store cannot be reached; nothing is known.
    """
    examination = Examination(log)
    sound: set[SegmentRef] = set()
    for entry in list_checkpoints(log):
        try:
            checkpoint = read_checkpoint(log, entry.seq)
            # Checkpoints share most of their segments: each is read once here, and none is held.
            for ref, _ in log.read_segments(ref for ref in checkpoint.segments if ref not in sound):
                sound.add(ref)
            examination.anchors[entry.seq] = LoadedCheckpoint(checkpoint, log, {})
        except UnknownFormat:
            raise
        except ObjectNotFound:
            continue
        except DataError as error:
            examination.unreadable[entry.seq] = error
    entries = {entry.seq: entry for entry in log.list_commits(0)}
    last = max([*entries, examination.last_anchor], default=0)
    for found in log.side_by_side(lambda seq: _look_at(log, seq, entries.get(seq)), range(1, last + 1)):
        if found.published is not None and found.published.commit.is_tombstone:
            examination.found.clear()
        examination.found.append(found)
    first = examination.found[0].seq if examination.found else 1
    for seq in [seq for seq in examination.anchors if seq < first]:
        del examination.anchors[seq]  # of a former life
    return examination


def list_objects(log: Log) -> dict[str, ObjectInfo]:
    """List every file's object, by path relative to the namespace."""
    offset = len(log.layout.prefix_of(""))
    return {info.key.text[offset:]: info for directory in SHARED_SUBDIRS for info in log.list_objects(directory)}


def replay(examination: Examination) -> Iterator[tuple[Found, NamespaceState, bool]]:
    """Replay what can be read; yield each commit with the state after it, and whether that is known.

    The same state is changed and yielded again and again; where it is unknown it lacks what could not be read.
    """
    state = NamespaceState()
    is_known = True
    for entry in examination.found:
        if entry.published is not None and entry.is_sound:
            commit = entry.published.commit
            if commit.is_tombstone:
                is_known = True
            state.apply(commit, examination.log.rows(commit))
        else:
            is_known = False
        yield entry, state, is_known
        if not is_known and entry.seq in examination.anchors:
            state = examination.anchor_state(entry.seq)
            is_known = True


def _look_at(log: Log, seq: int, entry: LogEntry | None) -> Found:
    try:
        published = log.read_commit(seq)
    except UnknownFormat:
        raise
    except ObjectNotFound:
        key = log.layout.log_key(seq).text
        return Found(seq, None, DataError(f"commit `{key}` is missing from the log", key=key), None)
    except DataError as error:
        return Found(seq, None, error, None if entry is None else entry.etag)
    try:
        for _ in log.rows(published.commit):
            pass
    except DataError as error:
        return Found(seq, published, error, published.etag)
    return Found(seq, published, None, published.etag)
