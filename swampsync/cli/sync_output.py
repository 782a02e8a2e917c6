"""What `datastore sync` shows to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from swampsync.cli.console import Console, count, format_size
from swampsync.errors import printable
from swampsync.repo.publication import resolution_lines

if TYPE_CHECKING:
    from swampsync.repo.directory_sync import DirectoryReport, Refreshed
    from swampsync.repo.sync_report import SyncReport
    from swampsync.sync.push_plan import PushPlan
    from swampsync.sync.scan_plan import Scanned

_SHOWN: Final = 50


def show_report(console: Console, report: SyncReport) -> None:
    """Show what a sync did, or would do."""
    if report.scanned is not None:
        show_scan(console, report.scanned)
    if report.plan is not None:
        show_plan(console, report.plan)
        if report.scanned is not None and report.scanned.plan.findings:
            console.line("What the scan found is not counted: it is recorded first")
        return
    if report.is_replaced:
        console.warn("the log in the bucket is another one than before; what was pending is kept")
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


def show_plan(console: Console, plan: PushPlan) -> None:
    """Show what a push would do."""
    fetches = f", and fetch {count(plan.fetches, 'content')} ({format_size(plan.fetch_size)})" if plan.fetches else ""
    console.line(
        f"Would push {count(plan.puts, 'file')} and {count(plan.removals, 'removal')} ({format_size(plan.size)})"
        f"{fetches}: {count(plan.requests, 'request')}, if nobody else publishes meanwhile"
    )
    for entry in plan.entries[:_SHOWN]:
        console.line(printable(f"  {entry.op.value:<6}  {entry.path}"))
    if len(plan.entries) > _SHOWN:
        console.line(f"  and {len(plan.entries) - _SHOWN:,} more")
