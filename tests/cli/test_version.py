from __future__ import annotations

import subprocess
import sys

from swampsync._version import __version__


def test_version_is_printed_by_the_installed_script() -> None:
    """`--version` prints the program's name and version, and exits 0."""
    done = subprocess.run([sys.executable, "-m", "swampsync", "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"swampsync {__version__}\n", "")
