"""`swamp datastore sync --watch`: a line for every change, until a signal ends it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from swampsync.cli.command import Cli
from swampsync.clock import format_timestamp
from swampsync.errors import printable

if TYPE_CHECKING:
    from swampsync.repo import Repo
    from swampsync.repo.sync_report import SyncOptions
    from swampsync.repo.watching import Line, Trouble


def watch(cli: Cli, repo: Repo, options: SyncOptions, interval_seconds: float) -> int:
    """Sync until interrupted; the signal leaves as an exception, and every lock is given back on its way."""
    screen = _Screen(cli, repo)
    watcher = repo.watch(options, interval_seconds=interval_seconds, on_trouble=screen.show_trouble)
    if cli.console.stderr.isatty():
        where = repo.namespace.name or "the datastore"
        cli.console.note(f"Watching {where}, every {interval_seconds:g} s; Ctrl-C ends it")
    for report, lines in watcher.rounds(threading.Event()):
        screen.show_round(report, lines)
    return 0


class _Screen:
    def __init__(self, cli: Cli, repo: Repo) -> None:
        self._console = cli.console
        self._repo = repo

    def _now(self) -> str:
        return format_timestamp(self._repo.clock.now())

    def show_round(self, report: object, lines: list[Line]) -> None:
        if self._console.is_json:
            document = {"at": self._now(), "changes": [line.to_json() for line in lines]}
            for name in ("namespace", "seq"):
                if hasattr(report, name):
                    document[name] = getattr(report, name)
            self._console.json_line(document)
            return
        at = f"{self._now()[:19]}Z"
        for line in lines:
            detail = f"  ({line.detail})" if line.detail else ""
            self._console.line(printable(f"{at}  {line.event.value:<12}  {line.path or '(solo)'}{detail}"))
        self._console.stdout.flush()

    def show_trouble(self, trouble: Trouble | None) -> None:
        if self._console.is_json:
            document: dict[str, object] = {"at": self._now(), "reachable": trouble is None}
            if trouble is not None:
                document |= {"error": trouble.error.message, "retryInSeconds": round(trouble.pause_seconds, 3)}
            self._console.json_line(document)
        elif trouble is None:
            self._console.note(f"{self._now()[:19]}Z  the datastore is reached again")
        else:
            self._console.warn(
                printable(
                    f"{self._now()[:19]}Z  {trouble.error.message};"
                    f" trying again in {trouble.pause_seconds:.0f} s, then less often"
                )
            )
