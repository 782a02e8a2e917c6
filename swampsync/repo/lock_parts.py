"""What the locks of this process need, from what the process knows of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from swampsync.locks.identity import make_holder
from swampsync.locks.keeper import KeeperParts
from swampsync.locks.parent import ParentHolder
from swampsync.locks.process_table import find_user, make_process_table
from swampsync.locks.timing import LockTiming
from swampsync.repo.world import World


def make_keeper_parts(
    world: World,
    environ: Mapping[str, str],
    *,
    wait_seconds: float,
    on_wait: Callable[[str], None],
    on_notice: Callable[[str], None],
) -> KeeperParts:
    """Put together what every lock of this process needs.

    Args:
        world: The machine.
        environ: Names the user, and the parent that may hold locks for us.
        wait_seconds: How long to wait for a lock.
        on_wait: Takes the line that says whom we wait for.
        on_notice: Takes what people should know of the locks that were taken, each line once.
    """
    processes = make_process_table(world.disk)
    return KeeperParts(
        clock=world.clock,
        spawn=world.spawn,
        processes=processes,
        holder=make_holder(find_user(environ), pid=world.pid, processes=processes),
        new_id=world.new_id,
        rng=world.rng,
        timing=LockTiming(wait_seconds=wait_seconds),
        on_wait=lambda wait: on_wait(str(wait)),
        on_notice=_tell_once(on_notice),
        parent=ParentHolder.parse(environ),
    )


def _tell_once(tell: Callable[[str], None]) -> Callable[[str], None]:
    told: set[str] = set()

    def tell_once(line: str) -> None:
        if line not in told:
            told.add(line)
            tell(line)

    return tell_once
