"""Deleting and renaming data: under the model's lock, never more than was planned."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from swampsync.artifacts.model import Model
from swampsync.artifacts.names import check_name, find_name_problem
from swampsync.artifacts.scan import list_numbers
from swampsync.artifacts.store import ArtifactStore
from swampsync.disk import Kind
from swampsync.errors import Conflict, NotFound
from swampsync.namespace import Namespace
from swampsync.repo.locking import LockedData
from swampsync.repo.mounted import require_mounted
from swampsync.repo.values import DeleteResult, RenameResult


@dataclass(frozen=True, slots=True)
class DeletePlan:
    """Which versions of which artifacts of a model go."""

    namespace: Namespace
    model: Model
    targets: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def artifacts(self) -> int:
        """How many artifacts lose versions."""
        return len(self.targets)

    @property
    def versions(self) -> int:
        """How many versions go."""
        return sum(len(versions) for _, versions in self.targets)

    def preview(self) -> DeleteResult:
        """Say what would be removed."""
        return DeleteResult(self.model, self.artifacts, self.versions, is_dry_run=True)


class DataRemover(LockedData):
    """Deletes and renames artifacts."""

    # --- delete and rename -------------------------------------------------------------------------

    def plan_delete(
        self,
        model: str,
        *,
        name: str | None = None,
        version: int | None = None,
        prefix: str | None = None,
        is_dry_run: bool = False,
    ) -> DeletePlan:
        """Decide which versions to delete: one, all of an artifact, or all of the artifacts with a prefix.

        Args:
            model: Whose.
            name: Of the artifact.
            version: Its number; without one, all.
            prefix: Of the artifacts' names, where none is named.
            is_dry_run: Whether the plan is only shown: then nobody is waited for.

        Raises:
            NotFound: There is nothing to delete; an existing artifact's versions are named.
            Unavailable: The datastore's directory is not mounted.
        """
        del is_dry_run  # on a directory nothing is waited for
        require_mounted(self._parts, self._namespace_of(model))
        namespace, owner = self.find_model(model)
        store = self._parts.store_of(namespace)
        if name is not None:
            numbers = _numbers(store, owner, name) if find_name_problem(name) is None else ()
            if not numbers:
                raise NotFound(f'No data named "{name}" exists for model {model}', hint=f"swamp data list {model}")
            if version is not None and version not in numbers:
                available = ", ".join(map(str, reversed(numbers)))
                raise NotFound(
                    f'Version {version} does not exist for "{name}" (available versions: {available})',
                    hint=f"swamp data versions {model} {name}",
                )
            return DeletePlan(namespace, owner, ((name, (version,) if version is not None else numbers),))
        names = [found for found in self._names(namespace, owner) if found.startswith(prefix or "")]
        if not names:
            what = f'prefix "{prefix}"' if prefix else "any data"
            raise NotFound(f"No data matching {what} found for model {model}", hint=f"swamp data list {model}")
        return DeletePlan(namespace, owner, tuple((found, _numbers(store, owner, found)) for found in names))

    def _names(self, namespace: Namespace, model: Model) -> list[str]:
        layout = self._parts.layout.of(namespace)
        disk = self._parts.world.disk
        names: set[str] = set()
        for root in layout.data_roots():
            directory = posixpath.join(root, model.type, model.id)
            try:
                entries = disk.scandir(directory)
            except (FileNotFoundError, NotADirectoryError):
                continue
            for entry in entries:
                path = posixpath.join(directory, entry.name)
                if entry.kind is Kind.DIRECTORY and list_numbers(disk, path):
                    names.add(entry.name)
        return sorted(names)

    def apply_delete(self, plan: DeletePlan) -> DeleteResult:
        """Delete what was planned, and nothing that came since.

        One artifact that cannot be deleted does not keep the others; it is reported.

        Raises:
            LockTimeout: Somebody else is writing the model.
        """
        self._require_member(plan.namespace)
        store = self._parts.store_of(plan.namespace)
        artifacts = versions = 0
        failed: list[tuple[str, str]] = []
        with self._lock(plan.namespace, plan.model, "data delete") as lease:
            for name, numbers in plan.targets:
                try:
                    versions += len(store.delete_versions(plan.model, name, numbers, check=lease.check).versions)
                    artifacts += 1
                except NotFound:
                    continue
                except OSError as error:
                    failed.append((name, error.strerror or str(error)))
                self._recatalogue(plan.namespace, plan.model, name)
        return DeleteResult(plan.model, artifacts, versions, tuple(failed))

    def rename(self, model: str, old_name: str, new_name: str) -> RenameResult:
        """Give an artifact a new name: its latest version is copied, and the old name forwards there.

        Raises:
            NotFound: There is no such artifact.
            Conflict: The new name is taken.
        """
        check_name(new_name)
        namespace, owner = self.require_model(model)
        store = self._parts.store_of(namespace)
        with self._lock(namespace, owner, "data rename") as lease:
            floors = (self._floor(namespace, owner, old_name), self._floor(namespace, owner, new_name))
            try:
                done = store.rename(owner, old_name, new_name, floors=floors, check=lease.check)
            except NotFound as error:
                raise NotFound(f'Data "{old_name}" not found', hint=f"swamp data list {model}", key=old_name) from error
            except Conflict as error:
                raise Conflict(f'Data "{new_name}" already exists', hint=error.hint, key=new_name) from error
            self._recatalogue(namespace, owner, old_name)
            self._recatalogue(namespace, owner, new_name)
        return RenameResult(owner, old_name, new_name, done.copied.version, done.new.version)


def _numbers(store: ArtifactStore, model: Model, name: str) -> tuple[int, ...]:
    found = store.scan(model, name)
    return tuple(sorted({*(m.version for m in found.versions), *found.incomplete}))
