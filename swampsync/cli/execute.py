"""`swamp exec`: run a program that acts in this repo's namespace."""

from __future__ import annotations

import os
import signal
import subprocess
from types import FrameType
from typing import Annotated, Final

import typer

from swampsync.cli.command import Cli, command
from swampsync.errors import InvalidInput, NotFound, printable

_PASSED_ON: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@command
def exec_(
    cli: Cli,
    program: Annotated[list[str], typer.Argument(metavar="-- CMD [ARG]...", help="Program with its arguments.")],
    lock: Annotated[
        bool, typer.Option("--lock", help="Hold the structural lock while the program runs; its swamp commands pass.")
    ] = False,
) -> int:
    """Run a program with SWAMP_NAMESPACE, SWAMP_REPO_DIR and the lock holder's variables set."""
    if not program:
        raise InvalidInput("a program is missing", hint="swamp exec -- make deploy")
    with cli.repo() as repo:
        if lock:
            with repo.structural.locked("exec"):
                return _run(program, {**cli.environ, **repo.child_environment()})
        return _run(program, {**cli.environ, **repo.child_environment()})


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


def _run(program: list[str], environ: dict[str, str]) -> int:
    try:
        status = _Child().run(program, environ)
    except FileNotFoundError:
        raise NotFound(f"no such program: `{printable(program[0])}`", key=program[0]) from None
    # A child killed by a signal is reported as shells do.
    return 128 - status if status < 0 else status
