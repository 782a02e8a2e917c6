"""`swamp exec --lock` whose lock goes to somebody else while its program runs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swampsync.backends.base import Overwrite
from swampsync.cli import execute
from swampsync.clock import Spawner, SystemClock
from swampsync.errors import LeaseLost
from swampsync.layout import ObjectKey
from swampsync.locks.kept import KeptLease
from swampsync.repo.world import World
from tests.cli.conftest import Outcome, Place, Swamp
from tests.cli.test_lock import lock_file
from tests.unit.repo.buckets import MemoryBuckets, write_settings

THIEF = {"nonce": "theirs", "hostname": "elsewhere", "holder": "me@elsewhere"}
SLEEPING = ("sh", "-c", "trap 'kill $!; echo told > told; exit 3' TERM; sleep 60 & touch ready; wait")
Locked = tuple[Path, Callable[[], None], Callable[[], Any]]


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "WATCH_SECONDS", 0.01)


def on_directory(place: Place) -> Locked:
    """A repo on a directory, what takes its lock away, and what reads it."""
    path = lock_file(place)

    def strike() -> None:
        record = json.loads(path.read_text()) | THIEF
        path.unlink()
        path.write_text(json.dumps(record))

    return place.first, strike, lambda: json.loads(path.read_text())


def in_bucket(tmp_path: Path, swamp: Swamp, monkeypatch: pytest.MonkeyPatch, namespace: str) -> Locked:
    """The same for a repo on a bucket, where only a heartbeat finds out."""
    buckets, leases = MemoryBuckets(), []
    monkeypatch.setattr("swampsync.repo.repo.World", lambda: World(open_bucket=buckets.open))
    start = KeptLease.start

    def note(lease: KeptLease, spawn: Spawner) -> None:
        leases.append(lease)
        start(lease, spawn)

    monkeypatch.setattr(KeptLease, "start", note)
    path = tmp_path / "repo"
    path.mkdir()
    swamp(path, "repo", "init").ok()
    write_settings(path, namespace)
    key = ObjectKey(f".locks/{namespace}.lock" if namespace else ".datastore.lock")

    def read() -> Any:
        return json.loads(buckets.store().get(key).body)

    def strike() -> None:
        buckets.store().put(key, json.dumps(read() | THIEF).encode(), Overwrite())
        with pytest.raises(LeaseLost):
            leases[-1].beat()

    return path, strike, read


def run_struck(swamp: Swamp, locked: Locked, *program: str, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Run a program under the lock, which somebody takes as soon as the program runs."""
    path, strike, _ = locked

    class Struck(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more)
            while program == SLEEPING and not (path / "ready").exists():
                SystemClock().sleep(0.002)
            strike()

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", Struck)
        return swamp(path, "exec", "--lock", "--json", "--", *program)


def assert_lost(outcome: Outcome, locked: Locked, status: int) -> None:
    _, _, read = locked
    assert (outcome.status, outcome.error["code"]) == (75, "lease_lost"), outcome.err
    assert f"has ended with status {status}" in outcome.error["error"]
    assert read()["nonce"] == "theirs"


def test_a_program_whose_lock_is_lost_is_told_to_end(
    swamp: Swamp, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets SIGTERM and may tidy up; the exit status is 75 whatever the program's is, and the new lock stays."""
    locked = on_directory(place)
    assert_lost(run_struck(swamp, locked, *SLEEPING, monkeypatch=monkeypatch), locked, 3)
    assert (place.first / "told").read_text() == "told\n"


def test_a_program_whose_lock_in_a_bucket_is_lost_is_told_to_end(
    swamp: Swamp, tmp_path: Path, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There nobody is asked before a write: the heartbeat found out."""
    locked = in_bucket(tmp_path, swamp, monkeypatch, namespace)
    assert_lost(run_struck(swamp, locked, *SLEEPING, monkeypatch=monkeypatch), locked, 3)
    assert (locked[0] / "told").exists()


def test_a_lock_that_was_lost_before_the_program_ended_is_told(
    swamp: Swamp, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that ends by itself before anybody looked again has worked without a lock, and that is no success."""
    monkeypatch.setattr(execute, "WATCH_SECONDS", 60.0)
    locked = on_directory(place)
    assert_lost(run_struck(swamp, locked, "true", monkeypatch=monkeypatch), locked, 0)


def test_a_lock_that_is_kept_changes_nothing(swamp: Swamp, place: Place) -> None:
    """The program's own status is the command's, however often the lock was looked at meanwhile."""
    assert swamp(place.first, "exec", "--lock", "--", "sh", "-c", "sleep 0.05; exit 4").status == 4
