"""The command tree."""

from __future__ import annotations

import sys


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    print(f"error: unknown command {arguments!r}", file=sys.stderr)
    return 2
