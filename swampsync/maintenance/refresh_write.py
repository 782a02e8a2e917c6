"""Writing what a refresh found: in batches, the change feed first, then the rows, then the signatures.

A process that dies after any of the three leaves a batch that is found changed, and read again, next time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from swampsync.catalog.catalog import Catalog, RowChange
from swampsync.catalog.feed import REMOVE, UPSERT
from swampsync.catalog.rows import ArtifactKey
from swampsync.catalog.signatures import ARTIFACT, Signature
from swampsync.catalog.state import SyncState
from swampsync.clock import Clock, format_timestamp
from swampsync.disk import Disk
from swampsync.maintenance.refresh_read import GRANULE_NS, ArtifactRows
from swampsync.maintenance.refresh_walk import TreeWalk

BATCH_ROWS: Final = 2_000
"""Rows a transaction: small enough that other processes' writes are not kept waiting."""
_CONFIRMATIONS: Final = 3


class Found(NamedTuple):
    """An artifact that was read, or is gone."""

    key: ArtifactKey
    root: int
    directory: str
    content: ArtifactRows | None

    @property
    def path(self) -> str:
        """The path of the artifact's signature."""
        return "/".join(self.key[1:])


class BatchWriter:
    """Writes rows and signatures of one namespace.

    Args:
        disk: Where the tree lies.
        clock: Says what is too recent to be trusted.
        namespace: Whose rows.
        catalog: Gets the rows.
        state: Gets feed, signatures and highest numbers.
        reread: Reads an artifact's directory once more.
        is_rebuild: Whether the feed has been told already that everything is new.
    """

    def __init__(
        self,
        disk: Disk,
        clock: Clock,
        *,
        namespace: str,
        catalog: Catalog,
        state: SyncState,
        reread: Callable[[ArtifactKey, str], ArtifactRows],
        is_rebuild: bool,
    ) -> None:
        self._disk = disk
        self._clock = clock
        self._namespace = namespace
        self._catalog = catalog
        self._state = state
        self._reread = reread
        self._is_rebuild = is_rebuild
        self._newest_ns = int(clock.now().timestamp() * 1e9)
        self._batch: list[Found] = []
        self._rows = 0
        self.change = RowChange()

    def is_settled(self, ctime_ns: int) -> bool:
        """Say whether something with this ctime cannot change again without its time changing."""
        # The file system's clock is at least as late as anything that it has stamped.
        self._newest_ns = max(self._newest_ns, ctime_ns)
        return self._newest_ns - ctime_ns > GRANULE_NS

    def add(self, found: Found) -> None:
        """Write an artifact with the batch that it fills."""
        self._batch.append(found)
        self._rows += 1 if found.content is None else len(found.content.rows) + 1
        if self._rows >= BATCH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        if not self._batch:
            return
        batch, self._batch, self._rows = self._batch, [], 0
        if not self._is_rebuild:
            self._record_changes(batch)
        with self._catalog.atomic():
            batch = [self._confirm(found) for found in batch]
            rows = [(found.key, found.content.rows if found.content is not None else []) for found in batch]
            for change in self._catalog.replace_artifacts(rows):
                self.change = self.change.plus(change)
        seen = [found for found in batch if found.content is not None]
        with self._state.atomic():
            self._state.signatures.put(self._sign(found) for found in seen)
            self._state.highest.raise_to((f.key, f.content.highest) for f in seen if f.content is not None)
            for found in batch:
                if found.content is None:
                    self._state.signatures.remove(self._namespace, found.root, paths=[found.path])

    def _confirm(self, found: Found) -> Found:
        """Read an artifact once more if it changed after it was read: nobody can add rows to the catalog now."""
        for _ in range(_CONFIRMATIONS):
            try:
                signature = self._disk.stat(found.directory).signature
                if found.content is not None and signature == found.content.signature:
                    return found
                found = found._replace(content=self._reread(found.key, found.directory))
            except (FileNotFoundError, NotADirectoryError):
                return found._replace(content=None)
        return found

    def _record_changes(self, batch: list[Found]) -> None:
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

    def _sign(self, found: Found) -> Signature:
        content = found.content
        assert content is not None
        is_complete = content.is_whole and self.is_settled(content.signature[1])
        if content.watched:
            is_complete = is_complete and self.is_settled(content.watched_signature[1])
        return self._signature(
            found.root,
            found.path,
            ARTIFACT,
            own=content.signature,
            is_complete=is_complete,
            watched=content.watched,
            inner=content.watched_signature,
            row_count=len(content.rows),
        )

    def record_directories(self, root: int, walk: TreeWalk) -> None:
        """Write the signatures of types and models, once all that lies below them was written."""
        signatures = [
            self._signature(root, path, kind, own=own, is_complete=is_complete)
            for path, kind, own, is_complete in walk.fresh
        ]
        with self._state.atomic():
            self._state.signatures.put(signatures)
            self._state.signatures.remove(self._namespace, root, paths=walk.gone)

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
            self._namespace,
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
