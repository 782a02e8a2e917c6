"""Repos over buckets in memory whose server lives in the past, so that a test can let days go by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from swampsync.backends.base import ObjectStore
from swampsync.backends.memory import MemoryStore
from swampsync.repo.world import World
from swampsync.testing.manual_clock import ManualClock
from tests.cli.conftest import Clone, Swamp
from tests.unit.repo.buckets import MemoryBuckets


class PastRepo(Clone):
    """A clone of a team whose server lives in the past."""


@dataclass
class PastTeam:
    """A bucket, and repos of one namespace in it; `age` lets the server's time pass up to now."""

    root: Path
    swamp: Swamp
    namespace: str
    buckets: MemoryBuckets = field(default_factory=MemoryBuckets)

    def __post_init__(self) -> None:
        self.clock = ManualClock(datetime.now(UTC) - timedelta(days=30))
        self.memory = MemoryStore(self.clock)
        self.buckets.stores["team", ""] = self.memory

    @contextmanager
    def wrapped(self, wrap: Callable[[ObjectStore], ObjectStore]) -> Iterator[None]:
        """Put something before the store of every command that runs inside the block."""
        before, self.buckets.wrap = self.buckets.wrap, wrap
        try:
            yield
        finally:
            self.buckets.wrap = before

    def repo(self, name: str, namespace: str | None = None) -> PastRepo:
        """Make a repo that is a member of the team's namespace, or of another one."""
        wanted = self.namespace if namespace is None else namespace
        path = self.root / name
        path.mkdir()
        self.swamp(path, "repo", "init").ok()
        with (path / ".swamp.yaml").open("a") as file:
            file.write('datastore:\n  type: "@swampsync/s3"\n  config:\n    bucket: team\n')
        if wanted:
            words = ("join", wanted) if self.objects(f"{wanted}/") else ("set", wanted)
            self.swamp(path, "namespace", *words).ok()
        return PastRepo(path, self.swamp)

    def days(self, number: float) -> None:
        """Let days pass on the server."""
        self.clock.advance(number * 86400.0)

    def catch_up(self) -> None:
        """Let the server's time be now."""
        self.clock.advance((datetime.now(UTC) - self.clock.now()).total_seconds())

    def objects(self, prefix: str = "") -> list[str]:
        return [info.key.text for info in self.memory.list(prefix)]

    def key(self, path: str) -> str:
        """Make the key of a path of the namespace."""
        return f"{self.namespace}/{path}" if self.namespace else path


@pytest.fixture(params=["", "infra"], ids=["solo", "namespaced"])
def team(request: pytest.FixtureRequest, tmp_path: Path, swamp: Swamp, monkeypatch: pytest.MonkeyPatch) -> PastTeam:
    """A team in solo mode and in a namespace."""
    made = PastTeam(tmp_path, swamp, str(request.param))
    monkeypatch.setattr("swampsync.repo.repo.World", lambda: World(open_bucket=made.buckets.open))
    return made
