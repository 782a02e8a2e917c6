"""Commands whose bucket cannot be reached: the answer comes soon, and nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swampsync.backends.base import ObjectStore
from swampsync.repo.world import World
from swampsync.testing.faulty_store import Fault, Faulty
from swampsync.testing.manual_clock import ManualClock
from tests.cli.conftest import Swamp
from tests.unit.repo.buckets import MemoryBuckets

CONFIG = 'datastore:\n  type: "@swampsync/s3"\n  namespace: infra\n  config:\n    bucket: team\n'


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def faults() -> list[Fault]:
    """What is wrong with the network now."""
    return []


@pytest.fixture
def repo(
    tmp_path: Path, swamp: Swamp, clock: ManualClock, faults: list[Fault], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A repo in the namespace `infra` of a bucket in memory."""

    def wrap(store: ObjectStore) -> ObjectStore:
        return Faulty(store, lambda _: faults[0] if faults else None)

    buckets = MemoryBuckets(wrap=wrap)
    monkeypatch.setattr("swampsync.repo.repo.World", lambda: World(open_bucket=buckets.open, clock=clock))
    path = tmp_path / "infra"
    path.mkdir()
    swamp(path, "repo", "init").ok()
    with (path / ".swamp.yaml").open("a") as file:
        file.write(CONFIG)
    return path


def test_put_answers_soon_and_stays_pending(repo: Path, swamp: Swamp, clock: ManualClock, faults: list[Fault]) -> None:
    """Without a connection a put ends within 5 s with exit 75 and what helps; a later sync publishes it."""
    swamp(repo, "data", "put", "m", "x", stdin="one").ok()
    faults.append(Fault.NO_CONNECTION)
    begin = clock.uptime()
    outcome = swamp(repo, "data", "put", "m", "x", "--json", stdin="two")
    assert clock.uptime() - begin <= 5
    assert outcome.status == 75
    error = json.loads(outcome.err)
    assert (error["code"], error["hint"]) == ("sync_incomplete", "once it can be reached: swamp datastore sync")
    assert "safe and pending" in error["error"]
    assert swamp(repo, "data", "get", "m", "x", "-o", "-").ok().text == "two"
    faults.clear()
    assert swamp(repo, "datastore", "sync", "--json").json["filesPushed"] == 1


@pytest.mark.parametrize("words", ["data gc --yes", "datastore sync", "datastore lock status", "data delete m x --yes"])
def test_command_that_needs_the_bucket_answers_soon(
    repo: Path, swamp: Swamp, clock: ManualClock, faults: list[Fault], words: str
) -> None:
    """Commands that ask several things of the bucket do not wait for each of them anew."""
    swamp(repo, "data", "put", "m", "x", stdin="one").ok()
    faults.append(Fault.NO_CONNECTION)
    begin = clock.uptime()
    outcome = swamp(repo, *words.split(), "--json")
    assert clock.uptime() - begin <= 5
    assert (outcome.status, outcome.error["code"]) == (75, "unavailable")
    assert swamp(repo, "data", "get", "m", "x", "-o", "-").ok().text == "one"


def test_bucket_that_answered_and_broke_is_waited_for_longer(
    repo: Path, swamp: Swamp, clock: ManualClock, faults: list[Fault]
) -> None:
    """What breaks after the connection was made may be over in a minute: that is waited out."""
    swamp(repo, "data", "put", "m", "x", stdin="one").ok()
    faults.append(Fault.LOST_REQUEST)
    begin = clock.uptime()
    assert swamp(repo, "datastore", "sync").status == 75
    assert 20 < clock.uptime() - begin <= 61
