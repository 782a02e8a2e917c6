"""`Repo`: the library's front door."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

from swampsync.clock import Clock
from swampsync.config.discovery import find_repo
from swampsync.config.settings import Flags, RepoConfig, load_config
from swampsync.namespace import Namespace
from swampsync.repo.parts import Parts
from swampsync.repo.place_check import watch_place
from swampsync.repo.reading import DataReader
from swampsync.repo.world import World

if TYPE_CHECKING:
    from datetime import timedelta

    from swampsync.repo.datastore import Datastore
    from swampsync.repo.directory_sync import DirectoryReport
    from swampsync.repo.history import History
    from swampsync.repo.lock_view import LockView
    from swampsync.repo.models import Models
    from swampsync.repo.namespaces import Namespaces
    from swampsync.repo.querying import QueryRunner
    from swampsync.repo.status import RepoStatus
    from swampsync.repo.structural import Structural
    from swampsync.repo.sync_report import SyncOptions
    from swampsync.repo.synchronising import Synchroniser
    from swampsync.repo.vacuuming import Vacuumer
    from swampsync.repo.verifying import Verifier
    from swampsync.repo.watching import Trouble, Watcher
    from swampsync.repo.writing import DataWriter
    from swampsync.sync.progress import Stages

_NO_ENVIRONMENT: Final[Mapping[str, str]] = MappingProxyType({})


class Repo:
    """A repo: its configuration, its namespace, its data. Usable from threads; a context manager.

        with Repo.open(".") as repo:
            repo.data.put("vpc", "state", io.BytesIO(b"{}"), content_type="application/json")

    Attributes:
        reading: Get, list, search: what `data` can do without writing, loaded faster.
        data: Put, get, list, search, delete, rename.
        structural: gc, prune, reindex, compact: what has the namespace to itself.
        history: Who changed what, and what was true then.
        locks: Who holds what.
        namespaces: Claim, join, list, describe.
        datastore: Where data lives.
        models: What data belongs to.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @classmethod
    def open(
        cls,
        directory: str = ".",
        *,
        namespace: str | None = None,
        environ: Mapping[str, str] = _NO_ENVIRONMENT,
        world: World | None = None,
    ) -> Self:
        """Open the repo that a directory belongs to; nothing is written by that.

        Args:
            directory: The repo's or one below it.
            namespace: Instead of the configured one.
            environ: Variables as `os.environ` has them; the library looks at no others.
            world: Disk, clocks, randomness and threads; the machine's own by default.

        Raises:
            NotFound: The directory belongs to no repo.
            InvalidInput: The configuration cannot be used.
        """
        world = world or World()
        found = find_repo(world.disk, cwd=world.disk.realpath(directory), flag=None, environ={})
        config = load_config(world.disk, found.repo_dir, environ=environ, flags=Flags(namespace=namespace))
        return cls.from_config(config, environ=environ, world=world)

    @classmethod
    def from_config(
        cls,
        config: RepoConfig,
        *,
        environ: Mapping[str, str] = _NO_ENVIRONMENT,
        world: World | None = None,
        command: str = "swampsync",
        cache_dir: str | None = None,
        stages: Stages | None = None,
    ) -> Self:
        """Open a repo whose configuration has been read.

        Args:
            config: From `load_config`.
            environ: See `open`.
            world: See `open`.
            command: Shown to those who wait for our locks.
            cache_dir: Where temporary credentials of a bucket are kept; `None` for nowhere.
            stages: Opens what is told how far the reading of a long log is.
        """
        parts = Parts(config, world or World(), environ, command, cache_dir=cache_dir, stages=stages)
        return cls(watch_place(parts, environ))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the databases; the repo opens them again when used again."""
        self._parts.close()

    @property
    def directory(self) -> str:
        """The repo's directory, absolute."""
        return self._parts.config.repo_dir

    @property
    def namespace(self) -> Namespace:
        """The namespace that commands act in; `SOLO` for none."""
        return self._parts.namespace

    @property
    def config(self) -> RepoConfig:
        """Everything that is configured."""
        return self._parts.config

    @property
    def clock(self) -> Clock:
        """The clock that the repo waits by."""
        return self._parts.world.clock

    @property
    def datastore_type(self) -> str:
        """`filesystem`, or the type of a remote datastore."""
        return self._parts.config.datastore.type

    @property
    def on_notice(self) -> Callable[[str], None]:
        """Takes one-line notices: what was set aside, what was found damaged."""
        return self._parts.on_notice

    @on_notice.setter
    def on_notice(self, callback: Callable[[str], None]) -> None:
        self._parts.on_notice = callback

    @property
    def on_wait(self) -> Callable[[str], None]:
        """Takes the line that says whom we wait for."""
        return self._parts.on_wait

    @on_wait.setter
    def on_wait(self, callback: Callable[[str], None]) -> None:
        self._parts.on_wait = callback

    def status(self) -> RepoStatus:
        """Say what this repo is, where its data lies and what it holds."""
        from swampsync.repo.status import read_status

        return read_status(self._parts)

    def child_environment(self) -> dict[str, str]:
        """Make the variables by which a child process acts as this repo does, under the locks held now."""
        variables = {"SWAMP_REPO_DIR": self.directory}
        if not self.namespace.is_solo:
            variables["SWAMP_NAMESPACE"] = self.namespace.name
        return variables | self._parts.guard.child_environment()

    def refresh(
        self,
        *,
        all_namespaces: bool = False,
        is_dry_run: bool = False,
        progress: Callable[[int, int | None], None] | None = None,
    ) -> DirectoryReport:
        """Make the catalog follow the datastore now: see `directory_sync.refresh_directory`."""
        from swampsync.repo.directory_sync import refresh_directory

        return refresh_directory(self._parts, all_namespaces=all_namespaces, is_dry_run=is_dry_run, progress=progress)

    def watch(
        self, options: SyncOptions, *, interval_seconds: float, on_trouble: Callable[[Trouble | None], None]
    ) -> Watcher[Any]:
        """Make what syncs again and again: see `watching.Watcher`."""
        from swampsync.repo.watching import make_watcher

        return make_watcher(self._parts, options, interval_seconds=interval_seconds, on_trouble=on_trouble)

    def leave_pending(self) -> None:
        """Publish nothing that this repo writes from now on, and ask the bucket nothing: the next sync does."""
        if self._parts.config.is_remote:
            self._parts.syncing.is_automatic = False

    # --- the rest, loaded when first used ----------------------------------------------------------

    @cached_property
    def reading(self) -> DataReader:
        """Get, list, search: what `data` can do without writing, loaded faster."""
        if self._parts.config.is_remote:
            from swampsync.repo.remote_reading import RemoteReader

            return RemoteReader(self._parts)
        return DataReader(self._parts)

    @cached_property
    def data(self) -> DataWriter:
        """Put, get, list, search, delete, rename."""
        if self._parts.config.is_remote:
            from swampsync.repo.remote_writing import RemoteWriter

            return RemoteWriter(self._parts)
        from swampsync.repo.writing import DataWriter

        return DataWriter(self._parts)

    @cached_property
    def synchroniser(self) -> Synchroniser:
        """What brings this repo and its bucket together."""
        from swampsync.repo.synchronising import Synchroniser

        return Synchroniser(self._parts)

    @cached_property
    def history(self) -> History:
        """Who changed what, and what was true then; only where the datastore is a bucket."""
        from swampsync.repo.history import History

        return History(self._parts)

    @cached_property
    def verifier(self) -> Verifier:
        """What checks whether everything is there, and mends what can be mended."""
        if self._parts.config.is_remote:
            from swampsync.repo.verifying import BucketVerifier

            return BucketVerifier(self._parts)
        from swampsync.repo.verifying_directory import DirectoryVerifier

        return DirectoryVerifier(self._parts)

    def vacuumer(self, *, older_than: timedelta | None = None) -> Vacuumer:
        """What frees a bucket of what was removed longer ago than this, or than the namespace's record says."""
        from swampsync.repo.vacuuming import Vacuumer

        return Vacuumer(self._parts, older_than=older_than)

    @cached_property
    def structural(self) -> Structural:
        """The commands that have the namespace to themselves."""
        if self._parts.config.is_remote:
            from swampsync.repo.remote_structural import RemoteStructural

            return RemoteStructural(self._parts)
        from swampsync.repo.structural import Structural

        return Structural(self._parts)

    @cached_property
    def locks(self) -> LockView:
        """Who holds which lock."""
        from swampsync.repo.lock_view import LockView

        return LockView(self._parts)

    @cached_property
    def namespaces(self) -> Namespaces:
        """The namespaces of the datastore."""
        from swampsync.repo.namespaces import Namespaces

        return Namespaces(self._parts)

    @cached_property
    def datastore(self) -> Datastore:
        """Where data lives."""
        from swampsync.repo.datastore import Datastore

        return Datastore(self._parts)

    @cached_property
    def models(self) -> Models:
        """What data belongs to."""
        from swampsync.repo.models import Models

        return Models(self._parts)

    @cached_property
    def query(self) -> QueryRunner:
        """Predicates over the catalog: `repo.query('tags.env == "prod"')`."""
        from swampsync.repo.querying import QueryRunner

        return QueryRunner(self._parts)
