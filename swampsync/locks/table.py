"""Which lock each command takes, and which commands wait for another one of their clone.

Reads take none. On a directory, where they look for themselves, they never wait. Against a bucket a writer takes its
models' locks in the local copy only, and pushing is the log's affair; there the clone's own lock, a filelock in the
repo, keeps apart what changes the copy and what is known of the log. Whoever only shows something does without what
needs that lock, and says so, but for content that is not here yet and a log that was never looked at.
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

# What waits while another command of its clone syncs, where the datastore is a bucket.
_CLONE = frozenset(
    (
        *_MODEL,
        "data gc", "data prune",
        "datastore sync", "datastore reindex", "datastore verify", "datastore verify --repair",
        "datastore setup filesystem", "datastore setup s3",  # of the bucket that is left, and of the new clone
        "namespace follow NAME",
    )
)  # fmt: skip
_COMPARING = frozenset({"datastore verify", "datastore verify --repair"})  # the clone itself, for a dry run as well

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
    kind = COMMAND_LOCKS[_find_words(command)]
    return LockKind.NONE if is_dry_run else kind


def waits_for_clone(command: str, *, is_dry_run: bool = False) -> bool:
    """Say whether a command on a bucket waits while another command of the same clone syncs.

    Args:
        command: As for `find_lock_kind`; `NAME` stands for a namespace that is named.
        is_dry_run: Whether it only shows what it would do.
    """
    words = _find_words(command)
    return words in _CLONE and (not is_dry_run or words in _COMPARING)


def _find_words(command: str) -> str:
    words = command.removeprefix("datastore ") if command.startswith("datastore namespace ") else command
    return "repo init" if words == "init" else words
