"""`datastore sync`: bringing a repo and its datastore together, and saying what that did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from swampsync.backends.counting import RequestCounts
from swampsync.config.datastore import Hydration
from swampsync.errors import Refused, SwampsyncError
from swampsync.log.paths import RAW_FILE
from swampsync.namespace import Namespace
from swampsync.repo.parts import Parts
from swampsync.sync.pending import PendingEntry
from swampsync.sync.push_plan import PushLimits, PushPlan

if TYPE_CHECKING:
    from swampsync.sync.status import SyncStatus
    from swampsync.sync.syncer import Syncer

Progress = Callable[[int, int | None], None]


def _ignore(_done: int, _total: int | None) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """What a sync is to do.

    Args:
        is_pulling: Whether to take in what is new.
        is_pushing: Whether to publish what is pending.
        all_namespaces: Whether to look at every registered namespace's log.
        is_dry_run: Whether to say only what a push would do.
        hydrate: Whether to fetch all content; `None` as configured.
        predicate: Fetch the content of what this matches instead.
        timeout_seconds: For each direction; `None` as configured.
        limits: What the push may do.
    """

    is_pulling: bool = True
    is_pushing: bool = True
    all_namespaces: bool = False
    is_dry_run: bool = False
    hydrate: bool | None = None
    predicate: str | None = None
    timeout_seconds: float | None = None
    limits: PushLimits = field(default_factory=PushLimits)


@dataclass(slots=True)
class SyncReport:
    """What a sync did, or would do.

    Attributes:
        namespace: Whose; empty in solo mode.
        seq: The newest commit that is applied.
        commits: How many commits were pulled.
        pulled: Versions and files that came.
        pulled_removals: Versions and files that went.
        fetched: Files whose content came.
        pushed: Versions and files that were published.
        pushed_removals: Removals that were published.
        renumbered: Versions that got another number: old and new directory.
        conflicts: Files that lie beside others' content: where they were, and where they are.
        merged: Files of JSON lines that hold others' lines and ours now.
        kept: Removals that gave way to somebody's change.
        is_replaced: Whether the log was another one than before.
        failures: Path and reason of what could not be transferred.
        others: Other namespaces that were looked at, with how many commits came or why it failed.
        plan: Of a dry run.
        requests: What it took.
    """

    namespace: str
    is_dry_run: bool = False
    seq: int = 0
    commits: int = 0
    pulled: int = 0
    pulled_removals: int = 0
    fetched: int = 0
    pushed: int = 0
    pushed_removals: int = 0
    renumbered: list[tuple[str, str]] = field(default_factory=list)
    conflicts: list[tuple[str, str]] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    is_replaced: bool = False
    failures: list[tuple[str, str]] = field(default_factory=list)
    others: dict[str, int | str] = field(default_factory=dict)
    plan: PushPlan | None = None
    requests: RequestCounts = field(default_factory=RequestCounts)

    def to_json(self) -> dict[str, Any]:
        """Make the document that `datastore sync` prints."""
        document: dict[str, Any] = {
            "namespace": self.namespace,
            "dryRun": self.is_dry_run,
            "seq": self.seq,
            "commitsPulled": self.commits,
            "filesPulled": self.pulled,
            "filesRemoved": self.pulled_removals,
            "filesFetched": self.fetched,
            "filesPushed": self.pushed,
            "removalsPushed": self.pushed_removals,
            "renumbered": [{"from": old, "to": new} for old, new in self.renumbered],
            "conflicts": [{"path": old, "keptAs": new} for old, new in self.conflicts],
            "merged": self.merged,
            "removalsDropped": self.kept,
            "logReplaced": self.is_replaced,
            "failures": [{"path": path, "reason": reason} for path, reason in self.failures],
            "namespaces": self.others,
            "requests": self.requests.requests,
            "bytesUp": self.requests.bytes_up,
            "bytesDown": self.requests.bytes_down,
        }
        if self.plan is not None:
            document["plan"] = {
                "puts": self.plan.puts,
                "removals": self.plan.removals,
                "requests": self.plan.requests,
                "bytes": self.plan.size,
                "entries": [{"op": entry.op.value, "path": entry.path} for entry in self.plan.entries],
            }
        return document


class Synchroniser:
    """Brings a repo's clone and its bucket together."""

    def __init__(self, parts: Parts) -> None:
        if not parts.config.is_remote:
            raise Refused("the datastore is a directory: there is nothing to sync", hint="swamp datastore status")
        self._parts = parts

    @property
    def _syncer(self) -> Syncer:
        return self._parts.syncing.syncer_of(self._parts.namespace)

    def sync(self, options: SyncOptions, *, progress: Progress = _ignore) -> SyncReport:
        """Pull, fetch content, push, as far as is asked.

        Raises:
            Refused: The push would go beyond its limits.
            Conflict: This repo is no member of the namespace.
            Unavailable: The bucket cannot be reached, or it took too long; what was done stays.
        """
        parts = self._parts
        before = parts.remote.requests.snapshot()
        report = SyncReport(parts.namespace.name, is_dry_run=options.is_dry_run)
        if options.is_dry_run:
            report.plan = self._syncer.plan()
        else:
            if options.is_pulling:
                self._pull(report, options, progress)
            if options.is_pushing and not self._syncer.pending().is_empty():
                self._push(report, options)
            if options.all_namespaces:
                self._look_at_others(report, options)
        position = parts.state.positions.find(parts.namespace.name)
        report.seq = 0 if position is None else position.seq
        report.requests = parts.remote.requests.snapshot() - before
        return report

    def _pull(self, report: SyncReport, options: SyncOptions, progress: Progress) -> None:
        check = self._parts.syncing.deadline(options.timeout_seconds)
        pulled = self._syncer.pull(check=check)
        report.is_replaced = pulled.is_replaced
        report.commits = pulled.commits
        for applied in pulled.applied:
            report.pulled += applied.put
            report.pulled_removals += applied.removed
            self._note(report, applied.resolved)
        wants_all = options.hydrate if options.hydrate is not None else self._parts.config.hydration is Hydration.FULL
        if options.predicate:
            records = [r for path in self._matches(options.predicate) if (r := self._find(path)) is not None]
            hydrated = self._syncer.hydrate(records, progress=progress, check=check)
        elif wants_all:
            hydrated = self._syncer.hydrate(progress=progress, check=check)
        else:
            return
        report.fetched = hydrated.files
        report.failures += hydrated.failures

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

    def _push(self, report: SyncReport, options: SyncOptions) -> None:
        syncing = self._parts.syncing
        pushed = syncing.push(self._parts.namespace, options.limits, check=syncing.deadline(options.timeout_seconds))
        report.pushed, report.pushed_removals = pushed.put, pushed.removed
        report.failures += pushed.failures
        for applied in pushed.applied:
            report.pulled += applied.put
            report.pulled_removals += applied.removed
            report.commits += applied.commits
            self._note(report, applied.resolved)

    @staticmethod
    def _note(report: SyncReport, resolved: Any) -> None:
        report.renumbered += resolved.renumbered
        report.conflicts += resolved.kept_beside
        report.merged += resolved.merged
        report.kept += resolved.given_way

    def _look_at_others(self, report: SyncReport, options: SyncOptions) -> None:
        """Look at every other namespace's log; one that cannot be read is reported, never a failure."""
        syncing = self._parts.syncing
        for manifest in self._parts.registry.list_namespaces():
            if manifest.namespace == self._parts.namespace.name:
                continue
            try:
                other = syncing.syncer_of(Namespace.parse(manifest.namespace))
                report.others[manifest.namespace] = other.pull(check=syncing.deadline(options.timeout_seconds)).commits
            except SwampsyncError as error:
                report.others[manifest.namespace] = error.message

    # --- looking -----------------------------------------------------------------------------------

    def status(self) -> SyncStatus:
        """Say how the clone stands; makes no request."""
        return self._syncer.status()

    def pending(self) -> list[PendingEntry]:
        """List what is to be published."""
        return self._syncer.pending().entries()
