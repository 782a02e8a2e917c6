"""`datastore verify` on a directory: contents against their digests, the catalog against the tree."""

from __future__ import annotations

from collections.abc import Callable

from swampsync.log.verify import ProblemKind
from swampsync.maintenance.verify_tree import find_wrong_rows, verify_tree
from swampsync.repo.parts import Parts
from swampsync.repo.structural import Structural
from swampsync.repo.verify_report import Repair, VerifyReport
from swampsync.sync.progress import silent

Progress = Callable[[int, int | None], None]


class DirectoryVerifier:
    """Verifies the namespace that the repo acts in; the tree itself is nobody's to repair but its owner's.

    Args:
        parts: Of the repo.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._structural = Structural(parts)

    def verify(self, *, reads_content: bool = False, progress: Progress = silent) -> VerifyReport:  # noqa: ARG002 - on a directory it always is
        """Read every version and compare it with its metadata, and the catalog with the tree; takes no lock."""
        parts = self._parts
        parts.refresh(parts.namespace)  # what others wrote since the last look is no fault of the catalog
        found = verify_tree(parts.world.disk, parts.layout, progress=progress)
        compared = self._structural.reindex(is_dry_run=True)
        return VerifyReport(
            namespace=parts.namespace.name,
            is_remote=False,
            problems=found.problems + find_wrong_rows(compared, catalog_path=parts.layout.catalog_path()),
            versions=found.versions,
            size=found.size,
            is_content_read=True,
        )

    def plan_repair(self, *, reads_content: bool = False, progress: Progress = silent) -> tuple[Repair, VerifyReport]:
        """Say whether the catalog would be made anew, and what is wrong; damaged content stays as it is."""
        report = self.verify(reads_content=reads_content, progress=progress)
        return Repair(rebuilds_catalog=report.has(ProblemKind.CATALOG_DIFFERS)), report

    def repair(self, *, reads_content: bool = False, progress: Progress = silent) -> tuple[Repair, VerifyReport]:
        """Make the catalog anew if it differs, under the structural lock, and verify again.

        Raises:
            LockTimeout: Somebody else held the namespace, or a model of it, for too long.
        """
        with self._structural.locked("datastore verify --repair") as held:
            plan, _ = self.plan_repair()
            if plan.rebuilds_catalog:
                held.check()
                self._structural.reindex()
        return plan, self.verify(reads_content=reads_content, progress=progress)
