"""The console script: answers the cheapest questions before anything heavy is imported."""

from __future__ import annotations

import sys

from swampsync._version import __version__


def main() -> None:
    """Run the command line of the process."""
    if sys.argv[1:] in (["--version"], ["-V"], ["version"]):
        print(f"swampsync {__version__}")
        return
    from swampsync.cli.app import run

    sys.exit(run(sys.argv[1:]))
