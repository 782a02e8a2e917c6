"""One clone of one namespace, as commands use it: each step under the clone's lock.

What a step needs is imported when it is taken: most commands take one or two, and starting is not free.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.model import Model
from swampsync.artifacts.tree import no_check
from swampsync.catalog.files import FileRecord, FileState
from swampsync.catalog.rows import ArtifactKey
from swampsync.layout import Layout
from swampsync.locks.clone_lock import CloneLock
from swampsync.sync.clone import Clone
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.pending import PendingWork
from swampsync.sync.progress import Progress, Stages, no_stages, silent
from swampsync.sync.pull import Pulled, pull, tell_nobody

if TYPE_CHECKING:
    from swampsync.log.undelete import Undelete
    from swampsync.sync.adopting import Adopted
    from swampsync.sync.applying import Applied
    from swampsync.sync.hydrate import Hydrated, Hydrator
    from swampsync.sync.push import Pushed
    from swampsync.sync.push_plan import PushLimits, PushPlan
    from swampsync.sync.recording import Recorder
    from swampsync.sync.restoring import Restored
    from swampsync.sync.status import SyncStatus
    from swampsync.sync.taking_back import Published

# A push so soon after a pull begins where that ended: if somebody was faster, the log refuses and tells.
FRESH_SECONDS: Final = 10.0


@dataclass(slots=True)
class Synced:
    """What a sync did; parts that were not asked for are `None`."""

    pulled: Pulled | None = None
    hydrated: Hydrated | None = None
    pushed: Pushed | None = None
    failures: list[tuple[str, str]] = field(default_factory=list)


class Syncer:
    """Pulls, pushes, hydrates and records in one clone.

    Args:
        clone: Which.
        lock: The clone's own; processes of one clone take turns.
        on_applied: Told what a pull or a push applied of others' commits, and what became of pending work; also if
            it fails afterwards.
        stages: Opens what is told how far a pull of much is.

    Attributes:
        adopted: What the first pull made of files that lay in the copy already.
    """

    def __init__(
        self,
        clone: Clone,
        lock: CloneLock,
        *,
        on_applied: Callable[[Applied], None] = tell_nobody,
        stages: Stages = no_stages,
    ) -> None:
        self.clone = clone
        self.copy = LocalCopy(clone.disk, clone.layout, clock=clone.clock, new_id=clone.new_id)
        self._lock = lock
        self._on_applied = on_applied
        self._stages = stages
        self._pulled: Pulled | None = None
        self.adopted: Adopted | None = None

    @cached_property
    def recorder(self) -> Recorder:
        """What records what commands did."""
        from swampsync.sync.recording import Recorder

        return Recorder(self.clone, self.copy)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the clone's lock.

        Raises:
            LockTimeout: Another command of this clone held it for too long.
        """
        with self._lock.hold():
            yield

    # --- with the bucket ---------------------------------------------------------------------------

    def pull(self, *, check: Callable[[], None] = no_check, is_waiting: bool = True) -> Pulled:
        """Apply what is new in the log.

        Raises:
            LockHeld: Another command of this clone is at it, and `is_waiting` says not to wait for it.
        """
        with self._lock.hold(is_waiting=is_waiting):
            return self._pull(check)

    def _pull(self, check: Callable[[], None]) -> Pulled:
        is_first = not self.has_pulled()
        self._pulled = pull(self.clone, self.copy, check=check, on_applied=self._on_applied, stages=self._stages)
        if is_first:  # a new clone, whose copy is empty, or one whose state was lost
            from swampsync.sync.adopting import Adopter

            self.adopted = Adopter(self.clone, self.copy).adopt()
        return self._pulled

    def adopt_all(self, *, kind: str) -> Adopted:
        """Record everything in the copy that the log does not know as pending: data that moves into the bucket."""
        from swampsync.sync.adopting import Adopter

        with self._lock.hold():
            return Adopter(self.clone, self.copy, is_ours=True, kind=kind).adopt()

    def push(
        self,
        limits: PushLimits | None = None,
        *,
        progress: Progress = silent,
        check: Callable[[], None] = no_check,
    ) -> Pushed:
        """Publish what is pending; the log is looked at first unless that was a moment ago.

        Raises:
            Refused: See `PushLimits`.
        """
        from swampsync.sync.push import Pusher

        with self._lock.hold():
            pulled = self._pulled
            if pulled is None or self.clone.clock.uptime() - pulled.tailed_at > FRESH_SECONDS:
                pulled = self._pull(check)
            pusher = Pusher(self.clone, self.copy, check=check, progress=progress)
            try:
                pushed = pusher.push(pulled, limits)
            finally:
                for applied in pusher.pushed.applied:
                    self._on_applied(applied)
            self._pulled = None
        return pushed

    def restore(self, wanted: Sequence[Undelete], *, check: Callable[[], None] = no_check) -> Restored:
        """Bring back what was removed, as one commit."""
        from swampsync.sync.restoring import Restorer

        with self._lock.hold():
            pulled = self._pull(check)
            restored = Restorer(self.clone, self.copy, check=check).restore(wanted, pulled)
            self._pulled = None
        return restored

    def plan(self) -> PushPlan:
        """Plan a push; makes no request."""
        from swampsync.sync.push import Pusher

        return Pusher(self.clone, self.copy).plan()

    def hydrate(
        self,
        records: Sequence[FileRecord] | None = None,
        *,
        progress: Progress = silent,
        check: Callable[[], None] = no_check,
        is_waiting: bool = True,
    ) -> Hydrated:
        """Fetch content: of some files, or of all that is not here.

        Raises:
            LockHeld: As for `pull`.
        """
        from swampsync.sync.hydrate import Hydrator

        with self._lock.hold(is_waiting=is_waiting):
            hydrator = Hydrator(self.clone, self.copy, check=check, on_applied=self._on_applied)
            with self._telling(hydrator):
                if records is None:
                    return hydrator.hydrate_all(progress=progress)
                return hydrator.hydrate(records, total=len(records), progress=progress)

    @contextmanager
    def _telling(self, hydrator: Hydrator) -> Iterator[None]:
        """Tell what was kept aside for content that came, as what a pull does to what is here; also if it fails."""
        try:
            yield
        finally:
            if hydrator.kept.moved:
                from swampsync.sync.applying import Applied
                from swampsync.sync.resolving import Resolved

                self._on_applied(Applied(resolved=Resolved(kept_aside=list(hydrator.kept.moved))))

    def is_hydrated(self) -> bool:
        """Say whether all content is here; makes no request."""
        remote = self.clone.state.files.all(self.clone.namespace, state=FileState.REMOTE, chunk=1)
        return next(remote, None) is None

    def require(self, path: str) -> FileRecord | None:
        """Make sure that one file is here, as the log has it; takes no lock if it is."""
        from swampsync.sync.hydrate import Hydrator

        hydrator = Hydrator(self.clone, self.copy, on_applied=self._on_applied)
        known = hydrator.find_here(path)
        if known is not None:
            return known
        with self._lock.hold(), self._telling(hydrator):
            return hydrator.require(path)

    def has_pulled(self) -> bool:
        """Whether the log was ever looked at."""
        return self.clone.state.positions.find(self.clone.namespace) is not None

    # --- what commands did -------------------------------------------------------------------------

    def record_versions(self, model: Model, versions: Sequence[Metadata], *, kind: str) -> list[Metadata]:
        """Record versions that were written into the copy."""
        with self._lock.hold():
            return self.recorder.versions(model, versions, kind=kind)

    def record_removal(self, model: Model, name: str, numbers: Collection[int], *, kind: str) -> None:
        """Record that versions go, then remove what the copy holds of them."""
        with self._lock.hold():
            self._remove(model, name, numbers, kind=kind)

    def _remove(self, model: Model, name: str, numbers: Collection[int], *, kind: str) -> None:
        self.recorder.removed(model, name, numbers, kind=kind)
        for number in numbers:
            self.copy.remove_version(Layout.version_path(model.type, model.id, name, number))

    def record_removal_for_now(
        self, model: Model, name: str, numbers: Collection[int], *, kind: str
    ) -> list[Published]:
        """Record that versions go; return what `take_back` needs, should it turn out that they must not."""
        from swampsync.sync.taking_back import find_published

        with self._lock.hold():
            key = ArtifactKey(self.clone.namespace, model.type, model.id, name)
            published = find_published(self.clone, key, numbers)
            self._remove(model, name, numbers, kind=kind)
        return published

    def take_back(self, removed: Sequence[Published]) -> int:
        """Forget removals that were recorded and not published; return how many."""
        from swampsync.sync.taking_back import take_back

        with self._lock.hold():
            return take_back(self.clone, removed)

    def record_file(self, path: str, *, kind: str) -> bool:
        """Record another file as it lies in the copy."""
        with self._lock.hold():
            return self.recorder.file(path, kind=kind)

    def pending(self) -> PendingWork:
        """Return what is to be published."""
        return PendingWork(self.clone.state, self.clone.namespace, clock=self.clone.clock)

    def status(self) -> SyncStatus:
        """Say how the clone stands; makes no request."""
        from swampsync.sync.status import read_sync_status

        return read_sync_status(self.clone)
