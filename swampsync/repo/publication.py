"""What became of what a command wrote to a bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from swampsync.backends.base import NotConnected
from swampsync.errors import SwampsyncError, SyncIncomplete, printable

if TYPE_CHECKING:
    from swampsync.sync.push import Pushed
    from swampsync.sync.resolving import Resolved


@dataclass(slots=True)
class Publication:
    """What became of what a command wrote.

    Attributes:
        pushed: What its push did; `None` if it left everything pending.
    """

    pushed: Pushed | None = None


def report_failures(failures: list[tuple[str, str]], known: set[str], *, notice: Callable[[str], None]) -> None:
    """Fail for what this command could not publish; what had failed before is only mentioned.

    Raises:
        SyncIncomplete: Something that had not failed before.
    """
    own = [(path, reason) for path, reason in failures if path not in known]
    if len(own) < len(failures):
        again = next((path, reason) for path, reason in failures if path in known)
        more = f" (and {len(failures) - len(own) - 1} more)" if len(failures) - len(own) > 1 else ""
        notice(f"`{again[0]}` still cannot be published: {again[1]}{more}: swamp datastore status")
    if own:
        raise incomplete(own)


def report_resolved(resolved: Resolved, *, notice: Callable[[str], None]) -> None:
    """Name what became of pending work that others were faster with; nothing if nothing did."""
    for line in resolution_lines(
        renumbered=resolved.renumbered,
        conflicts=resolved.kept_beside,
        merged=resolved.merged,
        kept=resolved.given_way,
        kept_aside=resolved.kept_aside,
    ):
        notice(line)


def resolution_lines(
    *,
    renumbered: Iterable[tuple[str, str]],
    conflicts: Iterable[tuple[str, str]],
    merged: Iterable[str],
    kept: Iterable[str],
    kept_aside: Iterable[tuple[str, str]] = (),
) -> Iterator[str]:
    """Name what became of pending work, a line each.

    Args:
        renumbered: Versions that got another number: the old directory and the new one.
        conflicts: Files that lie beside others' content: where they were, and where they are.
        merged: Files that hold others' lines and ours now.
        kept: What was to be removed, and stays because somebody changed it.
        kept_aside: What somebody had changed here without a command and others replaced or removed: its path, and where
            it is now.
    """
    for old, new in renumbered:
        yield printable(f"Renumbered {old} -> {new.rpartition('/')[2]}")
    for old, new in conflicts:
        yield printable(f"Conflict: {old} was changed by others too; yours is {new}")
    for path in merged:
        yield printable(f"Merged {path}: others' lines, then yours")
    for path in kept:
        yield printable(f"Kept {path}: somebody changed what you removed")
    for path, where in kept_aside:
        yield printable(f"Kept aside {path}: it was changed here without a command; what was here is {where}")


def incomplete(failures: list[tuple[str, str]]) -> SyncIncomplete:
    """Make the error for a sync that left some files out."""
    return SyncIncomplete(
        f"{len(failures)} of what was written could not be published; it stays pending and is tried again",
        failures=tuple(failures),
        hint="swamp datastore status",
    )


def hint_after(problem: SwampsyncError) -> str:
    """Say how what is pending gets published: as the problem itself says, where it knows."""
    if isinstance(problem, NotConnected):
        return "once it can be reached: swamp datastore sync"
    return problem.hint or "swamp datastore sync"
