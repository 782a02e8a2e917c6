"""Environment variables as values: how numbers and paths in them, and in `.swamp.yaml`, are read."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Final

from swampsync.errors import InvalidInput

DATASTORE: Final = "SWAMP_DATASTORE"
NAMESPACE: Final = "SWAMP_NAMESPACE"
REPO_DIR: Final = "SWAMP_REPO_DIR"
HOME: Final = "SWAMP_HOME"
LOG_LEVEL: Final = "SWAMP_LOG_LEVEL"
LOCK_TIMEOUT: Final = "SWAMP_LOCK_TIMEOUT_MS"
SYNC_TIMEOUT: Final = "SWAMP_DATASTORE_SYNC_TIMEOUT_MS"

_INTEGER: Final = r"\s*([+-]?)(?:0[xX]([0-9a-fA-F]+)|([0-9]+))"
_VARIABLE: Final = r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))"


def parse_positive_integer(text: str) -> int | None:
    """Parse as JavaScript's `parseInt` does, `12abc` being 12; `None` unless the result is above 0."""
    found = re.match(_INTEGER, text)
    if found is None or found[1] == "-":
        return None
    number = int(found[2], 16) if found[2] else int(found[3][:18])
    return number if number > 0 else None


def expand_path(text: str, *, repo_dir: str, environ: Mapping[str, str]) -> str:
    """Expand a leading `~`, `$VAR` and `${VAR}`, and resolve what is relative against the repo.

    Raises:
        InvalidInput: The path is empty, a variable is unset or empty, or it begins with another user's `~name`.
    """
    if not text:
        raise InvalidInput("the path is empty")
    if "\0" in text:
        raise InvalidInput("the path holds a NUL character")
    if text == "~" or text.startswith("~/"):
        text = _require(environ, "HOME", shown="~") + text[1:]
    elif text.startswith("~"):
        name = text.partition("/")[0]
        raise InvalidInput(
            f"`{name}` is not expanded; only `~` alone is", hint=f"for a directory of that name: ./{text}"
        )
    expanded = re.sub(_VARIABLE, lambda found: _require(environ, found[1] or found[2], shown=found[0]), text)
    return absolute_path(expanded, base=repo_dir)


def absolute_path(path: str, *, base: str) -> str:
    """Join and normalise, without asking a disk; two leading slashes become one."""
    return "/" + posixpath.normpath(posixpath.join(base, path)).lstrip("/")


def collapse_home(path: str, *, environ: Mapping[str, str]) -> str:
    """Write a path below the home directory as `$HOME/…`, so that the configuration fits other machines too."""
    home = environ.get("HOME", "").rstrip("/")
    return "$HOME" + path[len(home) :] if home and path.startswith(home + "/") else path


def find_swamp_home(environ: Mapping[str, str]) -> str | None:
    """Return `SWAMP_HOME`, or `~/.swamp`; `None` if there is no home directory."""
    if environ.get(HOME):
        return environ[HOME]
    home = environ.get("HOME")
    return posixpath.join(home, ".swamp") if home else None


def _require(environ: Mapping[str, str], name: str, *, shown: str) -> str:
    value = environ.get(name)
    if not value:
        raise InvalidInput(f"`{shown}` cannot be expanded: `{name}` is unset or empty", hint=f"export {name}=…")
    return value
