"""What the parts of a repo share: one configuration, one layout, one catalog, one set of locks.

Rooms that a command may not need are imported where they are used: a listing needs neither locks nor a registry, and
every import is paid for at each start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from swampsync.catalog.catalog import Catalog
from swampsync.catalog.state import SyncState
from swampsync.config.settings import RepoConfig, build_layout
from swampsync.errors import InvalidInput
from swampsync.layout import Layout
from swampsync.namespace import SOLO, Namespace
from swampsync.repo.world import World

if TYPE_CHECKING:
    from swampsync.artifacts.model import Model
    from swampsync.artifacts.scan import Problem
    from swampsync.artifacts.store import ArtifactStore
    from swampsync.locks.guard import LockGuard
    from swampsync.locks.keeper import KeeperParts
    from swampsync.maintenance.refresh import Refresher, RefreshReport, Scope
    from swampsync.registry import NamespaceRegistry
    from swampsync.repo.remote import Remote
    from swampsync.repo.syncing import Syncing
    from swampsync.sync.progress import Stages


def _ignore(_text: str) -> None:
    pass


class Parts:
    """The rooms below, opened for one repo and one namespace; everything is made when first used.

    Args:
        config: Read before.
        world: The machine.
        environ: For child processes and paths; the library reads no environment of its own.
        command: What to write into locks.
        cache_dir: Where temporary credentials are kept; `None` for nowhere.
        stages: Opens what is told how far the reading of a long log is.

    Attributes:
        on_notice: Takes one-line notices for the person at the terminal.
        on_wait: Takes the line that says whom we wait for.
        check_place: Called under every lock; raises if the data was moved while we waited. Parts that are not as
            `.swamp.yaml` says, such as those of a set-up's target, look at nothing.
    """

    def __init__(
        self,
        config: RepoConfig,
        world: World,
        environ: Mapping[str, str] | None = None,
        command: str = "swampsync",
        *,
        cache_dir: str | None = None,
        stages: Stages | None = None,
    ) -> None:
        self.config = config
        self.world = world
        self.environ = environ or {}
        self.command = command
        self.cache_dir = cache_dir
        self.on_notice: Callable[[str], None] = _ignore
        self.on_wait: Callable[[str], None] = _ignore
        self.stages = stages
        self.check_place: Callable[[], None] = lambda: None

    @cached_property
    def layout(self) -> Layout:
        """The resolver of the namespace that the repo acts in."""
        return build_layout(self.config)

    @property
    def namespace(self) -> Namespace:
        """The namespace that the repo acts in."""
        return self.config.namespace

    @cached_property
    def home(self) -> Namespace:
        """The namespace that `.swamp.yaml` names: the repo's own definitions belong to it."""
        named = self.config.document.get(("datastore", "namespace"))
        return Namespace.parse(named) if isinstance(named, str) and named else SOLO

    @cached_property
    def catalog(self) -> Catalog:
        """The catalog."""
        self.world.disk.makedirs(self.layout.local_path("data"))
        return Catalog.open(
            self.layout.catalog_path(), disk=self.world.disk, clock=self.world.clock, rng=self.world.rng
        )

    @cached_property
    def state(self) -> SyncState:
        """What is not a cache: positions, pending work, highest numbers."""
        self.world.disk.makedirs(self.layout.local_path("data"))
        return SyncState.open(
            self.layout.state_path(), disk=self.world.disk, clock=self.world.clock, rng=self.world.rng
        )

    @cached_property
    def store(self) -> ArtifactStore:
        """The version tree of the namespace that the repo acts in."""
        return self.store_of(self.namespace)

    def store_of(self, namespace: Namespace) -> ArtifactStore:
        """The version tree of a namespace."""
        if self.config.is_remote:
            return self.syncing.store_of(namespace)
        from swampsync.artifacts.store import ArtifactStore

        return ArtifactStore(self.world.disk, self.world.clock, self.layout.of(namespace), new_id=self.world.new_id)

    @cached_property
    def remote(self) -> Remote:
        """The bucket; only where the datastore is one."""
        from swampsync.repo.remote import Remote

        return Remote(self.config, environ=self.environ, world=self.world, cache_dir=self.cache_dir)

    @cached_property
    def syncing(self) -> Syncing:
        """What pulls and pushes; only where the datastore is a bucket."""
        from swampsync.repo.syncing import Syncing

        return Syncing(self)

    @cached_property
    def registry(self) -> NamespaceRegistry:
        """The namespaces of the datastore."""
        if self.config.is_remote:
            return self.remote.make_registry(self.layout)
        from swampsync.registry import Registry

        return Registry(self.world.disk, self.world.clock, self.layout, new_id=self.world.new_id)

    def refresher(self, progress: Callable[[int], None]) -> Refresher:
        """What makes the catalog follow the tree; `progress` takes the versions read since the last call."""
        from swampsync.maintenance.refresh import Refresher

        # Own rows are those of the configured namespace, whatever namespace this command acts in.
        return Refresher(
            self.world.disk,
            self.world.clock,
            layout=self.layout.of(self.home),
            catalog=self.catalog,
            state=self.state,
            progress=progress,
        )

    def refresh(
        self,
        namespace: Namespace,
        scope: Scope | None = None,
        *,
        progress: Callable[[int, int | None], None] | None = None,
    ) -> RefreshReport | None:
        """Make the catalog follow the tree as far as `scope` reaches; on a bucket it follows the log instead."""
        if self.config.is_remote:
            self.syncing.follow(namespace)
            return None
        done = 0

        def count(versions: int) -> None:
            nonlocal done
            done += versions
            if progress is not None:
                progress(done, None)

        refresher = self.refresher(count)
        report = refresher.refresh(namespace) if scope is None else refresher.refresh(namespace, scope)
        for path, message in report.problems:
            self.on_notice(f"left out: {message}" if path in message else f"left out `{path}`: {message}")
        return report

    def other_namespaces(self) -> set[Namespace]:
        """Name the registered namespaces whose names we accept; on a bucket those whose log was looked at."""
        if self.config.is_remote:
            return self.syncing.known_namespaces()
        found = set()
        for manifest in self.registry.list_namespaces():
            try:
                found.add(Namespace.parse(manifest.namespace))
            except InvalidInput as error:
                self.on_notice(f"left out a namespace: {error.message}")
        return found

    # --- who we are, and what we may write --------------------------------------------------------------

    @property
    def datastore_place(self) -> str:
        """Where the datastore is, as people write it."""
        datastore = self.config.datastore
        # Both kinds name their place, each in its own way.
        return str(getattr(datastore, "written_path", None) or getattr(datastore, "url", ""))

    def require_repo_id(self) -> str:
        """Return the repo's id, made and written by the first command that writes."""
        from swampsync.config.repo_id import ensure_repo_id

        if self.config.repo_id is None:
            self.config = ensure_repo_id(self.world.disk, self.config, new_id=self.world.new_id)
        assert self.config.repo_id is not None
        return self.config.repo_id

    def require_member(self, namespace: Namespace) -> None:
        """Make sure that this repo may write in a namespace; see `membership.require_member`."""
        from swampsync.repo.membership import require_member

        require_member(self, namespace)

    def forget(self, namespace: Namespace) -> None:
        """Drop what the catalog knows of a namespace; the next listing reads it anew."""
        self.catalog.remove_namespace(namespace.name)
        self.state.signatures.remove_namespace(namespace.name)

    # --- locks -----------------------------------------------------------------------------------------

    @cached_property
    def keeper_parts(self) -> KeeperParts:
        """What every lock of this process needs."""
        from swampsync.repo.lock_parts import make_keeper_parts

        return make_keeper_parts(
            self.world,
            self.environ,
            wait_seconds=self.config.lock_timeout_ms / 1000,
            on_wait=lambda line: self.on_wait(line),  # noqa: PLW0108 - it may be set later
            on_notice=lambda line: self.on_notice(line),  # noqa: PLW0108 - it may be set later
        )

    @cached_property
    def guard(self) -> LockGuard:
        """The locks of the namespace that the repo acts in."""
        return self.guard_for(self.layout)

    def guard_of(self, namespace: Namespace) -> LockGuard:
        """The locks of a namespace."""
        return self.guard if namespace == self.namespace else self.guard_for(self.layout.of(namespace))

    def guard_for(self, layout: Layout) -> LockGuard:
        """The locks of a layout's namespace."""
        from swampsync.repo.guarding import make_guard

        return make_guard(self, layout)

    # --- models ----------------------------------------------------------------------------------------

    def _sources(self, namespace: Namespace) -> tuple[str, ...]:
        from swampsync.artifacts.definitions import definition_sources, foreign_definition_sources

        layout = self.layout.of(namespace)
        return definition_sources(layout) if namespace == self.home else foreign_definition_sources(layout)

    def find_definition(self, namespace: Namespace, text: str) -> Model | None:
        """Find a defined model by name or id; the repo's own `models/` count for its own namespace only.

        Raises:
            Conflict: Two files define the name.
        """
        from swampsync.artifacts.definitions import find_definition

        found = find_definition(self.world.disk, self._sources(namespace), text, on_problem=self._on_problem)
        return None if found is None else found.model

    def list_definitions(self, namespace: Namespace) -> list[Model]:
        """List the defined models of a namespace."""
        from swampsync.artifacts.definitions import list_definitions

        found = list_definitions(self.world.disk, self._sources(namespace), on_problem=self._on_problem)
        return [definition.model for definition in found]

    def _on_problem(self, problem: Problem) -> None:
        self.on_notice(f"left out `{problem.path}`: {problem.reason}")

    def name_models(self, namespace: Namespace) -> dict[str, str]:
        """Name every model of a namespace by id, from the catalog and, where it does not know, the definitions."""
        names = {key.model_id: key.model_name for key in self.catalog.models(namespace.name)}
        if not all(names.values()):
            known = {model.id: model.name for model in self.list_definitions(namespace)}
            names = {i: name or known.get(i, "") for i, name in names.items()}
        return names

    def close(self) -> None:
        """Close the databases, and pass on what they had to say."""
        if (syncing := self.__dict__.pop("syncing", None)) is not None:
            syncing.close()
        for name in ("catalog", "state"):
            database = self.__dict__.pop(name, None)
            if database is not None:
                for notice in database.notices:
                    self.on_notice(str(notice))
                database.close()
