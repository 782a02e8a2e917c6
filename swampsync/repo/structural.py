"""The commands that have a namespace to themselves: they take the structural lock, then plan, then act."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from swampsync.artifacts.latest import write_marker
from swampsync.artifacts.scan import LATEST_NAME, read_marker, walk_artifacts
from swampsync.artifacts.tree import Tree
from swampsync.catalog.compaction import Compaction, compact
from swampsync.disk import Kind
from swampsync.errors import NotFound, Refused
from swampsync.locks.guard import HeldLocks
from swampsync.maintenance.gc import GcPlan, GcResult, apply_gc, make_run_lookup, plan_gc, preview_gc
from swampsync.maintenance.prune import PrunePlan, PruneResult, apply_prune, plan_prune, preview_prune
from swampsync.maintenance.reindex import ReindexResult, apply_reindex, plan_reindex
from swampsync.repo.parts import Parts

Progress = Callable[[int, int | None], None]


class Structural:
    """gc, prune, reindex, compact."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @property
    def _tree(self) -> Tree:
        parts = self._parts
        return Tree(parts.world.disk, parts.world.clock, parts.layout, parts.world.new_id)

    @contextmanager
    def locked(self, command: str) -> Iterator[HeldLocks]:
        """Hold the namespace for a structural command.

        Raises:
            Conflict: This repo is no member of the namespace.
            LockTimeout: Somebody else held it, or a model's lock, for too long.
        """
        self._parts.require_member(self._parts.namespace)
        with self._parts.guard.structural_lock(command=command) as held:
            yield held

    def _require_directory(self) -> None:
        """Refuse what works on a directory's tree only.

        Raises:
            Refused: The datastore is a bucket.
        """
        if self._parts.config.is_remote:
            raise Refused(
                f"the datastore is the bucket `{self._parts.datastore_place}`, where this command cannot work yet",
                hint="swamp data delete MODEL NAME --version N",
            )

    # --- gc ----------------------------------------------------------------------------------------

    def plan_gc(self) -> GcPlan:
        """Decide what is expired or above its cap; writes nothing, takes no lock."""
        self._require_directory()
        parts = self._parts
        parts.refresh(parts.namespace)
        return plan_gc(
            parts.world.disk,
            parts.layout,
            parts.catalog,
            now=parts.world.clock.now(),
            run_exists=make_run_lookup(parts.world.disk, parts.layout),
        )

    def gc(self, *, is_dry_run: bool = False, max_delete: int | None = None) -> GcResult:
        """Delete what is expired or above its cap; a dry run says what would go, from the same plan.

        Raises:
            Refused: More than `max_delete` versions would go; none did.
        """
        self._require_directory()
        if is_dry_run:
            return preview_gc(self.plan_gc())
        with self.locked("data gc") as held:
            plan = self.plan_gc()
            require_allowed(plan.versions, max_delete)
            result = apply_gc(
                plan, tree=self._tree, catalog=self._parts.catalog, state=self._parts.state, check=held.check
            )
            with suppress(OSError):  # what killed processes left beside locks hurts nobody; the next gc tries again
                self._parts.guard.sweep()
            return result

    # --- prune -------------------------------------------------------------------------------------

    def plan_prune(self) -> PrunePlan:
        """Decide which models have data but no definition anywhere; writes nothing, takes no lock."""
        self._require_directory()
        parts = self._parts
        return plan_prune(
            parts.world.disk,
            parts.layout,
            is_home=parts.namespace == parts.home,
            other_members=self._find_other_members(),
        )

    def _find_other_members(self) -> set[str]:
        """Name the repos that share the namespace with this one."""
        parts = self._parts
        if parts.namespace.is_solo:
            return set()
        with suppress(NotFound):
            owner = parts.registry.read_manifest(parts.namespace).repo_id
            members = parts.registry.read_members(parts.namespace).with_members([owner]).members
            return set(members) - {parts.config.repo_id or ""}
        return set()

    def prune(
        self, *, is_dry_run: bool = False, max_delete: int | None = None, is_confirmed: bool = False
    ) -> PruneResult:
        """Delete the data of models whose definition is gone.

        Args:
            is_dry_run: Whether to say only what would go.
            max_delete: How many versions may go; `None` for any number.
            is_confirmed: Whether any number may go that is pushed to a bucket, where more than half of what there is
                is refused otherwise.

        Raises:
            Refused: More would go than may; nothing did.
        """
        del is_confirmed  # there is no push
        self._require_directory()
        if is_dry_run:
            return preview_prune(self.plan_prune())
        with self.locked("data prune") as held:
            plan = self.plan_prune()
            require_allowed(plan.versions, max_delete)
            return apply_prune(
                plan, tree=self._tree, catalog=self._parts.catalog, state=self._parts.state, check=held.check
            )

    # --- the catalog -------------------------------------------------------------------------------

    def reindex(self, *, is_dry_run: bool = False, progress: Progress | None = None) -> ReindexResult:
        """Make the catalog equal to the tree, ghost rows included; needs no lock, the catalog is this repo's own."""
        self._require_directory()
        parts = self._parts
        done = 0

        def count(versions: int) -> None:
            nonlocal done
            done += versions
            if progress is not None:
                progress(done, None)

        refresher = parts.refresher(count)
        if is_dry_run:
            return plan_reindex(
                parts.world.disk,
                parts.layout,
                parts.catalog,
                data_roots=refresher.data_roots(parts.namespace),
                progress=count,
            )
        return apply_reindex(refresher, parts.namespace, catalog=parts.catalog)

    def compact(self) -> Compaction:
        """Give the free pages of the catalog's file back."""
        with self.locked("datastore compact") as held:
            held.check()
            return compact(self._parts.catalog.database)

    # --- upgrade -----------------------------------------------------------------------------------

    def convert_markers(self) -> list[str]:
        """Make plain files of the symbolic links by which old versions of swamp marked the latest version.

        Returns:
            Paths of the markers that were converted, relative to the datastore.
        """
        parts = self._parts
        disk = parts.world.disk
        links = []
        for _type, _id, scan in walk_artifacts(disk, parts.layout):
            try:
                if disk.stat(f"{scan.path}/{LATEST_NAME}").kind is Kind.LINK:
                    links.append(scan.path)
            except FileNotFoundError:
                continue
        if not links:
            return []
        converted = []
        with self.locked("repo upgrade") as held:
            for path in links:
                number = read_marker(disk, path)
                if number is not None:
                    held.check()
                    write_marker(self._tree, path, number, check=held.check)
                    converted.append(f"{path}/{LATEST_NAME}")
        return converted


def require_allowed(removals: int, max_delete: int | None) -> None:
    """Refuse to remove more than was allowed.

    Raises:
        Refused: The plan says more.
    """
    if max_delete is not None and removals > max_delete:
        raise Refused(
            f"this would remove {removals} versions, and {max_delete} are allowed; nothing was removed",
            hint=f"look at them with --dry-run; if they are meant to go: --max-delete {removals}",
        )
