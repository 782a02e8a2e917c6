"""However a run is started, by whom and from where, the tests find the same surroundings.

What differs from machine to machine: settings in variables, the home directory, a proxy, and signals that `nohup` or
a shell's `&` left ignored, which every process started from there would inherit.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from types import FrameType

import pytest

# What a person or a CI service may have set, and what a command, a library or git would follow.
SETTINGS = ("SWAMP_", "AWS_", "BOTO_", "XDG_", "GIT_", "COMP_", "_SWAMP_", "_SWAMPSYNC_", "_TYPER_")
SWITCHES = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "PYTHONWARNINGS", "PYTHONUTF8")

MEMORY = "/dev/shm"
ROOM_BYTES = 2_000_000_000
# The variable that tells the processes of a run where a real disk is.
DISK = "SWAMPSYNC_DISK"


def _stay(_number: int, _frame: FrameType | None) -> None:
    """Let a signal pass that was ignored when the run was started."""


def let_children_be_signalled() -> None:
    """Give processes that tests start the default handling of signals, and go on ignoring them here.

    An ignored signal stays ignored in a child, one with a handler is back at its default there.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _stay)


def directory_in_memory() -> str | None:
    """Find a place in memory for temporary files; nothing where there is little room, or where TMPDIR names a place."""
    if "TMPDIR" in os.environ:
        return None
    try:
        about = os.statvfs(MEMORY)
    except OSError:
        return None
    is_closed = about.f_flag & (os.ST_RDONLY | os.ST_NOEXEC) or not os.access(MEMORY, os.W_OK | os.X_OK)
    return MEMORY if not is_closed and about.f_bavail * about.f_frsize >= ROOM_BYTES else None


def directory_on_disk() -> str:
    """Name the place for temporary files that would be used without `lay_files_into_memory`."""
    return os.environ.get(DISK) or tempfile.gettempdir()


def lay_files_into_memory() -> None:
    """Let temporary directories lie in memory.

    Every write of a repo is synced to its disk, and most tests make repos: on a disk they wait for half of their time.
    """
    directory = directory_in_memory()
    if directory is not None:
        os.environ[DISK] = tempfile.gettempdir()
        # For pytest, and for what tests and the programs that they start make without it.
        os.environ["TMPDIR"] = tempfile.tempdir = directory


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Remove every setting, point the home directory at an empty one, and keep local servers from proxies."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(SETTINGS) or name in SWITCHES:
                patch.delenv(name)
        home = tmp_path_factory.getbasetemp() / "home"
        home.mkdir(exist_ok=True)
        patch.setenv("HOME", str(home))
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, ",".join(filter(None, (os.environ.get(name), "127.0.0.1", "localhost"))))
        yield
