"""What `datastore sync` shows to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from swampsync.cli.console import Console, count, format_size
from swampsync.errors import printable
from swampsync.repo.publication import resolution_lines

if TYPE_CHECKING:
    from swampsync.repo.directory_sync import DirectoryReport, Refreshed
    from swampsync.repo.sync_report import SyncPlan, SyncReport
    from swampsync.sync.scan_plan import Scanned

_SHOWN: Final = 50


def show_report(console: Console, report: SyncReport) -> None:
    """Show what a sync did, or would do."""
    if report.scanned is not None:
        show_scan(console, report.scanned)
    if report.plan is not None:
        show_plan(console, report.plan, looked=report.requests.requests)
        return
    if report.is_replaced:
        console.warn("the log in the bucket is another one than before; what was pending is kept")
    if report.checkpoint:
        console.line(f"Began from the checkpoint of commit {report.checkpoint}")
    console.line(
        f"Pulled {count(report.commits, 'commit')}: {count(report.pulled, 'file')},"
        f" {count(report.pulled_removals, 'removal')}; fetched {count(report.fetched, 'file')}"
    )
    console.line(f"Pushed {count(report.pushed, 'file')}, {count(report.pushed_removals, 'removal')}")
    for line in resolution_lines(
        renumbered=report.renumbered,
        conflicts=report.conflicts,
        merged=report.merged,
        kept=report.kept,
        kept_aside=report.kept_aside,
    ):
        console.line(line)
    for name, outcome in report.others.items():
        shown = count(outcome, "commit") if isinstance(outcome, int) else f"could not be read: {outcome}"
        console.line(printable(f"Namespace {name}: {shown}"))
    for path, reason in report.failures:
        console.warn(printable(f"left out {path}: {reason}"))
    requests = report.requests
    console.line(
        f"At commit {report.seq}; {count(requests.requests, 'request')},"
        f" {format_size(requests.bytes_up)} up, {format_size(requests.bytes_down)} down"
    )


def show_scan(console: Console, scanned: Scanned) -> None:
    """Show what a scan found, and what of it was taken in."""
    plan = scanned.plan
    findings = plan.findings if scanned.is_dry_run else scanned.adopted
    verb = "Would take in" if scanned.is_dry_run else "Took in"
    console.line(f"Looked at {count(plan.seen, 'version or file', 'versions and files')}, read {plan.hashed:,} of them")
    for finding in findings[:_SHOWN]:
        console.line(printable(f"{verb} {finding.change.value} {finding.path} ({format_size(finding.size)})"))
    if len(findings) > _SHOWN:
        console.line(f"{verb} {len(findings) - _SHOWN:,} more")
    if plan.missing and not any(finding.change.value == "removed" for finding in findings):
        console.line(
            f"{count(len(plan.missing), 'fetched content', 'fetched contents')} missing; fetched again when read"
            " (if they were removed on purpose: --removals)"
        )
    for path, reason in plan.notes[:_SHOWN]:
        console.warn(printable(f"{path} {reason}"))
    if len(plan.notes) > _SHOWN:
        console.warn(f"{len(plan.notes) - _SHOWN:,} more cannot be published")


def show_refreshed(console: Console, report: DirectoryReport) -> None:
    """Show what a sync on a directory did."""
    if not report.refreshed:
        console.line("The datastore is a directory, where nothing travels: there is nothing to publish")
        return
    console.line("The datastore is a directory, where nothing travels. The catalog was refreshed:")
    for name, one in report.refreshed.items():
        console.line(f"  {name or '(solo)'}: {refreshed_counts(one)}")
    for name, reason in report.failures:
        console.warn(printable(f"namespace {name} could not be read: {reason}"))


def refreshed_counts(one: Refreshed) -> str:
    """Say what became of a namespace's rows."""
    added, changed, removed = one.rows
    return f"{count(one.versions, 'version')}; {added:,} added, {changed:,} changed, {removed:,} removed"


def show_plan(console: Console, plan: SyncPlan, *, looked: int) -> None:
    """Show what a sync would do, and how many requests it took to find out."""
    would = plan.report
    _show_what_comes(console, plan)
    for line in resolution_lines(
        renumbered=would.renumbered,
        conflicts=would.conflicts,
        merged=would.merged,
        kept=would.kept,
        kept_aside=would.kept_aside,
    ):
        console.line(f"Foreseen: {line}")
    if would.pushed or would.pushed_removals:
        console.line(f"Would push {count(would.pushed, 'file')}, {count(would.pushed_removals, 'removal')}")
    else:
        console.line("Nothing to push")
    _show_paths(console, [("put", path) for path in would.sent] + [("remove", path) for path in would.withdrawn])
    for name, outcome in would.others.items():
        shown = count(outcome, "commit") if isinstance(outcome, int) else f"cannot be read: {outcome}"
        console.line(printable(f"Namespace {name}: {shown}"))
    for path, reason in would.failures:
        console.warn(printable(f"would be left out: {path}: {reason}"))
    requests = would.requests
    console.line(
        f"That takes {count(requests.requests, 'request')}, {format_size(requests.bytes_up)} up,"
        f" {format_size(requests.bytes_down)} down, if nobody publishes meanwhile (to find out took {looked:,})"
    )
    if plan.refusal:
        console.warn(printable(f"it would be refused: {plan.refusal}"))


def _show_what_comes(console: Console, plan: SyncPlan) -> None:
    would = plan.report
    if would.is_replaced:
        console.line("The log in the bucket is another one than before: it would be read anew, what is pending is kept")
    if would.checkpoint:
        console.line(
            f"Would begin from the checkpoint of commit {would.checkpoint}: {count(plan.pulled_files, 'file')}"
            f" ({format_size(plan.pulled_size)})"
        )
    if would.commits:
        console.line(
            f"Would pull {count(would.commits, 'commit')}: {count(would.pulled, 'file')},"
            f" {count(would.pulled_removals, 'removal')}"
            + ("" if would.checkpoint else f" ({format_size(plan.pulled_size)})")
        )
    elif not would.checkpoint:
        console.line("Nothing to pull")
    _show_paths(console, plan.pulled, more=plan.pulled_files - len(plan.pulled) if would.checkpoint else 0)
    if would.fetched:
        console.line(f"Would fetch {count(would.fetched, 'content')} ({format_size(plan.fetched_size)})")


def _show_paths(console: Console, entries: list[tuple[str, str]], *, more: int = 0) -> None:
    for verb, path in entries[:_SHOWN]:
        console.line(printable(f"  {verb:<6}  {path}"))
    more += max(len(entries) - _SHOWN, 0)
    if more > 0:
        console.line(f"  and {more:,} more")
