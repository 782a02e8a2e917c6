"""`swamp datastore setup s3`: share data through a bucket."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from swampsync.cli.command import Cli, command
from swampsync.cli.setup_report import Bars, describe_files, show_errors, show_old_place, show_preview
from swampsync.errors import printable

if TYPE_CHECKING:
    from swampsync.repo.setup_s3 import BucketSetup

# What other tools read too; what they say is written down, so that every member of the team goes to the same place.
_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


@command
def setup_s3(
    cli: Cli,
    bucket: Annotated[str, typer.Option("--bucket", metavar="NAME", help="The bucket.")],
    prefix: Annotated[str | None, typer.Option("--prefix", metavar="PREFIX", help="Where in the bucket.")] = None,
    region: Annotated[str | None, typer.Option("--region", metavar="REGION", help="The bucket's region.")] = None,
    endpoint: Annotated[str | None, typer.Option("--endpoint", metavar="URL", help="A server other than AWS.")] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="AWS profile to take credentials from.")
    ] = None,
    hydration: Annotated[
        str | None,
        typer.Option("--hydration", metavar="full|lazy", help="Fetch content with every pull, or when read."),
    ] = None,
    create_bucket: Annotated[
        bool, typer.Option("--create-bucket", help="Make the bucket if it does not exist.")
    ] = False,
    join: Annotated[
        bool, typer.Option("--join", help="Become a member of a namespace that another repo claimed.")
    ] = False,
    path_style: Annotated[
        bool | None,
        typer.Option("--path-style/--virtual-hosts", help="Name the bucket in the path, or in the host's name."),
    ] = None,
    sse: Annotated[
        str | None, typer.Option("--sse", metavar="AES256|aws:kms", help="Server-side encryption to ask for.")
    ] = None,
    sse_kms_key_id: Annotated[
        str | None, typer.Option("--sse-kms-key-id", metavar="KEY", help="Key for aws:kms.")
    ] = None,
    ca_file: Annotated[
        str | None, typer.Option("--ca-file", metavar="FILE", help="PEM certificates of the server's own authority.")
    ] = None,
    concurrency: Annotated[int | None, typer.Option("--concurrency", metavar="N", help="Requests at a time.")] = None,
    request_timeout: Annotated[
        float | None,
        typer.Option("--request-timeout", metavar="SECONDS", help="How long the server may be silent.", min=1, max=600),
    ] = None,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Do not sign requests.")] = False,
    skip_migration: Annotated[bool, typer.Option("--skip-migration", help="Leave existing data where it is.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would move, and write nothing.")] = False,
) -> int:
    """Keep data in a bucket that repos share; access is proven first, and existing data moves there."""
    from swampsync.cli.opening import open_repo
    from swampsync.config.environment import collapse_home
    from swampsync.repo.setup_choice import BucketChoice

    # The flag names the namespace to set up, not one to act in before it exists.
    namespace, cli.common.namespace = cli.common.namespace, None
    endpoint = endpoint or next((cli.environ[v] for v in _ENDPOINT_VARIABLES if cli.environ.get(v)), None)
    asked: dict[str, str | int | bool | None] = {
        "bucket": bucket,
        "prefix": (prefix or "").strip("/") or None,
        "region": region,
        "endpoint": endpoint,
        "profile": profile,
        "forcePathStyle": path_style,
        "concurrency": concurrency,
        "requestTimeoutMs": None if request_timeout is None else round(request_timeout * 1000),
        "sse": sse,
        "sseKmsKeyId": sse_kms_key_id,
        "caFile": collapse_home(os.path.abspath(ca_file), environ=cli.environ) if ca_file else None,
        "anonymous": anonymous or None,
    }
    choice = BucketChoice(
        config={key: value for key, value in asked.items() if value is not None},
        namespace=namespace,
        hydration=hydration,
        creates_bucket=create_bucket,
        joins=join,
        skips_migration=skip_migration,
    )
    if dry_run:
        with open_repo(cli, needs_bucket=True) as repo:
            return show_preview(cli, repo.datastore.plan_s3(choice))
    with open_repo(cli, needs_bucket=True) as repo, Bars(cli) as bars:
        result = repo.datastore.setup_s3(choice, on_check=bars.on_check, progress=bars.on_move)
    if cli.console.is_json:
        cli.console.document(result.to_json())
    else:
        _show(cli, result)
    return 1 if result.errors else 0


def _show(cli: Cli, result: BucketSetup) -> None:
    for warning in result.warnings:
        cli.console.warn(printable(str(warning["message"])))
    if show_errors(cli, result.errors, namespace=result.namespace):
        return
    kept = sum(promise.result.value == "kept" for promise in result.report.promises)
    cli.console.line("Datastore Setup Complete")
    for label, value in (
        ("Type", result.settings.type),
        ("Path", result.url),
        ("Server", result.where),
        ("Bucket", "created" if result.is_created else ""),
        ("Namespace", result.namespace or "(solo)"),
        ("Hydration", result.hydration),
        ("Files", describe_files(result.moved)),
        ("Dirs", ", ".join(result.moved.plan.directories)),
        ("Promises", f"{kept} kept (all of them: swamp doctor backend)"),
    ):
        if value:
            cli.console.line(printable(f"  {label + ':':<10} {value}"))
    show_old_place(cli, result.source, path=result.url)
