"""What `datastore status` shows to a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from swampsync.cli.ages import format_age
from swampsync.cli.console import Console, count
from swampsync.cli.following import show_followed
from swampsync.errors import printable

if TYPE_CHECKING:
    from swampsync.repo.overdue import Overdue
    from swampsync.repo.standing import Standing
    from swampsync.sync.behind import Behind
    from swampsync.sync.status import SyncStatus


def show_standing(console: Console, standing: Standing) -> None:
    """Show how a repo stands to its datastore."""
    console.line("Datastore Status")
    for label, value in standing.health.lines():
        console.line(printable(f"  {label + ':':<11}{value}"))
    sync = standing.sync
    if sync is None:
        return
    _show_sync(console, sync, standing.behind.get(sync.namespace))

    def describe(namespace: str) -> str:
        behind = standing.behind.get(namespace)
        # Why nothing can be reached was said above.
        if behind is None or not standing.health.is_healthy:
            return ""
        return f"{'behind by ' if behind.commits else ''}{describe_behind(behind)}"

    show_followed(console, standing.followed, label="Follows:   ", behind=describe)


def _show_sync(console: Console, sync: SyncStatus, behind: Behind | None) -> None:
    if sync.age_seconds is None:
        lines = [("Commit", "none: the log was never read; swamp datastore sync")]
    else:
        lines = [("Commit", f"{sync.seq}, looked at {format_age(sync.age_seconds)} ago")]
    if behind is not None:
        lines.append(("Behind", describe_behind(behind)))
    not_here = f", {sync.not_here:,} of them not fetched" if sync.not_here else ""
    pending = f"{count(sync.pending_puts, 'file')}, {count(sync.pending_removals, 'removal')}"
    if sync.pending and sync.pending_age_seconds is not None:
        pending += f", the oldest {format_age(sync.pending_age_seconds)} old: swamp datastore sync"
    lines += [("Files", f"{sync.files:,}{not_here}"), ("Pending", pending)]
    lines += [("Conflict", path) for path in sync.conflicts]
    aside = "/".join(filter(None, (".swamp/kept-aside", sync.namespace)))
    lines += [("Kept", f"{aside}/{path}") for path in sync.kept_aside]
    for letter in sync.dead_letters:
        attempts = count(letter.attempts, "attempt")
        lines.append(("Failed", f"{letter.path}: {letter.last_error} ({attempts}, last {letter.last_at[:19]}Z)"))
    for label, value in lines:
        console.line(printable(f"  {label + ':':<11}{value}"))


def describe_behind(behind: Behind) -> str:
    """Say how far a log has gone on."""
    if behind.is_replaced:
        return "the log in the bucket is another one than before; the next sync starts over and keeps what is pending"
    if behind.commits is None:
        return f"not known: {behind.problem}"
    if behind.commits == 0:
        return "nothing new"
    if behind.is_more:
        return f"at least {count(behind.commits, 'commit')}: swamp datastore sync"
    age = "" if behind.newest_age_seconds is None else f", {format_age(behind.newest_age_seconds)} ago"
    author = f" by {behind.newest_by}" if behind.newest_by else ""
    problem = f"; it cannot be read: {behind.problem}" if behind.problem else ""
    return f"{count(behind.commits, 'commit')} (newest: {behind.newest_seq}{author}{age}{problem})"


def show_overdue(console: Console, overdue: Sequence[Overdue], *, max_age: str) -> None:
    """Warn of what waits longer than it should, a line for each cause."""
    for one in overdue:
        console.warn(printable(_describe_overdue(one, max_age)))


def _describe_overdue(one: Overdue, max_age: str) -> str:
    from swampsync.repo.overdue import Cause

    where = f"`{one.namespace}`" if one.namespace else "this repo's log"
    which = ", ".join(one.paths[:3]) + (f" and {one.count - 3:,} more" if one.count > 3 else "")
    match one.cause:
        case Cause.UNREACHABLE:
            return f"the datastore cannot be used: {one.detail}"
        case Cause.NOT_SYNCED:
            reason = f" ({one.detail})" if one.detail else ""
            if one.age_seconds is None:
                return f"not synced: {where} was never read{reason}: swamp datastore sync"
            return (
                f"not synced: {where} was last read {format_age(one.age_seconds)} ago, more than {max_age}{reason}:"
                " swamp datastore sync"
            )
        case Cause.PENDING:
            what = count(one.count, "change is", "changes are")
            return f"pending: {what} not published for more than {max_age}: {which}: swamp datastore sync"
        case Cause.FAILED:
            what = count(one.count, "transfer has", "transfers have")
            return f"failed: {what} failed for more than {max_age}: {which}: {one.detail}"
