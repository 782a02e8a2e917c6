"""The datastore as a whole: is it there, does it keep its promises, and using another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from swampsync.maintenance.doctor_backend import Thoroughness
from swampsync.maintenance.doctor_directory import probe_directory
from swampsync.maintenance.doctor_report import DoctorReport
from swampsync.repo.health import Health, read_health
from swampsync.repo.parts import Parts

if TYPE_CHECKING:
    from swampsync.repo.setup_choice import BucketChoice
    from swampsync.repo.setup_filesystem import DirectoryChoice, SetupResult
    from swampsync.repo.setup_preview import SetupPreview
    from swampsync.repo.setup_s3 import BucketSetup
    from swampsync.repo.standing import Standing

Progress = Callable[[int, int | None], None]


class Datastore:
    """Where this repo's data lives."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def health(self) -> Health:
        """Say whether the datastore can be used now, and how fast it answers."""
        return read_health(self._parts)

    def standing(self) -> Standing:
        """Say also how far the clone of a bucket is behind, and what it has not published: see `standing`."""
        from swampsync.repo.standing import read_standing

        return read_standing(self._parts)

    def probe(self, *, is_quick: bool = False, on_check: Callable[[str], None] | None = None) -> DoctorReport:
        """Prove on the datastore itself that it keeps its promises, under scratch names that are removed again.

        Raises:
            Conflict: This repo is no member of the namespace.
            AccessDenied: The datastore cannot be written to.
        """
        parts = self._parts
        parts.require_member(parts.namespace)
        thoroughness = Thoroughness.QUICK if is_quick else Thoroughness.FULL
        if parts.config.is_remote:
            from swampsync.repo.bucket_probe import keep_report, probe_bucket

            report = probe_bucket(parts, thoroughness=thoroughness, on_check=on_check)
            keep_report(parts, report)
            return report
        parts.world.disk.stat(parts.layout.base)
        prefix = "" if parts.namespace.is_solo else f"{parts.namespace}/"
        return probe_directory(
            parts.world.disk,
            parts.layout.base,
            scratch_prefix=f"{prefix}.swampsync-doctor/",
            clock=parts.world.clock,
            rng=parts.world.rng,
            spawner=parts.world.spawn,
            thoroughness=thoroughness,
            on_check=on_check,
        )

    # --- another place -----------------------------------------------------------------------------

    def setup_s3(
        self,
        choice: BucketChoice,
        *,
        on_check: Callable[[str], None] | None = None,
        progress: Progress | None = None,
    ) -> BucketSetup:
        """Use a bucket from now on; see `swampsync.repo.setup_s3`."""
        from swampsync.repo.setup_s3 import setup_s3

        return setup_s3(self._parts, choice, on_check=on_check, progress=progress)

    def plan_s3(self, choice: BucketChoice) -> SetupPreview:
        """Say what `setup_s3` would do."""
        from swampsync.repo.setup_s3 import plan_s3

        return plan_s3(self._parts, choice)

    def setup_filesystem(
        self,
        path: str,
        *,
        directories: tuple[str, ...] | None = None,
        namespace: str | None = None,
        skip_migration: bool = False,
        progress: Progress | None = None,
    ) -> SetupResult:
        """Use a directory from now on; see `swampsync.repo.setup_filesystem`."""
        from swampsync.repo.setup_filesystem import DirectoryChoice, setup_filesystem

        choice = DirectoryChoice(
            path=path, directories=directories, namespace=namespace, skips_migration=skip_migration
        )
        return setup_filesystem(self._parts, choice, progress=progress)

    def plan_filesystem(self, choice: DirectoryChoice) -> SetupPreview:
        """Say what `setup_filesystem` would do."""
        from swampsync.repo.setup_filesystem import plan_filesystem

        return plan_filesystem(self._parts, choice)
