"""`swamp data search`: find data by text and filters."""

from __future__ import annotations

from typing import Annotated

import typer

from swampsync.cli.arguments import AllNamespaces, Cached, ModelOption
from swampsync.cli.command import Cli, command
from swampsync.cli.console import count, format_size


@command
def search(
    cli: Cli,
    query: Annotated[str, typer.Argument(metavar="TEXT", help="Part of a name, type, model or owner.")] = "",
    type: Annotated[str | None, typer.Option("--type", help="Data type.")] = None,  # noqa: A002
    lifetime: Annotated[str | None, typer.Option("--lifetime", help="Lifetime, such as 30d or infinite.")] = None,
    owner_type: Annotated[str | None, typer.Option("--owner-type", help="Kind of owner.")] = None,
    workflow: Annotated[str | None, typer.Option("--workflow", help="Workflow name.")] = None,
    model: ModelOption = None,
    content_type: Annotated[str | None, typer.Option("--content-type", help="Content type.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Not older than this, such as 2h or 7d.")] = None,
    output: Annotated[str | None, typer.Option("--output", help="Id of the version.")] = None,
    run: Annotated[str | None, typer.Option("--run", help="Id of the workflow run.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="K=V", help="A tag (can be repeated).")] = None,
    streaming: Annotated[bool, typer.Option("--streaming", help="Streaming data only.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many at most.")] = 50,
    all_namespaces: AllNamespaces = False,
    cached: Cached = False,
) -> None:
    """Find data by text and filters, newest first."""
    from swampsync.cli.documents import search_document
    from swampsync.cli.tags import parse_tags
    from swampsync.repo import SearchFilters

    filters = SearchFilters(
        query=query,
        data_type=type,
        lifetime=lifetime,
        owner_type=owner_type,
        workflow=workflow,
        model=model,
        content_type=content_type,
        since=since,
        output=output,
        run=run,
        tags=tuple(parse_tags(tag or []).items()),
        is_streaming=streaming,
    )
    with cli.repo() as repo:
        result = repo.reading.search(filters, limit=limit, all_namespaces=all_namespaces, is_cached=cached)
    if cli.console.is_json or not cli.console.stdout.isatty():
        cli.console.document(search_document(filters, result, shows_namespace=all_namespaces))
        return
    has_namespaces = any(hit.row.namespace for hit in result.hits)
    columns = [*(["namespace"] if has_namespaces else []), "name", "version", "model", "type", "size", "created"]
    cli.console.table(
        columns,
        [
            (
                *((hit.row.namespace or "(solo)",) if has_namespaces else ()),
                hit.row.data_name,
                f"v{hit.row.version}",
                hit.model_name,
                hit.row.data_type,
                format_size(hit.row.size),
                hit.row.created_at[:19].replace("T", " "),
            )
            for hit in result.hits
        ],
    )
    more = f"; more than {limit}, see --limit" if result.is_limited else ""
    cli.console.note(f"{count(len(result.hits), 'result')}{more}")
