"""`swamp repo`: make a directory a repo, look at it, and undo it."""

from __future__ import annotations

from typing import Annotated

import typer

from swampsync.cli.command import Cli, command
from swampsync.cli.data_write import Yes
from swampsync.errors import printable

Directory = Annotated[str, typer.Argument(metavar="[DIR]", help="Directory of the repo.")]


@command
def init(
    cli: Cli,
    directory: Directory = ".",
    force: Annotated[bool, typer.Option("--force", "-f", help="Bring an initialised repo up to date.")] = False,
    tool: Annotated[
        list[str] | None, typer.Option("--tool", "-t", help="Accepted for the original's sake; nothing is enrolled.")
    ] = None,
) -> None:
    """Make a directory a repo: configuration, directories and what git ignores."""
    from swampsync.cli.opening import init_repo

    result = init_repo(cli.common.repo_dir if directory == "." and cli.common.repo_dir else directory, force=force)
    if tool and tool != ["none"]:
        cli.console.warn("no AI tool is enrolled here; `swamp repo upgrade --tool` of the original does that")
    if cli.console.is_json:
        cli.console.document(result.to_json())
        return
    cli.console.line(printable(f"Initialized swamp repository at {result.repo_dir}"))


@command
def status(cli: Cli) -> None:
    """Show what this repo is, where its data lies and what it holds."""
    with cli.repo() as repo:
        state = repo.status()
    if cli.console.is_json:
        cli.console.document(state.to_json())
        return
    for label, value in state.lines():
        cli.console.line(printable(f"{label + ':':<12} {value}"))


@command
def upgrade(cli: Cli, directory: Directory = ".") -> None:
    """Bring the configuration and legacy files of a repo to today's form."""
    from swampsync.cli.opening import upgrade_repo

    changes = upgrade_repo(cli, cli.common.repo_dir if directory == "." and cli.common.repo_dir else directory)
    if cli.console.is_json:
        cli.console.document({"changes": list(changes)})
        return
    for change in changes:
        cli.console.line(printable(change))
    if not changes:
        cli.console.line("Nothing to upgrade.")


@command
def deinit(cli: Cli, yes: Yes = False) -> int:
    """Remove the configuration and the managed block of `.gitignore`; data stays."""
    from swampsync.cli.opening import plan_deinit

    plan, apply = plan_deinit(cli)
    if not cli.console.is_json:
        for line in plan:
            cli.console.note(printable(line))
    if not cli.console.confirm("Remove these?", is_confirmed=yes):
        cli.console.note("Nothing was removed.")
        return 0
    apply()
    if cli.console.is_json:
        cli.console.document({"removed": list(plan)})
        return 0
    cli.console.line("This directory is no swamp repository any more; its data is where it was.")
    return 0
