"""Which locks a namespace has on a disk, and what names one: for people who look at locks and break them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from swampsync.disk import Disk, exists
from swampsync.errors import InvalidInput
from swampsync.layout import Layout
from swampsync.locks.model_walk import find_model_locks

CHILD_SUFFIX: Final = ".child"  # swamp, which looks for names that end in `.lock`, does not see it

_STRUCTURAL: Final = r"(?:\.datastore\.lock|\.locks/[^/]+\.lock)"
_OF_NAMESPACE: Final = r"(?:[^/]+/)?(?:data/.+/\.lock|auto-definitions/\.auto-definition-create/[^/]+\.lock)"
_LOCK: Final = re.compile(rf"{_STRUCTURAL}(?:{re.escape(CHILD_SUFFIX)})*|{_OF_NAMESPACE}")


class Guarded(StrEnum):
    """What a lock guards."""

    MODEL = "model"
    DEFINITION = "definition"  # the creation of one
    STRUCTURAL = "structural"
    CHILD = "child"  # the namespace, among the children of whoever holds the structural lock


class FoundLock(NamedTuple):
    """A lock that somebody may have.

    Args:
        key: For people, and for `lock release --key`.
        path: In the store.
        guarded: What it guards.
        scope: The model as `type/id`; empty for the others.
    """

    key: str
    path: str
    guarded: Guarded
    scope: str = ""


def find_locks(disk: Disk, layout: Layout) -> Iterator[FoundLock]:
    """Find the lock files of a namespace: models' first, then definitions', the structural one and its children's.

    Creates nothing, and reads no data.
    """
    for scope, path in sorted(find_model_locks(disk, layout.datastore_path("data"))):
        yield FoundLock(_key_of(layout, path), path, Guarded.MODEL, scope)
    directory = posixpath.dirname(layout.definition_lock_path("any"))
    for name in _names(disk, directory):
        if name.endswith(".lock"):
            path = f"{directory}/{name}"
            yield FoundLock(_key_of(layout, path), path, Guarded.DEFINITION)
    path, guarded = layout.lock_path(layout.structural_lock_key()), Guarded.STRUCTURAL
    while exists(disk, path):
        yield FoundLock(_key_of(layout, path), path, guarded)
        path, guarded = path + CHILD_SUFFIX, Guarded.CHILD


def find_lock_path(layout: Layout, key: str) -> str:
    """Return the path of the lock that a key names: one of this datastore, whichever namespace's.

    Args:
        layout: Of the datastore.
        key: As `FoundLock.key` or as `LockError.key`: relative to the datastore, or absolute.

    Raises:
        InvalidInput: It names nothing that could be a lock of this datastore.
    """
    path = posixpath.normpath(posixpath.join(layout.base, key))
    for root in (layout.base, layout.local_path()):
        if path.startswith(f"{root}/") and _LOCK.fullmatch(path[len(root) + 1 :]):
            return path
    raise InvalidInput(
        f"`{key}` names no lock of this datastore",
        hint="swamp datastore lock status; a lock of another datastore is released in a repo that uses it",
        key=key,
    )


def is_structural_key(key: str) -> bool:
    """Whether a key, relative to the datastore, is that of a namespace's structural lock."""
    return re.fullmatch(_STRUCTURAL, key) is not None


def _key_of(layout: Layout, path: str) -> str:
    # What lies in the repo itself, beside a shared datastore, has no short name.
    return path[len(layout.base) + 1 :] if path.startswith(f"{layout.base}/") else path


def _names(disk: Disk, directory: str) -> list[str]:
    try:
        return sorted(entry.name for entry in disk.scandir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
