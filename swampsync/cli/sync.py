"""`swamp datastore sync`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from swampsync.cli.command import Cli, command
from swampsync.cli.sync_output import show_refreshed, show_report
from swampsync.errors import InvalidInput

if TYPE_CHECKING:
    from swampsync.repo import Repo
    from swampsync.repo.sync_report import SyncReport


@command
def sync(
    cli: Cli,
    predicate: Annotated[
        str | None, typer.Argument(metavar="[PREDICATE]", help="With --hydrate: whose content to fetch.")
    ] = None,
    pull: Annotated[bool, typer.Option("--pull", help="Only take in what is new.")] = False,
    push: Annotated[bool, typer.Option("--push", help="Only publish what is pending.")] = False,
    all_namespaces: Annotated[bool, typer.Option("--all", help="Look at every namespace's log.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be pulled, fetched and pushed, and do nothing.")
    ] = False,
    hydrate: Annotated[bool, typer.Option("--hydrate", help="Fetch content that is not here.")] = False,
    scan: Annotated[
        bool, typer.Option("--scan", help="First take in what was changed in the local copy by other programs.")
    ] = False,
    removals: Annotated[
        bool, typer.Option("--removals", help="With --scan: fetched content that is gone was removed on purpose.")
    ] = False,
    watch: Annotated[
        float | None,
        typer.Option("--watch", metavar="[SECONDS]", help="Keep syncing, every 10 s or so many.", min=0.1),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", help="For each direction.", min=0.001)
    ] = None,
    max_requests: Annotated[
        int | None, typer.Option("--max-requests", metavar="N", help="Publish nothing if more are needed.", min=0)
    ] = None,
    max_delete: Annotated[
        int | None,
        typer.Option(
            "--max-delete", metavar="N", help="Publish no more removals; half of what there is by default.", min=0
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove any number of versions and files.")] = False,
) -> int:
    """Take in what others published, and publish what is pending.

    On a directory nothing travels: the catalog follows the tree, with --all every namespace's; --push and --dry-run do
    nothing there.
    """
    if predicate is not None and not hydrate:
        raise InvalidInput("a predicate says whose content to fetch", hint="swamp datastore sync --hydrate PREDICATE")
    if removals and not scan:
        raise InvalidInput("removals are found by a scan", hint="swamp datastore sync --scan --removals")
    if watch is not None and dry_run:
        raise InvalidInput(
            "a dry run is over at once: there is nothing to watch", hint="leave --watch or --dry-run out"
        )
    if pull and push:
        pull = push = False  # both is what happens anyway
    with cli.repo() as repo:
        if not repo.config.is_remote and watch is None:
            return _refresh(cli, repo, all_namespaces=all_namespaces, is_dry_run=dry_run or (push and not pull))
        from swampsync.repo.sync_report import SyncOptions
        from swampsync.sync.push_plan import PushLimits

        options = SyncOptions(
            is_pulling=not push or hydrate,
            is_pushing=not pull,
            all_namespaces=all_namespaces,
            is_dry_run=dry_run,
            hydrate=True if hydrate else None,
            predicate=predicate,
            timeout_seconds=timeout,
            is_scanning=scan,
            takes_removals=removals,
            limits=PushLimits(max_requests=max_requests, max_delete=max_delete, is_confirmed=yes),
        )
        if watch is not None:
            from swampsync.cli.watch import watch as keep_syncing

            return keep_syncing(cli, repo, options, watch)
        report = repo.synchroniser.sync(
            options, stages=cli.console.progress, on_stop=lambda stopped: _show(cli, stopped)
        )
    _show(cli, report)
    return 1 if report.failures or (report.plan is not None and report.plan.refusal) else 0


def _show(cli: Cli, report: SyncReport) -> None:
    if cli.console.is_json:
        cli.console.document(report.to_json())
    else:
        show_report(cli.console, report)


def _refresh(cli: Cli, repo: Repo, *, all_namespaces: bool, is_dry_run: bool) -> int:
    """On a directory nothing travels: the catalog follows the tree."""
    with cli.console.progress("Reading") as bar:
        report = repo.refresh(all_namespaces=all_namespaces, is_dry_run=is_dry_run, progress=bar)
    if cli.console.is_json:
        cli.console.document(report.to_json())
    else:
        show_refreshed(cli.console, report)
    return 0
