"""A small tree of versions on a real disk, as swamp would leave it, for the tests of this room."""

import os
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from swampsync.artifacts.metadata import Metadata, Owner
from swampsync.artifacts.metadata_yaml import format_metadata
from swampsync.catalog.catalog import Catalog
from swampsync.catalog.state import SyncState
from swampsync.clock import SystemClock
from swampsync.disk import DiskEntry, DiskStat, LocalDisk
from swampsync.layout import Layout
from swampsync.maintenance.refresh import Refresher
from swampsync.namespace import SOLO, Namespace


class ShiftedClock(SystemClock):
    """The system's clock, moved: what was just written can look settled."""

    def __init__(self) -> None:
        self.shift = timedelta(seconds=60)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift


class CountingDisk(LocalDisk):
    """The machine's disk, counting what is asked of it."""

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.listings: list[str] = []
        self.stats = 0

    def read_bytes(self, path: str) -> bytes:
        self.reads.append(path)
        return super().read_bytes(path)

    def scandir(self, path: str) -> list[DiskEntry]:
        self.listings.append(path)
        return super().scandir(path)

    def stat(self, path: str) -> DiskStat:
        self.stats += 1
        return super().stat(path)

    def reset(self) -> None:
        self.reads.clear()
        self.listings.clear()
        self.stats = 0


@dataclass
class Tree:
    """One namespace's data directory."""

    root: Path
    model: str = "command/shell/m-1"
    model_name: str = "vpc"

    def put(
        self,
        name: str,
        version: int,
        *,
        model: str | None = None,
        content: bytes = b"{}",
        marker: bool = True,
        step: str | None = None,
        streaming: bool = False,
        lifetime: str = "infinite",
        garbage_collection: int | str | None = None,
        created_at: str = "2026-11-21T09:00:00.000Z",
        lifecycle: str | None = None,
        renamed_to: str | None = None,
        owner: Owner | None = None,
        raw: bool = True,
    ) -> Path:
        """Write one version, and the marker unless told otherwise."""
        artifact = self.root / (model or self.model) / name
        directory = artifact / str(version)
        directory.mkdir(parents=True, exist_ok=True)
        metadata = Metadata(
            id=f"00000000-0000-4000-8000-{version:012}",
            name=name,
            version=version,
            content_type="application/json",
            lifetime=lifetime,
            garbage_collection=garbage_collection,
            streaming=streaming,
            tags={"type": "resource", "modelName": self.model_name},
            owner=owner or Owner("model-method", "00000000-0000-4000-8000-00000000aaaa", step_name=step),
            created_at=created_at,
            size=len(content),
            checksum=None,
            lifecycle=lifecycle,
            renamed_to=renamed_to,
        )
        if raw:
            (directory / "raw").write_bytes(content)
        (directory / "metadata.yaml").write_bytes(format_metadata(metadata))
        if marker:
            self.mark(name, version, model=model)
        return directory

    def mark(self, name: str, version: int, *, model: str | None = None) -> None:
        """Point the marker at a version."""
        artifact = self.root / (model or self.model) / name
        temporary = artifact / ".latest.tmp"
        temporary.write_text(str(version))
        os.replace(temporary, artifact / "latest")

    def remove(self, name: str, version: int | None = None, *, model: str | None = None) -> None:
        """Remove a version, or the whole artifact."""
        artifact = self.root / (model or self.model) / name
        shutil.rmtree(artifact if version is None else artifact / str(version))


@dataclass
class World:
    """A repo with its catalog and a shared directory."""

    base: Path
    namespace: Namespace
    layout: Layout
    catalog: Catalog
    state: SyncState
    refresher: Refresher
    disk: CountingDisk = field(default_factory=CountingDisk)
    clock: ShiftedClock = field(default_factory=ShiftedClock)

    def tree(self, namespace: Namespace | None = None) -> Tree:
        return Tree(Path(self.layout.of(namespace or self.namespace).datastore_path("data")))

    def refresh(self) -> None:
        """Refresh, and let the next write bear a later time, as the shifted clock makes believe."""
        self.refresher.refresh(self.namespace)
        # File systems stamp by a clock that moves every few milliseconds, and in memory a test is faster than that.
        probe = self.base.parent / "probe"
        probe.touch()
        before = probe.stat().st_ctime_ns
        while probe.stat().st_ctime_ns == before:
            probe.touch()

    def rows(self, namespace: str | None = None) -> list[tuple[str, int, int]]:
        wanted = self.namespace.name if namespace is None else namespace
        return [(row.data_name, row.version, row.is_latest) for row in self.catalog.rows(wanted)]


def make_world(tmp_path: Path, *, namespace: Namespace = SOLO, layout: Layout | None = None) -> World:
    """Make a repo in `tmp_path/repo` whose datastore is `tmp_path/shared`."""
    if layout is None:
        layout = Layout(repo_dir=str(tmp_path / "repo"), base=str(tmp_path / "shared"), namespace=namespace)
    Path(layout.base).mkdir(exist_ok=True)
    disk, clock = CountingDisk(), ShiftedClock()
    catalog = Catalog.open(layout.catalog_path(), disk=LocalDisk(), clock=clock, rng=Random(1))
    state = SyncState.open(layout.state_path(), disk=LocalDisk(), clock=clock, rng=Random(1))
    refresher = Refresher(disk, clock, layout=layout, catalog=catalog, state=state)
    return World(Path(layout.base), layout.namespace, layout, catalog, state, refresher, disk, clock)
