"""`swamp datastore namespace policy`: what this repo's credentials must be allowed to do."""

from __future__ import annotations

import json
from enum import Enum
from typing import Annotated

import typer

from swampsync.cli.command import Cli, command
from swampsync.errors import InvalidInput


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
    bucket: Annotated[
        str | None, typer.Option("--bucket", metavar="NAME", help="Instead of the configured one, before set-up.")
    ] = None,
    prefix: Annotated[
        str, typer.Option("--prefix", metavar="PREFIX", help="With --bucket: what keys begin with.")
    ] = "",
    region: Annotated[str | None, typer.Option("--region", metavar="REGION", help="With --bucket.")] = None,
    reader: Annotated[
        bool, typer.Option("--reader", help="For somebody who reads all namespaces and writes none.")
    ] = False,
) -> None:
    """Print the least-privilege policy for this repo's namespace, ready to be applied."""
    from swampsync.config.s3 import make_s3
    from swampsync.registry.access_policy import PolicyFormat

    if bucket is None and (prefix or region):
        raise InvalidInput("`--prefix` and `--region` go with `--bucket`", hint="--bucket BUCKET")
    place = None if bucket is None else make_s3(bucket, prefix=prefix, region=region)
    with cli.repo() as repo:
        report = repo.namespaces.policy(
            PolicyFormat(format.value), principal=principal, reads_only=reader, bucket=place
        )
    if cli.console.is_json:
        cli.console.document(report.to_json())
        return
    cli.console.line(json.dumps(report.policy, indent=2, ensure_ascii=False))
    for note in report.notes:
        cli.console.note(note)
