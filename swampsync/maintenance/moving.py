"""Moving a repo's data from one place to another: look, carry, verify; and, once the new place is used, clean up.

Every step goes through the source once and holds nothing of it. The order makes a kill at any point harmless: nothing
is removed at the source before everything lies verified and durable at the target and the configuration points there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from swampsync.artifacts.scan import LATEST_NAME, METADATA_NAME, RAW_NAME
from swampsync.backends.s3_pieces import count_writes
from swampsync.disk import Disk, Kind
from swampsync.errors import DataError
from swampsync.layout import Layout
from swampsync.maintenance.moving_copies import digest_of
from swampsync.maintenance.moving_items import FileItem, MoveSource, MoveTally, MoveTarget
from swampsync.maintenance.relocate import is_directory, prune_empty
from swampsync.namespace import DATASTORE_SUBDIRS

Progress = Callable[[int, int | None], None]
# Says by a relative path where it goes: into the datastore, or, if it is excluded there, into the repo.
TargetOf = Callable[[str], MoveTarget]

_SHOWN: Final = 5


@dataclass(slots=True)
class MovePlan:
    """What there is to move.

    Attributes:
        artifacts: How many artifacts.
        versions: How many versions they have.
        others: How many other files.
        size: Bytes of all content.
        requests: How many objects it takes, each in one request or, if it is large, in parts.
        directories: The subdirectories that hold something.
        problems: Path and reason of what cannot move.
    """

    artifacts: int = 0
    versions: int = 0
    others: int = 0
    size: int = 0
    requests: int = 0
    directories: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)

    @property
    def items(self) -> int:
        """Versions and other files."""
        return self.versions + self.others

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing, not even something that cannot move."""
        return not self.items and not self.problems and not self.directories


def plan_move(source: MoveSource, *, into_bucket: bool) -> MovePlan:
    """Look at everything that would move; writes nothing.

    Args:
        source: Where it is.
        into_bucket: Whether it goes to a bucket, which takes whole versions only; a directory takes files as they are.
    """
    plan = MovePlan()
    for item in source.artifacts():
        if into_bucket:
            plan.problems.extend(item.damaged)
        plan.artifacts += 1
        plan.versions += len(item.versions)
        _note(plan, "data")
        for version in item.versions:
            plan.size += version.size + len(version.text)
            plan.requests += 1 + count_writes(version.size)
    for file in source.files():
        if into_bucket and file.is_stray:
            plan.problems.append((file.path, "lies in `data/` and is part of no whole version"))
        plan.others += 1
        plan.size += file.size
        plan.requests += count_writes(file.size)
        _note(plan, file.relative.partition("/")[0])
    plan.problems += source.problems
    plan.directories.sort(key=DATASTORE_SUBDIRS.index)
    return plan


def _note(plan: MovePlan, directory: str) -> None:
    if directory not in plan.directories:
        plan.directories.append(directory)


def carry(
    source: MoveSource,
    target_of: TargetOf,
    tally: MoveTally,
    *,
    on_item: Callable[[int], None],
) -> None:
    """Carry everything over; what cannot be carried is noted and keeps nothing else.

    Args:
        source: Where it is.
        target_of: Says by relative path where it goes.
        tally: Counts what happens.
        on_item: Told how many versions or files were taken.
    """
    for item in source.artifacts():
        try:
            target_of(item.relative).take_artifact(item)
        except OSError as error:
            tally.problems.append((item.path, error.strerror or str(error)))
        on_item(len(item.versions))
    for file in source.files():
        try:
            target_of(file.relative).take_file(file)
        except OSError as error:
            tally.problems.append((file.path, error.strerror or str(error)))
        on_item(1)


def verify_move(disk: Disk, source: MoveSource, target_of: TargetOf, tally: MoveTally) -> int:
    """Make sure that the target has every version and file of the source, by digest; return how many.

    Raises:
        DataError: It lacks some that were not left out by intent.
    """
    left_out = {path for path, _ in tally.left_out}
    missing: list[str] = []
    seen = 0
    for item in source.artifacts():
        target = target_of(item.relative)
        for version in item.versions:
            seen += 1
            digest = digest_of(disk, version.raw, size=version.size)
            path = f"{item.relative}/{version.metadata.version}"
            if path not in left_out and not target.holds_version(item, version, digest):
                missing.append(path)
    for file in source.files():
        seen += 1
        if not target_of(file.relative).holds_file(file, digest_of(disk, file.path)):
            missing.append(file.relative)
    if missing:
        shown = ", ".join(f"`{path}`" for path in missing[:_SHOWN]) + (" …" if len(missing) > _SHOWN else "")
        raise DataError(
            f"{len(missing)} of {seen} versions and files did not arrive: {shown}; the old place is used as before",
            hint="run the same command again",
        )
    return seen


def clean_source(disk: Disk, source: MoveSource, target_of: TargetOf, *, check: Callable[[], None]) -> None:
    """Remove at the source what the target has, and directories that this leaves empty.

    What changed since it was carried, and what was left out, stays.
    """
    for item in source.artifacts():
        target = target_of(item.relative)
        for version in item.versions:
            directory = f"{item.path}/{version.metadata.version}"
            if target.holds_version(item, version, digest_of(disk, version.raw, size=version.size)):
                check()
                for name in (METADATA_NAME, RAW_NAME):  # without its metadata a version is none
                    with contextlib.suppress(FileNotFoundError):
                        disk.unlink(f"{directory}/{name}")
                _remove_empty(disk, directory)
    for file in source.leftovers():
        _clean_leftover(disk, file, target_of(file.relative), check=check)
    for file in source.files():
        if target_of(file.relative).holds_file(file, digest_of(disk, file.path)):
            check()
            with contextlib.suppress(FileNotFoundError):
                disk.unlink(file.path)


def prune_source(disk: Disk, layout: Layout) -> None:
    """Remove the directories of a place that hold nothing any more."""
    for subdir in layout.subdirs:
        for root in {layout.datastore_path(subdir), layout.local_path(subdir)}:
            if is_directory(disk, root):
                prune_empty(disk, root)


def _clean_leftover(disk: Disk, file: FileItem, target: MoveTarget, *, check: Callable[[], None]) -> None:
    """Remove what a killed clean-up left of a version, and the marker of an artifact that has none any more."""
    directory, _, name = file.path.rpartition("/")
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        entries = disk.scandir(directory)
        beside = {
            e.name for e in entries if e.kind is not Kind.DIRECTORY or not prune_empty(disk, f"{directory}/{e.name}")
        }
        is_marker_only = name == LATEST_NAME and beside == {LATEST_NAME}
        is_half = name == RAW_NAME and METADATA_NAME not in beside
        if is_marker_only or (is_half and target.holds_content(file.relative, digest_of(disk, file.path))):
            check()
            disk.unlink(file.path)
            _remove_empty(disk, directory)


def _remove_empty(disk: Disk, path: str) -> None:
    with contextlib.suppress(OSError):
        disk.rmdir(path)
