"""`datastore lock status` and `release` where the lock is an object in a bucket."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from swampsync.backends.base import ObjectStore, Overwrite
from swampsync.errors import LeaseLost
from swampsync.layout import ObjectKey
from swampsync.locks.guard import HeldLocks
from swampsync.repo import Repo
from swampsync.repo.world import World
from swampsync.testing.faulty_store import Call, Faulty
from tests.cli.conftest import Swamp
from tests.unit.repo.buckets import MemoryBuckets, write_settings

IMPATIENT = {"SWAMP_LOCK_TIMEOUT_MS": "1"}


@pytest.fixture
def before_put() -> list[str]:
    """What somebody else writes into the lock just before our next put of it arrives."""
    return []


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch, before_put: list[str]) -> MemoryBuckets:
    def interfere(call: Call) -> None:
        if before_put and call.method == "put" and call.key.endswith(".lock"):
            found.store().put(ObjectKey(call.key), before_put.pop().encode(), Overwrite())

    def wrap(store: ObjectStore) -> ObjectStore:
        return Faulty(store, interfere)

    found = MemoryBuckets(wrap=wrap)
    monkeypatch.setattr("swampsync.repo.repo.World", lambda: World(open_bucket=found.open))
    return found


@pytest.fixture
def key(namespace: str) -> ObjectKey:
    return ObjectKey(f".locks/{namespace}.lock" if namespace else ".datastore.lock")


@pytest.fixture
def repo(tmp_path: Path, swamp: Swamp, buckets: MemoryBuckets, namespace: str) -> Path:
    path = tmp_path / "repo"
    path.mkdir()
    swamp(path, "repo", "init").ok()
    write_settings(path, namespace)
    swamp(path, "data", "put", "m", "x", stdin="1").ok()
    return path


@pytest.fixture
def held(repo: Path, buckets: MemoryBuckets) -> Iterator[HeldLocks]:
    """The structural lock, in another process's hands as far as commands know."""
    with Repo.open(str(repo), world=buckets.world()) as holder, holder.structural.locked("data gc") as locks:
        yield locks


def test_nothing_held_is_swamps_document(repo: Path, swamp: Swamp, buckets: MemoryBuckets) -> None:
    """With nothing held, or a lock that was given back, the document has swamp's two keys; looking writes nothing."""
    for _ in range(2):
        before = buckets.keys()
        document = swamp(repo, "datastore", "lock", "status", "--json").json
        assert document == {"held": False, "datastoreType": "@swampsync/s3"}
        assert swamp(repo, "datastore", "lock", "status").ok().text == "Lock Status: no lock held\n"
        assert swamp(repo, "datastore", "lock", "release", "--force", "--json").json["reason"] == "no lock held"
        assert buckets.keys() == before
        swamp(repo, "data", "gc", "--yes").ok()


def test_held_lock_is_shown_with_all_that_is_known(repo: Path, swamp: Swamp, key: ObjectKey, held: HeldLocks) -> None:
    """Key, holder, host, process, command, both ages and the nonce are there, for programs and for people."""
    (lock,) = swamp(repo, "datastore", "lock", "status", "--json").json["locks"]
    assert (lock["key"], lock["state"], lock["pidAlive"]) == (key.text, "held", True)
    assert 0 <= lock["ageMs"] < 60_000
    assert 0 <= lock["heartbeatAgeMs"] < 60_000
    info = lock["info"]
    assert (info["pid"], info["command"], info["nonce"]) == (os.getpid(), "data gc", held.leases[0].nonce)
    assert info["holder"].endswith(f"@{info['hostname']}")
    text = swamp(repo, "datastore", "lock", "status").ok().text
    for line in (
        "Lock Status: held",
        f"  Key:       {key.text}",
        f"  PID:       {os.getpid()} (alive)",
        f"  Hostname:  {info['hostname']}",
        "  Command:   data gc",
        f"  Nonce:     {info['nonce']}",
        "  Backend:   @swampsync/s3",
    ):
        assert line in text.splitlines()
    assert re.search(r"^  Acquired:  \S+Z \(\d+s ago\)$", text, re.MULTILINE)
    assert re.search(r"^  Heartbeat: \S+Z \(\d+s ago\)$", text, re.MULTILINE)


def test_commands_name_the_holder_and_the_way_out(repo: Path, swamp: Swamp, key: ObjectKey, held: HeldLocks) -> None:
    """A structural command that has waited long enough ends with exit 75, the holder and what helps."""
    outcome = swamp(repo, "data", "gc", "--yes", "--json", env=IMPATIENT)
    assert outcome.status == 75
    error = json.loads(outcome.err[outcome.err.index("{") :])
    assert error["code"] == "lock_timeout"
    assert f'Lock "{key.text}" held by {held.leases[0].record.holder} (pid {os.getpid()})' in error["error"]
    assert error["hint"].endswith(f"swamp datastore lock release --force --key {key.text}")


def test_release_compares_the_nonce(
    repo: Path, swamp: Swamp, key: ObjectKey, held: HeldLocks, buckets: MemoryBuckets
) -> None:
    """Another nonce than the lock's releases nothing; the right one does, and the holder stops."""
    outcome = swamp(repo, "datastore", "lock", "release", "--nonce", "other", "--json")
    assert (outcome.status, json.loads(outcome.out)["released"]) == (1, False)
    held.leases[0].beat()
    nonce = held.leases[0].nonce
    document = swamp(repo, "datastore", "lock", "release", "--nonce", nonce, "--json").json
    assert (document["released"], document["previousHolder"]["nonce"]) == (True, nonce)
    assert json.loads(buckets.store().get(key).body)["released"] is True
    with pytest.raises(LeaseLost):
        held.leases[0].beat()
    with pytest.raises(LeaseLost):
        held.check()
    assert swamp(repo, "datastore", "lock", "status", "--json").json["held"] is False
    swamp(repo, "data", "gc", "--yes", env=IMPATIENT).ok()


def test_release_by_force_leaves_a_new_holder_alone(
    repo: Path, swamp: Swamp, key: ObjectKey, held: HeldLocks, *, buckets: MemoryBuckets, before_put: list[str]
) -> None:
    """A lock that changes hands between the look and the swap is not the one that was to be broken."""
    body = buckets.store().get(key).body.decode()
    successor = body.replace(held.leases[0].nonce, "99999999-2222-3333-4444-555555555555")
    before_put.append(successor)
    outcome = swamp(repo, "datastore", "lock", "release", "--force", "--json")
    assert (outcome.status, json.loads(outcome.out)["reason"]) == (1, "the holder has changed")
    assert buckets.store().get(key).body.decode() == successor
    assert swamp(repo, "datastore", "lock", "release", "--force").ok().text.startswith("Lock Released\n")


def test_torn_lock_is_shown_and_can_be_released(
    repo: Path, swamp: Swamp, key: ObjectKey, buckets: MemoryBuckets
) -> None:
    """An object that is no record blocks nobody for ever: it is shown, and released by force."""
    buckets.store().put(key, b"{", Overwrite())
    (lock,) = swamp(repo, "datastore", "lock", "status", "--json").json["locks"]
    assert (lock["state"], "info" in lock) == ("torn", False)
    assert "empty or torn" in swamp(repo, "datastore", "lock", "status").ok().text
    assert swamp(repo, "datastore", "lock", "release", "--force", "--json").json["released"] is True
    swamp(repo, "data", "gc", "--yes", env=IMPATIENT).ok()


def test_models_locks_of_the_copy_are_shown_first(
    repo: Path, swamp: Swamp, held: HeldLocks, buckets: MemoryBuckets
) -> None:
    """A model's lock lies in the copy; it is listed with its scope before the one in the bucket, and released so."""
    with Repo.open(str(repo), world=buckets.world()) as other:
        _, model = other.data.find_model("m")
        scope = f"{model.type}/{model.id}"
        with other._parts.guard.model_lock([(model.type, model.id)], command="data put"):
            shown = swamp(repo, "datastore", "lock", "status", "--json").json["locks"]
            assert [lock.get("lockScope") for lock in shown] == [scope, None]
            assert [lock["info"]["command"] for lock in shown] == ["data put", "data gc"]
            assert swamp(repo, "datastore", "lock", "release", "--force", "--model", scope, "--json").json["released"]
            left = swamp(repo, "datastore", "lock", "status", "--json").json["locks"]
            assert [lock.get("lockScope") for lock in left] == [None]
