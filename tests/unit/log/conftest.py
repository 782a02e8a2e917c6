"""Builders for the log's tests: rows, drafts, and a log over a store in memory."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from swampsync.backends.base import ObjectStore
from swampsync.backends.counting import Counting, RequestCounter
from swampsync.backends.memory import MemoryStore
from swampsync.layout import Layout
from swampsync.log.append import Appended, Appender
from swampsync.log.commit import CommitDraft, PublishedCommit
from swampsync.log.conflicts import NewerChanges, check_plan
from swampsync.log.log import Log
from swampsync.log.paths import version_files
from swampsync.log.rows import ArtifactRow, FilePut
from swampsync.log.settling import settle
from swampsync.log.state import NamespaceState
from swampsync.log.tail import BEGINNING, Position, tail
from swampsync.namespace import Namespace
from swampsync.testing.manual_clock import ManualClock

TYPE = "command/shell"
MODEL = "8318fbba-4d25-44a1-821c-5936de2e78d7"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def file_put(path: str, content: str = "x", *, key: str | None = None, base: str | None = None) -> FilePut:
    return FilePut(path, len(content.encode()), digest(content), key, None if base is None else digest(base))


def artifact_path(name: str) -> str:
    return f"data/{TYPE}/{MODEL}/{name}"


def version(
    name: str, number: int, content: str = "x", *, identifier: str | None = None
) -> tuple[ArtifactRow, FilePut]:
    metadata: dict[str, Any] = {
        "id": identifier or digest(f"{name}/{number}/{content}")[:32],
        "name": name,
        "version": number,
        "contentType": "application/json",
        "lifetime": "infinite",
        "garbageCollection": 10,
        "streaming": False,
        "tags": {"type": "resource", "modelName": "m-1", "env": "prod"},
        "ownerDefinition": {"ownerType": "model-method", "ownerRef": MODEL},
        "createdAt": "2026-11-21T09:15:37.969Z",
        "size": len(content.encode()),
        "checksum": digest(content),
    }
    return ArtifactRow(TYPE, MODEL, metadata), file_put(f"{artifact_path(name)}/{number}/raw", content)


def draft(
    *versions: tuple[ArtifactRow, FilePut], put: Iterable[FilePut] = (), remove: Iterable[str] = (), kind: str = "push"
) -> CommitDraft:
    return CommitDraft(
        kind,
        "repo-1",
        "user@host",
        "swampsync/0.1.0",
        put=(*(raw for _, raw in versions), *put),
        remove=tuple(remove),
        artifacts=tuple(row for row, _ in versions),
    )


def remove_version(name: str, number: int) -> tuple[str, str]:
    return version_files(f"{artifact_path(name)}/{number}")


class Ids:
    """Ids that never repeat, and are the same in every run."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = random.Random(seed)

    def __call__(self) -> str:
        text = f"{self._rng.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class StateAsView:
    """A state in memory, as decisions on conflicts want to see it."""

    def __init__(self, state: NamespaceState) -> None:
        self._state = state

    def highest_number(self, artifact: str) -> int:
        return self._state.highest.get(artifact, 0)

    def file_digest(self, path: str) -> str | None:
        file = self._state.files.get(path)
        return None if file is None else file.sha256


def layout_of(name: str = "infra") -> Layout:
    return Layout("/repo", "/repo/.swamp/remote", Namespace(name))


@dataclass
class Writer:
    """A clone: a state, a position, and what it remembered before each create."""

    log: Log
    clock: ManualClock = field(default_factory=ManualClock)
    seed: int = 0
    state: NamespaceState = field(default_factory=NamespaceState)
    position: Position = BEGINNING
    remembered: list[tuple[int, str]] = field(default_factory=list)
    ids: Ids = field(init=False)

    def __post_init__(self) -> None:
        self.ids = Ids(self.seed)
        self.rng = random.Random(self.seed)

    def remember(self, *, seq: int, commit_id: str) -> None:
        self.remembered.append((seq, commit_id))

    def appender(self) -> Appender:
        return Appender(self.log, self.clock, self.rng, self.ids, self.remember)

    def take(self, commits: Iterable[PublishedCommit]) -> NewerChanges:
        newer = NewerChanges()
        for published in commits:
            rows = list(self.log.rows(published.commit))
            newer.add(rows)
            self.state.apply(published.commit, rows)
            self.position = Position.of(published)
        return newer

    def pull(self) -> None:
        seen = tail(self.log, self.position, limit=None)
        self.position = seen.position
        self.take(seen.commits())

    def recheck(self, newer: Sequence[PublishedCommit], plan: CommitDraft) -> CommitDraft:
        changes = self.take(newer)
        return settle(plan, check_plan(plan, changes, state=StateAsView(self.state))).draft

    def push(self, plan: CommitDraft, *, pull: bool = True) -> Appended:
        if pull:
            self.pull()
        appended = self.appender().append(plan, self.recheck, position=self.position, tailed_at=self.clock.uptime())
        if appended.published is not None:
            self.take([appended.published])
        return appended


@dataclass
class World:
    """A bucket in memory whose requests are counted, and writers on it."""

    clock: ManualClock = field(default_factory=ManualClock)
    namespace: str = "infra"

    def __post_init__(self) -> None:
        self.memory = MemoryStore(self.clock)
        self.counter = RequestCounter()
        self.store: ObjectStore = Counting(self.memory, self.counter)
        self.log = Log(self.store, layout_of(self.namespace))

    def writer(self, seed: int = 0, *, store: ObjectStore | None = None) -> Writer:
        log = self.log if store is None else replace(self.log, store=store)
        return Writer(log, self.clock, seed)

    def keys(self, prefix: str = "") -> list[str]:
        return [info.key.text for info in self.memory.list(prefix)]
