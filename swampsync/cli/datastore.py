"""`swamp datastore`: where data lives."""

from __future__ import annotations

from typing import Annotated

import typer

from swampsync.cli.command import Cli, command
from swampsync.cli.namespace import warn_of_underscore
from swampsync.errors import printable


@command
def status(
    cli: Cli,
    max_age: Annotated[
        str | None, typer.Option("--max-age", metavar="DURATION", help="Exit 1 if the last sync is longer ago (1h).")
    ] = None,
) -> int:
    """Show where data lives, whether it can be reached, and what is not published yet."""
    with cli.repo() as repo:
        health = repo.datastore.health()
        sync = repo.synchroniser.status() if repo.config.is_remote else None
        followed = repo.synchroniser.followed() if repo.config.is_remote else ()
    is_stale, stale = False, []
    if max_age is not None and sync is not None:
        from swampsync.artifacts.lifetimes import parse_duration

        allowed = parse_duration(max_age).total_seconds()
        ages = [("", sync.age_seconds), *((f.namespace, f.age_seconds) for f in followed)]
        stale = [name for name, age in ages if age is None or age > allowed]
        is_stale = bool(stale)
    if cli.console.is_json:
        others = [f.to_json() for f in followed]
        cli.console.document(
            health.to_json() | ({} if sync is None else {"sync": sync.to_json() | {"followed": others}})
        )
        return int(is_stale)
    cli.console.line("Datastore Status")
    for label, value in health.lines():
        cli.console.line(printable(f"  {label + ':':<11}{value}"))
    if sync is not None:
        from swampsync.cli.sync_output import show_status

        show_status(cli.console, sync)
    if followed:
        from swampsync.cli.following import show_followed

        show_followed(cli.console, followed)
    if is_stale:
        whose = ", ".join(name or "this namespace" for name in stale)
        cli.console.warn(f"the last sync is longer ago than {max_age} for {whose}: swamp datastore sync")
    return int(is_stale)


@command
def setup_filesystem(
    cli: Cli,
    path: Annotated[str, typer.Option("--path", metavar="DIR", help="The shared directory.")],
    directories: Annotated[
        str | None, typer.Option("--directories", metavar="A,B", help="Subdirectories that go there.")
    ] = None,
    skip_migration: Annotated[bool, typer.Option("--skip-migration", help="Leave existing data where it is.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would move, and write nothing.")] = False,
) -> int:
    """Keep data in a directory that repos share; existing data moves there, out of a bucket too."""
    from swampsync.cli.opening import open_repo
    from swampsync.cli.setup_report import Bars, describe_files, show_errors, show_old_place, show_preview
    from swampsync.repo.setup_filesystem import DirectoryChoice

    wanted = tuple(part.strip() for part in directories.split(",") if part.strip()) if directories is not None else None
    # The flag names the namespace to set up, not one to act in before it exists.
    chosen, cli.common.namespace = cli.common.namespace, None
    if dry_run:
        choice = DirectoryChoice(path=path, directories=wanted, namespace=chosen, skips_migration=skip_migration)
        with open_repo(cli) as repo:
            return show_preview(cli, repo.datastore.plan_filesystem(choice))
    with open_repo(cli) as repo, Bars(cli) as bars:
        result = repo.datastore.setup_filesystem(
            path, directories=wanted, namespace=chosen, skip_migration=skip_migration, progress=bars.on_move
        )
    if chosen is not None:
        warn_of_underscore(cli.console, chosen)
    if cli.console.is_json:
        cli.console.document(result.to_json())
        return 1 if result.errors else 0
    for warning in result.warnings:
        cli.console.warn(printable(str(warning["message"])))
    if show_errors(cli, result.errors):
        return 1
    cli.console.line("Datastore Setup Complete")
    for label, value in (
        ("Type", "filesystem"),
        ("Path", result.path),
        ("Namespace", result.namespace),
        ("Files", describe_files(result.moved)),
        ("Dirs", ", ".join(result.directories)),
    ):
        if value:
            cli.console.line(printable(f"  {label + ':':<10} {value}"))
    show_old_place(cli, result.source, path=result.path)
    return 0
