"""`swamp datastore log`: who changed what in a bucket."""

from __future__ import annotations

from typing import Annotated

import typer

from swampsync.cli.arguments import Model, Name
from swampsync.cli.command import Cli, command
from swampsync.cli.console import count
from swampsync.errors import InvalidInput


@command
def log(
    cli: Cli,
    model: Model = None,
    name: Name = None,
    path: Annotated[
        str | None,
        typer.Option("--path", metavar="PATH", help="Only commits that touched it or what is below; * and ** match."),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", help="A duration (2d) or an ISO time.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="At most so many.", min=1)] = 20,
) -> None:
    """Show who changed what, newest first: all of a namespace, a model, one artifact, or a path."""
    from swampsync.cli.moments import parse_moment

    if path is not None and model is not None:
        raise InvalidInput("a model and --path do not go together", hint="swamp datastore log --path PATH")
    with cli.repo() as repo:
        moment = None if since is None else parse_moment(since, repo.clock, option="--since")
        namespace = None
        if model is not None:
            namespace, path = repo.history.find_path(model, name)
        listing = repo.history.entries(path=path, since=moment, limit=limit, namespace=namespace)
    entries = listing.entries
    if cli.console.is_json:
        commits = [entry.to_json() for entry in entries]
        cli.console.document(
            {
                "commits": commits,
                "total": len(entries),
                "limited": listing.is_limited,
                "unknown": list(listing.unknown),
            }
        )
        return
    if listing.unknown:
        cli.console.warn(_describe_unknown(listing.unknown))
    if not entries:
        cli.console.note("No commit matches." + _help_with(path))
        return
    rows = [
        (str(e.seq), _shown(e.at), e.author, e.kind, _plus(e.versions), _plus(e.files), _minus(e.removed))
        for e in entries
    ]
    columns = ("seq", "time (utc)", "author", "kind", "versions", "files", "removed")
    whole = set(columns) - {"author"}
    cli.console.table(columns, rows, whole=whole, optional=("versions", "files", "removed"))
    if listing.is_limited:
        cli.console.note(f"Only the newest {count(len(entries), 'commit')}: --limit N shows more.")


def _help_with(path: str | None) -> str:
    """Say where paths begin, if this one begins elsewhere."""
    from swampsync.log.paths import SHARED_SUBDIRS
    from swampsync.log.wildcards import has_wildcards

    first = (path or "").partition("/")[0]
    if not first or first in SHARED_SUBDIRS or has_wildcards(first):
        return ""
    return " Paths are relative to the namespace: data/…, files/…"


def _describe_unknown(unknown: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, unknown[:5])) + (f" and {len(unknown) - 5} others" if len(unknown) > 5 else "")
    which = f"commit {shown}" if len(unknown) == 1 else f"commits {shown}"
    return f"what {which} touched is not known any more: it was vacuumed"


def _shown(at: str) -> str:
    return at[:19].replace("T", " ")


def _plus(number: int) -> str:
    return f"+{number:,}" if number else ""


def _minus(number: int) -> str:
    return f"-{number:,}" if number else ""
