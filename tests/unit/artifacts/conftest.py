from __future__ import annotations

import io
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from swampsync.artifacts.metadata import Draft, Metadata, Owner
from swampsync.artifacts.model import Model
from swampsync.artifacts.store import ArtifactStore
from swampsync.clock import SystemClock
from swampsync.disk import Disk, LocalDisk, WriteMode
from swampsync.layout import Layout
from swampsync.namespace import Namespace
from swampsync.testing.memory_disk import MemoryDisk

MODEL = Model("command/shell", "0fe7cbe8-c8f1-4a14-811f-c7079bba1297", "m")


class TickingClock(SystemClock):
    """A wall clock that goes on by a second whenever it is read."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 21, 9, tzinfo=UTC)

    def now(self) -> datetime:
        self.moment += timedelta(seconds=1)
        return self.moment


@dataclass
class Kit:
    """A store on some disk, with short ways to use it."""

    disk: Any
    layout: Layout
    model: Model = MODEL
    clock: TickingClock = field(default_factory=TickingClock)
    counter: Any = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.store = ArtifactStore(self.disk, self.clock, self.layout, new_id=self.new_id)

    def new_id(self) -> str:
        return f"00000000-0000-4000-8000-{next(self.counter):012d}"

    def draft(self, **changes: Any) -> Draft:
        values: dict[str, Any] = {
            "content_type": "text/plain",
            "lifetime": "infinite",
            "garbage_collection": 10,
            "tags": {"type": "file", "modelName": "m"},
            "owner": Owner("manual", "me"),
        }
        return Draft(**{**values, **changes})

    def put(
        self, name: str, content: bytes, *, floor: int = 0, check: Callable[[], None] = lambda: None, **changes: Any
    ) -> Metadata:
        return self.store.put(self.model, name, io.BytesIO(content), self.draft(**changes), floor=floor, check=check)

    def get(self, name: str, version: int | None = None) -> bytes:
        with self.store.open_content(self.model, self.store.read(self.model, name, version=version)) as content:
            return content.read()

    def path(self, name: str) -> str:
        return self.store.artifact_path(self.model, name)

    def marker(self, name: str) -> bytes:
        data: bytes = self.disk.read_bytes(f"{self.path(name)}/latest")
        return data

    def write(self, path: str, data: bytes) -> None:
        self.disk.makedirs(path.rpartition("/")[0])
        with self.disk.open_write(path, WriteMode.TRUNCATE) as file:
            file.write(data)
            file.sync()

    def tree(self, path: str | None = None) -> dict[str, bytes]:
        """Return every file below a path, by relative path."""
        path = path or self.layout.base
        found: dict[str, bytes] = {}
        for entry in self.disk.scandir(path):
            child = f"{path}/{entry.name}"
            if entry.kind.value == "directory":
                found |= {f"{entry.name}/{name}": data for name, data in self.tree(child).items()} or {entry.name: b""}
            else:
                found[entry.name] = self.disk.read_bytes(child)
        return found


def memory_kit() -> Kit:
    """Make a kit on a fresh memory disk."""
    disk = MemoryDisk(SystemClock())
    disk.makedirs("/base")
    disk.makedirs("/repo/.swamp")
    disk.sync_filesystem("/")
    return Kit(disk, Layout("/repo", "/base", Namespace("infra")))


@pytest.fixture
def new_kit() -> Callable[[], Kit]:
    """Give the maker of kits on fresh memory disks."""
    return memory_kit


@pytest.fixture
def kit() -> Kit:
    """Give a kit on a memory disk."""
    return memory_kit()


@pytest.fixture
def local_kit(tmp_path: Path) -> Kit:
    """Give a kit on the real disk."""
    base = os.path.realpath(tmp_path)
    disk: Disk = LocalDisk()
    disk.makedirs(f"{base}/store")
    disk.makedirs(f"{base}/repo/.swamp")
    return Kit(disk, Layout(f"{base}/repo", f"{base}/store", Namespace("infra")))
