"""Which locks a repo's commands take, for either kind of datastore."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swampsync.layout import Layout
from swampsync.repo.place_check import CheckedGuard

if TYPE_CHECKING:
    from swampsync.locks.guard import LockGuard
    from swampsync.repo.parts import Parts


def make_guard(parts: Parts, layout: Layout) -> LockGuard:
    """Make the locks of a layout's namespace; each is given back if the data was moved while it was waited for."""
    guard: LockGuard
    if parts.config.is_remote:
        guard = parts.remote.make_guard(layout, parts.keeper_parts)
    else:
        from swampsync.locks.directory_guard import DirectoryGuard

        guard = DirectoryGuard(layout, parts.world.disk, parts.keeper_parts)
    return CheckedGuard(guard, lambda: parts.check_place())  # noqa: PLW0108 - it may be set later
