"""Clones over one store in memory: each with its own disk in memory and its own databases."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from swampsync.artifacts.metadata import Draft, Metadata, Owner
from swampsync.artifacts.model import Model
from swampsync.artifacts.store import ArtifactStore
from swampsync.backends.base import ObjectStore
from swampsync.backends.counting import Counting, RequestCounter
from swampsync.backends.memory import MemoryStore
from swampsync.catalog.catalog import Catalog
from swampsync.catalog.rows import ArtifactKey
from swampsync.catalog.state import SyncState
from swampsync.disk import Disk, WriteMode
from swampsync.layout import Layout
from swampsync.log.log import Log
from swampsync.namespace import SOLO, Namespace
from swampsync.sync.clone import Clone
from swampsync.sync.hydrate import Hydrated, Hydrator
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.pending import PendingWork
from swampsync.sync.pull import Pulled, pull
from swampsync.sync.push import Pushed, Pusher
from swampsync.sync.push_plan import PushLimits
from swampsync.sync.recording import Recorder
from swampsync.testing.manual_clock import ManualClock
from swampsync.testing.memory_disk import MemoryDisk
from tests.unit.log.conftest import Ids

MODEL = Model("command/shell", "8318fbba-4d25-44a1-821c-5936de2e78d7", "vpc")
OWNER = Owner(owner_type="manual", owner_ref=MODEL.id)


def draft(*, streaming: bool = False) -> Draft:
    return Draft(
        content_type="text/plain",
        lifetime="infinite",
        garbage_collection=10,
        tags={"type": "file", "modelName": MODEL.name},
        owner=OWNER,
        streaming=streaming,
    )


@dataclass
class Desk:
    """One clone as a person uses it: commands write into the copy and record, then push and pull."""

    name: str
    store: ObjectStore
    clock: ManualClock
    namespace: Namespace
    seed: int

    def __post_init__(self) -> None:
        self.disk = MemoryDisk(self.clock)
        self.layout = Layout("/repo", "/repo/.swamp/remote", self.namespace)
        self.ids = Ids(self.seed)
        self.rng = random.Random(self.seed)
        self.state = SyncState.open(":memory:", disk=self.disk, clock=self.clock, rng=self.rng)
        self.catalog = Catalog.open(":memory:", disk=self.disk, clock=self.clock, rng=self.rng)
        self.disk.makedirs(self.layout.root)
        self.artifacts = ArtifactStore(self.disk, self.clock, self.layout, new_id=self.ids)
        self.use(self.store)

    def use(self, store: ObjectStore, *, disk: Disk | None = None) -> None:
        """Work against another store, or with another disk, from now on."""
        self.store = store
        used = disk or self.disk
        self.copy = LocalCopy(used, self.layout, clock=self.clock, new_id=self.ids)
        self.clone = Clone(
            Log(store, self.layout),
            used,
            self.clock,
            self.rng,
            self.ids,
            self.state,
            self.catalog,
            f"repo-{self.name}",
            f"{self.name}@host",
            "swampsync/0",
        )
        self.recorder = Recorder(self.clone, self.copy)

    @property
    def work(self) -> PendingWork:
        return PendingWork(self.state, self.namespace.name, clock=self.clock)

    def key(self, name: str) -> ArtifactKey:
        return ArtifactKey(self.namespace.name, MODEL.type, MODEL.id, name)

    # --- commands --------------------------------------------------------------------------------

    def put(self, name: str, content: str | bytes, *, streaming: bool = False) -> Metadata:
        body = content.encode() if isinstance(content, str) else content
        floor = self.state.highest.find(self.key(name))
        written = self.artifacts.put(MODEL, name, io.BytesIO(body), draft(streaming=streaming), floor=floor)
        (recorded,) = self.recorder.versions(MODEL, [written], kind="put")
        return recorded

    def delete(self, name: str, *numbers: int) -> None:
        if self.disk_has(name):
            self.artifacts.delete_versions(MODEL, name, numbers)
        self.recorder.removed(MODEL, name, numbers, kind="delete")

    def write_file(self, path: str, content: str) -> None:
        target = self.copy.path(path)
        self.disk.makedirs(target.rpartition("/")[0])
        with self.disk.open_write(target, WriteMode.TRUNCATE) as file:
            file.write(content.encode())
        self.recorder.file(path, kind="put")

    def remove_file(self, path: str) -> None:
        self.copy.remove(path)
        self.recorder.file_removed(path, kind="delete")

    def pull(self) -> Pulled:
        return pull(self.clone, self.copy)

    def push(self, limits: PushLimits | None = None) -> Pushed:
        return Pusher(self.clone, self.copy).push(self.pull(), limits)

    def hydrate(self) -> Hydrated:
        return Hydrator(self.clone, self.copy).hydrate_all()

    # --- looking ---------------------------------------------------------------------------------

    def disk_has(self, name: str) -> bool:
        try:
            self.disk.stat(self.artifacts.artifact_path(MODEL, name))
        except FileNotFoundError:
            return False
        return True

    def versions(self, name: str) -> dict[int, str]:
        """The versions that the state knows, by number, with their content."""
        found = {}
        for row in self.state.metadata.of_artifact(self.key(name)):
            path = f"{Layout.version_path(MODEL.type, MODEL.id, name, row.version)}/raw"
            Hydrator(self.clone, self.copy).require(path)
            found[row.version] = self.copy.read(path).decode()
        return found

    def files(self) -> dict[str, str]:
        """Digests of everything that the state knows, by path."""
        return {r.path: r.sha256 for r in self.state.files.all(self.namespace.name)}

    def rows(self) -> list[Any]:
        return list(self.catalog.rows(self.namespace.name))

    def close(self) -> None:
        self.state.close()
        self.catalog.close()


@dataclass
class Team:
    """A store whose requests are counted, and desks around it."""

    namespace: Namespace
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.memory = MemoryStore(self.clock)
        self.counter = RequestCounter()
        self.store: ObjectStore = Counting(self.memory, self.counter)
        self.desks: list[Desk] = []

    def desk(self, name: str) -> Desk:
        self.desks.append(Desk(name, self.store, self.clock, self.namespace, len(self.desks) + 1))
        return self.desks[-1]

    def objects(self, prefix: str = "") -> list[str]:
        return [info.key.text for info in self.memory.list(prefix)]

    def close(self) -> None:
        for desk in self.desks:
            desk.close()


@pytest.fixture(params=["solo", "infra"])
def team(request: pytest.FixtureRequest) -> Iterator[Team]:
    """A team in solo mode and in a namespace."""
    made = Team(SOLO if request.param == "solo" else Namespace(request.param))
    yield made
    made.close()


@pytest.fixture
def pair(team: Team) -> tuple[Desk, Desk]:
    """Two clones of one namespace."""
    return team.desk("ann"), team.desk("bob")
