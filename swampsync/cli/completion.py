"""`swamp completion`: what a shell sources to complete commands, models, data names and namespaces."""

from __future__ import annotations

from typing import Annotated

import typer

from swampsync.cli.command import Cli, command
from swampsync.errors import InvalidInput

SHELLS = ("bash", "zsh", "fish")


@command
def completion(
    cli: Cli, shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")] = "bash"
) -> None:
    """Print the completion script of a shell."""
    from typer._completion_shared import get_completion_script

    if shell not in SHELLS:
        raise InvalidInput(f"no completion for `{shell}`", hint=f"one of {', '.join(SHELLS)}")
    scripts = [
        get_completion_script(prog_name=name, complete_var=f"_{name.upper()}_COMPLETE", shell=shell)
        for name in ("swamp", "swampsync")
    ]
    if cli.console.is_json:
        cli.console.document({"shell": shell, "script": "\n".join(scripts)})
        return
    cli.console.line("\n".join(scripts))
