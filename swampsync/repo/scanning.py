"""`datastore sync --scan` in one repo: whose locks are held while what was found is taken in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from swampsync.errors import Refused
from swampsync.locks.guard import LockGuard
from swampsync.repo.parts import Parts
from swampsync.sync.scan_plan import Scanned
from swampsync.sync.scan_run import run_scan
from swampsync.sync.syncer import Syncer

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class _Locks:
    syncer: Syncer
    guard: LockGuard

    def clone(self) -> AbstractContextManager[object]:
        return self.syncer.locked()

    def model(self, model_type: str, model_id: str) -> AbstractContextManager[object]:
        # Whoever holds it is writing: what is not whole yet is found by the next scan.
        return self.guard.model_lock([(model_type, model_id)], command="datastore sync", wait_seconds=0)


def scan_copy(
    parts: Parts, *, is_dry_run: bool, takes_removals: bool, progress: Progress, check: Callable[[], None]
) -> Scanned:
    """Find what no command of ours recorded in the copy of the repo's namespace, and take it in.

    It comes before a pull, which would replace what was edited here by what others published. A clone that never
    looked at the log does that first: nothing of its copy is known.

    Args:
        parts: Of the repo.
        is_dry_run: Whether to say only what would be taken in.
        takes_removals: Whether content that was fetched and is gone was removed on purpose.
        progress: Told how many versions and files were looked at.
        check: Called between steps; raises to stop there.

    Raises:
        Refused: The namespace is another's.
    """
    if parts.syncing.foreign.includes(parts.namespace):
        raise Refused(
            f"`{parts.namespace}` is not this repo's namespace: nobody works in what is here of it",
            hint="swamp datastore sync --scan",
        )
    syncer = parts.syncing.syncer_of(parts.namespace)
    if not syncer.has_pulled():
        syncer.pull(check=check)
    return run_scan(
        syncer.clone,
        syncer.copy,
        _Locks(syncer, parts.guard),
        is_dry_run=is_dry_run,
        takes_removals=takes_removals,
        progress=progress,
        check=check,
    )
