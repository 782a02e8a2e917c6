"""`swamp data query`: predicates over the catalog."""

from __future__ import annotations

from typing import Annotated

import typer

from swampsync.cli.arguments import Cached
from swampsync.cli.command import Cli, command


@command
def query(
    cli: Cli,
    predicate: Annotated[
        str, typer.Argument(metavar="PREDICATE", help="CEL that is true for what is looked for.")
    ] = "",
    select: Annotated[
        str | None, typer.Option("--select", metavar="EXPR", help="CEL of what to show of each match.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="How many results at most.")] = None,
    order_by: Annotated[
        str | None, typer.Option("--order-by", metavar="FIELD[:desc]", help="Sort by a field; by default by time.")
    ] = None,
    after: Annotated[str | None, typer.Option("--after", metavar="CURSOR", help="Go on after an earlier page.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show how the query runs instead of its results.")] = False,
    cached: Cached = False,
) -> None:
    """Query data of all namespaces in the catalog."""
    from swampsync.cli.query_output import write_explanation, write_notes, write_results

    with (
        cli.repo() as repo,
        repo.query(
            predicate,
            select=select,
            limit=limit,
            order_by=order_by,
            after=after,
            namespace=cli.common.namespace,
            is_cached=cached,
            counts_visits=explain,
            stages=cli.console.progress,
        ) as run,
    ):
        if not explain:
            write_results(cli.console, run, own=repo.namespace, is_remote=repo.config.is_remote)
            return
        from swampsync.query.explain import explain as make_explanation

        start = repo.clock.uptime()
        for _result in run:
            pass
        write_explanation(cli.console, make_explanation(run, seconds=repo.clock.uptime() - start))
        write_notes(cli.console, run, is_remote=repo.config.is_remote)
