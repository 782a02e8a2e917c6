"""Repos whose namespaces lie in one bucket in memory, for tests of what commands ask of it and show of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from swampsync.backends.base import ObjectStore
from swampsync.backends.memory import MemoryStore
from swampsync.cli.interruption import Interrupted
from swampsync.errors import Unavailable
from swampsync.repo.world import World
from swampsync.testing.faulty_store import Call, Fault, Faulty
from swampsync.testing.manual_clock import ManualClock
from tests.cli.conftest import Outcome, Swamp
from tests.unit.repo.buckets import MemoryBuckets


@dataclass
class Team:
    """Repos whose namespaces lie in one bucket in memory; its time is that of all machines."""

    swamp: Swamp
    directory: Path
    clock: ManualClock = field(default_factory=ManualClock)
    calls: list[str] = field(default_factory=list)
    unreadable: tuple[str, ...] = ()
    unwritable: bool = False
    unwritable_keys: str = ""
    interrupts: bool = False  # a signal comes with the first write

    def __post_init__(self) -> None:
        self.buckets = MemoryBuckets(wrap=self.wrap, stores={("team", ""): MemoryStore(self.clock)})

    def installed(self, monkeypatch: pytest.MonkeyPatch) -> Self:
        monkeypatch.setattr("swampsync.repo.repo.World", lambda: World(open_bucket=self.buckets.open, clock=self.clock))
        return self

    def wrap(self, store: ObjectStore) -> ObjectStore:
        def watch(call: Call) -> Fault | None:
            self.calls.append(call.method)
            if self.unreadable and call.key.startswith(self.unreadable):
                raise Unavailable(f"no answer about {call.key}")
            if self.interrupts and call.method.startswith("put"):
                raise Interrupted(15)
            if self.unwritable_keys and call.method == "put" and self.unwritable_keys in call.key:
                raise Unavailable("this cannot be written now")
            if self.unwritable and call.method.startswith("put"):
                raise Unavailable("nothing can be written now")
            return None

        return Faulty(store, watch)

    def repo(self, name: str, namespace: str, more: str = "") -> Callable[..., Outcome]:
        path = self.directory / name
        path.mkdir()
        self.swamp(path, "repo", "init").ok()
        with (path / ".swamp.yaml").open("a") as file:
            file.write(f'datastore:\n  type: "@swampsync/s3"\n{more}  config:\n    bucket: team\n')

        def run(*words: str, stdin: str = "") -> Outcome:
            return self.swamp(path, *words, stdin=stdin, env={"SWAMP_HOME": str(self.directory / "home")})

        if namespace:
            is_new = f"{namespace}/.namespace.json" not in set(self.buckets.keys())
            run("namespace", "set" if is_new else "join", namespace).ok()
        return run


def put(run: Callable[..., Outcome], name: str, *flags: str) -> None:
    run("data", "put", "vpc", name, "-", *flags, stdin=name).ok()
