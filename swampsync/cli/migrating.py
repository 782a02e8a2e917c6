"""`swamp datastore namespace migrate`: take un-namespaced data into the namespace, or back out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from swampsync.cli.command import Cli, command
from swampsync.cli.console import Console, count, format_size
from swampsync.cli.data_write import Yes
from swampsync.errors import printable

if TYPE_CHECKING:
    from swampsync.repo import Repo
    from swampsync.repo.migrating import Migration

Absorb = Annotated[
    bool, typer.Option("--absorb", help="Also take un-namespaced data of a directory that others share.")
]
Confirm = Annotated[bool, typer.Option("--confirm", help="The same as --yes.")]


@command
def migrate(
    cli: Cli,
    reverse: Annotated[bool, typer.Option("--reverse", help="Out of the namespace instead of into it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would move, and do nothing.")] = False,
    absorb: Absorb = False,
    confirm: Confirm = False,
    yes: Yes = False,
) -> None:
    """Move this repo's un-namespaced data into its namespace; without --yes, show what would move."""
    with cli.repo() as repo:
        is_confirmed = (yes or confirm) and not dry_run
        run_migration(
            cli, repo, is_reverse=reverse, absorbs=absorb, is_confirmed=is_confirmed, asks=not dry_run and not confirm
        )


def run_migration(
    cli: Cli, repo: Repo, *, is_reverse: bool, absorbs: bool, is_confirmed: bool, asks: bool = True
) -> bool:
    """Show what would move, ask where there is a terminal, and move it; returns whether nothing is left to move."""
    console = cli.console
    migrator = repo.namespaces.migrator
    if not is_confirmed:
        preview = migrator.plan(is_reverse=is_reverse, absorbs=absorbs)
        if console.is_json:
            console.document(preview.to_json())
            return preview.plan.is_empty
        _show(console, preview)
        if preview.plan.is_empty:
            return True
        if not (asks and console.stdin.isatty()):
            console.note("Nothing was moved: add --yes to move it.")
            return False
        if not console.confirm("Move it?", is_confirmed=False):
            console.note("Nothing was moved.")
            return False
    with console.progress("Moving") as progress:
        done = migrator.migrate(is_reverse=is_reverse, absorbs=absorbs, progress=progress)
    if console.is_json:
        console.document(done.to_json())
    elif done.plan.files == 0:
        console.line(_nothing(done))
    else:
        place = "out of" if is_reverse else "into"
        console.line(
            f"Moved {count(done.plan.files, 'file')} ({format_size(done.plan.size)}) {place} namespace"
            f' "{done.namespace}": {", ".join(share.subdir for share in done.plan.directories)}'
        )
    return True


def _nothing(migration: Migration) -> str:
    where = f'namespace "{migration.namespace}"' if migration.is_reverse else "the un-namespaced path"
    return f"Nothing to move: {where} holds no data."


def _show(console: Console, preview: Migration) -> None:
    if preview.plan.is_empty:
        console.line(_nothing(preview))
        return
    shares = preview.plan.directories
    first = shares[0]
    source, target = (path.removesuffix(f"/{first.subdir}") for path in (first.source, first.destination))
    console.line(printable(f"From {source} to {target}:"))
    console.table(
        ["directory", "files", "size"],
        [(share.subdir, f"{share.files:,}", format_size(share.size)) for share in shares],
    )
    console.line(f"{count(preview.plan.files, 'file')}, {format_size(preview.plan.size)} in all")
