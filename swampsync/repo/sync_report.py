"""What `datastore sync` is asked to do, and what it says it did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from swampsync.backends.counting import RequestCounts
from swampsync.sync.push_plan import PushLimits

if TYPE_CHECKING:
    from swampsync.sync.scan_plan import Scanned


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """What a sync is to do.

    Args:
        is_pulling: Whether to take in what is new.
        is_pushing: Whether to publish what is pending.
        all_namespaces: Whether to look at every registered namespace, and not only at those that are followed.
        is_dry_run: Whether to say only what the sync would do.
        hydrate: Whether to fetch all content; `None` as configured.
        predicate: Fetch the content of what this matches instead.
        timeout_seconds: For each direction; `None` as configured.
        limits: What the push may do.
        is_scanning: Whether to find what changed in the copy behind our back first.
        takes_removals: Whether, then, content that is gone was removed on purpose.
    """

    is_pulling: bool = True
    is_pushing: bool = True
    all_namespaces: bool = False
    is_dry_run: bool = False
    hydrate: bool | None = None
    predicate: str | None = None
    timeout_seconds: float | None = None
    limits: PushLimits = field(default_factory=PushLimits)
    is_scanning: bool = False
    takes_removals: bool = False


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
        came: The paths of what came by commits: of files, and of versions their directories.
        went: The paths of what went.
        sent: The paths of what was published.
        withdrawn: The paths whose removal was published.
        checkpoint: The number of the checkpoint that the clone began from; 0 for none.
        renumbered: Versions that got another number: old and new directory.
        conflicts: Files that lie beside others' content: where they were, and where they are.
        merged: Files of JSON lines that hold others' lines and ours now.
        kept: Removals that gave way to somebody's change.
        kept_aside: What was changed here without a command, and replaced or removed: its path, and where it is.
        is_replaced: Whether the log was another one than before.
        failures: Path and reason of what could not be transferred.
        others: Other namespaces that were looked at, with how many commits came or why it failed.
        plan: Of a dry run: what a sync would do now.
        scanned: What a scan of the copy found; `None` if none was asked for.
        requests: What it took.
        is_complete: Whether it came to its end.
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
    came: list[str] = field(default_factory=list)
    went: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    checkpoint: int = 0
    renumbered: list[tuple[str, str]] = field(default_factory=list)
    conflicts: list[tuple[str, str]] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    kept_aside: list[tuple[str, str]] = field(default_factory=list)
    is_replaced: bool = False
    failures: list[tuple[str, str]] = field(default_factory=list)
    others: dict[str, int | str] = field(default_factory=dict)
    plan: SyncPlan | None = None
    scanned: Scanned | None = None
    requests: RequestCounts = field(default_factory=RequestCounts)
    is_complete: bool = True

    @property
    def unreadable(self) -> dict[str, str] | None:
        """Other namespaces that could not be read, and why; `None` if the sync did not come to look at them."""
        if not self.is_complete:
            return None
        return {name: outcome for name, outcome in self.others.items() if isinstance(outcome, str)}

    @property
    def has_news(self) -> bool:
        """Whether anything was done."""
        done = (self.commits, self.pulled, self.pulled_removals, self.fetched, self.pushed, self.pushed_removals)
        resolved = (self.renumbered, self.conflicts, self.merged, self.kept, self.kept_aside)
        is_begun_anew = bool(self.checkpoint) or self.is_replaced
        return self.scanned is not None or is_begun_anew or any(done) or any(resolved) or bool(self.failures)

    def to_json(self) -> dict[str, Any]:
        """Make the document that `datastore sync` prints."""
        document: dict[str, Any] = {
            "namespace": self.namespace,
            "dryRun": self.is_dry_run,
            "seq": self.seq,
            "checkpoint": self.checkpoint,
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
            "keptAside": [{"path": path, "keptAs": where} for path, where in self.kept_aside],
            "logReplaced": self.is_replaced,
            "failures": [{"path": path, "reason": reason} for path, reason in self.failures],
            "namespaces": self.others,
            "requests": self.requests.requests,
            "bytesUp": self.requests.bytes_up,
            "bytesDown": self.requests.bytes_down,
        }
        if self.scanned is not None:
            document["scan"] = self.scanned.to_json()
        if self.plan is not None:
            document["plan"] = self.plan.to_json()
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPlan:
    """What a sync would do now, as long as nobody publishes anything meanwhile.

    Args:
        report: As the sync would give it; its requests are those that it would make.
        pulled_files: How many files would come; of a log that is read anew, how many there are.
        pulled_size: Bytes of their content, whether it would be fetched or not.
        pulled: What would come (`put`) and go (`remove`); of a log that is read anew, the first files there are.
        fetched_size: Bytes of the content that would be fetched.
        refusal: Why the sync would be refused before it publishes anything; `None` if it would not be.
    """

    report: SyncReport
    pulled_files: int
    pulled_size: int
    pulled: list[tuple[str, str]]
    fetched_size: int
    refusal: str | None

    def to_json(self) -> dict[str, Any]:
        """Make the document of a dry run."""
        report = self.report
        would = report.to_json()
        names = (
            "commitsPulled", "filesPulled", "filesRemoved", "renumbered", "conflicts", "merged", "removalsDropped",
            "keptAside", "logReplaced", "namespaces",
        )  # fmt: skip
        entries = [("put", path) for path in report.sent] + [("remove", path) for path in report.withdrawn]
        return {
            "puts": report.pushed,
            "removals": report.pushed_removals,
            "requests": report.requests.requests,
            "bytes": report.requests.bytes_up,
            "fetches": report.fetched,
            "bytesFetched": self.fetched_size,
            "bytesDown": report.requests.bytes_down,
            "entries": [{"op": op, "path": path} for op, path in entries],
            "seq": report.seq,
            "checkpoint": report.checkpoint,
            "files": self.pulled_files,
            "bytesPulled": self.pulled_size,
            "pulled": [{"op": op, "path": path} for op, path in self.pulled],
            "refused": self.refusal,
            **{name: would[name] for name in names},
        }
