"""`swamp datastore undelete`: bring back what was removed from a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from swampsync.cli.command import Cli, command
from swampsync.cli.console import count, format_size
from swampsync.cli.data_write import Yes
from swampsync.cli.structural import DryRun
from swampsync.errors import printable

if TYPE_CHECKING:
    from swampsync.log.undelete import Undelete
    from swampsync.repo.undeleting import UndeleteResult

_SHOWN = 50


@command
def undelete(
    cli: Cli,
    wanted: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL [NAME]… | PATH…", help="A model's data, or paths such as files/**; * and ? match."
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="SEQ|TIME", help="As it was then, instead of before its newest removal."),
    ] = None,
    version: Annotated[int | None, typer.Option("--version", min=1, help="Only this version.")] = None,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Leave out content that was vacuumed, instead of failing.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> int:
    """Bring back what was removed from a bucket, under its own name and number."""
    from swampsync.cli.moments import parse_as_of
    from swampsync.repo.selecting import parse_selection

    console = cli.console
    selection = parse_selection(wanted or [], version=version)
    with cli.repo() as repo:
        when = None if at is None else parse_as_of(at, repo.clock, option="--at")
        undeleter = repo.history.undeleter
        plan = undeleter.plan(selection, at=when, skips_missing=skip_missing)
        result = undeleter.preview(plan)
        if not dry_run:
            # Nothing is destroyed by it, so a script need not confirm; a person sees first what the words have matched.
            if not (yes or console.is_json) and console.stdin.isatty():
                console.note(_describe(result, "Would bring back"))
                if not console.confirm("Bring it back?", is_confirmed=False):
                    console.note("Cancelled.")
                    return 0
            result = undeleter.apply(plan)
    if console.is_json:
        console.document(result.to_json())
        return 0
    for path in plan.missing:
        console.warn(printable(f"left out {path}: its content was vacuumed"))
    if not result.items:
        console.line("Nothing to bring back: somebody else did meanwhile.")
        return 0
    console.line(_describe(result, "Would bring back" if dry_run else "Brought back"))
    if not dry_run:
        console.line(f"At commit {result.seq}")
    return 0


def _describe(result: UndeleteResult, verb: str) -> str:
    files = len(result.items) - result.versions
    counts = [count(result.versions, "version")] if result.versions or not files else []
    counts += [count(files, "file")] if files else []
    lines = [f"{verb} {' and '.join(counts)} ({format_size(result.size)})"]
    lines += [printable(f"  {_describe_item(item)}") for item in result.items[:_SHOWN]]
    if len(result.items) > _SHOWN:
        lines.append(f"  and {len(result.items) - _SHOWN:,} more")
    return "\n".join(lines)


def _describe_item(item: Undelete) -> str:
    from swampsync.repo.undeleting import describe_model

    if item.artifact is None:
        shown = item.path
    else:
        shown = f"{describe_model(item)} {item.artifact.name} v{item.artifact.version}"
    by = item.removed_by
    how = "" if by is None else f", removed by {by.author} with commit {by.seq} ({by.kind})"
    return f"{shown}: {format_size(item.content.size)}{how}"
