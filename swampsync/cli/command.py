"""What every command has in common: its common options, and the context that it runs in."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from swampsync.cli.completing import complete_namespace
from swampsync.cli.console import Console

if TYPE_CHECKING:
    from swampsync.repo import Repo


def _do_nothing() -> None:
    """Stand where nobody is told."""


@dataclass
class Common:
    """The options that every command takes, before its group or after its words."""

    repo_dir: str | None = None
    namespace: str | None = None
    is_json: bool = False
    is_quiet: bool = False
    verbosity: int = 0
    has_color: bool = True


@dataclass
class Cli:
    """What a command gets from the command line around it."""

    common: Common
    environ: Mapping[str, str]
    arguments: tuple[str, ...] = ()
    console: Console = field(default_factory=Console)
    repo_directory: str = "."
    on_bucket: Callable[[], None] = _do_nothing  # told before a bucket is asked

    def repo(self) -> Repo:
        """Open the repo that the command is about."""
        from swampsync.cli.opening import open_repo

        return open_repo(self)

    def relative(self, path: str) -> str:
        """Show a path relative to the repo, as swamp's documents do."""
        return os.path.relpath(path, self.repo_directory)


COMMON_PARAMETERS: dict[str, tuple[Any, Any]] = {
    "repo_dir": (Annotated[str | None, typer.Option("--repo-dir", "-C", help="Repo to act on.", metavar="DIR")], None),
    "namespace": (
        Annotated[
            str | None,
            typer.Option(
                "--namespace", "-n", help="Namespace to act in.", metavar="NS", autocompletion=complete_namespace
            ),
        ],
        None,
    ),
    "json": (Annotated[bool, typer.Option("--json", help="Print one JSON document.")], False),
    "quiet": (Annotated[bool, typer.Option("--quiet", "-q", help="Print errors and data only.")], False),
    "verbose": (Annotated[int, typer.Option("--verbose", "-v", count=True, help="Log more (can be repeated).")], 0),
    "no_color": (Annotated[bool, typer.Option("--no-color", help="Use no colours.")], False),
}


def command(function: Callable[..., int | None]) -> Callable[..., int | None]:
    """Give a command function the common options and pass it the context as first argument."""
    own = inspect.signature(function)
    hints = get_type_hints(function, include_extras=True)
    _cli, *rest = own.parameters.values()
    parameters = [p.replace(annotation=hints[p.name], kind=p.KEYWORD_ONLY) for p in rest]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in COMMON_PARAMETERS.items()
        if name not in own.parameters
    ]

    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

    @functools.wraps(function)
    def wrapper(*, context: typer.Context, **values: Any) -> int | None:
        cli: Cli = context.obj
        taken = {p.name: values.pop(p.name) for p in added}
        merge_common(cli, taken)
        return function(cli, **values)

    signature = own.replace(parameters=[context, *parameters, *added], return_annotation=None)
    wrapper.__signature__ = signature  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    del wrapper.__wrapped__
    return wrapper


def merge_common(cli: Cli, values: Mapping[str, Any]) -> None:
    """Let options given after the command win over those before its group."""
    common = cli.common
    common.repo_dir = values.get("repo_dir") or common.repo_dir
    if values.get("namespace") is not None:
        common.namespace = values["namespace"]
    common.is_json = common.is_json or bool(values.get("json"))
    common.is_quiet = common.is_quiet or bool(values.get("quiet"))
    common.verbosity = max(common.verbosity, int(values.get("verbose") or 0))
    if values.get("no_color") or cli.environ.get("NO_COLOR"):
        common.has_color = False
    cli.console.is_json = common.is_json
    cli.console.is_quiet = common.is_quiet
    cli.console.has_color = common.has_color
    if common.verbosity or cli.environ.get("SWAMP_LOG_LEVEL"):
        from swampsync.cli.logs import show_logs

        show_logs(common.verbosity, cli.environ.get("SWAMP_LOG_LEVEL"), cli.console)
