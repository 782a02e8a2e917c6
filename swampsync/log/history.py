"""History: who changed what, what was true then, and what can be brought back.

Times are the store's, which go up with the numbers; those that writers put into commits are for people.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from swampsync.backends.base import ObjectNotFound
from swampsync.errors import NotFound
from swampsync.log.checkpoint import readable_checkpoints
from swampsync.log.commit import PublishedCommit
from swampsync.log.log import Log
from swampsync.log.paths import version_files
from swampsync.log.rows import ArtifactRow, FilePut
from swampsync.log.state import NamespaceState
from swampsync.log.tail import BEGINNING, Freshness, tail


def iterate_history(
    log: Log, *, head: int, path: str | None = None, since: datetime | None = None
) -> Iterator[PublishedCommit]:
    """Iterate commits, newest first; reads as far as is consumed.

    Args:
        log: Whose.
        head: The newest commit's number.
        path: Only commits that put or removed this path or something below it; an artifact's path finds all of its
            versions.
        since: Only those published at or after this time.

    Raises:
        DataError: A commit or segment is missing or damaged.
    """
    for published in log.read_commits(range(head, 0, -1)):
        moment = published.published_at
        if since is not None and moment is not None and moment < since:
            return
        if path is None or _touches(log, published, path.rstrip("/")):
            yield published
        if published.commit.is_tombstone:
            return


def find_commit_at(log: Log, moment: datetime, *, head: int) -> int:
    """Return the number of the newest commit published at or before a time; 0 if the log began later.

    Takes about as many requests as the number has binary digits.
    """
    low, high = 0, head
    while low < high:
        middle = (low + high + 1) // 2
        try:
            is_before = log.store.head(log.layout.log_key(middle)).modified_at <= moment
        except ObjectNotFound:  # of a former life
            is_before = True
        low, high = (middle, high) if is_before else (low, middle - 1)
    return low


def read_state_at(log: Log, seq: int) -> NamespaceState:
    """Read the state at a commit into memory.

    Raises:
        NotFound: The log does not reach so far.
        DataError: A commit or segment in between is missing or damaged.
    """
    if seq == 0:
        return NamespaceState()
    for checkpoint in readable_checkpoints(log, at_most=seq):
        seen = tail(log, checkpoint.position, limit=None)
        if seen.freshness is not Freshness.REPLACED:
            start = checkpoint.position
            state = NamespaceState.from_rows(checkpoint.rows(), seq=start.seq, commit_id=start.id)
            break
    else:
        seen, state = tail(log, BEGINNING, limit=None), NamespaceState()
    if state.seq == seq:
        return state
    for published in seen.commits():
        state.apply(published.commit, log.rows(published.commit))
        if published.commit.seq == seq:
            return state
    raise NotFound(f"the log has no commit {seq}: its newest is {state.seq}", hint="swamp datastore log")


@dataclass(frozen=True, slots=True)
class Undelete:
    """Something that existed and does not any more.

    Args:
        path: Of the file; of a version its directory.
        content: What is known of the content; its `object_path` says where it still lies.
        artifact: A version's metadata.
        is_whole: Whether the objects are still there; what vacuum took cannot be brought back.
    """

    path: str
    content: FilePut
    artifact: ArtifactRow | None
    is_whole: bool


def plan_undelete(log: Log, *, then: NamespaceState, now: NamespaceState, path: str = "") -> list[Undelete]:
    """Find what existed at an earlier commit, does not now, and whether its objects are still there.

    Objects may be vacuumed at any moment: whoever brings something back reads its content and puts it again under keys
    of its own, as with any other push.

    Args:
        log: Whose.
        then: The earlier state.
        now: The state at the head.
        path: Only this path and what is below it.
    """
    found: list[tuple[str, FilePut, ArtifactRow | None]] = []
    versions: set[str] = set()
    for row in then.artifacts():
        directory = f"{row.artifact}/{row.version}"
        _, raw = version_files(directory)
        file = then.files.get(raw)
        if file is None or now.exists(row.path) or not _is_below(directory, path):
            continue
        versions.add(raw)
        found.append((directory, FilePut(raw, *file), row))
    for name, file in then.files.items():
        if name not in versions and not now.exists(name) and _is_below(name, path):
            found.append((name, FilePut(name, *file), None))
    found.sort(key=lambda entry: entry[0])
    are_there = log.side_by_side(lambda entry: _is_there(log, entry[1]), found)
    return [Undelete(*entry, is_whole=is_whole) for entry, is_whole in zip(found, are_there, strict=True)]


def _is_there(log: Log, content: FilePut) -> bool:
    try:
        return log.store.head(log.layout.key(content.object_path)).size == content.size
    except ObjectNotFound:
        return False


def _touches(log: Log, published: PublishedCommit, path: str) -> bool:
    return any(_is_below(row.path, path) for row in log.rows(published.commit))


def _is_below(path: str, directory: str) -> bool:
    return not directory or path == directory or path.startswith(f"{directory}/")
