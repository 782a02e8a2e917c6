"""Garbage collection: carrying out a plan, and saying what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from swampsync.artifacts.tree import Tree
from swampsync.catalog.catalog import Catalog
from swampsync.catalog.compaction import Checkpoint, fold_log
from swampsync.catalog.state import SyncState
from swampsync.maintenance.gc_plan import Doomed, GcPlan, expired_to_json, make_run_lookup, plan_gc
from swampsync.maintenance.removal import Remover

__all__ = ["Doomed", "GcPlan", "GcResult", "apply_gc", "make_run_lookup", "plan_gc", "preview_gc"]


class GcResult(NamedTuple):
    """What garbage collection removed, or would remove."""

    expired: tuple[Doomed, ...]
    versions_deleted: int  # of artifacts that stay
    claims_swept: int
    bytes_reclaimed: int
    failed: tuple[tuple[str, str], ...]  # path and reason of what could not be removed
    checkpoint: Checkpoint
    is_dry_run: bool

    @property
    def artifacts_expired(self) -> int:
        """How many artifacts went as a whole."""
        return len(self.expired)

    def to_json(self) -> dict[str, Any]:
        """Make the document as swamp prints it."""
        return {
            "dataEntriesExpired": self.artifacts_expired,
            "versionsDeleted": self.versions_deleted,
            "bytesReclaimed": self.bytes_reclaimed,
            "dryRun": self.is_dry_run,
            "expiredEntries": [expired_to_json(doomed) for doomed in self.expired],
            "walPagesTotal": self.checkpoint.pages_total,
            "walPagesCheckpointed": self.checkpoint.pages_done,
        }


def preview_gc(plan: GcPlan) -> GcResult:
    """Say what carrying out the plan would remove."""
    claims = sum(len(doomed.versions) for doomed in plan.claims)
    return GcResult(plan.expired, plan.versions_excess, claims, plan.size, (), Checkpoint(0, 0), is_dry_run=True)


def apply_gc(plan: GcPlan, *, tree: Tree, catalog: Catalog, state: SyncState, check: Callable[[], None]) -> GcResult:
    """Remove what the plan names and nothing else.

    Args:
        plan: Made under the same lock.
        tree: The namespace's tree.
        catalog: Loses the rows of what is gone.
        state: Remembers the highest numbers.
        check: Called before every destructive step.

    Raises:
        LeaseLost: `check` said so; rows of what is gone were removed, the rest stays.
    """
    expired: list[Doomed] = []
    failed: list[tuple[str, str]] = []
    deleted = swept = size = 0
    with Remover(tree, tree.layout.namespace, catalog=catalog, state=state, check=check) as remover:

        def remove(doomed: Doomed, *, is_all: bool) -> tuple[int, ...]:
            removed = remover.remove(doomed.type, doomed.model_id, doomed.name, versions=doomed.versions, is_all=is_all)
            failed.extend(removed.failed)
            return removed.versions

        for doomed in plan.expired:
            gone = remove(doomed, is_all=True)
            size += doomed.size_of(gone)
            if gone == doomed.versions:
                expired.append(doomed)
        for doomed in plan.excess:
            gone = remove(doomed, is_all=False)
            deleted += len(gone)
            size += doomed.size_of(gone)
        for doomed in plan.claims:
            swept += len(remove(doomed, is_all=False))
    checkpoint = fold_log(catalog.database)
    return GcResult(tuple(expired), deleted, swept, size, tuple(failed), checkpoint, is_dry_run=False)
