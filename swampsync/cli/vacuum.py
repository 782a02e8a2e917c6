"""`swamp datastore vacuum`: free what nobody can need any more in a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from swampsync.cli.command import Cli, command
from swampsync.cli.console import count, format_size
from swampsync.cli.data_write import Yes
from swampsync.cli.structural import DryRun
from swampsync.errors import printable

if TYPE_CHECKING:
    from swampsync.repo.vacuuming import VacuumResult


@command
def vacuum(
    cli: Cli,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="DURATION", help="How long removed content is kept (7d, at least 3d)."),
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> int:
    """Free the space of a bucket's removed versions and dead uploads; the data that is there, and the log, stay."""
    from swampsync.artifacts.lifetimes import parse_duration

    console = cli.console
    span = None if older_than is None else parse_duration(older_than)
    with cli.repo() as repo:
        vacuumer = repo.vacuumer(older_than=span)
        if not dry_run:
            preview = vacuumer.preview()
            if preview.removed and not console.is_json and not yes:
                console.note(_describe(preview, "Would remove"))
                console.note("What is removed cannot be brought back with `swamp datastore undelete`.")
            if preview.removed and not console.confirm("Remove them for good?", is_confirmed=yes):
                console.note("Vacuum cancelled.")
                return 0
        with console.progress("Removing") as bar:
            result = vacuumer.preview() if dry_run else vacuumer.vacuum(progress=bar)
    if console.is_json:
        console.document(result.to_json())
        return 1 if result.failed else 0
    console.line(_describe(result, "Would remove" if dry_run else "Removed"))
    if result.removed and result.keeps_room:
        console.note("The bucket keeps former versions: the space is free when they have expired, not before.")
    for key, reason in result.failed:
        console.warn(printable(f"could not remove {key}: {reason}"))
    return 1 if result.failed else 0


def _describe(result: VacuumResult, verb: str) -> str:
    from swampsync.repo.undeleting import format_days

    plan = result.plan
    horizon = format_days(result.horizon)
    if not plan.keys:
        return f"Nothing to vacuum: {count(plan.kept, 'object')}, all needed or younger than {horizon}"
    kinds = ((plan.contents, "content"), (plan.segments, "segment"), (plan.checkpoints, "checkpoint"))
    parts = ", ".join(count(number, noun) for number, noun in kinds if number)
    return (
        f"{verb} {count(result.removed, 'object')} ({format_size(plan.size)}): {parts};"
        f" not needed for {horizon}. {plan.kept:,} stay"
    )
