"""What both kinds of `datastore setup` show: bars while they work, the plan, and what became of the files."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from swampsync.cli.command import Cli
from swampsync.cli.console import count, format_size
from swampsync.errors import printable

if TYPE_CHECKING:
    from swampsync.repo.setup_move import Moved
    from swampsync.repo.setup_preview import SetupPreview

_SHOWN = 20


class Bars:
    """One bar for the checks of the store, then one for the move."""

    def __init__(self, cli: Cli) -> None:
        self._console = cli.console
        self._stack = ExitStack()
        self._title = ""
        self._bar: Callable[..., None] = lambda *_: None
        self._checks = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def on_check(self, _name: str) -> None:
        """Count one more check."""
        self._checks += 1
        self._show("Checking", self._checks, None)

    def on_move(self, done: int, total: int | None) -> None:
        """Show how far the move is."""
        self._show("Moving", done, total)

    def _show(self, title: str, done: int, total: int | None) -> None:
        if title != self._title:
            self._stack.close()
            self._bar = self._stack.enter_context(self._console.progress(title, total=total))
            self._title = title
        self._bar(done, total)


def describe_files(moved: Moved) -> str:
    """Say how much was copied; that nothing was is said too, if there was something."""
    tally = moved.tally
    if not moved.plan.items:
        return "0 copied (0B)"
    text = f"{tally.files} copied ({format_size(tally.size)})"
    return f"{text}, {tally.present} versions and files were there already" if tally.present else text


def show_errors(cli: Cli, errors: tuple[str, ...], *, namespace: str) -> bool:
    """Say what could not be moved, and what has not changed and what has; whether there was any.

    Args:
        cli: The command.
        errors: What could not be moved, each with its reason.
        namespace: What was claimed at the new place before; empty in solo mode.
    """
    for error in errors[:_SHOWN]:
        cli.console.warn(printable(error))
    if len(errors) > _SHOWN:
        cli.console.warn(f"{len(errors) - _SHOWN} more")
    if errors:
        claimed = f", but namespace {namespace} is claimed at the new place and stays so" if namespace else ""
        cli.console.note(
            f"{count(len(errors), 'error')}: the configuration and the data are as they were{claimed}. Repair or remove"
            " what is named and run the command again, or leave the data where it is: --skip-migration"
        )
    return bool(errors)


def show_old_place(cli: Cli, source: str, *, path: str) -> None:
    """Say what stays behind in a bucket that was left."""
    if source.startswith("s3://") and source != path:
        cli.console.note(
            printable(
                f"What {source} holds stays there: other clones may use it. When nobody does, remove the objects with"
                " your S3 tools."
            )
        )


def show_preview(cli: Cli, preview: SetupPreview) -> int:
    """Show what a set-up would do."""
    document = preview.to_json()
    errors = tuple(document["errors"])
    if cli.console.is_json:
        cli.console.document(document)
        return 1 if errors else 0
    for warning in preview.warnings:
        cli.console.warn(printable(str(warning["message"])))
    plan = preview.plan
    cli.console.line("Datastore Setup Plan (nothing was written)")
    moves = (
        "nothing"
        if plan is None or not plan.items
        else (
            f"{count(plan.versions, 'version')} of {count(plan.artifacts, 'artifact')},"
            f" {count(plan.others, 'other file')}, {format_size(plan.size)}"
        )
    )
    for label, value in (
        ("From", preview.source),
        ("To", preview.path),
        ("Namespace", preview.namespace or "(solo)"),
        ("Moves", moves),
        ("Dirs", "" if plan is None else ", ".join(plan.directories)),
        ("Requests", f"about {preview.requests:,}" if preview.requests else ""),
    ):
        if value:
            cli.console.line(printable(f"  {label + ':':<10} {value}"))
    for error in errors[:_SHOWN]:
        cli.console.warn(printable(error))
    if errors:
        cli.console.note(f"{count(len(errors), 'error')}: this set-up would change nothing until they are mended")
    return 1 if errors else 0
