"""`swamp data put`, `import`, `delete` and `rename`."""

from __future__ import annotations

import os
import sys
from typing import Annotated, BinaryIO

import typer

from swampsync.cli.arguments import Model, ModelOption, Name, NameOption, NoSync, choose
from swampsync.cli.command import Cli, command
from swampsync.cli.completing import complete_data_name, complete_model
from swampsync.cli.console import count, format_size
from swampsync.cli.tags import parse_tags
from swampsync.errors import InvalidInput, NotFound, printable

Yes = Annotated[bool, typer.Option("--yes", "-y", "--force", "-f", help="Do not ask.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="K=V", help="A tag (can be repeated).")]
ModelType = Annotated[str | None, typer.Option("--type", help="Type of the model, if it has to be created.")]


@command
def put(
    cli: Cli,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model name or id.", autocompletion=complete_model)],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Data name.", autocompletion=complete_data_name)],
    file: Annotated[str, typer.Argument(metavar="[FILE]", help="File to put, `-` for stdin.")] = "-",
    type: ModelType = None,  # noqa: A002
    spec: Annotated[str | None, typer.Option("--spec", help="Spec of the model that the data follows.")] = None,
    content_type: Annotated[
        str | None, typer.Option("--content-type", help="Content type; by default from the file's name.")
    ] = None,
    tag: Tags = None,
    lifetime: Annotated[str | None, typer.Option("--lifetime", help="Such as 30d, infinite, workflow.")] = None,
    gc: Annotated[str | None, typer.Option("--gc", help="How many versions gc keeps, or how old they may be.")] = None,
    append: Annotated[bool, typer.Option("--append", help="Add to the latest version of streaming data.")] = False,
    streaming: Annotated[bool, typer.Option("--streaming", help="Let later puts append to this version.")] = False,
    no_sync: NoSync = False,
) -> None:
    """Put content as a new version of a data artifact."""
    tags = parse_tags(tag or [])
    if append and (tags or lifetime or gc or content_type or spec):
        raise InvalidInput(
            "`--append` adds bytes to an existing version, whose metadata stays",
            hint="leave out --tag, --lifetime, --gc, --content-type and --spec",
        )
    if file == "-" and cli.console.stdin.isatty():
        cli.console.note("Reading from the terminal; end with Ctrl-D.")
    with cli.repo() as repo, _open_source(file) as source:
        if no_sync:
            repo.leave_pending()
        if append:
            result = repo.data.append(model, name, source)
        else:
            result = repo.data.put(
                model,
                name,
                source,
                model_type=type,
                spec=spec,
                content_type=content_type or guess_content_type(name if file == "-" else file),
                tags=tags,
                lifetime=lifetime,
                garbage_collection=gc,
                is_streaming=streaming,
            )
    if cli.console.is_json:
        from swampsync.cli.documents import get_document

        cli.console.document(get_document(result.model, result.metadata, cli.relative(result.content_path)))
        return
    m = result.metadata
    verb = "Appended to" if append else "Put"
    where = "" if result.namespace.is_solo else f" in {result.namespace}"
    cli.console.line(
        printable(f"{verb} {m.name} v{m.version} of {result.model.name}{where} ({format_size(m.size or 0)})")
    )


def _open_source(file: str) -> BinaryIO:
    if file == "-":
        return sys.stdin.buffer
    try:
        return open(file, "rb")
    except FileNotFoundError:
        raise NotFound(f"no such file: `{printable(file)}`", key=file) from None
    except IsADirectoryError:
        raise InvalidInput(
            f"`{printable(file)}` is a directory", hint=f"swamp data import {file} --model MODEL", key=file
        ) from None


# What people put most; everything else is asked of the mimetypes module, which is slow to load.
_CONTENT_TYPES = {
    "json": "application/json",
    "txt": "text/plain",
    "log": "text/plain",
    "md": "text/markdown",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "csv": "text/csv",
    "html": "text/html",
    "xml": "application/xml",
    "tfstate": "application/json",
    "jsonl": "application/jsonl",
    "ndjson": "application/x-ndjson",
    "bin": "application/octet-stream",
}


def guess_content_type(file_name: str) -> str:
    """Guess a content type from a file's name; unknown ones are bytes."""
    suffix = file_name.rpartition(".")[2].lower()
    if suffix in _CONTENT_TYPES:
        return _CONTENT_TYPES[suffix]
    import mimetypes

    return mimetypes.guess_type(file_name)[0] or "application/octet-stream"


@command
def import_(
    cli: Cli,
    directory: Annotated[str, typer.Argument(metavar="DIR", help="Directory whose files are put.")],
    model: Annotated[str, typer.Option("--model", help="Model name or id.", autocompletion=complete_model)],
    type: ModelType = None,  # noqa: A002
    tag: Tags = None,
    no_sync: NoSync = False,
) -> None:
    """Put every file of a directory, each as an artifact named by its path with `/` made `-`."""
    with cli.repo() as repo, cli.console.progress("Importing") as bar:
        if no_sync:
            repo.leave_pending()
        result = repo.data.import_directory(
            os.path.abspath(directory),
            model,
            model_type=type,
            tags=parse_tags(tag or []),
            guess_content_type=guess_content_type,
            progress=bar,
        )
    if cli.console.is_json:
        from swampsync.cli.documents import model_fields

        items = [{"name": m.name, "version": m.version, "size": m.size} for m in result.versions]
        skipped = [{"path": path, "reason": reason} for path, reason in result.skipped]
        cli.console.document(
            model_fields(result.model)
            | {"imported": items, "skipped": skipped, "total": len(items), "size": result.size}
        )
        return
    for path, reason in result.skipped:
        cli.console.warn(printable(f"left out {path}: {reason}"))
    cli.console.line(
        printable(
            f"Imported {count(len(result.versions), 'file')} ({format_size(result.size)}) into {result.model.name}"
        )
    )


@command
def delete(
    cli: Cli,
    model: Model = None,
    name: Name = None,
    model_option: ModelOption = None,
    name_option: NameOption = None,
    version: Annotated[int | None, typer.Option("--version", min=1, help="Delete only this version.")] = None,
    prefix: Annotated[str | None, typer.Option("--prefix", help="Delete all data whose name begins so.")] = None,
    all: Annotated[bool, typer.Option("--all", help="Delete all data of the model.")] = False,  # noqa: A002
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be deleted.")] = False,
    yes: Yes = False,
    no_sync: NoSync = False,
) -> int:
    """Delete a version, an artifact, or many artifacts of a model."""
    from swampsync.cli.documents import delete_document

    usage = "swamp data delete <model> <data_name>"
    chosen = choose(model, model_option, "a model", usage)
    wanted = name if name is not None else name_option
    is_batch = prefix is not None or all
    _check_delete(wanted, version=version, prefix=prefix, is_all=all)
    with cli.repo() as repo:
        if no_sync:
            repo.leave_pending()
        if is_batch:
            plan = repo.data.plan_delete(chosen, prefix=prefix or "", is_dry_run=dry_run)
        else:
            one = choose(wanted, None, "a data name", usage)
            plan = repo.data.plan_delete(chosen, name=one, version=version, is_dry_run=dry_run)
        if dry_run:
            result = plan.preview()
        else:
            what = f"version {version} of " if version is not None else f"{count(plan.versions, 'version')} of "
            what += f'"{wanted}"' if not is_batch else count(plan.artifacts, "artifact")
            question = printable(f"Delete {what} from {plan.model.name}?")
            if not cli.console.confirm(question, is_confirmed=yes):
                if cli.console.is_json:
                    cli.console.document({"cancelled": True})
                cli.console.note("Delete cancelled.")
                return 0
            result = repo.data.apply_delete(plan)
    if cli.console.is_json:
        cli.console.document(delete_document(result, name=None if is_batch else wanted, version=version))
    else:
        verb = "Would delete" if dry_run else "Deleted"
        what = f"{count(result.versions, 'version')}"
        target = f'of "{wanted}"' if not is_batch else f"of {count(result.artifacts, 'artifact')}"
        cli.console.line(printable(f"{verb} {what} {target} from {result.model.name} ({result.model.type})"))
        for path, reason in result.failed:
            cli.console.warn(printable(f"could not delete {path}: {reason}"))
    return 1 if result.failed else 0


def _check_delete(name: str | None, *, version: int | None, prefix: str | None, is_all: bool) -> None:
    if prefix is not None and is_all:
        raise InvalidInput("`--prefix` and `--all` exclude each other")
    if prefix == "":
        raise InvalidInput("an empty prefix would delete everything", hint="use --all to mean it")
    is_batch = prefix is not None or is_all
    if is_batch and name is not None:
        raise InvalidInput("a data name cannot be combined with `--prefix` or `--all`")
    if is_batch and version is not None:
        raise InvalidInput("`--version` cannot be combined with `--prefix` or `--all`")


@command
def rename(
    cli: Cli,
    model: Model = None,
    old: Annotated[
        str | None, typer.Argument(metavar="OLD", help="Name today.", autocompletion=complete_data_name)
    ] = None,
    new: Annotated[str | None, typer.Argument(metavar="NEW", help="Name from now on.")] = None,
    model_option: ModelOption = None,
    name_option: NameOption = None,
    new_name: Annotated[str | None, typer.Option("--new-name", help="Name from now on.")] = None,
    no_sync: NoSync = False,
) -> None:
    """Rename a data artifact; the old name forwards to the new one."""
    from swampsync.cli.documents import rename_document, rename_warning

    usage = "swamp data rename <model> <old_name> <new_name>"
    with cli.repo() as repo:
        if no_sync:
            repo.leave_pending()
        result = repo.data.rename(
            choose(model, model_option, "a model", usage),
            choose(old, name_option, "a data name", usage),
            choose(new, new_name, "a new name", usage),
        )
    if cli.console.is_json:
        cli.console.document(rename_document(result))
        return
    cli.console.line(printable(f'Renamed "{result.old_name}" -> "{result.new_name}" for {result.model.name}'))
    cli.console.line(f"Version {result.copied_version} copied as v{result.new_version} under the new name")
    cli.console.warn(printable(rename_warning(result)))
