"""The peak memory of a command, whatever the process that asks weighs.

`ru_maxrss` of a child begins with the memory of the process that forked it, because `exec` carries the old
high-water mark over (`setmax_mm_hiwater_rss` in Linux's fs/exec.c). A test run grows to hundreds of MiB, so a small
process in between does the forking.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_LAUNCHER = """
import json, os, subprocess, sys

process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
print(json.dumps([process.returncode, used.ru_maxrss]))
"""


def measure_peak(command: Sequence[str], *, cwd: Path) -> float:
    """Run a command to its end, its output thrown away, and return its peak memory in MiB.

    Raises:
        AssertionError: The command failed; the message holds what it wrote to stderr.
    """
    done = subprocess.run(
        [sys.executable, "-S", "-c", _LAUNCHER, *command], cwd=cwd, capture_output=True, text=True, check=True
    )
    status, kib = json.loads(done.stdout)
    assert status == 0, done.stderr
    return float(kib) / 1024
