"""What the parts of a repo share: one configuration, one layout, one catalog, one set of locks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from swampsync.artifacts.definitions import Definitions
from swampsync.artifacts.model import Model
from swampsync.artifacts.store import ArtifactStore
from swampsync.catalog.catalog import Catalog
from swampsync.catalog.state import SyncState
from swampsync.config.settings import RepoConfig, build_layout
from swampsync.layout import Layout
from swampsync.errors import InvalidInput
from swampsync.maintenance.refresh import WHOLE, Refresher, RefreshReport, Scope
from swampsync.namespace import SOLO, Namespace
from swampsync.registry import Registry
from swampsync.repo.world import World


def _ignore(_text: str) -> None:
    pass


@dataclass
class Parts:
    """The rooms below, opened for one repo and one namespace; everything is made when first used.

    Args:
        config: Read before.
        world: The machine.
        environ: For child processes and paths; the library reads no environment of its own.
        command: What to write into locks.
        on_notice: Takes one-line notices for the person at the terminal.
        on_wait: Takes the line that says whom we wait for.
    """

    config: RepoConfig
    world: World
    environ: Mapping[str, str] = field(default_factory=dict)
    command: str = "swampsync"
    on_notice: Callable[[str], None] = _ignore
    on_wait: Callable[[str], None] = _ignore

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
        return ArtifactStore(self.world.disk, self.world.clock, self.layout.of(namespace), new_id=self.world.new_id)

    @cached_property
    def registry(self) -> Registry:
        """The namespaces of the datastore."""
        return Registry(self.world.disk, self.world.clock, self.layout, new_id=self.world.new_id)

    def definitions_of(self, namespace: Namespace) -> Definitions:
        """The definitions that name a namespace's models; the repo's own `models/` only for its own."""
        return Definitions(self.world.disk, self.layout.of(namespace), is_own=namespace == self.home)

    def refresh(
        self,
        namespace: Namespace,
        scope: Scope = WHOLE,
        *,
        progress: Callable[[int, int | None], None] | None = None,
    ) -> RefreshReport | None:
        """Make the catalog follow the tree as far as `scope` reaches; on a bucket it follows the log instead."""
        if self.config.is_remote:
            return None
        done = 0

        def count(versions: int) -> None:
            nonlocal done
            done += versions
            if progress is not None:
                progress(done, None)

        # Own rows are those of the configured namespace, whatever namespace this command acts in.
        refresher = Refresher(
            self.world.disk,
            self.world.clock,
            layout=self.layout.of(self.home),
            catalog=self.catalog,
            state=self.state,
            progress=count,
        )
        report = refresher.refresh(namespace, scope)
        for path, message in report.problems:
            self.on_notice(f"left out: {message}" if path in message else f"left out `{path}`: {message}")
        return report

    def other_namespaces(self) -> set[Namespace]:
        """Name the registered namespaces whose names we accept."""
        found = set()
        for manifest in self.registry.list_namespaces():
            try:
                found.add(Namespace.parse(manifest.namespace))
            except InvalidInput as error:
                self.on_notice(f"left out a namespace: {error.message}")
        return found

    def name_models(self, namespace: Namespace) -> dict[str, str]:
        """Name every model of a namespace by id, from the catalog and, where it does not know, the definitions."""
        names = {key.model_id: key.model_name for key in self.catalog.models(namespace.name)}
        if not all(names.values()):
            known: dict[str, Model] = {model.id: model for model in self.definitions_of(namespace).list()[0]}
            names = {i: name or (known[i].name if i in known else "") for i, name in names.items()}
        return names

    def close(self) -> None:
        """Close the databases, and pass on what they had to say."""
        for name in ("catalog", "state"):
            database = self.__dict__.pop(name, None)
            if database is not None:
                for notice in database.notices:
                    self.on_notice(str(notice))
                database.close()
