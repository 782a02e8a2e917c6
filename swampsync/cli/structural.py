"""`swamp data gc`, `data prune`, `datastore reindex` and `datastore compact`: they take the structural lock."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from swampsync.cli.arguments import NoSync
from swampsync.cli.command import Cli, command
from swampsync.cli.console import count, format_size
from swampsync.cli.data_write import Yes
from swampsync.errors import printable

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]

MaxDelete = Annotated[
    int | None,
    typer.Option("--max-delete", min=0, help="Refuse to delete more versions than that, also with --yes."),
]


@command
def gc(
    cli: Cli, dry_run: DryRun = False, yes: Yes = False, max_delete: MaxDelete = None, no_sync: NoSync = False
) -> int:
    """Delete expired data and versions above the cap of their artifact."""
    console = cli.console
    with cli.repo() as repo:
        if no_sync:
            repo.leave_pending()
        if not dry_run and not yes:
            preview = repo.structural.plan_gc()
            if not preview.is_empty and not console.is_json:
                console.note(_describe_gc(preview))
            if not preview.is_empty and not console.confirm("Proceed with garbage collection?", is_confirmed=yes):
                console.note("Garbage collection cancelled.")
                return 0
        result = repo.structural.gc(is_dry_run=dry_run, max_delete=max_delete)
    if console.is_json:
        console.document(result.to_json())
        return 1 if result.failed else 0
    if not (result.artifacts_expired or result.versions_deleted or result.failed):
        console.line("Nothing to clean up.")
        return 0
    verb = "Would delete" if dry_run else "Deleted"
    console.line(
        f"{verb} {count(result.artifacts_expired, 'expired artifact')}"
        f" and {count(result.versions_deleted, 'excess version')} ({format_size(result.bytes_reclaimed)})"
    )
    for entry in result.expired:
        console.line(printable(f"  {entry.type}/{entry.model_id} {entry.name}: {entry.reason}"))
    return _report_failures(cli, result.failed)


def _describe_gc(plan: Any) -> str:
    return (
        f"{count(plan.artifacts_expired, 'expired artifact')}, {count(plan.versions_excess, 'excess version')}, "
        f"{format_size(plan.size)} in all"
    )


def _report_failures(cli: Cli, failed: Any) -> int:
    for path, reason in failed:
        cli.console.warn(printable(f"could not delete {path}: {reason}"))
    return 1 if failed else 0


@command
def prune(
    cli: Cli, dry_run: DryRun = False, yes: Yes = False, max_delete: MaxDelete = None, no_sync: NoSync = False
) -> int:
    """Delete the data of models whose definition is gone."""
    console = cli.console
    with cli.repo() as repo:
        if no_sync:
            repo.leave_pending()
        if not dry_run and not yes:
            preview = repo.structural.plan_prune()
            if not preview.is_empty and not console.is_json:
                for model in preview.models:
                    console.note(
                        printable(
                            f"{model.type}/{model.model_id}: {count(model.versions, 'version')},"
                            f" {format_size(model.size)}"
                        )
                    )
            if not preview.is_empty and not console.confirm("Reclaim this orphaned data?", is_confirmed=yes):
                console.note("Prune cancelled.")
                return 0
        result = repo.structural.prune(is_dry_run=dry_run, max_delete=max_delete, is_confirmed=True)
    for problem in result.problems:
        console.warn(printable(f"left alone: `{problem.path}` {problem.reason}"))
    if console.is_json:
        console.document(result.to_json())
        return 1 if result.failed else 0
    if not (result.models_reclaimed or result.versions_deleted or result.failed):
        console.line("No orphaned data to reclaim.")
        return 0
    verb = "Would reclaim" if dry_run else "Reclaimed"
    console.line(
        f"{verb} {count(result.models_reclaimed, 'orphaned model')}, {count(result.versions_deleted, 'version')}"
        f" ({format_size(result.bytes_reclaimed)})"
    )
    return _report_failures(cli, result.failed)


@command
def reindex(cli: Cli, dry_run: DryRun = False) -> None:
    """Make the catalog equal to the files or the log, rows of vanished files included."""
    with cli.repo() as repo, cli.console.progress("Reindexing") as bar:
        result = repo.structural.reindex(is_dry_run=dry_run, progress=bar)
    if cli.console.is_json:
        cli.console.document(
            {
                "added": result.added,
                "changed": result.changed,
                "removed": result.removed,
                "unchanged": result.unchanged,
                "lost": result.lost,
                "found": result.found,
                "problems": [{"path": path, "reason": reason} for path, reason in result.problems],
                "dryRun": dry_run,
            }
        )
        return
    verb = "Would reindex" if dry_run else "Reindexed"
    cli.console.line(
        f"{verb} {count(result.total, 'version')}: {result.added:,} added, {result.changed:,} changed,"
        f" {result.removed:,} removed"
    )
    if result.lost:
        cli.console.line(f"{count(result.lost, 'file')} gone from the local copy: fetched again when read")
    if result.found:
        cli.console.line(f"{count(result.found, 'file')} found in the local copy: not fetched again")
    for path, reason in result.problems:
        cli.console.warn(printable(f"{path}: {reason}"))


@command
def compact(cli: Cli) -> None:
    """Shrink the catalog's file."""
    with cli.repo() as repo:
        result = repo.structural.compact()
    if cli.console.is_json:
        cli.console.document(
            {
                "walPagesTotal": result.wal_pages_total,
                "walPagesCheckpointed": result.wal_pages_checkpointed,
                "dbBytesReclaimed": result.bytes_reclaimed,
                "vacuumSkipped": result.is_vacuum_skipped,
            }
        )
        return
    cli.console.line(f"Catalog compacted: {format_size(result.bytes_reclaimed)} reclaimed")
