"""What a command costs: wall time, CPU time, and its peak memory, whatever the process that asks weighs.

`ru_maxrss` of a child begins with the memory of the process that forked it, because `exec` carries the old
high-water mark over (`setmax_mm_hiwater_rss` in Linux's fs/exec.c). A test run grows to hundreds of MiB, so a small
process in between does the forking, and takes the time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LAUNCHER = """
import json, os, subprocess, sys, time

begun = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
output = process.stdout.read()
_, status, used = os.wait4(process.pid, 0)
wall = time.perf_counter() - begun
process.returncode = os.waitstatus_to_exitcode(status)
print(json.dumps([process.returncode, wall, used.ru_utime + used.ru_stime, used.ru_maxrss, output.decode()]))
"""


@dataclass(frozen=True, slots=True)
class CommandCost:
    """What one run of a command took.

    Args:
        wall_seconds: From its start to its end, the interpreter's start included.
        cpu_seconds: User and system time.
        peak_mib: The most memory that was resident, in MiB.
        output: What it wrote to stdout.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float
    output: str


def measure_command(command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> CommandCost:
    """Run a command to its end.

    Args:
        command: Program and arguments.
        cwd: Where it runs.
        env: Its whole environment; that of this process without it.

    Raises:
        AssertionError: The command failed; the message holds what it wrote to stderr.
    """
    done = subprocess.run(
        [sys.executable, "-S", "-c", _LAUNCHER, *command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    status, wall, cpu, kib, output = json.loads(done.stdout)
    assert status == 0, done.stderr
    return CommandCost(wall, cpu, float(kib) / 1024, output)


def measure_peak(command: Sequence[str], *, cwd: Path) -> float:
    """Run a command to its end, its output thrown away, and return its peak memory in MiB.

    Raises:
        AssertionError: See `measure_command`.
    """
    return measure_command(command, cwd=cwd).peak_mib
