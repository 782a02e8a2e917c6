"""What a clone knows of its local copy: which of the files in it are the bucket's, or pending, and which nobody's."""

from __future__ import annotations

import orjson

from swampsync.artifacts.metadata import Metadata
from swampsync.catalog.rows import ArtifactKey
from swampsync.catalog.state import SyncState
from swampsync.errors import DataError
from swampsync.layout import Layout
from swampsync.maintenance.moving import MovePlan
from swampsync.namespace import DATASTORE_SUBDIRS


class KnownFiles:
    """Says of each file of a copy whether it counts, and counts what was found.

    Args:
        state: Of the clone.
        layout: Of the copy.
    """

    def __init__(self, state: SyncState, layout: Layout) -> None:
        self._state = state
        self._layout = layout
        self._versions = 0
        self._files = 0

    @property
    def _namespace(self) -> str:
        return self._layout.namespace.name

    def version(self, model_type: str, model_id: str, metadata: Metadata) -> bool:
        """Say whether a version is the one that the clone knows under its number."""
        if self._layout.is_local(Layout.artifact_path(model_type, model_id, metadata.name)):
            return True
        key = ArtifactKey(self._namespace, model_type, model_id, metadata.name)
        row = self._state.metadata.find(key, metadata.version)
        is_known = row is not None and bool(orjson.loads(row.json)["id"] == metadata.id)
        self._versions += is_known
        return is_known

    def file(self, relative: str) -> bool:
        """Say whether another file is one that the clone knows."""
        if self._layout.is_local(relative):
            return True
        is_known = self._state.files.find(self._namespace, relative) is not None
        self._files += is_known
        return is_known

    def require_all(self) -> None:
        """Make sure, after one pass over the copy, that everything that the clone knows was in it.

        Raises:
            DataError: Something was not.
        """
        plan = plan_of_state(self._state, self._namespace)
        if (self._versions, self._files) != (plan.versions, plan.others):
            raise DataError(
                f"the local copy lacks some of what the bucket has: {self._versions} of {plan.versions} versions and"
                f" {self._files} of {plan.others} other files are in it",
                hint="swamp datastore verify",
            )


def plan_of_state(state: SyncState, namespace: str) -> MovePlan:
    """Plan a move of what a clone knows, without looking at files: content may not have been fetched yet."""
    plan = MovePlan()
    with state.database.read() as connection:
        versions = (
            "SELECT count(*), count(DISTINCT type_normalized || '/' || model_id || '/' || data_name) FROM metadata"
            " WHERE namespace = ?"
        )
        plan.versions, plan.artifacts = connection.execute(versions, (namespace,)).fetchone()
        sizes = (
            "SELECT count(*) FILTER (WHERE path NOT LIKE 'data/%/raw'), coalesce(sum(size), 0) FROM files"
            " WHERE namespace = ?"
        )
        plan.others, plan.size = connection.execute(sizes, (namespace,)).fetchone()
        found = "SELECT DISTINCT substr(path, 1, instr(path, '/') - 1) FROM files WHERE namespace = ?"
        held = {name for (name,) in connection.execute(found, (namespace,))}
    plan.directories = [name for name in DATASTORE_SUBDIRS if name in held]
    plan.requests = 2 * plan.versions + plan.others
    return plan
