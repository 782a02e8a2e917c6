"""`swamp data get`, `list`, `versions` and `search`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from swampsync.cli.arguments import AllNamespaces, Cached, Model, ModelOption, Name, NameOption, choose
from swampsync.cli.command import Cli, command
from swampsync.cli.console import Console, count, format_size
from swampsync.cli.moments import AsOf
from swampsync.errors import InvalidInput, NotFound, printable

if TYPE_CHECKING:
    from swampsync.repo import ModelListing, Repo, Version
    from swampsync.repo.past import Past

MAX_SHOWN_BYTES = 16 * 1024 * 1024
Reader = Callable[["Version"], Iterator[bytes]]


@command
def get(
    cli: Cli,
    model: Model = None,
    name: Name = None,
    model_option: ModelOption = None,
    name_option: NameOption = None,
    version: Annotated[
        int | None, typer.Option("--version", min=1, help="Version number instead of the latest.")
    ] = None,
    workflow: Annotated[str | None, typer.Option("--workflow", help="Name of the workflow that wrote it.")] = None,
    run: Annotated[str | None, typer.Option("--run", help="Id of the workflow run that wrote it.")] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Write the content to a file, `-` for stdout.")
    ] = None,
    no_content: Annotated[bool, typer.Option("--no-content", help="Show the metadata only.")] = False,
    as_of: AsOf = None,
    cached: Cached = False,
) -> None:
    """Show one version of a data artifact, or write its content to a file."""
    usage = "swamp data get <model> <data_name>"
    with cli.repo() as repo:
        read = repo.reading.read
        if as_of is not None:
            _refuse_with_as_of({"--workflow": workflow, "--run": run, "--cached": cached})
            chosen = choose(model, model_option, "a model", usage)
            past = _past(cli, repo, as_of, chosen)
            found = past.get(chosen, choose(name, name_option, "a data name", usage), version=version)
            read = past.read
        elif workflow is not None:
            wanted = choose(name or model, name_option, "a data name", "swamp data get --workflow <name> <data_name>")
            found = repo.reading.get_of_workflow(workflow, wanted, run=run, version=version)
        else:
            chosen = choose(model, model_option, "a model", usage)
            found = repo.reading.get(
                chosen, choose(name, name_option, "a data name", usage), version=version, is_cached=cached
            )
        if output is not None:
            _write_content(cli, read, found, output)
        elif cli.console.is_json:
            _print_json(cli.console, repo, found, read if not no_content else None)
        else:
            _print_text(cli.console, repo, found, read if not no_content else None)


def _write_content(cli: Cli, read: Reader, version: Version, output: str) -> None:
    if output == "-":
        cli.console.stdout.flush()
        for chunk in read(version):
            cli.console.stdout.buffer.write(chunk)
        cli.console.stdout.buffer.flush()
        return
    target = os.path.realpath(output)
    if os.path.isdir(target):
        raise InvalidInput(
            f"`{printable(output)}` is a directory", hint=f"--output {output.rstrip('/')}/{version.metadata.name}"
        )
    if not os.path.isdir(os.path.dirname(target)):
        raise NotFound(f"no such directory: `{printable(os.path.dirname(output))}`", key=output)
    if os.path.exists(target) and not os.path.isfile(target):
        # A device or a pipe is written to; a file in its place would be another thing.
        with open(target, "wb") as file:
            file.writelines(read(version))
    else:
        _replace_file(read, version, target)
    size = format_size(version.metadata.size or 0)
    cli.console.note(f"Wrote {version.metadata.name} v{version.metadata.version} ({size}) to {output}")


def _replace_file(read: Reader, version: Version, target: str) -> None:
    """Write a file under another name first: a part of the content must never look like the artifact."""
    partial = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.{os.getpid()}.part")
    try:
        with open(partial, "xb") as file:
            file.writelines(read(version))
        if os.path.exists(target):
            shutil.copymode(target, partial)
        os.replace(partial, target)
    except BaseException:
        if os.path.lexists(partial):
            os.unlink(partial)
        raise


def _content(read: Reader, version: Version) -> tuple[Any, str | None]:
    """Return the content as a document holds it, and why it is left out if it is."""
    import json

    size = version.metadata.size
    if size is not None and size > MAX_SHOWN_BYTES:
        return None, f"{format_size(size)} is above the {format_size(MAX_SHOWN_BYTES)} that are shown; use --output"
    body = b"".join(read(version))
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None, "the content is not UTF-8 text; use --output"
    if version.metadata.content_type == "application/json":
        try:
            return json.loads(text), None
        except ValueError:
            return text, None
    return text, None


def _print_json(console: Console, repo: Repo, version: Version, read: Reader | None) -> None:
    from swampsync.cli.documents import get_document

    path = os.path.relpath(version.content_path, repo.directory)
    document = get_document(version.model, version.metadata, path)
    if read is not None:
        content, reason = _content(read, version)
        if reason is None:
            document["content"] = content
        else:
            document["contentOmitted"] = reason
    console.document(document)


def _print_text(console: Console, repo: Repo, version: Version, read: Reader | None) -> None:
    import json

    m = version.metadata
    lines = [
        f"Data: {m.name} (v{m.version})",
        f"Model: {version.model.name} ({version.model.type})",
        f"Content: {m.content_type}" + (f", {format_size(m.size)}" if m.size is not None else ""),
        f"Lifetime: {m.lifetime}" + (f" | GC: {m.garbage_collection}" if m.garbage_collection is not None else ""),
        "Tags: " + ", ".join(f"{k}={v}" for k, v in m.tags.items()),
        f"Owner: {m.owner.owner_type} ({m.owner.owner_ref})",
        f"Created: {m.created_at}",
        f"Path: {os.path.relpath(version.content_path, repo.directory)}",
    ]
    if not version.namespace.is_solo:
        lines.insert(2, f"Namespace: {version.namespace}")
    for line in lines:
        console.line(printable(line))
    if read is None:
        return
    content, reason = _content(read, version)
    console.line()
    if reason is not None:
        console.note(reason)
    elif isinstance(content, str):
        # Content is the user's own: it is shown as it is, but not with the power to drive the terminal.
        console.line("\n".join(_plain(line) for line in content.split("\n")) if console.stdout.isatty() else content)
    else:
        console.line(json.dumps(content, indent=2, ensure_ascii=False))


def _plain(line: str) -> str:
    return "\t".join(printable(part) for part in line.split("\t"))


def _past(cli: Cli, repo: Repo, as_of: str, model: str) -> Past:
    """Read the log up to where it is asked for, in the namespace that the model names."""
    from swampsync.cli.moments import parse_as_of
    from swampsync.namespace import parse_scoped_name

    namespace = parse_scoped_name(model)[0] if model else None
    past = repo.history.at(parse_as_of(as_of, repo.clock), namespace=namespace)
    if not cli.console.is_json:
        cli.console.note(f"As of commit {past.seq}")
    return past


def _refuse_with_as_of(options: Mapping[str, object]) -> None:
    """Refuse options that say nothing of the past."""
    for option, value in options.items():
        if value:
            raise InvalidInput(f"{option} and --as-of do not go together", hint=f"leave {option} out")


@command
def list_(
    cli: Cli,
    model: Model = None,
    model_option: ModelOption = None,
    type: Annotated[str | None, typer.Option("--type", help="Data type, such as resource or file.")] = None,  # noqa: A002
    workflow: Annotated[
        str | None, typer.Option("--workflow", help="Name of the workflow that wrote the data.")
    ] = None,
    run: Annotated[str | None, typer.Option("--run", help="Id of the workflow run.")] = None,
    all_namespaces: AllNamespaces = False,
    as_of: AsOf = None,
    cached: Cached = False,
) -> None:
    """List the data of a model, or all models."""
    from swampsync.cli.listing import list_artifacts, list_models, list_workflow

    chosen = model if model is not None else model_option
    with cli.repo() as repo:
        if as_of is not None:
            unfit = {"--workflow": workflow, "--run": run, "--all-namespaces": all_namespaces, "--cached": cached}
            _refuse_with_as_of(unfit)
            past = _past(cli, repo, as_of, chosen or "")
            if chosen is None:
                list_models(cli.console, repo, past.list_models())
            else:
                list_artifacts(cli.console, repo, past.list(chosen, data_type=type))
        elif workflow is not None:
            list_workflow(cli.console, repo, workflow, run=run, data_type=type)
        elif chosen is None:
            with cli.console.progress("Cataloguing") as bar:
                summaries = repo.reading.list_models(all_namespaces=all_namespaces, is_cached=cached, progress=bar)
            list_models(cli.console, repo, summaries)
        else:
            found: list[ModelListing] = repo.reading.list(
                chosen, data_type=type, all_namespaces=all_namespaces, is_cached=cached
            )
            list_artifacts(cli.console, repo, found)


@command
def versions(
    cli: Cli,
    model: Model = None,
    name: Name = None,
    model_option: ModelOption = None,
    name_option: NameOption = None,
    follow: Annotated[bool, typer.Option("--follow", help="Show the history under former names too.")] = False,
    as_of: AsOf = None,
) -> None:
    """List the versions of a data artifact, newest first."""
    from swampsync.cli.documents import versions_document

    usage = "swamp data versions <model> <data_name>"
    with cli.repo() as repo:
        chosen = choose(model, model_option, "a model", usage)
        wanted = choose(name, name_option, "a data name", usage)
        if as_of is not None:
            _refuse_with_as_of({"--follow": follow})
            owner, history = _past(cli, repo, as_of, chosen).versions(chosen, wanted)
        else:
            owner, history = repo.reading.versions(chosen, wanted, follow=follow)
    document = versions_document(owner, wanted, [m for m in history if m.name == wanted])
    if follow:
        former = list(dict.fromkeys(m.name for m in history if m.name != wanted))
        documents = [versions_document(owner, old, [m for m in history if m.name == old]) for old in former]
        document["formerNames"] = [{"dataName": d["dataName"], "versions": d["versions"]} for d in documents]
    if cli.console.is_json or not cli.console.stdout.isatty():
        cli.console.document(document)
        return
    rows = [(wanted, v) for v in document["versions"]]
    for entry in document.get("formerNames", []):
        rows += [(entry["dataName"], v) for v in entry["versions"]]
    cli.console.table(
        ["name", "version", "size", "created", "sha-256", "latest"],
        [
            (
                shown,
                f"v{v['version']}",
                format_size(v["size"]) if "size" in v else "",
                v["createdAt"],
                v.get("checksum", "")[:12],
                "*" if v["isLatest"] and shown == wanted else "",
            )
            for shown, v in rows
        ],
    )
    cli.console.note(count(len(rows), "version"))
