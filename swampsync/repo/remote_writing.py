"""Data commands that write to a bucket: the same as on a directory, with a pull before and a push after."""

from __future__ import annotations

from contextlib import AbstractContextManager

from swampsync.artifacts.model import Model
from swampsync.namespace import Namespace
from swampsync.repo.publication import Publication
from swampsync.repo.remote_reading import RemoteReader
from swampsync.repo.removing import DeletePlan
from swampsync.repo.unhindered import look_unless_busy
from swampsync.repo.values import DeleteResult, RenameResult, Version
from swampsync.repo.writing import DataWriter

Names = list[str]  # inside the class, `list` is the method


class RemoteWriter(RemoteReader, DataWriter):
    """Everything that can be done with data, published as one commit a command."""

    def _publishing(self, text: str) -> AbstractContextManager[Publication]:
        """Pull before what is done in the block, and push after it; see `Syncing.publishing`."""
        return self._parts.syncing.publishing(self._namespace_of(text))

    def _find_again(self, version: Version) -> Version:
        """Find a version under the number that it was published as."""
        metadata = self._parts.syncing.find_again(version.namespace, version.model, version.metadata)
        return self._version(version.namespace, version.model, metadata)

    def plan_delete(
        self,
        model: str,
        *,
        name: str | None = None,
        version: int | None = None,
        prefix: str | None = None,
        is_dry_run: bool = False,
    ) -> DeletePlan:
        """Decide which versions to delete, of what the log has now; see `DataRemover.plan_delete`."""
        syncing, namespace = self._parts.syncing, self._namespace_of(model)
        if syncing.is_automatic:
            syncer = syncing.syncer_of(namespace)
            if is_dry_run and syncer.has_pulled():
                look_unless_busy(self._parts, namespace, syncer.pull)
            else:
                syncer.pull(check=syncing.deadline())
        return super().plan_delete(model, name=name, version=version, prefix=prefix, is_dry_run=is_dry_run)

    def _names(self, namespace: Namespace, model: Model) -> Names:
        return self._parts.syncing.store_of(namespace).names(model)

    def _present(self, namespace: Namespace, model: Model) -> set[str]:
        return set(self._names(namespace, model))

    def apply_delete(self, plan: DeletePlan) -> DeleteResult:
        """Delete what was planned, and nothing that came since, and publish that; see `DataRemover.apply_delete`."""
        with self._parts.syncing.publishing(plan.namespace, is_confirmed=True):
            return super().apply_delete(plan)

    def rename(self, model: str, old_name: str, new_name: str) -> RenameResult:
        """Give an artifact a new name and publish that; see `DataRemover.rename`."""
        with self._publishing(model):
            return super().rename(model, old_name, new_name)
