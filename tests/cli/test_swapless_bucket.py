"""A bucket, written into the configuration by hand, on a server that answers 501 to `If-Match`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swampsync.backends.base import Overwrite
from swampsync.clock import SystemClock
from swampsync.layout import ObjectKey
from swampsync.repo import Repo
from swampsync.repo.world import World
from swampsync.testing.swapless import Swapless
from tests.cli.conftest import Swamp
from tests.unit.repo.buckets import MemoryBuckets, write_settings

WARNING = "the bucket cannot compare and swap"
IMPATIENT = {"SWAMP_LOCK_TIMEOUT_MS": "1"}


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch) -> MemoryBuckets:
    found = MemoryBuckets(stores={("team", ""): Swapless(SystemClock())})
    monkeypatch.setattr("swampsync.repo.repo.World", lambda: World(open_bucket=found.open))
    return found


@pytest.fixture
def key(namespace: str) -> str:
    return f".locks/{namespace}.lock" if namespace else ".datastore.lock"


@pytest.fixture
def repo(tmp_path: Path, swamp: Swamp, buckets: MemoryBuckets, namespace: str) -> Path:
    path = tmp_path / "repo"
    path.mkdir()
    swamp(path, "repo", "init").ok()
    write_settings(path, namespace)
    swamp(path, "data", "put", "m", "x", stdin="1").ok()
    return path


def test_structural_commands_give_their_lock_back_and_say_what_it_is_worth(
    repo: Path, swamp: Swamp, buckets: MemoryBuckets, key: str
) -> None:
    """One after the other gets the lock at once; each says once, on stderr, that the bucket cannot swap."""
    for _ in range(2):
        outcome = swamp(repo, "data", "gc", "--yes", env=IMPATIENT).ok()
        assert outcome.err.count(WARNING) == 1
        assert WARNING not in outcome.text
        assert not list(buckets.store().list(key))
    assert swamp(repo, "data", "get", "m", "x").ok().err.count(WARNING) == 0


def test_held_lock_is_released_by_force(repo: Path, swamp: Swamp, buckets: MemoryBuckets, key: str) -> None:
    """What a holder left is shown, is in the way, and goes with `lock release`; so does a torn one."""
    with Repo.open(str(repo), world=buckets.world()) as holder, holder.structural.locked("data gc") as locks:
        assert swamp(repo, "data", "gc", "--yes", env=IMPATIENT).status == 75
        left = buckets.store().get(ObjectKey(key)).body
        nonce = locks.leases[0].nonce
    for body, how in ((left, ["--nonce", nonce]), (left, ["--force"]), (b"", ["--force"])):
        buckets.store().put(ObjectKey(key), body, Overwrite())
        assert swamp(repo, "datastore", "lock", "release", *how, "--json").json["released"] is True
        assert not list(buckets.store().list(key))
    swamp(repo, "data", "gc", "--yes", env=IMPATIENT).ok()


def test_doctor_calls_it_safe_and_names_what_is_weaker(repo: Path, swamp: Swamp) -> None:
    """The promise is absent, not broken, and the consequence stands beside it."""
    outcome = swamp(repo, "doctor", "backend", "--quick", "--json").ok()
    document = json.loads(outcome.out)
    (promise,) = [p for p in document["promises"] if p["name"] == "if-match"]
    assert (document["safe"], promise["result"]) == (True, "absent")
    assert "locks are weaker" in promise["consequence"]
