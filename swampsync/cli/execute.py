"""`swamp exec`: run a program that acts in this repo's namespace."""

from __future__ import annotations

import subprocess
from typing import Annotated

import typer

from swampsync.cli.command import Cli, command
from swampsync.cli.console import printable
from swampsync.errors import InvalidInput, NotFound


@command
def exec_(
    cli: Cli,
    program: Annotated[list[str], typer.Argument(metavar="-- CMD [ARG]...", help="Program with its arguments.")],
    lock: Annotated[
        bool, typer.Option("--lock", help="Hold the structural lock while the program runs; its swamp commands pass.")
    ] = False,
) -> int:
    """Run a program with SWAMP_NAMESPACE, SWAMP_REPO_DIR and the lock holder's variables set."""
    if not program:
        raise InvalidInput("a program is missing", hint="swamp exec -- make deploy")
    with cli.repo() as repo:
        if lock:
            with repo.structural.locked("exec"):
                return _run(program, {**cli.environ, **repo.child_environment()})
        return _run(program, {**cli.environ, **repo.child_environment()})


def _run(program: list[str], environ: dict[str, str]) -> int:
    try:
        status = subprocess.run(program, env=environ, check=False).returncode
    except FileNotFoundError:
        raise NotFound(f"no such program: `{printable(program[0])}`", key=program[0]) from None
    # A child killed by a signal is reported as shells do.
    return 128 - status if status < 0 else status
