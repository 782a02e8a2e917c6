"""`swamp model`: only what the data commands need; models are not run here."""

from __future__ import annotations

from typing import Annotated

import typer

from swampsync.cli.command import Cli, command
from swampsync.errors import printable


@command
def create(
    cli: Cli,
    type: Annotated[str, typer.Argument(metavar="TYPE", help="Model type, such as command/shell.")],  # noqa: A002
    name: Annotated[str, typer.Argument(metavar="NAME", help="Model name.")],
) -> None:
    """Create a model definition in this repo."""
    from swampsync.cli.documents import model_fields

    with cli.repo() as repo:
        model, path = repo.models.create(type, name)
    if cli.console.is_json:
        cli.console.document(model_fields(model) | {"path": cli.relative(path)})
        return
    cli.console.line(printable(f"Created {model.name} ({model.type}) at {cli.relative(path)}"))


@command
def list_(cli: Cli) -> None:
    """List the models that are defined here, with or without data."""
    from swampsync.cli.documents import model_fields

    with cli.repo() as repo:
        found = repo.models.list()
    if cli.console.is_json:
        cli.console.document({"models": [model_fields(m) for m in found], "total": len(found)})
        return
    cli.console.table(["model", "type", "id"], [(m.name, m.type, m.id) for m in found])
