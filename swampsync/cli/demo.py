"""`swamp demo`: two repos on one shared datastore, in a temporary directory, every command shown with its output."""

from __future__ import annotations

import io
import json
import os
import shlex
import tempfile
from contextlib import chdir, redirect_stderr, redirect_stdout
from typing import Annotated

import typer

from swampsync.cli.command import Cli, command
from swampsync.errors import SwampsyncError

STORY: tuple[tuple[str, ...], ...] = (
    ("# Two git repos, each with a directory of its own.",),
    ("repo", "init", "infra"),
    ("repo", "init", "app"),
    ("# Both use one shared datastore, each in its own namespace.",),
    ("-C", "infra", "datastore", "setup", "filesystem", "--path", "../datastore"),
    ("-C", "infra", "datastore", "namespace", "set", "infra"),
    ("-C", "app", "datastore", "setup", "filesystem", "--path", "../datastore"),
    ("-C", "app", "datastore", "namespace", "set", "app"),
    ("# infra puts the state of a network, twice; app puts a build.",),
    ("-C", "infra", "data", "put", "vpc", "state", "vpc-1.json", "--tag", "env=dev"),
    ("-C", "infra", "data", "put", "vpc", "state", "vpc-2.json", "--tag", "env=prod"),
    ("-C", "app", "data", "put", "build", "result", "build.json"),
    ("# Each repo lists its own data …",),
    ("-C", "infra", "data", "list", "vpc"),
    ("-C", "infra", "data", "versions", "vpc", "state"),
    ("# … and reads its neighbour's, without touching a byte of it.",),
    ("-C", "app", "data", "list", "--all-namespaces"),
    ("-C", "app", "data", "get", "vpc", "state", "-n", "infra"),
    ("-C", "app", "data", "query", 'ns == "infra" && tags.env == "prod"'),
    ("# Nobody takes a namespace that is taken.",),
    ("-C", "app", "datastore", "namespace", "set", "infra"),
    ("-C", "app", "datastore", "namespace", "list"),
)

FILES = {
    "vpc-1.json": {"id": "vpc-0a1", "cidr": "10.0.0.0/16", "subnets": 2},
    "vpc-2.json": {"id": "vpc-0a1", "cidr": "10.0.0.0/16", "subnets": 3},
    "build.json": {"commit": "948fb52d", "status": "ok"},
}

EXPECTED_FAILURES = frozenset({("-C", "app", "datastore", "namespace", "set", "infra")})


@command
def demo(
    cli: Cli,
    keep: Annotated[
        str | None, typer.Option("--keep", metavar="DIR", help="Build it in DIR and leave it there.")
    ] = None,
) -> int:
    """Build two repos and a shared datastore in a temporary directory, and show how they work together."""
    if keep is not None:
        os.makedirs(keep, exist_ok=True)
        return _play(cli, keep)
    with tempfile.TemporaryDirectory(prefix="swampsync-demo-") as directory:
        return _play(cli, directory)


def _document(cli: Cli, directory: str, environ: dict[str, str]) -> int:
    """Print the story as one document: every command with its status and what it printed."""
    steps = []
    with chdir(directory):
        _write_files()
        for step in STORY:
            if len(step) > 1:
                out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True), io.StringIO()
                with redirect_stdout(out), redirect_stderr(err):
                    status = run_step(step, environ)
                out.seek(0)
                steps.append(
                    {
                        "command": shlex.join(("swamp", *step)),
                        "status": status,
                        "out": out.read(),
                        "err": err.getvalue(),
                    }
                )
    cli.console.document({"steps": steps})
    return 0


def run_step(step: tuple[str, ...], environ: dict[str, str]) -> int:
    """Run one command of the story.

    Raises:
        SwampsyncError: It ended otherwise than the story says.
    """
    from swampsync.cli.app import run

    status = run(step, environ)
    if (status != 0) != (step in EXPECTED_FAILURES):
        raise SwampsyncError(f"the demo's command `swamp {shlex.join(step)}` ended with status {status}")
    return status


def _write_files() -> None:
    for name, content in FILES.items():
        with open(name, "w", encoding="utf-8") as file:
            json.dump(content, file)


def _play(cli: Cli, directory: str) -> int:
    environ = {k: v for k, v in cli.environ.items() if not k.startswith("SWAMP_")}
    if cli.console.is_json:
        return _document(cli, directory, environ)
    with chdir(directory):
        _write_files()
        for step in STORY:
            if len(step) == 1:
                cli.console.line(f"\n{step[0]}")
                continue
            cli.console.line(f"\n$ swamp {shlex.join(step)}")
            cli.console.stdout.flush()
            run_step(step, environ)
            cli.console.stdout.flush()
            cli.console.stderr.flush()
    cli.console.line("\n# Done. `swamp --help` shows the rest.")
    return 0
