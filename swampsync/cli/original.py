"""Finding the original swamp beside us."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping


def find_original(environ: Mapping[str, str]) -> str | None:
    """Return the next `swamp` on PATH that is not this program."""
    own = os.path.realpath(sys.argv[0])
    for directory in environ.get("PATH", "").split(os.pathsep):
        candidate = os.path.join(directory, "swamp")
        if (
            directory
            and os.access(candidate, os.X_OK)
            and os.path.realpath(candidate) != own
            and not _is_ours(candidate)
        ):
            return candidate
    return None


def _is_ours(path: str) -> bool:
    """Recognise the other script of this program, or that of another installation of it."""
    try:
        with open(path, "rb") as file:
            start = file.read(1000)
    except OSError:
        return False
    return start.startswith(b"#!") and b"swampsync" in start
