"""Arguments and options that several data commands take."""

from __future__ import annotations

from typing import Annotated

import typer

from swampsync.cli.completing import complete_data_name, complete_model
from swampsync.errors import InvalidInput

Model = Annotated[str | None, typer.Argument(metavar="MODEL", help="Model name or id.", autocompletion=complete_model)]
Name = Annotated[str | None, typer.Argument(metavar="NAME", help="Data name.", autocompletion=complete_data_name)]
ModelOption = Annotated[str | None, typer.Option("--model", help="Model name or id.", autocompletion=complete_model)]
NameOption = Annotated[str | None, typer.Option("--name", help="Data name.")]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", help="Look in every namespace of the datastore.")]
Cached = Annotated[bool, typer.Option("--cached", help="Show what the catalog holds without looking at the files.")]
NoSync = Annotated[bool, typer.Option("--no-sync", help="Publish nothing now; the next sync does.")]


def choose(positional: str | None, option: str | None, what: str, usage: str) -> str:
    """Take a name from its argument or its option, which must not disagree."""
    if positional is not None and option is not None and positional != option:
        raise InvalidInput(f"{what} is given twice, as `{positional}` and as `{option}`", hint=usage)
    chosen = positional if positional is not None else option
    if not chosen:
        raise InvalidInput(f"{what[:1].upper()}{what[1:]} is required. Usage: {usage}", hint=f"{usage}")
    return chosen
