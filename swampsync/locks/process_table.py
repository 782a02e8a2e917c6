"""The operating system's process table: `/proc` on Linux, `sysctl` and `ps` on macOS.

The only module of this room that asks the system; everything else gets a `ProcessTable`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import Final

from swampsync.disk import Disk

_ENDED_STATES = frozenset("ZXx")  # a zombie holds its pid until its parent looks, but will never do anything again


# swamp looks at the first only; the others are where Python's `getpass` looks, in its order.
_USER_VARIABLES: Final = ("USER", "LOGNAME", "LNAME", "USERNAME")


def find_user(environ: Mapping[str, str]) -> str | None:
    """Name the user, as far as the environment tells."""
    return next((name for variable in _USER_VARIABLES if (name := environ.get(variable))), None)


def name_person(user: str | None, hostname: str) -> str:
    """Name who holds a lock or makes a commit, as swamp does."""
    return f"{user or 'unknown'}@{hostname}"


def make_process_table(disk: Disk) -> LinuxProcessTable | MacProcessTable:
    """Return the process table of the running system."""
    return LinuxProcessTable(disk) if sys.platform == "linux" else MacProcessTable()


def _exists(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        # The process belongs to somebody else; a number too large for a pid names none, but nothing is gained by it.
        return True
    return True


class LinuxProcessTable:
    """Reads `/proc`.

    Args:
        disk: Where `/proc` is.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    @cached_property
    def hostname(self) -> str:
        """The host's name."""
        return os.uname().nodename

    @cached_property
    def boot_id(self) -> str:
        """The kernel's random name for this boot."""
        try:
            return self._disk.read_bytes("/proc/sys/kernel/random/boot_id").decode("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    @cached_property
    def pid_namespace(self) -> str:
        """The kernel's number of our pid namespace; unique within one boot."""
        try:
            return self._disk.readlink("/proc/self/ns/pid")
        except OSError:
            return ""

    def is_running(self, pid: int) -> bool:
        """Whether the pid exists and is no zombie; `/proc` may hide other users' processes, `kill` does not."""
        fields = self._fields(pid)
        if fields:
            return fields[0] not in _ENDED_STATES
        return _exists(pid)

    def start_of(self, pid: int) -> int | None:
        """Clock ticks between boot and the process's start."""
        fields = self._fields(pid)
        return int(fields[19]) if len(fields) > 19 else None

    def _fields(self, pid: int) -> list[str]:
        try:
            text = self._disk.read_bytes(f"/proc/{pid}/stat").decode("utf-8", "replace")
        except OSError:
            return []
        # The second field is the program's name in parentheses; it may hold blanks and parentheses itself.
        return text.rpartition(")")[2].split()


class MacProcessTable:
    """Asks `sysctl` and `ps`."""

    @cached_property
    def hostname(self) -> str:
        """The host's name."""
        return os.uname().nodename

    @cached_property
    def boot_id(self) -> str:
        """The kernel's random name for this boot; its boot time would move with the wall clock."""
        return _run("sysctl", "-n", "kern.bootsessionuuid")

    @property
    def pid_namespace(self) -> str:
        """There is but one."""
        return ""

    def is_running(self, pid: int) -> bool:
        """Whether the pid exists and is no zombie."""
        return _exists(pid) and not _run("ps", "-o", "stat=", "-p", str(pid)).startswith("Z")

    def start_of(self, pid: int) -> int | None:
        """Seconds since 1970, as the kernel noted them when the process started."""
        return parse_lstart(_run("ps", "-o", "lstart=", "-p", str(pid)))


def parse_lstart(text: str) -> int | None:
    """Parse what `ps -o lstart=` prints in the C locale and UTC (`Sat Nov 21 11:47:30 2026`)."""
    from datetime import UTC, datetime  # noqa: PLC0415 -- only macOS needs it

    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    try:
        _day_name, month, day, clock, year = text.split()
        hour, minute, second = clock.split(":")
        moment = datetime(int(year), months.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp())


def _run(*arguments: str) -> str:
    import subprocess  # noqa: PLC0415 -- slow to import, and Linux does not need it

    try:
        done = subprocess.run(
            arguments,
            env={"LC_ALL": "C", "TZ": "UTC", "PATH": "/bin:/usr/bin:/sbin:/usr/sbin"},
            capture_output=True,
            check=False,
            text=True,
        )
    except OSError:
        return ""
    return done.stdout.strip()
