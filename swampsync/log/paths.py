"""Which paths a commit may name, and which of them belong to an artifact's version.

A path is relative to the namespace's root. It lies in one of the subdirectories that a datastore shares, so it can
reach neither the log itself, nor a lock or manifest, nor another namespace (whose name is never that of a
subdirectory), nor secrets. The same check guards what we write and what we read.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from swampsync.errors import InvalidInput, printable
from swampsync.layout import MANIFEST_NAME, MAX_KEY_BYTES, MEMBERS_NAME, MODEL_LOCK_NAME, find_key_problem
from swampsync.namespace import ALWAYS_LOCAL_SUBDIRS, DATASTORE_SUBDIRS

METADATA_FILE: Final = "metadata.yaml"
RAW_FILE: Final = "raw"

SHARED_SUBDIRS: Final = tuple(s for s in DATASTORE_SUBDIRS if s not in ALWAYS_LOCAL_SUBDIRS)
_SHARED: Final = frozenset(SHARED_SUBDIRS)
_INTERNAL_NAMES: Final = frozenset({MODEL_LOCK_NAME, MANIFEST_NAME, MEMBERS_NAME, "_catalog.db", "_sync.db"})
_INTERNAL_PREFIXES: Final = ("_catalog.db-", "_sync.db-")

# The shape of nearly every path: plain ASCII, no segment that begins with a dot or an underscore. A path that it does
# not match is looked at one character at a time, which takes five times as long.
_PLAIN: Final = re.compile(r"[a-z-]+(?:/[A-Za-z0-9@%+=~:-][A-Za-z0-9@%+=~:,._ -]*)+")


class VersionPath(NamedTuple):
    """A file of an artifact's version: `data/{type…}/{modelId}/{name}` / `{N}` / `{file}`."""

    artifact: str
    number: int
    file: str

    @property
    def directory(self) -> str:
        """The version's directory, relative to the namespace."""
        return f"{self.artifact}/{self.number}"


def find_path_problem(path: str) -> str | None:
    """Say why a commit may not name `path` (`has an empty segment`), or `None` if it may."""
    if _PLAIN.fullmatch(path) is None or len(path) > MAX_KEY_BYTES:
        problem = find_key_problem(path)
        if problem is not None:
            return problem
        name = path.rpartition("/")[2]
        if name in _INTERNAL_NAMES or name.startswith(_INTERNAL_PREFIXES):
            return "is an internal file that no commit may name"
    first, slash, _ = path.partition("/")
    if not slash or first not in _SHARED:
        return "does not lie in a shared subdirectory of the namespace"
    return None


def check_path(path: str) -> str:
    """Return `path` if a commit may name it.

    Raises:
        InvalidInput: It may not; the message says why.
    """
    problem = find_path_problem(path)
    if problem is not None:
        shown = printable(path[:200])
        raise InvalidInput(f"path `{shown}` {problem}", key=shown)
    return path


def parse_version_path(path: str) -> VersionPath | None:
    """Split the path of a version's file; `None` for every other path."""
    if not path.startswith("data/"):
        return None
    parts = path.rsplit("/", 2)
    if len(parts) != 3 or parts[0].count("/") < 3:
        return None
    artifact, number, file = parts
    if not number.isascii() or not number.isdigit() or number[0] == "0" or len(number) > 15:
        return None
    return VersionPath(artifact, int(number), file)


def version_files(version_directory: str) -> tuple[str, str]:
    """Name the two files that a version consists of; who removes a version removes both."""
    return f"{version_directory}/{METADATA_FILE}", f"{version_directory}/{RAW_FILE}"


def is_below(path: str, directory: str) -> bool:
    """Say whether a path is a directory's, or lies in it; everything lies in the empty one."""
    return not directory or path == directory or path.startswith(f"{directory}/")
