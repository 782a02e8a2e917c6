"""What was removed, and whether it can be brought back.

Objects may be vacuumed at any moment: whoever brings something back reads its content and puts it again under keys of
its own, as with any other push (`sync.restoring`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from swampsync.backends.base import ObjectNotFound
from swampsync.errors import DataError, Refused
from swampsync.log.commit import Commit
from swampsync.log.history import iterate_history, read_state_at
from swampsync.log.log import Log, SegmentMissing
from swampsync.log.paths import METADATA_FILE, RAW_FILE, is_below, parse_version_path, version_files
from swampsync.log.rows import ArtifactRow, FilePut, Removal
from swampsync.log.state import NamespaceState
from swampsync.log.vacuumed import find_oldest_state


@dataclass(frozen=True, slots=True)
class Undelete:
    """Something that existed and does not any more.

    Args:
        path: Of the file; of a version its directory.
        content: What is known of the content; its `object_path` says where it still lies.
        artifact: A version's metadata.
        is_whole: Whether the objects are still there; what vacuum took cannot be brought back.
        removed_by: The commit that removed it, where that was looked for.
    """

    path: str
    content: FilePut
    artifact: ArtifactRow | None
    is_whole: bool = False
    removed_by: Commit | None = None


def plan_undelete(log: Log, *, then: NamespaceState, now: NamespaceState, path: str = "") -> list[Undelete]:
    """Find what existed at an earlier commit, does not now, and whether its objects are still there.

    Args:
        log: Whose.
        then: The earlier state.
        now: The state at the head.
        path: Only this path and what is below it.
    """
    return look_for_objects(log, find_missing(then=then, now=now, wants=lambda found: is_below(found, path)))


def find_missing(*, then: NamespaceState, now: NamespaceState, wants: Callable[[str], bool]) -> list[Undelete]:
    """Find what existed at an earlier commit and does not now; makes no request.

    Args:
        then: The earlier state.
        now: The state at the head.
        wants: Says of a file's path, or of the directory of a version, whether it is asked for.
    """
    found: list[Undelete] = []
    versions: set[str] = set()
    for row in then.artifacts():
        directory = f"{row.artifact}/{row.version}"
        _, raw = version_files(directory)
        file = then.files.get(raw)
        if file is None or now.exists(row.path):
            continue
        versions.add(raw)
        if wants(directory):
            found.append(Undelete(directory, FilePut(raw, *file), row))
    for name, file in then.files.items():
        if name not in versions and not now.exists(name) and wants(name):
            found.append(Undelete(name, FilePut(name, *file), None))
    return sorted(found, key=lambda entry: entry.path)


def _pass_over(_seq: int) -> None:
    pass


def find_removed(
    log: Log,
    *,
    now: NamespaceState,
    since: datetime | None,
    wants: Callable[[str], bool],
    on_gone: Callable[[int], None] = _pass_over,
) -> list[Undelete]:
    """Find what the newest commit that removed something of it took from each artifact, and each file that was removed.

    What exists again does not count, so that looking once more afterwards finds what was removed before that.

    Args:
        log: Whose.
        now: The state at the head.
        since: How far back to look.
        wants: See `find_missing`; of a version it is asked with its directory.
        on_gone: Told the number of a commit before which what was removed was vacuumed and cannot be looked up.

    Raises:
        DataError: A commit or segment is missing or damaged.
    """
    newest: dict[str, int] = {}
    taken: dict[int, set[str]] = {}
    commits: dict[int, Commit] = {}
    for published in iterate_history(log, head=now.seq, since=since):
        commit = published.commit
        for row in _removals(log, commit, on_gone):
            if now.exists(row.path):
                continue
            version = parse_version_path(row.path)
            if not wants(row.path if version is None else version.directory):
                continue
            unit = row.path if version is None else version.artifact
            if newest.setdefault(unit, commit.seq) == commit.seq:
                taken.setdefault(commit.seq, set()).add(row.path)
                commits[commit.seq] = commit
    return sorted(_recall(log, taken, commits, on_gone), key=lambda entry: entry.path)


def _removals(log: Log, commit: Commit, on_gone: Callable[[int], None]) -> Iterable[Removal]:
    """Return what a commit removed; nothing if vacuum has taken that, and so the contents too."""
    if not commit.counts.remove:
        return ()
    try:
        return [row for row in log.rows(commit) if isinstance(row, Removal)]
    except SegmentMissing:
        oldest = find_oldest_state(log, after=commit.seq - 1)
        if oldest is None:
            raise
        on_gone(oldest)
        return ()


def _recall(
    log: Log, taken: dict[int, set[str]], commits: dict[int, Commit], on_gone: Callable[[int], None]
) -> Iterable[Undelete]:
    """Replay the log up to before each removal, once, and note what was there."""
    if not taken:
        return
    first, last = min(taken), max(taken)
    try:
        state = read_state_at(log, first - 1)
    except SegmentMissing:
        # A shorter horizon was vacuumed than is looked back: what was removed before its beginning is gone.
        oldest = find_oldest_state(log, after=first - 1)
        if oldest is None:
            raise
        on_gone(oldest)
        yield from _recall(log, {seq: paths for seq, paths in taken.items() if seq > oldest}, commits, on_gone)
        return
    for published in log.read_commits(range(first, last + 1)):
        seq = published.commit.seq
        for path in sorted(taken.get(seq, ())):
            yield from _what_was(state, path, commits[seq])
        state.apply(published.commit, log.rows(published.commit))


def _what_was(state: NamespaceState, path: str, commit: Commit) -> Iterable[Undelete]:
    version = parse_version_path(path)
    if version is not None and version.file == METADATA_FILE:
        row, file = state.artifact(path), state.files.get(version_files(version.directory)[1])
        if row is not None and file is not None:
            content = FilePut(version_files(version.directory)[1], *file)
            yield Undelete(version.directory, content, row, removed_by=commit)
    elif version is None or version.file != RAW_FILE:
        file = state.files.get(path)
        if file is not None:
            yield Undelete(path, FilePut(path, *file), None, removed_by=commit)


def look_for_objects(log: Log, found: Iterable[Undelete]) -> list[Undelete]:
    """Ask the store, side by side, whether the contents are still there."""
    entries = list(found)
    are_there = log.side_by_side(lambda entry: _is_there(log, entry.content), entries)
    return [replace(entry, is_whole=is_whole) for entry, is_whole in zip(entries, are_there, strict=True)]


def require_whole(found: Iterable[Undelete], *, shown: int = 3) -> None:
    """Make sure that all contents are still there.

    Raises:
        DataError: Some are gone; they are named.
    """
    gone = [entry.path for entry in found if not entry.is_whole]
    if gone:
        more = f", and {len(gone) - shown} more" if len(gone) > shown else ""
        raise DataError(
            f"the content of {', '.join(f'`{path}`' for path in gone[:shown])}{more} is gone: it was vacuumed",
            hint="--skip-missing brings back the others",
            key=gone[0],
        )


def require_room(found: Iterable[Undelete], *, now: NamespaceState) -> None:
    """Make sure that no file comes back where a directory is now, or the other way round.

    Raises:
        Refused: One would.
    """
    directories: set[str] = set()
    for path in now.files:
        parts = path.split("/")
        directories.update("/".join(parts[:end]) for end in range(1, len(parts)))
    for entry in found:
        parents = entry.path.split("/")
        above = next((p for p in ("/".join(parents[:end]) for end in range(2, len(parents))) if now.exists(p)), None)
        if above is not None or (entry.artifact is None and entry.path in directories):
            there = f"file `{above}`" if above is not None else "directory of that name"
            raise Refused(
                f"`{entry.path}` cannot come back: there is a {there} now",
                hint="rename that first, or name what else to bring back",
                key=entry.path,
            )


def _is_there(log: Log, content: FilePut) -> bool:
    try:
        return log.store.head(log.layout.key(content.object_path)).size == content.size
    except ObjectNotFound:
        return False
