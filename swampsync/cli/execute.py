"""`swamp exec`: run a program that acts in this repo's namespace."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from types import FrameType
from typing import Annotated, Final

import typer

from swampsync.cli.command import Cli, command
from swampsync.errors import InvalidInput, LeaseLost, NotFound, SwampsyncError, printable

WATCH_SECONDS = 1.0
_PASSED_ON: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@command
def exec_(
    cli: Cli,
    program: Annotated[list[str], typer.Argument(metavar="-- CMD [ARG]...", help="Program with its arguments.")],
    lock: Annotated[
        bool, typer.Option("--lock", help="Hold the structural lock while the program runs; its swamp commands pass.")
    ] = False,
) -> int:
    """Run a program with SWAMP_NAMESPACE, SWAMP_REPO_DIR and the lock holder's variables set.

    With --lock it gets SIGTERM if the lock is lost, and the exit status is 75.
    """
    if not program:
        raise InvalidInput("a program is missing", hint="swamp exec -- make deploy")
    with cli.repo() as repo:
        if lock:
            with repo.structural.locked("exec") as held:
                return _run_under_lock(program, {**cli.environ, **repo.child_environment()}, check=held.check)
        return _run(program, {**cli.environ, **repo.child_environment()})


def _run_under_lock(program: list[str], environ: dict[str, str], *, check: Callable[[], None]) -> int:
    """Run a program that somebody else's work must not meet: it is told to end as soon as the lock is lost.

    Raises:
        LeaseLost: The lock was lost while the program ran.
    """
    child, has_ended = _Child(), threading.Event()

    def watch() -> None:
        while not has_ended.wait(WATCH_SECONDS):
            try:
                check()
            except LeaseLost:
                child.tell(signal.SIGTERM)
                return
            except (OSError, SwampsyncError):
                continue  # the lock cannot be looked at now; it is lost when its time is over

    watcher = threading.Thread(target=watch, name="swampsync-exec", daemon=True)
    watcher.start()
    try:
        status = _run(program, environ, child=child)
    finally:
        has_ended.set()
        watcher.join(WATCH_SECONDS)
    try:
        check()
    except LeaseLost as error:
        raise LeaseLost(
            f"{error.message}; `{printable(program[0])}` has ended with status {status}",
            hint="others may have worked in the namespace meanwhile: look at what was done, then run it again",
            key=error.key,
        ) from None
    return status


class _Child:
    """The program; until it has ended, signals are for it, and our locks stay."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    def run(self, program: list[str], environ: dict[str, str]) -> int:
        before = {n: signal.getsignal(n) for n in _PASSED_ON}
        for n in _PASSED_ON:
            if before[n] is not signal.SIG_IGN:
                signal.signal(n, self._pass_on)
        try:
            with subprocess.Popen(program, env=environ) as self._process:
                for number in self._early:
                    self._process.send_signal(number)
                return self._process.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and _is_in_foreground():
            return  # the terminal has told the program too
        self.tell(number)

    def tell(self, number: int) -> None:
        """Send the program a signal, as soon as it runs."""
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)


def _is_in_foreground() -> bool:
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _run(program: list[str], environ: dict[str, str], *, child: _Child | None = None) -> int:
    try:
        status = (child or _Child()).run(program, environ)
    except FileNotFoundError:
        raise NotFound(f"no such program: `{printable(program[0])}`", key=program[0]) from None
    # A child killed by a signal is reported as shells do.
    return 128 - status if status < 0 else status
