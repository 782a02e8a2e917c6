"""`swamp datastore namespace follow`: which other namespaces every sync looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from swampsync.cli.ages import format_age
from swampsync.cli.command import Cli, command
from swampsync.cli.completing import complete_namespace
from swampsync.cli.console import Console
from swampsync.errors import printable

if TYPE_CHECKING:
    from swampsync.sync.following import FollowedNamespace

_TITLES = {"all": "Following every namespace", "some": "Following", "none": "Following no other namespace"}


@command
def follow(
    cli: Cli,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAMESPACE...|all|none]",
            help="From now on these and no others; nothing shows what is followed.",
            autocompletion=complete_namespace,
        ),
    ] = None,
) -> None:
    """Keep other namespaces of a bucket catalogued here: every sync then looks at their logs, one request each."""
    with cli.repo() as repo:
        following = repo.namespaces.following
        report = following.follow(names) if names else following.show()
        is_remote = repo.config.is_remote
    if cli.console.is_json:
        cli.console.document(report.to_json())
        return
    if not is_remote:
        cli.console.line("The datastore is a directory: every namespace is read as it lies, none has to be followed.")
        return
    cli.console.line(_TITLES[report.mode] + (":" if report.namespaces else ""))
    show_followed(cli.console, report.namespaces)
    for name in report.dropped:
        cli.console.line(printable(f"  {name} is followed no longer; what was catalogued of it stays as it is"))


def show_followed(
    console: Console,
    followed: Iterable[FollowedNamespace],
    *,
    label: str = "",
    behind: Callable[[str], str] = lambda _namespace: "",
) -> None:
    """Show how followed namespaces stand, a line each.

    Args:
        console: Where.
        followed: Which.
        label: Put before each.
        behind: Says how far the log of one has gone on since.
    """
    for one in followed:
        at = "never looked at" if one.age_seconds is None else f"looked at {format_age(one.age_seconds)} ago"
        problem = f"; could not be read by the last sync: {one.problem}" if one.problem else ""
        news = behind(one.namespace)
        console.line(
            printable(f"  {label}{one.namespace}, commit {one.seq}, {at}{f'; {news}' if news else ''}{problem}")
        )
