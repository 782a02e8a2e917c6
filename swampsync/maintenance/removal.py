"""Removing versions from the tree and their rows from the catalog, with the lease looked at before every step.

A version's row goes after its directory is gone and not before; where a removal fails, the row stays. Rows go in
batches, one transaction each, also when the work is stopped in the middle.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Self

from swampsync.artifacts.latest import settle_marker
from swampsync.artifacts.model import Model
from swampsync.artifacts.scan import METADATA_NAME, list_numbers, read_marker
from swampsync.artifacts.tree import Tree
from swampsync.catalog.catalog import Catalog
from swampsync.catalog.feed import REMOVE
from swampsync.catalog.rows import ArtifactKey
from swampsync.catalog.state import SyncState
from swampsync.namespace import Namespace

_BATCH_ARTIFACTS: Final = 100


class Removed(NamedTuple):
    """What was removed of one artifact."""

    versions: tuple[int, ...]
    failed: tuple[tuple[str, str], ...]  # path and reason


class Remover:
    """Removes versions of one namespace.

    Args:
        tree: The namespace's tree.
        namespace: Whose it is.
        catalog: Loses the rows.
        state: Remembers the highest numbers and gets the feed's entries.
        check: Called before every destructive step; raises when the lease is lost.
    """

    def __init__(
        self, tree: Tree, namespace: Namespace, *, catalog: Catalog, state: SyncState, check: Callable[[], None]
    ) -> None:
        self._tree = tree
        self._namespace = namespace
        self._catalog = catalog
        self._state = state
        self._check = check
        self._gone: list[tuple[ArtifactKey, tuple[int, ...]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.flush()

    def remove(self, model_type: str, model_id: str, name: str, *, versions: Sequence[int], is_all: bool) -> Removed:
        """Remove versions, the lowest first, and with `is_all` the artifact's directory after them."""
        key = ArtifactKey(self._namespace.name, model_type, model_id, name)
        path = self._tree.artifact_path(Model(model_type, model_id, ""), name)
        present = list_numbers(self._tree.disk, path)
        if present:
            self._state.highest.raise_to([(key, present[-1])])
        gone: list[int] = []
        failed: list[tuple[str, str]] = []
        try:
            self._tree.guard(path)
            if not is_all and read_marker(self._tree.disk, path) in versions:
                self._move_marker(path, versions, present)
            for version in sorted(versions):
                self._check()
                self._remove_one(f"{path}/{version}", failed)
                if not failed:
                    gone.append(version)
            if is_all and not failed:
                self._remove_rest(path, failed)
        finally:
            self._gone.append((key, tuple(gone)))
        if len(self._gone) >= _BATCH_ARTIFACTS:
            self.flush()
        return Removed(tuple(gone), tuple(failed))

    def remove_empty_model(self, model_type: str, model_id: str) -> None:
        """Remove a model's directory if nothing is left in it."""
        for root in self._tree.layout.data_roots():
            self._check()
            with contextlib.suppress(OSError):
                self._tree.disk.rmdir(f"{root}/{model_type}/{model_id}")

    def flush(self) -> None:
        """Remove the rows of what is gone."""
        gone, self._gone = self._gone, []
        self._state.feed.record((REMOVE, key, version) for key, versions in gone for version in versions)
        with self._catalog.atomic():
            for key, versions in gone:
                if versions:
                    self._catalog.remove_versions(key, versions)

    def _remove_one(self, path: str, failed: list[tuple[str, str]]) -> None:
        if failed:
            return
        try:
            self._tree.remove(path, check=self._check)
            # A directory that could not be removed because something appeared in it is still there.
            self._tree.disk.stat(path)
        except FileNotFoundError:
            return
        except OSError as error:
            failed.append((path, error.strerror or str(error)))
            return
        failed.append((path, "something was written into it meanwhile"))

    def _remove_rest(self, path: str, failed: list[tuple[str, str]]) -> None:
        """Remove an artifact's directory with its marker, unless a version that nobody judged has appeared in it."""
        for number in list_numbers(self._tree.disk, path):
            try:
                self._tree.disk.stat(f"{path}/{number}/{METADATA_NAME}")
            except FileNotFoundError:
                continue
            failed.append((path, f"version {number} was written meanwhile"))
            return
        self._check()
        self._remove_one(path, failed)

    def _move_marker(self, path: str, versions: Sequence[int], present: Sequence[int]) -> None:
        """Point the marker at what stays before what it names goes."""
        doomed = set(versions)
        if any(number not in doomed for number in present):
            settle_marker(self._tree, path, check=self._check)
