"""Moving the files of a repo's datastore tier from one place to another: copy, verify, then clean up.

The order makes it safe to kill at any point: nothing is removed at the source before everything lies, verified
and durable, at the target and the caller has written the configuration that points there. Running it again
finds what is already there and goes on.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from swampsync.disk import Disk, Kind, WriteMode
from swampsync.errors import Conflict, DataError
from swampsync.layout import Layout

CHUNK_BYTES: Final = 1 << 20

# Never moved: the local databases that swamp's own set-up litters datastores with, locks, and temporary files.
_LOCAL_PREFIXES: Final = ("_catalog.db", "_sync.db", "_sync.lock")


@dataclass(frozen=True, slots=True)
class FileMove:
    """One file to move; `is_present` if the target already has the same bytes."""

    relative: str
    source: str
    target: str
    size: int
    is_present: bool = False


@dataclass(frozen=True, slots=True)
class RelocationPlan:
    """What a relocation will do.

    Args:
        moves: Every file, in a stable order.
        directories: The subdirectories that exist at the source.
        problems: Files that are left where they are, with the reason.
    """

    moves: tuple[FileMove, ...]
    directories: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]

    @property
    def size(self) -> int:
        """Bytes that will be copied."""
        return sum(move.size for move in self.moves if not move.is_present)


def plan_relocation(disk: Disk, source: Layout, target: Layout) -> RelocationPlan:
    """Find what has to move from one layout to another; writes nothing.

    Raises:
        Conflict: A file of the same path with other bytes is at the target already; all of them are named.
    """
    moves: list[FileMove] = []
    problems: list[tuple[str, str]] = []
    directories: list[str] = []
    conflicts: list[str] = []
    for subdir in target.subdirs:
        root = source.resolve(subdir)
        if not is_directory(disk, root):
            continue
        directories.append(subdir)
        for relative, kind in walk_files(disk, root):
            path = posixpath.join(subdir, relative)
            if target.is_local(path) or source.resolve(path) == target.resolve(path):
                continue
            if kind is not Kind.FILE:
                problems.append((posixpath.join(root, relative), "is neither a file nor a directory"))
                continue
            move = _plan_file(disk, path, posixpath.join(root, relative), target.resolve(path))
            if move is None:
                conflicts.append(path)
            else:
                moves.append(move)
    if conflicts:
        shown = ", ".join(f"`{path}`" for path in conflicts[:5]) + (" …" if len(conflicts) > 5 else "")
        raise Conflict(
            f"{len(conflicts)} files exist at the target with other content: {shown}",
            hint="choose a namespace of your own there: --namespace NAME",
        )
    return RelocationPlan(tuple(moves), tuple(directories), tuple(problems))


def walk_files(disk: Disk, root: str) -> Iterator[tuple[str, Kind]]:
    """Yield what lies below a directory, relative to it, in order; links are not followed.

    Locks, temporary files and the local databases are left out.
    """
    pending = [""]
    while pending:
        relative = pending.pop()
        children = sorted(disk.scandir(posixpath.join(root, relative)), key=lambda entry: entry.name, reverse=True)
        below: list[str] = []
        for entry in children:
            path = posixpath.join(relative, entry.name)
            if entry.kind is Kind.DIRECTORY:
                below.append(path)
            elif not is_internal(entry.name):
                yield path, entry.kind
        pending += below


def holds_files(disk: Disk, root: str) -> bool:
    """Say whether anything but locks, temporary files and local databases lies below a directory."""
    return is_directory(disk, root) and next(walk_files(disk, root), None) is not None


def is_internal(name: str) -> bool:
    """Say whether a name is that of a lock, a temporary file or a local database, which never moves."""
    return name.startswith((*_LOCAL_PREFIXES, ".takeover-")) or name == ".lock" or name.endswith(".tmp")


def is_directory(disk: Disk, path: str) -> bool:
    """Say whether a directory is there; a link to one is none."""
    try:
        return disk.stat(path).kind is Kind.DIRECTORY
    except (FileNotFoundError, NotADirectoryError):
        return False


def _plan_file(disk: Disk, relative: str, source: str, target: str) -> FileMove | None:
    size = disk.stat(source).size
    try:
        existing = disk.stat(target)
    except (FileNotFoundError, NotADirectoryError):
        return FileMove(relative, source, target, size)
    if existing.kind is Kind.FILE and existing.size == size and files_equal(disk, source, target):
        return FileMove(relative, source, target, size, is_present=True)
    return None


def files_equal(disk: Disk, one: str, other: str) -> bool:
    """Say whether two files have the same bytes."""
    return _digest(disk, one) == _digest(disk, other)


def _digest(disk: Disk, path: str) -> bytes:
    digest = hashlib.sha256()
    with disk.open_read(path) as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.digest()


def copy_files(
    disk: Disk,
    plan: RelocationPlan,
    *,
    target_root: str,
    check: Callable[[], None],
    progress: Callable[[int, int | None], None],
) -> int:
    """Copy what the plan says, verified and durable when this returns; returns the number of files copied.

    Everything is written under temporary names, flushed, and only then renamed: not even a power cut leaves a torn
    file under a final name, which a second run would take for somebody else's.

    Args:
        disk: Where both ends lie.
        plan: From `plan_relocation`.
        target_root: A directory of the target's file system, for flushing.
        check: Called before each file; raises if the lock was lost.
        progress: Called with the count done and the total.

    Raises:
        DataError: A copy does not have the bytes of its source.
    """
    disk.makedirs(target_root)
    missing = [move for move in plan.moves if not move.is_present]
    for parent in dict.fromkeys(posixpath.dirname(move.target) for move in missing):
        disk.makedirs(parent)
    for done, move in enumerate(missing, start=1):
        check()
        _copy(disk, move)
        progress(done, len(missing))
    disk.sync_filesystem(target_root)
    check()
    for move in missing:
        disk.rename(_temporary(move), move.target)
    disk.sync_filesystem(target_root)
    return len(missing)


def _temporary(move: FileMove) -> str:
    # Always the same name, so that a second run overwrites what a killed one left behind.
    return posixpath.join(posixpath.dirname(move.target), f".{posixpath.basename(move.target)}.moving.tmp")


def _copy(disk: Disk, move: FileMove) -> None:
    digest = hashlib.sha256()
    temporary = _temporary(move)
    with disk.open_read(move.source) as source, disk.open_write(temporary, WriteMode.TRUNCATE) as target:
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            target.write(chunk)
    if _digest(disk, temporary) != digest.digest():
        raise DataError(f"the copy of `{move.relative}` differs from its source", key=move.target)


def clean_source(disk: Disk, plan: RelocationPlan, *, roots: tuple[str, ...], check: Callable[[], None]) -> None:
    """Remove the moved files at the source, and directories that became empty below `roots`.

    A file that changed since it was copied stays.
    """
    for move in plan.moves:
        check()
        try:
            if disk.stat(move.source).size == move.size and files_equal(disk, move.source, move.target):
                disk.unlink(move.source)
        except FileNotFoundError:
            continue
    for root in roots:
        if is_directory(disk, root):
            prune_empty(disk, root)


def prune_empty(disk: Disk, directory: str) -> bool:
    """Remove every directory below and at `directory` that holds nothing; returns whether it went itself."""
    is_empty = True
    for entry in disk.scandir(directory):
        path = posixpath.join(directory, entry.name)
        if entry.kind is not Kind.DIRECTORY or not prune_empty(disk, path):
            is_empty = False
    if is_empty:
        disk.rmdir(directory)
    return is_empty
