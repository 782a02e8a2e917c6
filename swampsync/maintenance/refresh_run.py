"""One refresh: walk the directories, read what changed, write it in batches.

Each batch is written in three steps that may be cut short after any of them: the change feed, the catalog's rows, and
the signatures that vouch for those rows. What is cut off is found changed, and read again, next time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from swampsync.catalog.catalog import Catalog, RowChange
from swampsync.catalog.feed import REMOVE, UPSERT
from swampsync.catalog.rows import ArtifactKey, CatalogRow
from swampsync.catalog.signatures import ARTIFACT, Signature
from swampsync.catalog.state import SyncState
from swampsync.clock import Clock, format_timestamp
from swampsync.disk import Disk
from swampsync.errors import Unavailable
from swampsync.layout import Layout
from swampsync.maintenance.refresh_read import GRANULE_NS, ArtifactRows, read_artifact
from swampsync.maintenance.refresh_walk import ModelVisit, TreeWalk
from swampsync.namespace import Namespace

BATCH_ROWS: Final = 2_000
"""Rows a transaction: small enough that other processes' writes are not kept waiting."""
_CONFIRMATIONS: Final = 3


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


class _Found(NamedTuple):
    """An artifact that was read, or is gone."""

    key: ArtifactKey
    root: int
    directory: str
    content: ArtifactRows | None


class RefreshRun:
    """The work of one refresh: walk, read, write in batches."""

    def __init__(
        self, world: World, namespace: Namespace, *, roots: Sequence[str], scope: Scope, is_rebuild: bool
    ) -> None:
        self._disk, self._clock, self._layout, self._catalog, self._state, self._progress = world
        self._namespace = namespace
        self._scope = scope
        self._is_rebuild = is_rebuild
        self._roots = roots
        self._is_partial = False
        self._newest_ns = int(self._clock.now().timestamp() * 1e9)
        self._change = RowChange()
        self._artifacts_read = 0
        self._versions_read = 0
        self._problems: list[tuple[str, str]] = []
        self._batch: list[_Found] = []
        self._batch_rows = 0
        self._records: list[dict[str, Signature]] = []

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
        self._flush()
        return RefreshReport(
            self._change,
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
        self._flush()
        self._drop_ghosts(names, changed)
        self._flush()
        for root, walk in enumerate(walks):
            self._record_directories(root, walk)

    def _walk(self, root: int, known: dict[str, Signature]) -> TreeWalk:
        return TreeWalk(
            self._disk,
            self._disk.realpath(self._roots[root]),
            root=root,
            known=known,
            is_settled=self._is_settled,
            skips=lambda path: self._root_of(path) != root,
        )

    def _root_of(self, path: str) -> int:
        """Say in which data root an artifact lies."""
        return 1 if len(self._roots) > 1 and self._layout.is_local(f"data/{path}") else 0

    def _is_settled(self, ctime_ns: int) -> bool:
        # The file system's clock is at least as late as anything that it has stamped.
        self._newest_ns = max(self._newest_ns, ctime_ns)
        return self._newest_ns - ctime_ns > GRANULE_NS

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
        self._batch.append(_Found(key, root, directory, content))
        self._batch_rows += len(content.rows) + 1
        if self._batch_rows >= BATCH_ROWS:
            self._flush()

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
        self._batch.append(_Found(key, root, f"{self._roots[root]}/{path}", None))
        self._batch_rows += 1

    # --- writing -----------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Write what was read: the feed first, then the rows, then the signatures that vouch for them."""
        if not self._batch:
            return
        batch, self._batch, self._batch_rows = self._batch, [], 0
        if not self._is_rebuild:
            self._record_changes(batch)
        with self._catalog.atomic():
            batch = [self._confirm(found) for found in batch]
            rows = [(found.key, found.content.rows if found.content is not None else []) for found in batch]
            for change in self._catalog.replace_artifacts(rows):
                self._change = self._change.plus(change)
        seen = [found for found in batch if found.content is not None]
        with self._state.atomic():
            self._state.signatures.put(self._sign(found) for found in seen)
            self._state.highest.raise_to((f.key, f.content.highest) for f in seen if f.content is not None)
            for found in batch:
                if found.content is None:
                    path = "/".join(found.key[1:])
                    self._state.signatures.remove(self._namespace.name, found.root, paths=[path])

    def _confirm(self, found: _Found) -> _Found:
        """Read an artifact once more if it changed after it was read: nobody can add rows to the catalog now."""
        for _ in range(_CONFIRMATIONS):
            try:
                signature = self._disk.stat(found.directory).signature
                if found.content is not None and signature == found.content.signature:
                    return found
                found = found._replace(content=self._read_content(found.key, found.directory, None))
            except (FileNotFoundError, NotADirectoryError):
                return found._replace(content=None)
        return found

    def _record_changes(self, batch: Iterable[_Found]) -> None:
        changes: list[tuple[str, ArtifactKey, int]] = []
        for found in batch:
            known = {row.version: row for row in self._catalog.versions(found.key)}
            rows = found.content.rows if found.content is not None else []
            for row in rows:
                before = known.pop(row.version, None)
                if before is None or before._replace(is_latest=row.is_latest) != row:
                    changes.append((UPSERT, found.key, row.version))
            changes += [(REMOVE, found.key, version) for version in sorted(known)]
        self._state.feed.record(changes)

    def _sign(self, found: _Found) -> Signature:
        content = found.content
        assert content is not None
        is_complete = content.is_whole and self._is_settled(content.signature[1])
        if content.watched:
            is_complete = is_complete and self._is_settled(content.watched_signature[1])
        return self._signature(
            found.root,
            "/".join(found.key[1:]),
            ARTIFACT,
            own=content.signature,
            is_complete=is_complete,
            watched=content.watched,
            inner=content.watched_signature,
            row_count=len(content.rows),
        )

    def _record_directories(self, root: int, walk: TreeWalk) -> None:
        # What could not be read below a directory is looked at again by itself: it has no signature.
        signatures = [
            self._signature(root, path, kind, own=own, is_complete=is_complete)
            for path, kind, own, is_complete in walk.fresh
        ]
        with self._state.atomic():
            self._state.signatures.put(signatures)
            self._state.signatures.remove(self._namespace.name, root, paths=walk.gone)

    def _signature(
        self,
        root: int,
        path: str,
        kind: str,
        *,
        own: tuple[int, int, int],
        is_complete: bool,
        watched: int = 0,
        inner: tuple[int, int, int] = (0, 0, 0),
        row_count: int = 0,
    ) -> Signature:
        return Signature(
            self._namespace.name,
            root,
            path,
            kind,
            *own,
            watched,
            *inner,
            row_count=row_count,
            is_complete=int(is_complete),
            seen_at=format_timestamp(self._clock.now()),
        )
