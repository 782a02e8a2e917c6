"""What became of what a command wrote to a bucket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from swampsync.errors import SyncIncomplete

if TYPE_CHECKING:
    from swampsync.sync.push import Pushed


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


def incomplete(failures: list[tuple[str, str]]) -> SyncIncomplete:
    """Make the error for a sync that left some files out."""
    return SyncIncomplete(
        f"{len(failures)} of what was written could not be published; it stays pending and is tried again",
        failures=tuple(failures),
        hint="swamp datastore status",
    )
