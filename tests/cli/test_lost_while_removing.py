"""gc and prune on a bucket whose lock goes to somebody else while they work: nothing of theirs is ever published."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from swampsync.backends.base import Overwrite
from swampsync.clock import Spawner
from swampsync.errors import LeaseLost
from swampsync.layout import ObjectKey
from swampsync.locks.kept import KeptLease
from swampsync.repo import Repo
from swampsync.repo.world import World
from swampsync.sync.syncer import Syncer
from tests.cli.conftest import Outcome, Swamp
from tests.unit.repo.buckets import MemoryBuckets, write_settings


@dataclass
class Thief:
    """Takes the structural lock from whoever has it, and lets that one's heartbeat find out.

    Args:
        buckets: Where the lock is.
        leases: What was ever taken.
    """

    buckets: MemoryBuckets
    leases: list[KeptLease] = field(default_factory=list)

    def strike(self) -> None:
        (lease,) = [lease for lease in self.leases if lease.key.endswith(".datastore.lock") or ".locks/" in lease.key]
        key = ObjectKey(lease.key)
        record = json.loads(self.buckets.store().get(key).body) | {"nonce": "theirs", "hostname": "elsewhere"}
        self.buckets.store().put(key, json.dumps(record).encode(), Overwrite())
        with contextlib.suppress(LeaseLost):
            lease.beat()
        self.leases.clear()

    def commits(self) -> list[str]:
        return [info.key.text for info in self.buckets.store().list("") if "_log/" in info.key.text]

    def nonce(self, key: str) -> str:
        return str(json.loads(self.buckets.store().get(ObjectKey(key)).body)["nonce"])


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch) -> MemoryBuckets:
    found = MemoryBuckets()
    monkeypatch.setattr("swampsync.repo.repo.World", lambda: World(open_bucket=found.open))
    return found


@pytest.fixture
def thief(buckets: MemoryBuckets, monkeypatch: pytest.MonkeyPatch) -> Thief:
    found = Thief(buckets)
    start = KeptLease.start

    def note(lease: KeptLease, spawn: Spawner) -> None:
        found.leases.append(lease)
        start(lease, spawn)

    monkeypatch.setattr(KeptLease, "start", note)
    return found


@pytest.fixture
def repo(tmp_path: Path, swamp: Swamp, buckets: MemoryBuckets, namespace: str) -> Callable[..., Outcome]:
    """A repo with a model of three versions above their cap, and nobody who defines it any more."""
    path = tmp_path / "repo"
    path.mkdir()
    swamp(path, "repo", "init").ok()
    write_settings(path, namespace)
    swamp(path, "model", "create", "command/shell", "old").ok()
    (definition,) = (path / "models").rglob("*.yaml")
    for name in ("a", "b", "a", "b"):
        swamp(path, "data", "put", "old", name, "--gc", "1", stdin=name).ok()

    def call(*words: str) -> Outcome:
        if words[1] == "prune" and definition.exists():
            definition.rename(path / "gone.yaml")
        elif words[1] != "prune" and not definition.exists():
            (path / "gone.yaml").rename(definition)
        return swamp(path, *words)

    return call


@pytest.mark.parametrize(
    ("namespace", "command", "count", "moment"),
    [
        ("infra", "gc", 2, "push"),
        ("", "prune", 4, "push"),
        ("", "gc", 2, "record_removal_for_now"),
        ("infra", "prune", 4, "record_removal_for_now"),
    ],
)
def test_removals_of_a_lost_lock_are_never_published(
    repo: Callable[..., Outcome],
    thief: Thief,
    monkeypatch: pytest.MonkeyPatch,
    *,
    namespace: str,
    command: str,
    count: int,
    moment: str,
) -> None:
    """Exit 75 and no commit, whether the lock goes between two removals or before the push; nor with a later sync."""
    key = f".locks/{namespace}.lock" if namespace else ".datastore.lock"
    done = getattr(Syncer, moment)

    def interrupted(*arguments: Any, **more: Any) -> Any:
        # What was removed first is recorded; the push has only begun.
        found = done(*arguments, **more) if moment != "push" else None
        if thief.leases:
            thief.strike()
        return done(*arguments, **more) if moment == "push" else found

    log = thief.commits()
    thief.leases.clear()
    with monkeypatch.context() as patch:
        patch.setattr(Syncer, moment, interrupted)
        outcome = repo("data", command, "--yes", "--json")
    assert (outcome.status, outcome.error["code"]) == (75, "lease_lost"), outcome.text
    assert thief.commits() == log
    assert thief.nonce(key) == "theirs"
    assert repo("datastore", "sync", "--json").json["removalsPushed"] == 0
    assert thief.commits() == log
    assert repo("data", "get", "old", "a", "--version", "1", "-o", "-").ok().text == "a"
    assert repo("datastore", "verify", "--json").json["problems"] == []
    repo("datastore", "lock", "release", "--force").ok()
    assert repo("data", command, "--yes", "--json").json["versionsDeleted"] == count


@pytest.mark.parametrize("command", ["gc", "prune"])
def test_child_publishes_nothing_once_its_parents_lock_is_lost(
    repo: Callable[..., Outcome],
    thief: Thief,
    tmp_path: Path,
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    command: str,
) -> None:
    """A command that `exec --lock` started stops before its commit when somebody else takes what it works under."""
    log = thief.commits()
    thief.leases.clear()
    done = Syncer.push

    def interrupted(*arguments: Any, **more: Any) -> Any:
        if thief.leases:
            thief.leases[:] = thief.leases[:1]  # the parent's; the child's own lies in the copy
            thief.strike()
        return done(*arguments, **more)

    with Repo.open(str(tmp_path / "repo")) as parent, parent.structural.locked("exec"):
        variables |= {k: v for k, v in parent.child_environment().items() if k.startswith("SWAMP_LOCK_")}
        with monkeypatch.context() as patch:
            patch.setattr(Syncer, "push", interrupted)
            outcome = repo("data", command, "--yes", "--json")
    assert (outcome.status, outcome.error["code"]) == (75, "lease_lost"), outcome.text
    assert "the command that started this one" in outcome.error["error"]
    assert thief.commits() == log
