"""The parts of a repo on copies: whoever works with them sees what it did, and nothing of it outlives them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Final

from swampsync.backends.base import RequestKind, RequestObserver
from swampsync.backends.counting import RequestCounter
from swampsync.backends.rehearsing import Rehearsing
from swampsync.catalog.catalog import Catalog, RowChange
from swampsync.catalog.database import MEMORY
from swampsync.catalog.rows import ArtifactKey, CatalogRow
from swampsync.catalog.sqlite import CorruptDatabase, copy_database
from swampsync.catalog.state import SyncState
from swampsync.disk.redirected import RedirectedDisk
from swampsync.layout import ObjectKey
from swampsync.log.paths import METADATA_FILE, RAW_FILE
from swampsync.repo.parts import Parts
from swampsync.repo.remote import Bucket
from swampsync.repo.syncing import Syncing
from swampsync.repo.world import World
from swampsync.sync.pending import PendingWork
from swampsync.sync.progress import Stages

if TYPE_CHECKING:
    from swampsync.config.datastore import S3Settings

# Of keys that are to be created: whether they are free is looked at, which takes a request each.
_MAX_QUESTIONS: Final = 256


class StandIn(Parts):
    """The parts of a repo on copies: nothing that is written through them outlives them.

    Attributes:
        looked: Counts the requests that are really sent.
    """

    def __init__(self, parts: Parts, scratch: str, *, stages: Stages, needs_catalog: bool) -> None:
        self._needs_catalog = needs_catalog
        self._real = parts
        self._scratch = scratch
        self.looked = RequestCounter()
        disk = parts.world.disk
        disk.makedirs(f"{scratch}/files")
        world = replace(parts.world, disk=RedirectedDisk(disk, f"{scratch}/files"), open_bucket=self._open_bucket)
        super().__init__(parts.config, world, parts.environ, parts.command, cache_dir=parts.cache_dir, stages=stages)

    # --- databases ---------------------------------------------------------------------------------

    @cached_property
    def state(self) -> SyncState:
        """A copy of the state, in which the catalog counts as complete."""
        world = self._real.world
        place = self._copy(self.layout.state_path(), "state.db")
        state = SyncState.open(place, disk=world.disk, clock=world.clock, rng=world.rng)
        identity = str(self.catalog.database.identity())
        for position in state.positions.all():
            state.settings.put(f"catalogued:{position.namespace}", identity)
        return state

    @cached_property
    def catalog(self) -> Catalog:
        """A copy of the catalog if a predicate chooses what is fetched, else one that takes nothing in."""
        world = self._real.world
        if not self._needs_catalog:
            return _NoCatalog.open(MEMORY, disk=world.disk, clock=world.clock, rng=world.rng)
        place = self._copy(self.layout.catalog_path(), "catalog.db")
        catalog = Catalog.open(place, disk=world.disk, clock=world.clock, rng=world.rng)
        catalog.mark_populated()
        return catalog

    def _copy(self, path: str, name: str) -> str:
        place = f"{self._scratch}/{name}"
        world = self._real.world
        try:
            world.disk.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return place
        kind = world.disk.filesystem_type(path.rpartition("/")[0])
        # One that cannot be read would be set aside and begun anew.
        with suppress(CorruptDatabase):
            copy_database(path, place, filesystem_type=kind, clock=world.clock, rng=world.rng)
        return place

    # --- the bucket --------------------------------------------------------------------------------

    @cached_property
    def syncing(self) -> Syncing:
        """What pulls and pushes, without the lock of the clone: nothing of that is changed."""
        syncing = Syncing(self)
        syncing.__dict__["lock"] = _NoLock()
        return syncing

    def _open_bucket(
        self,
        settings: S3Settings,
        *,
        environ: Mapping[str, str],
        world: World,
        cache_dir: str | None,
        on_request: RequestObserver | None,
    ) -> Bucket:
        def tell(kind: str, bytes_up: int, bytes_down: int) -> None:
            self.looked(kind, bytes_up, bytes_down)
            if on_request is not None:
                on_request(kind, bytes_up, bytes_down)

        # Credentials are found, and kept, as for any command.
        real = self._real.world.open_bucket(
            settings, environ=environ, world=self._real.world, cache_dir=cache_dir, on_request=tell
        )
        content = tuple(self.layout.prefix_of(subdir) for subdir in self.layout.subdirs)
        begun = self._begun()
        questions = count()

        def exists(key: ObjectKey) -> bool:
            """Look whether a key is taken that a command of ours, or one that died elsewhere, may have used."""
            is_guarded = key.text.endswith(f"/{RAW_FILE}")  # by the claim of its number
            is_free = is_guarded or not key.text.startswith(content) or next(questions) >= _MAX_QUESTIONS
            if key.text not in begun and is_free:
                return False
            self.looked(RequestKind.LIST, 0, 0)
            first = next(iter(self._real.remote.bucket.plain.list(key.text)), None)
            return first is not None and first.key == key

        store = Rehearsing(
            real.plain,
            on_request or self._ignore,
            clock=world.clock,
            costs=real.costs,
            keeps_body=lambda key: not key.text.startswith(content),
            exists=exists,
        )
        return replace(real, plain=store)

    @staticmethod
    def _ignore(_kind: str, _up: int, _down: int) -> None:
        pass

    def _begun(self) -> set[str]:
        """Name the keys of uploads that were begun before: there something of ours may lie already."""
        found: set[str] = set()
        for entry in PendingWork(self.state, self.namespace.name, clock=self.world.clock).entries():
            if entry.claimed_at is not None:
                paths = [entry.key or entry.path]
                if entry.is_version:
                    paths = [f"{entry.path}/{METADATA_FILE}", f"{entry.path}/{RAW_FILE}"]
                found.update(self.layout.key(path).text for path in paths)
        return found


class _NoCatalog(Catalog):
    """A catalog that nobody reads."""

    def is_populated(self) -> bool:
        return True

    def replace_artifacts(self, found: Sequence[tuple[ArtifactKey, Sequence[CatalogRow]]]) -> list[RowChange]:
        return [RowChange() for _ in found]

    def replace_namespace(self, namespace: str, rows: Iterable[CatalogRow]) -> RowChange:
        del namespace, rows
        return RowChange()


class _NoLock:
    @contextmanager
    def hold(self, *, is_waiting: bool = True) -> Iterator[None]:  # noqa: ARG002 - there is nobody else
        yield
