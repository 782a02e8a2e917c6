"""`datastore sync --dry-run`: the sync itself, run on copies, so that its plan is what it would do.

The databases are copied into a directory that is gone afterwards, files that would be written go there too, and what
would be sent to the bucket is kept and counted. The bucket and the local copy are read. Only content is not fetched: of
each file it is known which requests and bytes that takes. So a plan cannot drift from what the sync does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from swampsync.backends.base import RequestKind
from swampsync.catalog.files import FileState
from swampsync.errors import Refused
from swampsync.log.paths import METADATA_FILE, RAW_FILE, parse_version_path
from swampsync.repo.parts import Parts
from swampsync.repo.stand_in import StandIn
from swampsync.repo.sync_plan import count_fetches
from swampsync.repo.sync_report import SyncOptions, SyncPlan, SyncReport
from swampsync.repo.synchronising import Synchroniser
from swampsync.sync.applying import Applied
from swampsync.sync.cataloguing import metadata_text_of
from swampsync.sync.clone import artifact_key_of
from swampsync.sync.drafting import unit_path
from swampsync.sync.hydrate import Hydrated
from swampsync.sync.kept_aside import KeptAside
from swampsync.sync.progress import Progress, Stages
from swampsync.sync.push_plan import PushLimits, check_limits, too_many_requests
from swampsync.sync.resolving import Resolved

if TYPE_CHECKING:
    from swampsync.catalog.files import FileRecord

_NAMED: Final = 50
_TITLES: Final = {"Pulling": "Planning the pull", "Pushing": "Planning the push"}


def rehearse(parts: Parts, options: SyncOptions, *, stages: Stages) -> SyncReport:
    """Run a sync on copies; return the report of a dry run, with its plan.

    Args:
        parts: Of the repo.
        options: Of the sync.
        stages: Opens what is told how far it is.

    Raises:
        SwampsyncError: The sync would fail so; one that would be refused is told instead.
    """

    def planning(title: str) -> AbstractContextManager[Progress]:
        return stages(_TITLES.get(title, title))

    with parts.world.make_scratch() as scratch:
        stand_in = StandIn(parts, scratch, stages=stages, needs_catalog=options.predicate is not None)
        try:
            position = stand_in.state.positions.find(parts.namespace.name)
            synchroniser = _Rehearsal(stand_in)
            limits = replace(options.limits, max_requests=None)  # of the whole, which is known in the end
            would = synchroniser.sync(replace(options, is_dry_run=False, limits=limits), stages=planning)
            files, size = _measure(stand_in, would)
            plan = SyncPlan(
                report=would,
                pulled_files=files,
                pulled_size=size,
                pulled=_name(stand_in, would),
                fetched_size=synchroniser.fetched_size,
                refusal=_find_refusal(would, options) or synchroniser.refusal,
            )
            report = SyncReport(parts.namespace.name, is_dry_run=True, plan=plan, failures=would.failures)
            report.seq = 0 if position is None else position.seq
            report.requests = stand_in.looked.snapshot()
            if would.scanned is not None:
                report.scanned = replace(would.scanned, is_dry_run=True)
            return report
        finally:
            stand_in.close()


def _find_refusal(would: SyncReport, options: SyncOptions) -> str | None:
    """Say why a sync would be refused that moves content with more requests than are allowed."""
    needed, allowed = would.requests.requests, options.limits.max_requests
    moves = would.fetched or would.pushed or would.pushed_removals
    return too_many_requests(needed, allowed).message if moves and allowed is not None and needed > allowed else None


def _measure(parts: Parts, report: SyncReport) -> tuple[int, int]:
    """Count the files that would come, and their bytes; of a checkpoint's rows, of all there is."""
    if report.checkpoint:
        counts = parts.state.files.count(parts.namespace.name)
        kept = [sizes for state, sizes in counts.items() if state is not FileState.PENDING]
        return sum(number for number, _ in kept), sum(size for _, size in kept)
    paths = {path for came in report.came for path in (came, f"{came}/{RAW_FILE}")}
    found = parts.state.files.find_many(parts.namespace.name, paths)
    return report.pulled, sum(record.size for record in found.values())


def _name(parts: Parts, report: SyncReport) -> list[tuple[str, str]]:
    """Name what would come and go; of a checkpoint's rows, the first."""
    changes = [("put", path) for path in report.came] + [("remove", path) for path in report.went]
    if report.checkpoint:
        records = parts.state.files.all(parts.namespace.name, state=FileState.REMOTE, chunk=_NAMED)
        changes += [("put", unit_path(record.path)) for record in islice(records, _NAMED)]
    return changes


class _Rehearsal(Synchroniser):
    """A sync that counts what it would fetch, and tells why its push would be refused instead of refusing it."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.refusal: str | None = None
        self.fetched_size = 0

    def _fetch(self, records: list[FileRecord] | None, progress: Progress, check: Callable[[], None]) -> Hydrated:
        del progress, check  # it takes no time
        parts = self._parts
        if records is None:
            records = list(parts.state.files.all(parts.namespace.name, state=FileState.REMOTE))
        content = parts.syncing.foreign.content_of(parts.namespace)
        if content is not None:
            records = content.find_missing(records)
        else:
            self._keep_aside(records)
        for record in records:
            for number in range(count_fetches(parts, [record])):
                parts.remote.requests(RequestKind.GET, 0, 0 if number else record.size)
        self.fetched_size = sum(record.size for record in records)
        return Hydrated(files=len(records), size=self.fetched_size)

    def _keep_aside(self, records: Iterable[FileRecord]) -> None:
        """Tell what lies where content would come, and would be kept aside for it."""
        clone, copy = self._syncer.clone, self._syncer.copy
        kept = KeptAside(clone.disk, clone.layout, copy)
        for record in records:
            kept.keep_file(record)
            version = parse_version_path(record.path)
            if version is None or copy.stat(f"{version.directory}/{METADATA_FILE}") is None:
                continue
            row = clone.state.metadata.find(artifact_key_of(clone.namespace, version.artifact), version.number)
            if row is not None:
                kept.keep_metadata(version.directory, metadata_text_of(row))
        if kept.moved:
            applied = Applied(resolved=Resolved(kept_aside=kept.moved))
            self._parts.syncing.on_applied(self._parts.namespace, applied)

    def _push(self, report: SyncReport, options: SyncOptions, progress: Progress) -> None:
        try:
            check_limits(self._syncer.clone, self._syncer.plan(), options.limits)
        except Refused as error:
            self.refusal = error.message
        super()._push(report, replace(options, limits=PushLimits(is_confirmed=True)), progress)
