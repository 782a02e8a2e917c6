"""Structural commands on a bucket: planned from the log's state, published as one commit.

The lease only keeps two repos from doing the same work; what makes a collection safe is that the log refuses a commit
made for another state, and that a change wins over a removal.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from swampsync.artifacts.definitions import AUTO_DEFINITIONS
from swampsync.artifacts.lifetimes import find_expiry, find_surplus
from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.model import Model
from swampsync.artifacts.scan import Problem
from swampsync.catalog.catalog import RowChange
from swampsync.catalog.compaction import fold_log
from swampsync.catalog.files import FileRecord, FileState
from swampsync.catalog.rows import ArtifactKey
from swampsync.errors import DataError, LeaseLost, LockHeld, SwampsyncError, Unavailable
from swampsync.maintenance.gc import Doomed, GcPlan, GcResult, preview_gc
from swampsync.maintenance.prune import PrunePlan, PruneResult, preview_prune
from swampsync.maintenance.prune_bucket import plan_bucket_prune
from swampsync.maintenance.reindex import ReindexResult
from swampsync.repo.structural import Progress, Structural, require_allowed
from swampsync.repo.unhindered import look_unless_busy
from swampsync.sync.cataloguing import iterate_artifacts, metadata_of
from swampsync.sync.progress import silent
from swampsync.sync.push_plan import PushLimits, check_removals, count_published
from swampsync.sync.reindexing import ReindexPlan, apply_reindex, plan_reindex, read_log_again
from swampsync.sync.writers import find_writers

if TYPE_CHECKING:
    from swampsync.sync.taking_back import Published


class RemoteStructural(Structural):
    """gc, prune and reindex, and what else works on a bucket as on a directory."""

    def plan_gc(self) -> GcPlan:
        """Decide what is expired or above its cap, of what the log has now; writes nothing, takes no lock."""
        self._pull(is_waiting=False)
        return self._plan()

    def _plan(self) -> GcPlan:
        expired: list[Doomed] = []
        excess: list[Doomed] = []
        problems: list[Problem] = []
        now = self._parts.world.clock.now()
        run_exists = self._make_run_lookup()
        for key, versions in self._artifacts(problems):
            reason = find_expiry(versions[-1], now, run_exists)
            if reason is not None and not versions[-1].is_deleted:
                expired.append(_doom(key, versions, {m.version for m in versions}, reason=reason.value))
                continue
            surplus = set(find_surplus(versions, now))
            if surplus:
                excess.append(_doom(key, versions, surplus))
        return GcPlan(tuple(expired), tuple(excess), (), tuple(problems))

    def _artifacts(self, problems: list[Problem]) -> Iterator[tuple[ArtifactKey, list[Metadata]]]:
        for key, rows in iterate_artifacts(self._parts.state, self._parts.namespace.name):
            try:
                yield key, [metadata_of(row) for row in rows]
            except DataError as error:  # what cannot be read is not known to be expired
                problems.append(Problem(key.data_name, error.message))

    def _make_run_lookup(self) -> Callable[[str, str], bool]:
        files, namespace = self._parts.state.files, self._parts.namespace.name

        @cache
        def run_exists(workflow_id: str, run_id: str) -> bool:
            return files.find(namespace, f"workflow-runs/{workflow_id}/workflow-run-{run_id}.yaml") is not None

        return run_exists

    def gc(self, *, is_dry_run: bool = False, max_delete: int | None = None) -> GcResult:
        """Delete what is expired or above its cap, as one commit; a dry run says what would go, from the same plan."""
        if is_dry_run:
            return preview_gc(self.plan_gc())
        parts = self._parts
        with self._removing("data gc", kind="gc") as remove:
            plan = self._plan()
            require_allowed(plan.versions, max_delete)
            for doomed in (*plan.expired, *plan.excess):
                remove(Model(doomed.type, doomed.model_id, ""), doomed.name, doomed.versions)
        return GcResult(
            plan.expired, plan.versions_excess, 0, plan.size, (), fold_log(parts.catalog.database), is_dry_run=False
        )

    @contextmanager
    def _removing(self, command: str, *, kind: str) -> Iterator[Callable[[Model, str, Collection[int]], None]]:
        """Hold the namespace, and publish what is removed in the block; nothing of it once the lock is lost."""
        parts = self._parts
        removed: list[Published] = []
        with self.locked(command) as held:

            def remove(model: Model, name: str, numbers: Collection[int]) -> None:
                held.check()
                syncer = parts.syncing.syncer_of(parts.namespace)
                removed.extend(syncer.record_removal_for_now(model, name, numbers, kind=kind))

            try:
                with parts.syncing.publishing(parts.namespace, is_confirmed=True, check=held.check):
                    yield remove
            except LeaseLost:
                # Whoever has the lock now has decided without knowing of these removals: no later sync brings them.
                self._take_back(removed)
                raise

    def _take_back(self, removed: list[Published]) -> None:
        parts = self._parts
        try:
            parts.syncing.syncer_of(parts.namespace).take_back(removed)
        except SwampsyncError as error:
            parts.on_notice(f"{len(removed)} removals stay recorded, and the next sync publishes them: {error.message}")

    # --- prune -------------------------------------------------------------------------------------

    def plan_prune(self) -> PrunePlan:
        """Decide which models have data but no definition anywhere, of what the log has now; takes no lock."""
        self._pull(is_waiting=False)
        return self._plan_prune(is_waiting=False)

    def _plan_prune(self, *, is_waiting: bool = True) -> PrunePlan:
        parts = self._parts
        definitions = parts.state.files.under(parts.namespace.name, AUTO_DEFINITIONS)
        missing = [record for record in definitions if record.state is FileState.REMOTE]
        return plan_bucket_prune(
            parts.world.disk,
            parts.layout,
            parts.state,
            is_home=parts.namespace == parts.home,
            others=self._find_others(),
            not_fetched=self._fetch(missing, is_waiting=is_waiting) if missing else (),
        )

    def _fetch(self, missing: list[FileRecord], *, is_waiting: bool) -> list[tuple[str, str]]:
        """Fetch definitions; return which did not come, and why."""
        syncing = self._parts.syncing
        syncer = syncing.syncer_of(self._parts.namespace)
        try:
            return syncer.hydrate(missing, check=syncing.deadline(), is_waiting=is_waiting).failures
        except LockHeld as error:
            return [(record.path, error.message) for record in missing]

    def _find_others(self) -> set[str]:
        """Name the other repos whose definitions count; without a namespace there is no list but the log."""
        parts = self._parts
        if not parts.namespace.is_solo:
            return self._find_other_members()
        writers = find_writers(parts.syncing.syncer_of(parts.namespace).clone)
        return writers - {parts.config.repo_id or ""}

    def prune(
        self, *, is_dry_run: bool = False, max_delete: int | None = None, is_confirmed: bool = False
    ) -> PruneResult:
        """Delete the data of models whose definition is gone, as one commit; see `Structural.prune`."""
        if is_dry_run:
            return preview_prune(self.plan_prune())
        parts = self._parts
        with self._removing("data prune", kind="prune") as remove:
            plan = self._plan_prune()
            require_allowed(plan.versions, max_delete)
            syncer = parts.syncing.syncer_of(parts.namespace)
            limits = PushLimits(is_confirmed=is_confirmed or max_delete is not None)
            check_removals(plan.versions, count_published(syncer.clone), limits)
            for orphan in plan.models:
                model = Model(orphan.type, orphan.model_id, orphan.model_name)
                for artifact in orphan.artifacts:
                    remove(model, artifact.name, artifact.versions)
        return preview_prune(plan)._replace(checkpoint=fold_log(parts.catalog.database), is_dry_run=False)

    # --- reindex -----------------------------------------------------------------------------------

    def reindex(self, *, is_dry_run: bool = False, progress: Progress | None = None) -> ReindexResult:
        """Make catalog, state and local copy agree with the log; what cannot be decided is reported, and stays.

        Where the bucket cannot be reached, the log counts as far as it was applied.
        """
        parts = self._parts
        syncer = parts.syncing.syncer_of(parts.namespace)
        try:
            self._pull(is_waiting=not is_dry_run)
        except Unavailable as error:
            parts.on_notice(f"the log was not looked at: {error.message}")
        plan = plan_reindex(syncer.clone, syncer.copy, progress=progress or silent)
        if is_dry_run:
            return self._describe(plan, plan.rows)
        with syncer.locked():
            if plan.halves:
                read_log_again(syncer.clone, syncer.copy, check=parts.syncing.deadline())
                plan = plan_reindex(syncer.clone, syncer.copy, progress=progress or silent)
            return self._describe(plan, apply_reindex(syncer.clone, syncer.copy, plan))

    def _describe(self, plan: ReindexPlan, change: RowChange) -> ReindexResult:
        problems = [(path, "is known by half: the log has to be read again") for path in plan.halves]
        return ReindexResult(
            self._parts.namespace,
            *change,
            plan.total,
            (*problems, *plan.problems),
            lost=len(plan.lost),
            found=sum(1 for record in plan.found if record.state is FileState.REMOTE),
        )

    def _pull(self, *, is_waiting: bool = True) -> None:
        parts = self._parts
        syncer = parts.syncing.syncer_of(parts.namespace)
        if not parts.syncing.is_automatic:
            return
        if is_waiting or not syncer.has_pulled():
            syncer.pull(check=parts.syncing.deadline())
        else:
            look_unless_busy(parts, parts.namespace, syncer.pull)


def _doom(key: ArtifactKey, versions: list[Metadata], numbers: set[int], *, reason: str = "") -> Doomed:
    gone = [m for m in versions if m.version in numbers]
    return Doomed(
        key.type_normalized,
        key.model_id,
        key.data_name,
        tuple(m.version for m in gone),
        tuple(m.size or 0 for m in gone),
        reason,
    )
