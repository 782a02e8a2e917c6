"""`swamp datastore`: where data lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from swampsync.cli.command import Cli, command
from swampsync.cli.namespace import warn_of_underscore
from swampsync.errors import printable

if TYPE_CHECKING:
    from swampsync.repo.overdue import Overdue


@command
def status(
    cli: Cli,
    max_age: Annotated[
        str | None,
        typer.Option(
            "--max-age",
            metavar="AGE",
            help="For monitoring: exit 1 if something is older (30s, 5m, 1h, 2d): the last sync of this namespace or of"
            " one that is followed, what is pending, what could not be transferred.",
        ),
    ] = None,
) -> int:
    """Show where data lives, whether it can be used, what is not published yet, and what others published since.

    A bucket is asked two questions, one more if something is new, and one for each followed namespace.
    """
    from swampsync.cli.ages import parse_age

    allowed = None if max_age is None else parse_age(max_age, option="--max-age")
    overdue: list[Overdue] = []
    with cli.repo() as repo:
        standing = repo.datastore.standing()
        now = repo.clock.now()
    document = standing.to_json()
    if allowed is not None:
        from swampsync.repo.overdue import find_overdue

        overdue = find_overdue(standing, max_age_seconds=allowed, now=now)
        document["maxAge"] = {"seconds": allowed, "exceeded": [one.to_json() for one in overdue]}
    if cli.console.is_json:
        cli.console.document(document)
    else:
        from swampsync.cli.status_output import show_overdue, show_standing

        show_standing(cli.console, standing)
        show_overdue(cli.console, overdue, max_age=max_age or "")
    return 1 if overdue else 0


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
    if show_errors(cli, result.errors, namespace=result.namespace):
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
