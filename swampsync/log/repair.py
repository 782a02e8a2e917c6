"""Repair: rebuilding commits that are missing or damaged.

What a lost commit did is what a later checkpoint knows and the readable commits do not explain. After the newest
checkpoint there is only what lies in the bucket: whole versions and files that no commit ever named. A rebuilt commit
takes the id that its follower names as parent, so that the chain is whole again and a reader who had applied the
original notices nothing. What was removed by a lost commit that no checkpoint saw comes back: when unsure, keep.

A damaged commit is the one object whose key is written a second time, by whoever has seen the plan and agreed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from swampsync.artifacts.tree import no_check
from swampsync.backends.base import (
    Create,
    ETag,
    IfMatch,
    NotSupported,
    ObjectExists,
    Overwrite,
    PreconditionFailed,
)
from swampsync.clock import Clock, format_timestamp
from swampsync.errors import Refused
from swampsync.layout import ObjectKey
from swampsync.log.commit import MAX_INLINE_ENTRIES, Commit, CommitDraft, SegmentRef, make_commit
from swampsync.log.commit_json import encode_commit
from swampsync.log.examine import Examination, Found, examine, replay
from swampsync.log.log import Log
from swampsync.log.lost_objects import ArtifactReader, LostObjects
from swampsync.log.paths import RAW_FILE
from swampsync.log.rows import ArtifactRow, FilePut, Removal, Row
from swampsync.log.segments import row_to_line
from swampsync.log.state import NamespaceState
from swampsync.log.tail import Position
from swampsync.log.verify import compared_checkpoints, find_commit_problem


@dataclass(frozen=True, slots=True)
class RebuiltCommit:
    """A commit to be put where one is missing or damaged.

    Args:
        key: Of the commit.
        seq: Its number.
        commit_id: The id that it must have.
        parent: The id of the commit before it.
        draft: What it does, as far as that can be known.
        etag: Of the damaged object; `None` if there is none.
        source: Where the rows come from, for people.
    """

    key: ObjectKey
    seq: int
    commit_id: str
    parent: str | None
    draft: CommitDraft
    etag: ETag | None
    source: str


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """What a repair would do.

    Args:
        rebuilt: Commits to put, oldest first.
        checkpoints: Keys of checkpoints that cannot be read, or say something else than the commits, to be removed;
            whoever finds one due writes a new one.
        notes: What cannot be rebuilt, and what comes back although it may have been removed.
    """

    rebuilt: tuple[RebuiltCommit, ...]
    checkpoints: tuple[ObjectKey, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signs rebuilt commits; see `CommitDraft`."""

    repo_id: str
    author: str
    tool: str


def make_repair_plan(
    log: Log,
    read_artifact: ArtifactReader,
    *,
    signature: Signature,
    new_id: Callable[[], str],
    known: Position | None = None,
) -> RepairPlan:
    """Plan a repair; reads the whole log, and the objects that a lost commit after the newest checkpoint may have put.

    Args:
        log: Whose.
        read_artifact: See `ArtifactReader`.
        signature: Who signs.
        new_id: Makes ids of commits that nobody remembers.
        known: How far the clone that repairs had applied the log: the newest commit's id may stand nowhere else.

    Raises:
        Refused: The listing is not complete, or two readable commits contradict each other.
        UnknownFormat: Part of the log can be read by a newer version only.
    """
    examination = examine(log)
    _refuse_broken_chain(examination)
    ids = _assign_ids(examination, new_id, known)
    damaged = [entry for entry in examination.found if _is_damaged(entry, examination)]
    rows: dict[int, list[Row]] = {entry.seq: [] for entry in damaged}
    sources = {entry.seq: "nothing is known of it" for entry in damaged}
    notes: list[str] = []
    waiting: list[Found] = []
    differing: set[int] = set()
    compared = compared_checkpoints(examination)
    state = NamespaceState()
    for entry, after, is_known in replay(examination):
        state = after
        if entry.seq in rows:
            waiting.append(entry)
        if is_known and entry.seq in compared and examination.anchor_state(entry.seq) != after:
            differing.add(entry.seq)
        if waiting and entry.seq in examination.anchors:
            seq = waiting[-1].seq
            rows[seq] = list(_difference(after, examination.anchor_state(entry.seq)))
            sources[seq] = f"checkpoint of commit {entry.seq}"
            state = examination.anchor_state(entry.seq)
            waiting.clear()
    if waiting:
        seq = waiting[-1].seq
        finder = LostObjects(examination, state, read_artifact)
        rows[seq] = list(finder.find(between=(waiting[0].seq, waiting[-1].seq)))
        sources[seq] = "objects that no commit names"
        notes = [*finder.notes, f"what commit {seq} removed cannot be known and exists again"]
    rebuilt = tuple(
        RebuiltCommit(
            log.layout.log_key(entry.seq),
            entry.seq,
            ids[entry.seq],
            ids.get(entry.seq - 1),
            _draft_of(entry, rows[entry.seq], signature),
            entry.etag,
            sources[entry.seq],
        )
        for entry in damaged
    )
    checkpoints = tuple(map(log.layout.checkpoint_key, sorted(examination.unreadable.keys() | differing)))
    return RepairPlan(rebuilt, checkpoints, tuple(notes))


def apply_repair_plan(
    log: Log, plan: RepairPlan, *, clock: Clock, new_id: Callable[[], str], check: Callable[[], None] = no_check
) -> list[Commit]:
    """Put the rebuilt commits, oldest first, then remove bad checkpoints; one that broke off is planned anew.

    Args:
        log: Whose.
        plan: From `make_repair_plan`.
        clock: Dates the commits.
        new_id: Makes names of segments.
        check: Called before each write; raises to stop there.

    Raises:
        ObjectExists: Somebody else has put a missing one meanwhile.
        PreconditionFailed: Somebody else has replaced a damaged one meanwhile.
    """
    done: list[Commit] = []
    for rebuilt in plan.rebuilt:
        segments: tuple[SegmentRef, ...] = ()
        if rebuilt.draft.counts.total > MAX_INLINE_ENTRIES:
            segments = log.put_segments(map(row_to_line, rebuilt.draft.rows()), new_id=new_id)
        commit = make_commit(
            rebuilt.draft,
            seq=rebuilt.seq,
            commit_id=rebuilt.commit_id,
            parent=rebuilt.parent,
            namespace=log.namespace,
            at=format_timestamp(clock.now()),
            segments=segments,
        )
        check()
        _put(log, rebuilt, encode_commit(commit))
        done.append(commit)
    # Last, so that whoever dies before them has not taken away what the commits were rebuilt from.
    for key in plan.checkpoints:
        check()
        log.store.delete(key)
    return done


def _put(log: Log, rebuilt: RebuiltCommit, body: bytes) -> None:
    try:
        if rebuilt.etag is None:
            log.store.put(rebuilt.key, body, Create())
        else:
            _replace(log, rebuilt.key, body, rebuilt.etag)
    except (ObjectExists, PreconditionFailed):
        # Clients and proxies repeat requests: it may be what we have put ourselves.
        if log.store.get(rebuilt.key).body != body:
            raise


def _replace(log: Log, key: ObjectKey, body: bytes, etag: ETag) -> None:
    """Replace a damaged commit if it still is the one that was examined.

    Raises:
        PreconditionFailed: It is not; somebody else has repaired it.
    """
    if log.store.capabilities.compare_and_swap:
        with suppress(NotSupported):  # the store tells only now that it cannot
            log.store.put(key, body, IfMatch(etag))
            return
    # Under the structural lock, and nobody but a repair writes over a commit.
    if log.store.head(key).etag != etag:
        raise PreconditionFailed(f"object `{key}` is not what it was", key=key.text)
    log.store.put(key, body, Overwrite())


# --- which commits, under which ids --------------------------------------------------------------------------


def _is_damaged(entry: Found, examination: Examination) -> bool:
    return find_commit_problem(entry, is_before_anchor=entry.seq <= examination.last_anchor) is not None


def _refuse_broken_chain(examination: Examination) -> None:
    for before, entry in zip(examination.found, examination.found[1:], strict=False):
        if before.published is None or entry.published is None:
            continue
        if entry.published.commit.parent != before.published.commit.id:
            key = examination.log.layout.log_key(entry.seq).text
            raise Refused(f"commit `{key}` does not follow commit {before.seq}: two logs were mixed", key=key)


def _assign_ids(examination: Examination, new_id: Callable[[], str], known: Position | None) -> dict[int, str]:
    """Find out, or make up, the id of every commit: its own, its follower's parent, a checkpoint's, a clone's."""
    ids: dict[int, str] = {}
    parent: str | None = None
    for entry in reversed(examination.found):
        anchor = examination.anchors.get(entry.seq)
        if entry.published is not None:
            ids[entry.seq] = entry.published.commit.id
            parent = entry.published.commit.parent
            continue
        remembered = known.id if known is not None and known.seq == entry.seq else ""
        ids[entry.seq] = parent or (anchor.position.id if anchor is not None else remembered or new_id())
        parent = None
    return ids


def _draft_of(entry: Found, rows: list[Row], signature: Signature) -> CommitDraft:
    header = None if entry.published is None else entry.published.commit
    return CommitDraft(
        "repair" if header is None else header.kind,
        signature.repo_id if header is None else header.repo_id,
        signature.author if header is None else header.author,
        signature.tool if header is None else header.tool,
        put=tuple(row for row in rows if isinstance(row, FilePut)),
        remove=tuple(row.path for row in rows if isinstance(row, Removal)),
        artifacts=tuple(row for row in rows if isinstance(row, ArtifactRow)),
    )


def _difference(state: NamespaceState, anchor: NamespaceState) -> Iterator[Row]:
    """Iterate rows that lead to a checkpoint's state, its memory of numbers and paths once used included."""
    rows = list(state.diff(anchor))
    yield from rows
    led = state.copy()
    for row in rows:
        led.absorb(row)
    for artifact, number in anchor.highest.items():
        if led.highest.get(artifact, 0) < number:
            yield Removal(f"{artifact}/{number}/{RAW_FILE}")
    for path in sorted(anchor.used - led.used):
        yield Removal(path)
