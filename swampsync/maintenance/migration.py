"""Moving a tree between the un-namespaced place and a namespace of the same directory: plan, then rename.

Nothing is copied: source and target lie in one datastore. Whole directories are renamed, as high up as the target
has none of the name, so that an artifact arrives whole; only where both sides have a directory is it merged file by
file. A file that lies on both sides with equal bytes is removed at the source; with other bytes it stops the whole
plan before anything moves. Killed at any point, the same plan made again goes on with what is left.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field

from swampsync.disk import Disk, Kind, exists
from swampsync.errors import Conflict, printable
from swampsync.layout import Layout
from swampsync.maintenance.relocate import files_equal, is_directory, is_internal, prune_empty


@dataclass(frozen=True, slots=True)
class MigrationStep:
    """One rename, or the removal of a file that the target has already.

    Args:
        source: Path of a file, a link or a whole directory.
        target: Path that it gets.
        is_duplicate: Whether the target has the same bytes, so that the source is only removed.
    """

    source: str
    target: str
    is_duplicate: bool = False


@dataclass(frozen=True, slots=True)
class DirectoryShare:
    """What one subdirectory of the datastore contributes; sizes in bytes."""

    subdir: str
    source: str
    destination: str
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """What a migration will do, in order."""

    steps: tuple[MigrationStep, ...]
    directories: tuple[DirectoryShare, ...]

    @property
    def files(self) -> int:
        """Files that move, duplicates among them."""
        return sum(share.files for share in self.directories)

    @property
    def size(self) -> int:
        """Their bytes."""
        return sum(share.size for share in self.directories)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to do."""
        return not self.steps


@dataclass(slots=True)
class _Subtree:
    """What lies below one directory."""

    steps: list[MigrationStep] = field(default_factory=list)
    files: int = 0
    size: int = 0
    is_whole: bool = True


def plan_migration(disk: Disk, source: Layout, target: Layout) -> MigrationPlan:
    """Find what has to move from one layout of a directory to another; writes nothing.

    Local-only and excluded paths stay, and so do locks, temporary files and the local databases.

    Raises:
        Conflict: Both sides have a file of one path with other bytes; up to five are named.
    """
    conflicts: list[str] = []
    steps: list[MigrationStep] = []
    shares: list[DirectoryShare] = []
    for subdir in target.subdirs:
        root, destination = source.datastore_path(subdir), target.datastore_path(subdir)
        if not is_directory(disk, root):
            continue
        found = _plan_directory(disk, source, target, relative=subdir, conflicts=conflicts)
        if found.files:
            steps += found.steps
            shares.append(DirectoryShare(subdir, root, destination, found.files, found.size))
    if conflicts:
        shown = ", ".join(f"`{printable(path)}`" for path in conflicts[:5]) + (" …" if len(conflicts) > 5 else "")
        files = "1 file lies" if len(conflicts) == 1 else f"{len(conflicts)} files lie"
        raise Conflict(
            f"{files} on both sides with other content: {shown}; nothing was moved",
            hint="look at both with: swamp data versions MODEL NAME, and delete or rename one of them",
        )
    return MigrationPlan(tuple(steps), tuple(shares))


def _plan_directory(disk: Disk, source: Layout, target: Layout, *, relative: str, conflicts: list[str]) -> _Subtree:
    found = _Subtree()
    here, there = source.datastore_path(relative), target.datastore_path(relative)
    for entry in sorted(disk.scandir(here), key=lambda entry: entry.name):
        path = posixpath.join(relative, entry.name)
        if is_internal(entry.name) or target.is_local(path):
            found.is_whole = False
        elif entry.kind is Kind.DIRECTORY:
            below = _plan_directory(disk, source, target, relative=path, conflicts=conflicts)
            found.is_whole = found.is_whole and below.is_whole
            found.steps += below.steps
            found.files += below.files
            found.size += below.size
        else:
            size = disk.stat(posixpath.join(here, entry.name)).size if entry.kind is Kind.FILE else 0
            step = _plan_file(disk, posixpath.join(here, entry.name), posixpath.join(there, entry.name))
            if step is None:
                conflicts.append(path)
                continue
            found.steps.append(step)
            found.files += 1
            found.size += size
    # A directory without a file is none of ours to move; one that the target has is merged.
    found.is_whole = found.is_whole and found.files > 0 and not exists(disk, there)
    if found.is_whole:
        found.steps = [MigrationStep(here, there)]
    return found


def _plan_file(disk: Disk, source: str, target: str) -> MigrationStep | None:
    try:
        existing = disk.stat(target)
    except (FileNotFoundError, NotADirectoryError):
        return MigrationStep(source, target)
    mine = disk.stat(source)
    if mine.kind is existing.kind is Kind.FILE and mine.size == existing.size and files_equal(disk, source, target):
        return MigrationStep(source, target, is_duplicate=True)
    return None


def apply_migration(
    disk: Disk,
    plan: MigrationPlan,
    *,
    base: str,
    check: Callable[[], None],
    progress: Callable[[int, int | None], None],
) -> None:
    """Do what the plan says; durable when this returns.

    Args:
        disk: Where the datastore lies.
        plan: From `plan_migration`, made under the same locks.
        base: The datastore's directory, for flushing.
        check: Called before each step; raises if a lock was lost.
        progress: Called with the steps done and their number.

    Raises:
        LeaseLost: A lock was lost; what is left can be moved by another run.
    """
    for parent in dict.fromkeys(posixpath.dirname(step.target) for step in plan.steps):
        disk.makedirs(parent)
    for done, step in enumerate(plan.steps, start=1):
        check()
        if not step.is_duplicate:
            disk.rename(step.source, step.target)
        elif files_equal(disk, step.source, step.target):
            disk.unlink(step.source)
        progress(done, len(plan.steps))
    for share in plan.directories:
        if is_directory(disk, share.source):
            prune_empty(disk, share.source)
    disk.sync_filesystem(base)
