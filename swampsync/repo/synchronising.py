"""`datastore sync`: bringing a repo and its datastore together, and saying what that did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from swampsync.backends.counting import RequestCounts
from swampsync.catalog.files import FileState
from swampsync.config.datastore import Hydration
from swampsync.errors import Refused, SwampsyncError
from swampsync.log.paths import RAW_FILE
from swampsync.namespace import Namespace
from swampsync.repo.parts import Parts
from swampsync.repo.sync_report import SyncOptions, SyncReport
from swampsync.sync.pending import PendingEntry
from swampsync.sync.progress import Progress, Stages, no_stages

if TYPE_CHECKING:
    from swampsync.catalog.files import FileRecord
    from swampsync.repo.following import Follower
    from swampsync.sync.applying import Applied
    from swampsync.sync.following import FollowedNamespace
    from swampsync.sync.hydrate import Hydrated
    from swampsync.sync.status import SyncStatus
    from swampsync.sync.syncer import Syncer


def _tell_nobody(_report: SyncReport) -> None:
    pass


class Synchroniser:
    """Brings a repo's clone and its bucket together."""

    def __init__(self, parts: Parts) -> None:
        if not parts.config.is_remote:
            raise Refused("the datastore is a directory: there is nothing to sync", hint="swamp datastore status")
        self._parts = parts
        self._before = RequestCounts()
        self._has_looked = False

    @cached_property
    def _follower(self) -> Follower:
        from swampsync.repo.following import Follower

        return Follower(self._parts)

    @property
    def _syncer(self) -> Syncer:
        return self._parts.syncing.syncer_of(self._parts.namespace)

    def sync(
        self,
        options: SyncOptions,
        *,
        stages: Stages = no_stages,
        on_stop: Callable[[SyncReport], None] = _tell_nobody,
    ) -> SyncReport:
        """Pull, fetch content, push, as far as is asked.

        Args:
            options: What is asked.
            stages: Opens what is told how far each stage is: a scan, a pull, a push.
            on_stop: Told what was done before an error or a signal ended the sync, unless that is nothing.

        Raises:
            Refused: The push would go beyond its limits.
            Conflict: This repo is no member of the namespace.
            Unavailable: The bucket cannot be reached, or it took too long; what was done stays.
        """
        parts = self._parts
        if options.is_dry_run:
            from swampsync.repo.rehearsal import rehearse

            return rehearse(parts, options, stages=stages)
        self._before = before = parts.remote.requests.snapshot()
        self._has_looked = False
        report = SyncReport(parts.namespace.name)
        try:
            with self._noting(report):
                self._run(report, options, stages)
            self._look_at_others(report, options)
        except BaseException:  # a signal too: what was done is told by nobody else
            report.is_complete = False
            with suppress(SwampsyncError):
                self._conclude(report, before)
            if report.has_news:
                on_stop(report)
            raise
        self._conclude(report, before)
        return report

    def _conclude(self, report: SyncReport, before: RequestCounts) -> None:
        position = self._parts.state.positions.find(self._parts.namespace.name)
        report.seq = 0 if position is None else position.seq
        report.requests = self._parts.remote.requests.snapshot() - before

    def _look_at_others(self, report: SyncReport, options: SyncOptions) -> None:
        """Look once at the logs of other namespaces: in the end, or before anything that the requests are counted for.

        What a look takes is only known afterwards: there may be commits, or namespaces that nobody has looked at.
        """
        if self._has_looked or not (options.is_pulling or options.all_namespaces):
            return
        self._has_looked = True
        check = self._parts.syncing.deadline(options.timeout_seconds)
        report.others = self._follower.tail(everything=options.all_namespaces, check=check)

    @contextmanager
    def _noting(self, report: SyncReport) -> Iterator[None]:
        """Let the report say what is applied, also where the sync fails afterwards; no notices are given of it."""
        syncing = self._parts.syncing

        def note(namespace: Namespace, applied: Applied) -> None:
            if namespace == self._parts.namespace:
                self._note(report, applied)
            else:
                told(namespace, applied)

        told, syncing.on_applied = syncing.on_applied, note
        try:
            yield
        finally:
            syncing.on_applied = told

    def _run(self, report: SyncReport, options: SyncOptions, stages: Stages) -> None:
        if options.is_scanning:
            with stages("Scanning") as progress:
                self._scan(report, options, progress)
        if options.is_pulling:
            with stages("Pulling") as progress:
                self._pull(report, options, progress)
        if options.is_pushing and not self._syncer.pending().is_empty():
            with stages("Pushing") as progress:
                self._push(report, options, progress)

    def _scan(self, report: SyncReport, options: SyncOptions, progress: Progress) -> None:
        from swampsync.repo.scanning import scan_copy

        report.scanned = scan_copy(
            self._parts,
            is_dry_run=False,
            takes_removals=options.takes_removals,
            progress=progress,
            check=self._parts.syncing.deadline(options.timeout_seconds),
        )
        report.failures += report.scanned.failures

    def _pull(self, report: SyncReport, options: SyncOptions, progress: Progress) -> None:
        check = self._parts.syncing.deadline(options.timeout_seconds)

        def fetching(done: int, total: int | None = None, size: int | None = None, /) -> None:
            report.fetched = done  # known also if the next one fails
            progress(done, total, size)

        pulled = self._syncer.pull(check=check)
        report.is_replaced = pulled.is_replaced
        report.checkpoint = pulled.checkpoint
        wants_all = options.hydrate if options.hydrate is not None else self._parts.config.hydration is Hydration.FULL
        records: list[FileRecord] | None = None  # everything
        if options.predicate:
            records = [r for path in self._matches(options.predicate) if (r := self._find(path)) is not None]
        elif not options.hydrate and (not wants_all or self._syncer.is_hydrated() or self._is_foreign):
            return
        if options.limits.max_requests is not None:
            from swampsync.repo.sync_plan import require_requests

            self._look_at_others(report, options)
            remote = self._parts.state.files.all(self._parts.namespace.name, state=FileState.REMOTE)
            require_requests(self._parts, options, sent=self._sent(), fetches=remote if records is None else records)
        hydrated = self._fetch(records, fetching, check)
        report.fetched = hydrated.files
        report.failures += hydrated.failures

    def _sent(self) -> int:
        """Count the requests of this sync so far."""
        return (self._parts.remote.requests.snapshot() - self._before).requests

    @property
    def _is_foreign(self) -> bool:
        return self._parts.syncing.foreign.includes(self._parts.namespace)

    def _fetch(self, records: list[FileRecord] | None, progress: Progress, check: Callable[[], None]) -> Hydrated:
        """Fetch files, or everything: into the local copy, or into the cache if it is another namespace's."""
        parts = self._parts
        content = parts.syncing.foreign.content_of(parts.namespace)
        if content is None:
            return self._syncer.hydrate(records, progress=progress, check=check)
        if records is None:
            records = list(parts.state.files.all(parts.namespace.name))
        return content.fetch(records, progress=progress, check=check)

    def _find(self, path: str) -> Any:
        record = self._parts.state.files.find(self._parts.namespace.name, path)
        return record if record is not None and record.state == "remote" else None

    def _matches(self, predicate: str) -> Iterator[str]:
        """Find the content of the versions that a predicate matches, in the namespace that the command acts in."""
        from swampsync.repo.querying import QueryRunner

        names = ("modelType", "modelId", "name", "version")
        select = "{" + ", ".join(f'"{name}": {name}' for name in names) + "}"
        with QueryRunner(self._parts)(
            predicate, select=select, namespace=self._parts.namespace.name, is_cached=True
        ) as run:
            for found in run:
                yield "data/{modelType}/{modelId}/{name}/{version}/".format(**found) + RAW_FILE

    def _push(self, report: SyncReport, options: SyncOptions, progress: Progress) -> None:
        syncing = self._parts.syncing
        limits = options.limits
        if limits.max_requests is not None:
            from swampsync.repo.sync_plan import requests_besides

            self._look_at_others(report, options)
            besides = requests_besides(self._parts, sent=self._sent(), is_pushing=True)
            limits = replace(limits, requests_besides=besides)
        check = syncing.deadline(options.timeout_seconds)
        pushed = syncing.push(self._parts.namespace, limits, progress=progress, check=check)
        report.pushed, report.pushed_removals = pushed.put, pushed.removed
        report.sent, report.withdrawn = pushed.sent, pushed.withdrawn
        report.failures += pushed.failures

    @staticmethod
    def _note(report: SyncReport, applied: Applied) -> None:
        report.commits += applied.commits
        report.pulled += applied.put
        report.pulled_removals += applied.removed
        report.came += applied.came
        report.went += applied.went
        resolved = applied.resolved
        report.renumbered += resolved.renumbered
        report.conflicts += resolved.kept_beside
        report.merged += resolved.merged
        report.kept += resolved.given_way
        report.kept_aside += resolved.kept_aside

    # --- looking -----------------------------------------------------------------------------------

    def followed(self) -> tuple[FollowedNamespace, ...]:
        """Say how the namespaces stand that this repo follows; makes no request."""
        return self._follower.show().namespaces

    def status(self) -> SyncStatus:
        """Say how the clone stands; makes no request."""
        return self._syncer.status()

    def pending(self) -> list[PendingEntry]:
        """List what is to be published."""
        return self._syncer.pending().entries()
