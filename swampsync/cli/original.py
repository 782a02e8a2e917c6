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
        if directory and os.access(candidate, os.X_OK) and os.path.realpath(candidate) != own:
            return candidate
    return None
