"""`swamp doctor`: does the store keep what everything above rests on?"""

from __future__ import annotations

from typing import Annotated

import typer

from swampsync.cli.command import Cli, command
from swampsync.errors import printable


@command
def backend(
    cli: Cli,
    quick: Annotated[bool, typer.Option("--quick", help="Try each promise a few times only.")] = False,
) -> int:
    """Prove on the datastore itself that it keeps its promises; exit 1 where sharing it is unsafe."""
    with cli.repo() as repo, cli.console.progress("Checking") as bar:
        done = 0

        def on_check(_name: str) -> None:
            nonlocal done
            done += 1
            bar(done, None)

        report = repo.datastore.probe(is_quick=quick, on_check=on_check)
    if cli.console.is_json:
        cli.console.document(report.to_json())
        return 0 if report.is_safe else 1
    cli.console.table(
        ["promise", "result", "consequence"],
        [(p.name, p.result.value, printable(p.consequence)) for p in report.promises],
    )
    if report.is_safe:
        cli.console.line("Safe: several repos may share this datastore.")
        return 0
    cli.console.line(f"Unsafe for shared use: {', '.join(report.missing)}")
    return 1
