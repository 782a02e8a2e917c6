"""One refresh: walk the directories as far as its scope reaches, read what changed, drop what is gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from swampsync.catalog.catalog import Catalog, RowChange
from swampsync.catalog.rows import ArtifactKey, CatalogRow
from swampsync.catalog.signatures import Signature
from swampsync.catalog.state import SyncState
from swampsync.clock import Clock
from swampsync.disk import Disk
from swampsync.errors import Unavailable
from swampsync.layout import Layout
from swampsync.maintenance.refresh_read import GRANULE_NS, ArtifactRows, read_artifact
from swampsync.maintenance.refresh_walk import ModelVisit, TreeWalk
from swampsync.maintenance.refresh_write import BatchWriter, Found
from swampsync.namespace import Namespace


class Scope(NamedTuple):
    """How far a refresh looks; everything below what is named."""

    model_type: str = ""
    model_id: str = ""
    name: str = ""


class RefreshReport(NamedTuple):
    """What a refresh found."""

    rows: RowChange
    artifacts_read: int
    versions_read: int
    problems: list[tuple[str, str]]  # path and message of what could not be read; it is tried again next time
    is_rebuild: bool  # whether nothing on record could be trusted
    is_partial: bool  # whether directories could not be read, so that rows below them may be stale


class World(NamedTuple):
    """What every refresh of one repo works with; see `Refresher`."""

    disk: Disk
    clock: Clock
    layout: Layout
    catalog: Catalog
    state: SyncState
    progress: Callable[[int], None] | None


class RefreshRun:
    """The work of one refresh: walk, read, write in batches."""

    def __init__(
        self, world: World, namespace: Namespace, *, roots: Sequence[str], scope: Scope, is_rebuild: bool
    ) -> None:
        self._disk, _, self._layout, self._catalog, self._state, self._progress = world
        self._namespace = namespace
        self._scope = scope
        self._is_rebuild = is_rebuild
        self._roots = roots
        self._is_partial = False
        self._artifacts_read = 0
        self._versions_read = 0
        self._problems: list[tuple[str, str]] = []
        self._records: list[dict[str, Signature]] = []
        self._writer = BatchWriter(
            self._disk,
            world.clock,
            namespace=namespace.name,
            catalog=self._catalog,
            state=self._state,
            reread=lambda key, directory: self._read_content(key, directory, None),
            is_rebuild=is_rebuild,
        )

    def go(self) -> RefreshReport:
        """Do the work.

        Raises:
            Unavailable: The datastore's directory is not there.
        """
        self._check_base()
        if self._scope.name:
            self._refresh_artifact()
        else:
            self._refresh_models()
        self._writer.flush()
        return RefreshReport(
            self._writer.change,
            self._artifacts_read,
            self._versions_read,
            self._problems,
            self._is_rebuild,
            self._is_partial,
        )

    def _check_base(self) -> None:
        """Refuse to take a datastore that is not mounted for one that is empty."""
        base = self._layout.base
        try:
            self._disk.stat(self._disk.realpath(self._roots[0]))
        except (FileNotFoundError, NotADirectoryError):
            try:
                is_there = bool(self._disk.scandir(base))
            except (FileNotFoundError, NotADirectoryError):
                is_there = False
            if not is_there and self._catalog.has_rows(self._namespace.name):
                raise Unavailable(
                    f"the datastore's directory `{base}` is missing or empty",
                    hint=f"is it mounted? ls {base}",
                    key=base,
                ) from None

    # --- as far as the scope reaches ---------------------------------------------------------------

    def _refresh_artifact(self) -> None:
        path = "/".join(self._scope)
        key = ArtifactKey(self._namespace.name, *self._scope)
        root = self._root_of(path)
        on_record = self._state.signatures.find(key.namespace, root, path=path)
        known = {} if on_record is None else {path: on_record}
        walk = self._walk(root, known)
        is_changed = walk.is_artifact_changed(path)
        self._records = [{}] * root + [known]
        if is_changed is None:
            self._drop(key, root, path)
        elif is_changed:
            self._read(key, root)

    def _refresh_models(self) -> None:
        scope = self._scope
        names: dict[tuple[str, str], set[str]] = {}
        changed: set[tuple[str, str]] = set()
        top = f"{scope.model_type}/{scope.model_id}" if scope.model_id else ""
        walks = []
        for root in range(len(self._roots)):
            known = self._state.signatures.under(self._namespace.name, root, path=top)
            self._records.append(known)
            walk = self._walk(root, known)
            walks.append(walk)
            visits = walk.visit_model(scope.model_type, scope.model_id) if top else walk.walk()
            for visit in visits:
                model = (visit.model_type, visit.model_id)
                names.setdefault(model, set()).update(visit.names)
                if visit.is_changed:
                    changed.add(model)
                self._read_model(visit)
            self._problems += walk.problems
            self._is_partial = self._is_partial or bool(walk.problems)
        self._writer.flush()
        self._drop_ghosts(names, changed)
        self._writer.flush()
        if not self._is_partial:
            # Otherwise what was to be dropped was not: it must look changed next time too.
            for root, walk in enumerate(walks):
                self._writer.record_directories(root, walk)

    def _walk(self, root: int, known: dict[str, Signature]) -> TreeWalk:
        return TreeWalk(
            self._disk,
            self._disk.realpath(self._roots[root]),
            root=root,
            known=known,
            is_settled=self._writer.is_settled,
            skips=lambda path: self._root_of(path) != root,
        )

    def _root_of(self, path: str) -> int:
        """Say in which data root an artifact lies."""
        return 1 if len(self._roots) > 1 and self._layout.is_local(f"data/{path}") else 0

    def _read_model(self, visit: ModelVisit) -> None:
        for name in visit.changed:
            self._read(ArtifactKey(self._namespace.name, visit.model_type, visit.model_id, name), visit.root)

    def _drop_ghosts(self, names: dict[tuple[str, str], set[str]], changed: set[tuple[str, str]]) -> None:
        """Drop rows of artifacts that have no directory: of models that changed, and of models that are gone."""
        if self._is_partial:
            return  # what could not be read is not gone
        namespace = self._namespace.name
        if self._scope.model_id:
            models = {(self._scope.model_type, self._scope.model_id)}
        else:
            models = {(model.type_normalized, model.model_id) for model in self._catalog.models(namespace)}
        for model in sorted(models):
            if model in names and model not in changed:
                continue
            model_type, model_id = model
            for name in self._catalog.data_names(namespace, model_type, model_id=model_id):
                if name not in names.get(model, ()):
                    key = ArtifactKey(namespace, model_type, model_id, name)
                    path = f"{model_type}/{model_id}/{name}"
                    self._drop(key, self._root_of(path), path)

    # --- reading -----------------------------------------------------------------------------------

    def _directory(self, key: ArtifactKey, root: int) -> str:
        return f"{self._roots[root]}/{key.type_normalized}/{key.model_id}/{key.data_name}"

    def _read(self, key: ArtifactKey, root: int) -> None:
        directory = self._directory(key, root)
        on_record = self._records[root].get("/".join(key[1:])) if root < len(self._records) else None
        try:
            content = self._read_content(key, directory, on_record)
        except (FileNotFoundError, NotADirectoryError):
            self._drop(key, root, "/".join(key[1:]))
            return
        except OSError as error:
            self._problems.append((directory, f"`{directory}`: {error.strerror}"))
            self._is_partial = True
            return
        self._artifacts_read += 1
        self._versions_read += content.versions_read
        self._problems += content.problems
        if self._progress is not None and content.versions_read:
            self._progress(content.versions_read)
        self._writer.add(Found(key, root, directory, content))

    def _read_content(self, key: ArtifactKey, directory: str, on_record: Signature | None) -> ArtifactRows:
        known: dict[int, CatalogRow] | None = None
        unchanged_before_ns = 0
        if on_record is not None and on_record.row_count:
            known = {row.version: row for row in self._catalog.versions(key)}
            unchanged_before_ns = on_record.ctime_ns - GRANULE_NS
        return read_artifact(
            self._disk,
            directory,
            key=key,
            namespace=self._namespace,
            known=known,
            unchanged_before_ns=unchanged_before_ns,
        )

    def _drop(self, key: ArtifactKey, root: int, path: str) -> None:
        self._writer.add(Found(key, root, f"{self._roots[root]}/{path}", None))
