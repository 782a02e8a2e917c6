"""Which lock each command takes.

Reads take none, so they never wait. On a directory a writer takes its models' locks and a structural command the
namespace's. Against a bucket a writer takes its models' locks in the local copy only, and pushing is the log's affair.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class LockKind(Enum):
    """What a command locks."""

    NONE = "none"
    MODEL = "model"
    STRUCTURAL = "structural"


_NONE = (
    "--version",
    "repo init", "repo status", "repo deinit",
    "config get", "config set", "config unset", "config list",
    "data get", "data list", "data query", "data search", "data versions",
    "datastore status", "datastore sync", "datastore log", "datastore verify",
    "datastore lock status", "datastore lock release",
    "datastore reindex",  # the catalog is the repo's own
    "namespace set", "namespace unset", "namespace list", "namespace describe", "namespace follow",
    "namespace policy", "namespace resolve", "namespace validate",
    "model create", "model list",
    "doctor backend",
    "exec", "completion",
    "demo",  # runs other commands, which take theirs
)  # fmt: skip
_MODEL = ("data put", "data import", "data delete", "data rename", "datastore undelete")
_STRUCTURAL = (
    "data gc", "data prune",
    "datastore setup filesystem", "datastore vacuum", "datastore compact", "datastore verify --repair",
    "datastore setup s3",  # of the directory that is left, and of a namespace that is joined
    "namespace migrate",
    "namespace join",  # of the namespace that is joined
    "exec --lock",
    "repo upgrade",  # only if old versions of swamp left links to convert
)  # fmt: skip

COMMAND_LOCKS: Final[dict[str, LockKind]] = {
    **dict.fromkeys(_NONE, LockKind.NONE),
    **dict.fromkeys(_MODEL, LockKind.MODEL),
    **dict.fromkeys(_STRUCTURAL, LockKind.STRUCTURAL),
}


def find_lock_kind(command: str, *, is_dry_run: bool = False) -> LockKind:
    """Say which lock a command takes.

    Args:
        command: The words after `swamp`, with the flag that turns a check into a repair: `data gc`.
        is_dry_run: Whether it only shows what it would do.

    Raises:
        KeyError: There is no such command; a new one is added to the table first.
    """
    words = command.removeprefix("datastore ") if command.startswith("datastore namespace ") else command
    words = "repo init" if words == "init" else words
    kind = COMMAND_LOCKS[words]
    return LockKind.NONE if is_dry_run else kind
