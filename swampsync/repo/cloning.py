"""From a repo's parts to the clone of one namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swampsync._version import __version__
from swampsync.locks.process_table import find_user, make_process_table, name_person
from swampsync.log.log import Log
from swampsync.namespace import Namespace
from swampsync.repo.parts import Parts
from swampsync.sync.clone import Clone

if TYPE_CHECKING:
    from concurrent.futures import Executor


def make_clone(parts: Parts, namespace: Namespace, *, pool: Executor, concurrency: int) -> Clone:
    """Make the clone of a namespace; makes no request.

    Args:
        parts: Of the repo.
        namespace: Which.
        pool: Moves objects side by side.
        concurrency: How many at a time.
    """
    world = parts.world
    return Clone(
        Log(parts.remote.store_of(namespace), parts.layout.of(namespace), pool),
        world.disk,
        world.clock,
        world.rng,
        world.new_id,
        parts.state,
        parts.catalog,
        parts.config.repo_id or "",
        # As a lock would name us; most commands make a clone and take no lock.
        name_person(find_user(parts.environ), make_process_table(world.disk).hostname),
        f"swampsync/{__version__}",
        pool,
        concurrency,
    )
