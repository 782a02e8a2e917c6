"""`datastore sync --dry-run`: the sync itself, run on copies, so that its plan is what it would do.

The databases are copied into a directory that is gone afterwards, files that would be written go there too, and what
would be sent to the bucket is kept and counted. The bucket and the local copy are read. Only content is not fetched: of
each file it is known which requests and bytes that takes. So a plan cannot drift from what the sync does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Final

from swampsync.backends.base import ObjectNotFound, RequestKind, RequestObserver
from swampsync.backends.counting import RequestCounter
from swampsync.backends.rehearsing import Rehearsing
from swampsync.catalog.catalog import Catalog, RowChange
from swampsync.catalog.database import MEMORY
from swampsync.catalog.files import FileState
from swampsync.catalog.rows import ArtifactKey, CatalogRow
from swampsync.catalog.sqlite import CorruptDatabase, copy_database
from swampsync.catalog.state import SyncState
from swampsync.disk.redirected import RedirectedDisk
from swampsync.errors import Refused
from swampsync.layout import ObjectKey
from swampsync.log.paths import METADATA_FILE, RAW_FILE
from swampsync.repo.parts import Parts
from swampsync.repo.remote import Bucket
from swampsync.repo.sync_plan import count_fetches
from swampsync.repo.sync_report import SyncOptions, SyncPlan, SyncReport
from swampsync.repo.synchronising import Synchroniser
from swampsync.repo.syncing import Syncing
from swampsync.repo.world import World
from swampsync.sync.drafting import unit_path
from swampsync.sync.hydrate import Hydrated
from swampsync.sync.pending import PendingWork
from swampsync.sync.progress import Progress, Stages
from swampsync.sync.push_plan import PushLimits, check_limits, too_many_requests

if TYPE_CHECKING:
    from swampsync.catalog.files import FileRecord
    from swampsync.config.datastore import S3Settings


_NAMED: Final = 50
_TITLES: Final = {"Pulling": "Planning the pull", "Pushing": "Planning the push"}


def rehearse(parts: Parts, options: SyncOptions, *, stages: Stages) -> SyncReport:
    """Run a sync on copies; return the report of a dry run, with its plan.

    Args:
        parts: Of the repo.
        options: Of the sync.
        stages: Opens what is told how far it is.

    Raises:
        SwampsyncError: The sync would fail so; one that would be refused is told instead.
    """

    def planning(title: str) -> AbstractContextManager[Progress]:
        return stages(_TITLES.get(title, title))

    with parts.world.make_scratch() as scratch:
        stand_in = _StandIn(parts, scratch, stages=stages, needs_catalog=options.predicate is not None)
        try:
            position = stand_in.state.positions.find(parts.namespace.name)
            synchroniser = _Rehearsal(stand_in)
            limits = replace(options.limits, max_requests=None)  # of the whole, which is known in the end
            would = synchroniser.sync(replace(options, is_dry_run=False, limits=limits), stages=planning)
            files, size = _measure(stand_in, would)
            plan = SyncPlan(
                report=would,
                pulled_files=files,
                pulled_size=size,
                pulled=_name(stand_in, would),
                fetched_size=synchroniser.fetched_size,
                refusal=_find_refusal(would, options) or synchroniser.refusal,
            )
            report = SyncReport(parts.namespace.name, is_dry_run=True, plan=plan, failures=would.failures)
            report.seq = 0 if position is None else position.seq
            report.requests = stand_in.looked.snapshot()
            if would.scanned is not None:
                report.scanned = replace(would.scanned, is_dry_run=True)
            return report
        finally:
            stand_in.close()


def _find_refusal(would: SyncReport, options: SyncOptions) -> str | None:
    """Say why a sync would be refused that moves content with more requests than are allowed."""
    needed, allowed = would.requests.requests, options.limits.max_requests
    moves = would.fetched or would.pushed or would.pushed_removals
    return too_many_requests(needed, allowed).message if moves and allowed is not None and needed > allowed else None


def _measure(parts: Parts, report: SyncReport) -> tuple[int, int]:
    """Count the files that would come, and their bytes; of a checkpoint's rows, of all there is."""
    if report.checkpoint:
        counts = parts.state.files.count(parts.namespace.name)
        kept = [count for state, count in counts.items() if state is not FileState.PENDING]
        return sum(number for number, _ in kept), sum(size for _, size in kept)
    paths = {path for came in report.came for path in (came, f"{came}/{RAW_FILE}")}
    found = parts.state.files.find_many(parts.namespace.name, paths)
    return report.pulled, sum(record.size for record in found.values())


def _name(parts: Parts, report: SyncReport) -> list[tuple[str, str]]:
    """Name what would come and go; of a checkpoint's rows, the first."""
    changes = [("put", path) for path in report.came] + [("remove", path) for path in report.went]
    if report.checkpoint:
        records = parts.state.files.all(parts.namespace.name, state=FileState.REMOTE, chunk=_NAMED)
        changes += [("put", unit_path(record.path)) for record in islice(records, _NAMED)]
    return changes


class _StandIn(Parts):
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
        def count(kind: str, bytes_up: int, bytes_down: int) -> None:
            self.looked(kind, bytes_up, bytes_down)
            if on_request is not None:
                on_request(kind, bytes_up, bytes_down)

        # Credentials are found, and kept, as for any command.
        real = self._real.world.open_bucket(
            settings, environ=environ, world=self._real.world, cache_dir=cache_dir, on_request=count
        )
        content = tuple(self.layout.prefix_of(subdir) for subdir in self.layout.subdirs)
        doubtful = self._begun()

        def may_exist(key: ObjectKey) -> bool:
            if key.text not in doubtful:
                return False
            try:
                self._real.remote.bucket.plain.head(key)
            except ObjectNotFound:
                return False
            finally:
                self.looked(RequestKind.HEAD, 0, 0)
            return True

        store = Rehearsing(
            real.plain,
            on_request or self._ignore,
            clock=world.clock,
            costs=real.costs,
            keeps_body=lambda key: not key.text.startswith(content),
            exists=may_exist,
        )
        return replace(real, plain=store)

    @staticmethod
    def _ignore(_kind: str, _up: int, _down: int) -> None:
        pass

    def _begun(self) -> set[str]:
        """Name the keys of uploads that were begun before: only there may something of ours lie already."""
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
    def hold(self) -> Iterator[None]:
        yield


class _Rehearsal(Synchroniser):
    """A sync that counts what it would fetch, and tells why its push would be refused instead of refusing it."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.refusal: str | None = None
        self.fetched_size = 0

    def _fetch(self, records: list[FileRecord] | None, progress: Progress, check: Callable[[], None]) -> Hydrated:
        del progress, check  # it takes no time
        parts = self._parts
        if records is None:
            records = list(parts.state.files.all(parts.namespace.name, state=FileState.REMOTE))
        content = parts.syncing.foreign.content_of(parts.namespace)
        if content is not None:
            records = content.find_missing(records)
        for record in records:
            for number in range(count_fetches(parts, [record])):
                parts.remote.requests(RequestKind.GET, 0, 0 if number else record.size)
        self.fetched_size = sum(record.size for record in records)
        return Hydrated(files=len(records), size=self.fetched_size)

    def _push(self, report: SyncReport, options: SyncOptions, progress: Progress) -> None:
        try:
            check_limits(self._syncer.clone, self._syncer.plan(), options.limits)
        except Refused as error:
            self.refusal = error.message
        super()._push(report, replace(options, limits=PushLimits(is_confirmed=True)), progress)
