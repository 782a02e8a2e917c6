"""A clone of one namespace: its log in the bucket, its two databases, its local copy, and the machine around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from swampsync.catalog.rows import ArtifactKey
from swampsync.layout import Layout

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from swampsync.catalog.catalog import Catalog
    from swampsync.catalog.state import SyncState
    from swampsync.clock import Clock
    from swampsync.disk import Disk
    from swampsync.log.log import Log

CONCURRENCY: Final = 16


@dataclass(frozen=True, slots=True)
class Clone:
    """What every part of sync works on.

    Args:
        log: Of the namespace; its store is where all objects are.
        disk: Where the local copy lies.
        clock: Ages, times of entries, pauses.
        rng: Jitter.
        new_id: Makes ids that were never used.
        state: What this clone knows that is not a cache.
        catalog: The cache that listings read.
        repo_id: Whose clone.
        author: `user@host`.
        tool: `swampsync/{version}`.
        pool: Moves objects side by side; one after the other without it.
        concurrency: How many at a time.
    """

    log: Log
    disk: Disk
    clock: Clock
    rng: Random
    new_id: Callable[[], str]
    state: SyncState
    catalog: Catalog
    repo_id: str
    author: str
    tool: str
    pool: Executor | None = None
    concurrency: int = CONCURRENCY

    @property
    def layout(self) -> Layout:
        """Makes every path and key of the namespace."""
        return self.log.layout

    @property
    def namespace(self) -> str:
        """The namespace's name, empty in solo mode."""
        return self.log.namespace


def artifact_key_of(namespace: str, artifact: str) -> ArtifactKey:
    """Make the key of an artifact's path (`data/{type…}/{id}/{name}`)."""
    _, *kind, model_id, name = artifact.split("/")
    return ArtifactKey(namespace, "/".join(kind), model_id, name)


def artifact_path_of(key: ArtifactKey) -> str:
    """Make an artifact's path relative to the namespace."""
    return Layout.artifact_path(key.type_normalized, key.model_id, key.data_name)
