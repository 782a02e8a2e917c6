"""`swamp datastore namespace policy`: what this repo's credentials must be allowed to do."""

from __future__ import annotations

import json
from enum import Enum
from typing import Annotated

import typer

from swampsync.cli.command import Cli, command


class Format(Enum):
    """Where the policy is put."""

    iam = "iam"
    s3_bucket = "s3-bucket"
    ceph = "ceph"


@command
def policy(
    cli: Cli,
    format: Annotated[  # noqa: A002
        Format, typer.Option("--format", help="Of a user or role, of a bucket on AWS, or of a bucket on Ceph.")
    ] = Format.iam,
    principal: Annotated[
        str | None,
        typer.Option("--principal", metavar="WHO", help="Whom a bucket's policy is for: an ARN, account or Ceph user."),
    ] = None,
    reader: Annotated[
        bool, typer.Option("--reader", help="For somebody who reads all namespaces and writes none.")
    ] = False,
) -> None:
    """Print the least-privilege policy for this repo's namespace, ready to be applied."""
    from swampsync.registry.access_policy import PolicyFormat

    with cli.repo() as repo:
        report = repo.namespaces.policy(PolicyFormat(format.value), principal=principal, reads_only=reader)
    if cli.console.is_json:
        cli.console.document(report.to_json())
        return
    cli.console.line(json.dumps(report.policy, indent=2, ensure_ascii=False))
    for note in report.notes:
        cli.console.note(note)
