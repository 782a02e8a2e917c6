"""Sync in one repo: which clones there are, when they pull and push, and what a command says of it.

Only repos whose datastore is a bucket import this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.model import Model
from swampsync.artifacts.tree import no_check
from swampsync.errors import LeaseLost, LockError, SwampsyncError, SyncIncomplete, Unavailable
from swampsync.locks.clone_lock import CloneLock
from swampsync.namespace import SOLO, Namespace
from swampsync.repo.late_pool import late_pool
from swampsync.repo.membership import prove_membership
from swampsync.repo.publication import Publication, hint_after, report_failures, report_resolved
from swampsync.repo.unhindered import look_unless_busy
from swampsync.sync.cataloguing import ensure_catalogued
from swampsync.sync.pending import Op, PendingWork
from swampsync.sync.progress import Progress, no_stages, silent

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from swampsync.repo.foreign import Foreign
    from swampsync.repo.parts import Parts
    from swampsync.sync.applying import Applied
    from swampsync.sync.push import Pushed
    from swampsync.sync.push_plan import PushLimits
    from swampsync.sync.remote_store import RemoteStore
    from swampsync.sync.syncer import Syncer

LOCK_NAME: Final = "_sync.lock"
DEFAULT_CONCURRENCY: Final = 16


class Syncing:
    """The clones of one repo: its own namespace's, and those of namespaces that it reads.

    Args:
        parts: Of the repo.

    Attributes:
        on_applied: Told the namespace and what was applied to its clone; notices of what became of pending work, unless
            a command reports that itself.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._syncers: dict[str, Syncer] = {}
        self._followed: set[str] = set()
        self._joined: set[str] = set()
        self.is_automatic = parts.config.auto_sync
        self.is_reachable = True
        self.on_applied: Callable[[Namespace, Applied], None] = self._report_applied

    def close(self) -> None:
        """End the threads."""
        pool: Executor | None = self.__dict__.pop("pool", None)
        if pool is not None:
            pool.shutdown()
        self._syncers.clear()

    @cached_property
    def pool(self) -> Executor:
        """Threads for many requests at a time."""
        return self._parts.world.make_pool(self._concurrency)

    @property
    def _concurrency(self) -> int:
        return getattr(self._parts.config.datastore, "concurrency", None) or DEFAULT_CONCURRENCY

    @cached_property
    def foreign(self) -> Foreign:
        """Content of other namespaces."""
        from swampsync.repo.foreign import Foreign

        return Foreign(self._parts)

    @cached_property
    def lock(self) -> CloneLock:
        """The clone's lock: all namespaces share one copy and one state."""
        parts = self._parts
        parts.world.disk.makedirs(parts.layout.local_path("data"))
        return CloneLock(
            parts.layout.local_path("data", LOCK_NAME),
            clock=parts.world.clock,
            rng=parts.world.rng,
            wait_seconds=parts.config.lock_timeout_ms / 1000,
            on_wait=lambda line: parts.on_wait(line),  # noqa: PLW0108 - it may be set later
            on_held=lambda: parts.check_place(),  # noqa: PLW0108 - likewise
        )

    def syncer_of(self, namespace: Namespace) -> Syncer:
        """Return the clone of a namespace."""
        known = self._syncers.get(namespace.name)
        if known is None:
            from swampsync.repo.cloning import make_clone
            from swampsync.sync.syncer import Syncer

            pool = late_pool(lambda: self.pool)
            clone = make_clone(self._parts, namespace, pool=pool, concurrency=self._concurrency)
            known = self._syncers[namespace.name] = Syncer(
                clone,
                self.lock,
                on_applied=lambda applied: self.on_applied(namespace, applied),
                stages=self._parts.stages or no_stages,
            )
        return known

    def _report_applied(self, _namespace: Namespace, applied: Applied) -> None:
        report_resolved(applied.resolved, notice=self._parts.on_notice)

    def store_of(self, namespace: Namespace) -> RemoteStore:
        """Return the version tree of a namespace."""
        syncer, content = self.syncer_of(namespace), self.foreign.content_of(namespace)
        if content is not None:
            from swampsync.sync.foreign_store import ForeignStore

            return ForeignStore(syncer, content)
        from swampsync.sync.remote_store import RemoteStore

        return RemoteStore(syncer)

    def find_again(self, namespace: Namespace, model: Model, metadata: Metadata) -> Metadata:
        """Return a version that was just written as it is now: publishing may have given it another number."""
        versions = self.store_of(namespace).scan(model, metadata.name).versions
        return next((m for m in reversed(versions) if m.id == metadata.id), metadata)

    def known_namespaces(self) -> set[Namespace]:
        """Name the namespaces whose log was ever looked at; makes no request."""
        return {Namespace(p.namespace) if p.namespace else SOLO for p in self._parts.state.positions.all()}

    def pending_puts(self, namespace: Namespace) -> set[str]:
        """Return the directories of versions, and the files, that are to be put."""
        return self._pending(namespace, Op.PUT)

    def pending_removals(self, namespace: Namespace) -> set[str]:
        """Return the directories of versions, and the files, whose removal is to be published."""
        return self._pending(namespace, Op.REMOVE)

    def _pending(self, namespace: Namespace, op: Op) -> set[str]:
        return PendingWork(self._parts.state, namespace.name, clock=self._parts.world.clock).paths(op)

    def _ensure_catalogued(self, namespace: Namespace) -> None:
        ensure_catalogued(self._parts.catalog, self._parts.state, namespace.name)

    # --- reading -----------------------------------------------------------------------------------

    def follow(self, namespace: Namespace, *, is_asked_for: bool = False) -> None:
        """Make a namespace readable: no request for what was looked at before, unless it is another's.

        Args:
            namespace: Which.
            is_asked_for: Whether the command names it, so that its log is looked at first.
        """
        if namespace.name in self._followed:
            return
        is_known = self._parts.state.positions.find(namespace.name) is not None
        is_looking = namespace != self._parts.home and (is_asked_for or namespace == self._parts.namespace)
        if not is_known:
            self.look_at(namespace, check=self.deadline())
        elif not is_looking or look_unless_busy(self._parts, namespace, partial(self.look_at, namespace)) is None:
            self._ensure_catalogued(namespace)
        self._followed.add(namespace.name)

    def look_at(self, namespace: Namespace, *, check: Callable[[], None], is_waiting: bool = True) -> int:
        """Look at a namespace's log; return how many commits came."""
        is_new = self._parts.state.positions.find(namespace.name) is None
        pulled = self.syncer_of(namespace).pull(check=check, is_waiting=is_waiting)
        self.foreign.settle(namespace, is_new=is_new and pulled.position.seq == 0)
        self._followed.add(namespace.name)
        return pulled.commits

    def require_member(self, namespace: Namespace) -> None:
        """Make sure, once, that this repo may publish in a namespace; not asked where nothing is published now.

        Raises:
            Conflict: Others have it, and this repo is no member.
        """
        is_asked = self.is_automatic and self.is_reachable and not namespace.is_solo
        if is_asked and namespace.name not in self._joined:
            self._parts.registry.require_member(namespace, self._parts.require_repo_id())
            self._joined.add(namespace.name)

    # --- writing -----------------------------------------------------------------------------------

    @contextmanager
    def publishing(
        self, namespace: Namespace, *, is_confirmed: bool = False, check: Callable[[], None] = no_check
    ) -> Iterator[Publication]:
        """Pull before what is done in the block, and push after it.

        Where the bucket cannot be reached the block runs all the same: what it writes stays pending.

        Args:
            namespace: Where the command writes.
            is_confirmed: Whether it was asked before anything is removed; what earlier commands removed is not meant.
            check: Of the lock that this is done under; called after the block, and last before the commit is put.

        Raises:
            LeaseLost: `check` says that the lock is lost; nothing was published, and what was recorded is pending.
            SyncIncomplete: What was written is safe and pending, but not published; the reason is told.
        """
        publication = Publication()
        self._know_ourselves()
        known = {letter.path for letter in self._parts.state.dead_letters.of_namespace(namespace.name)}
        if not self.is_automatic:
            self._ensure_catalogued(namespace)
            yield publication
            check()
            return
        problem: SwampsyncError | None = None
        try:
            self.syncer_of(namespace).pull(check=self.deadline())
        except LockError:
            raise
        except SwampsyncError as error:
            problem = error
            self.is_reachable = False
            self._ensure_catalogued(namespace)
        self._followed.add(namespace.name)
        before = self.pending_removals(namespace) if is_confirmed else set()
        yield publication
        check()
        if problem is None:
            from swampsync.sync.push_plan import PushLimits

            try:
                asked = self.pending_removals(namespace) - before if is_confirmed else ()
                limits = PushLimits(asked=frozenset(asked))
                publication.pushed = self.syncer_of(namespace).push(limits, check=self.deadline(lock=check))
            except LeaseLost:
                raise
            except SwampsyncError as error:
                problem = error
        if problem is not None:
            raise SyncIncomplete(
                f"what was written is safe and pending, but was not published: {problem.message}",
                hint=hint_after(problem),
                is_retryable=problem.is_retryable,
            ) from problem
        if publication.pushed is not None:
            report_failures(publication.pushed.failures, known, notice=self._parts.on_notice)

    def push(
        self,
        namespace: Namespace,
        limits: PushLimits,
        *,
        progress: Progress = silent,
        check: Callable[[], None] | None = None,
    ) -> Pushed:
        """Publish what is pending in a namespace that this repo is a member of.

        Raises:
            Conflict: It is no member.
        """
        if not namespace.is_solo:
            prove_membership(self._parts, namespace)
        self._know_ourselves()
        return self.syncer_of(namespace).push(limits, progress=progress, check=check or self.deadline())

    def _know_ourselves(self) -> None:
        """Make sure that commits carry the repo's id; a command that only reads makes none."""
        if self._parts.config.repo_id is None:
            self._parts.require_repo_id()
            self._syncers.clear()

    def record_file(self, namespace: Namespace, path: str, *, kind: str) -> None:
        """Record a file of the local copy, unless it stays in the repo.

        Args:
            namespace: Whose file it is.
            path: Absolute.
            kind: The command that wrote it.
        """
        layout = self._parts.layout.of(namespace)
        if path.startswith(f"{layout.root}/"):
            self.syncer_of(namespace).record_file(path[len(layout.root) + 1 :], kind=kind)

    def deadline(self, seconds: float | None = None, *, lock: Callable[[], None] = no_check) -> Callable[[], None]:
        """Make a check that raises when a direction of a sync takes too long, and whatever the check of a lock says."""
        clock = self._parts.world.clock
        allowed = self._parts.config.sync_timeout_ms / 1000 if seconds is None else seconds
        ends_at = clock.uptime() + allowed

        def check() -> None:
            lock()
            if clock.uptime() > ends_at:
                raise Unavailable(
                    f"the sync took longer than {allowed:g} s; what was done stays", hint="swamp datastore sync"
                )

        return check
