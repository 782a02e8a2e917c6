"""`datastore lock status` and `release`, and what commands do when a lock is held."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swampsync.cli.interruption import Interrupted
from swampsync.locks import takeover, whole_file
from swampsync.repo import Repo
from swampsync.repo.world import World
from swampsync.testing.manual_clock import ManualClock
from tests.cli.conftest import Place, Swamp

NONCE = "11111111-2222-3333-4444-555555555555"


def lock_file(place: Place) -> Path:
    if place.datastore is None:
        return place.first / ".swamp" / ".datastore.lock"
    return place.datastore / ".locks" / f"{place.first_namespace}.lock"


def plant(path: Path, **changes: Any) -> dict[str, Any]:
    """Write a lock as swamp would, held by a live process of another host."""
    record = {
        "holder": "me@elsewhere",
        "hostname": "elsewhere",
        "pid": os.getpid(),
        "acquiredAt": "2026-11-21T09:12:50.000Z",
        "ttlMs": 600_000,
        "nonce": NONCE,
    } | changes
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2))
    return record


def test_nothing_held_is_swamps_document(swamp: Swamp, place: Place) -> None:
    """With nothing held, `lock status --json` is exactly swamp's document, and nothing was created by looking."""
    document = swamp(place.first, "datastore", "lock", "status", "--json").json
    assert document == {"held": False, "datastoreType": "filesystem"}
    assert swamp(place.first, "datastore", "lock", "status").text == "Lock Status: no lock held\n"
    if place.is_solo:
        assert not (place.first / ".swamp" / ".locks").exists()


def test_a_held_lock_is_shown_with_its_holder(swamp: Swamp, place: Place) -> None:
    """A held structural lock is shown with key, holder, host, pid and nonce."""
    record = plant(lock_file(place))
    document = swamp(place.first, "datastore", "lock", "status", "--json").json
    assert document["held"] is True
    (lock,) = document["locks"]
    assert lock["state"] == "held"
    assert lock["info"] == record
    assert lock["pidAlive"] is None
    text = swamp(place.first, "datastore", "lock", "status").text
    assert "me@elsewhere" in text
    assert NONCE in text


def test_a_torn_lock_is_shown_and_can_be_released(swamp: Swamp, place: Place) -> None:
    """An empty lock file, which swamp neither shows nor releases, is both here."""
    path = lock_file(place)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    document = swamp(place.first, "datastore", "lock", "status", "--json").json
    assert [lock["state"] for lock in document["locks"]] == ["torn"]
    assert swamp(place.first, "datastore", "lock", "release", "--force", "--json").json["released"] is True
    assert not path.exists()


def test_release_compares_the_nonce(swamp: Swamp, place: Place) -> None:
    """Releasing by a nonce that the lock no longer has is refused; by the right one it is done."""
    record = plant(lock_file(place))
    outcome = swamp(place.first, "datastore", "lock", "release", "--nonce", "other", "--json")
    assert outcome.status == 1
    assert json.loads(outcome.out)["released"] is False
    assert lock_file(place).exists()
    document = swamp(place.first, "datastore", "lock", "release", "--nonce", NONCE, "--json").json
    assert document == {"released": True, "previousHolder": record}
    assert not lock_file(place).exists()


def test_an_empty_nonce_names_no_lock(swamp: Swamp, place: Place) -> None:
    """A script's empty variable does not break the lock that has no nonce; that takes `--force`."""
    path = lock_file(place)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    assert swamp(place.first, "datastore", "lock", "release", "--nonce", "").status == 2
    assert path.exists()


def test_releasing_nothing_is_no_failure(swamp: Swamp, place: Place) -> None:
    """With no lock held, release says so and exits 0, as in swamp."""
    document = swamp(place.first, "datastore", "lock", "release", "--force", "--json").json
    assert document == {"released": False, "reason": "no lock held"}


def test_a_live_lock_of_another_host_is_respected(swamp: Swamp, place: Place) -> None:
    """A structural lock of another host stops gc and writers with exit 75, naming key, holder and the way out."""
    plant(lock_file(place))
    env = {"SWAMP_LOCK_TIMEOUT_MS": "50"}
    for arguments in (["data", "gc", "-y"], ["data", "put", "m", "x"]):
        outcome = swamp(place.first, *arguments, "--json", stdin="1", env=env)
        assert outcome.status == 75, outcome.err
        error = json.loads(outcome.err[outcome.err.index("{") :])
        assert error["code"] == "lock_timeout"
        assert "me@elsewhere" in error["error"]
        assert "swamp datastore lock release" in error["hint"]
    assert json.loads(lock_file(place).read_text())["nonce"] == NONCE


def test_reads_take_no_lock(swamp: Swamp, place: Place) -> None:
    """Every reading command works while the structural lock is held by somebody else."""
    swamp(place.first, "data", "put", "m", "x", stdin="1").ok()
    plant(lock_file(place))
    for arguments in (
        ["data", "list"],
        ["data", "list", "m"],
        ["data", "get", "m", "x"],
        ["data", "versions", "m", "x"],
        ["data", "search"],
        ["data", "gc", "--dry-run"],
        ["datastore", "status"],
        ["namespace", "list"],
        ["repo", "status"],
    ):
        assert swamp(place.first, *arguments).status == 0, arguments


def test_namespaces_never_wait_for_each_other(swamp: Swamp, pair: Place) -> None:
    """While one namespace's structural lock is held, the other one writes and collects."""
    plant(lock_file(pair))
    env = {"SWAMP_LOCK_TIMEOUT_MS": "50"}
    swamp(pair.second, "data", "put", "m", "x", stdin="1", env=env).ok()
    swamp(pair.second, "data", "gc", "-y", env=env).ok()


def test_a_model_lock_is_shown_with_its_scope(swamp: Swamp, place: Place) -> None:
    """A model's lock is listed before the structural one, with type and id, and released by them."""
    document = swamp(place.first, "data", "put", "m", "x", "--json", stdin="1").json
    base = place.datastore or place.first / ".swamp"
    root = base / place.first_namespace if place.first_namespace else base
    scope = f"{document['modelType']}/{document['modelId']}"
    plant(root / "data" / scope / ".lock")
    plant(lock_file(place))
    shown = swamp(place.first, "datastore", "lock", "status", "--json").json["locks"]
    assert [lock.get("lockScope") for lock in shown] == [scope, None]
    assert swamp(place.first, "datastore", "lock", "release", "--force", "--model", scope, "--json").json["released"]
    remaining = swamp(place.first, "datastore", "lock", "status", "--json").json["locks"]
    assert [lock.get("lockScope") for lock in remaining] == [None]


@pytest.mark.parametrize("extra", [[], ["--lock"]])
def test_a_child_of_exec_does_not_deadlock(swamp: Swamp, place: Place, extra: list[str]) -> None:
    """`swamp exec -- swamp data put` works, also while the parent holds the structural lock."""
    command = ["exec", *extra, "--", "swamp", "data", "put", "m", "x"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    outcome = swamp(place.first, *command, env={"PATH": path, "SWAMP_LOCK_TIMEOUT_MS": "2000"})
    assert outcome.status == 0, outcome.err
    assert swamp(place.first, "data", "get", "m", "x", "-o", "-").status == 0


def test_a_lock_of_ours_is_shown_with_its_ages_and_its_command(swamp: Swamp, place: Place) -> None:
    """Of a lock that swampsync holds, status knows since when, the last heartbeat, the command, and the process."""
    with Repo.open(str(place.first)) as repo, repo.structural.locked("data gc"):
        (lock,) = swamp(place.first, "datastore", "lock", "status", "--json").json["locks"]
        text = swamp(place.first, "datastore", "lock", "status").text
    assert lock.keys() == {"key", "state", "info", "pidAlive", "ageMs", "heartbeatAgeMs"}  # who waits, nobody knows
    assert lock["state"] == "held"
    assert lock["pidAlive"] is True
    assert 0 <= lock["ageMs"] < 60_000
    assert 0 <= lock["heartbeatAgeMs"] < 60_000
    info = lock["info"]
    assert (info["command"], info["pid"]) == ("data gc", os.getpid())
    assert info["heldSince"] == info["acquiredAt"]
    assert lock["key"] == (".datastore.lock" if place.is_solo else ".locks/infra.lock")
    for label in ("Key:", "Holder:", "PID:", "Hostname:", "Acquired:", "Heartbeat:", "TTL:", "Command:", "Nonce:"):
        assert f"\n  {label}" in text
    assert "(alive)" in text


class Watched(ManualClock):
    """Moves when somebody sleeps, lets something happen meanwhile, and at last brings Ctrl-C."""

    def __init__(self, *steps: Callable[[], None]) -> None:
        super().__init__()
        self.steps = list(steps)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if not self.steps:
            raise Interrupted(signal.SIGINT)
        self.steps.pop(0)()


def test_watching_looks_again_until_interrupted(swamp: Swamp, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line of JSON a look, two seconds apart; a stranger that is silent for its TTL turns from held to expired."""
    plant(lock_file(place), ttlMs=3000)
    clock = Watched(lambda: None, lambda: None, lock_file(place).unlink)
    monkeypatch.setattr("swampsync.repo.repo.World", lambda: World(clock=clock))
    outcome = swamp(place.first, "datastore", "lock", "status", "--watch", "--json")
    assert outcome.status == 130
    looks = [json.loads(line) for line in outcome.text.splitlines()]
    assert [[lock["state"] for lock in look.get("locks", [])] for look in looks] == [
        ["held"],
        ["held"],
        ["expired"],
        [],
    ]
    assert looks[-1] == {"held": False, "datastoreType": "filesystem"}
    assert clock.slept == [2.0] * 4


def test_watching_as_text_tells_when_it_looked(swamp: Swamp, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look begins with its time, and the end is one word, no traceback."""
    monkeypatch.setattr("swampsync.repo.repo.World", lambda: World(clock=Watched(lambda: None)))
    outcome = swamp(place.first, "datastore", "lock", "status", "--watch")
    assert outcome.status == 130
    assert outcome.text.count("--- 20") == 2
    assert outcome.text.count("Lock Status: no lock held\n") == 2
    assert outcome.err == "Interrupted\n"


def test_release_by_force_meets_a_new_holder_and_leaves_it(
    swamp: Swamp, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that changes hands between the look and the removal is not the one that was to be broken."""
    plant(lock_file(place))
    successor = "99999999-2222-3333-4444-555555555555"

    create = whole_file.create_whole

    def claim(*arguments: Any, **more: Any) -> Any:
        plant(lock_file(place), nonce=successor)
        return create(*arguments, **more)

    monkeypatch.setattr(takeover, "create_whole", claim)
    outcome = swamp(place.first, "datastore", "lock", "release", "--force", "--json")
    assert outcome.status == 1
    document = json.loads(outcome.out)
    assert (document["released"], document["reason"]) == (False, "the holder has changed")
    assert json.loads(lock_file(place).read_text())["nonce"] == successor


def test_a_wait_below_the_ttl_is_warned_of_once(swamp: Swamp, place: Place) -> None:
    """Once a command that takes a lock, however many it takes; never by one that takes none."""
    env = {"SWAMP_LOCK_TIMEOUT_MS": "5000"}
    for arguments in (["data", "put", "m", "x"], ["data", "gc", "-y"], ["exec", "--lock", "--", "true"]):
        outcome = swamp(place.first, *arguments, stdin="1", env=env).ok()
        assert outcome.err.count("Warning: a wait of 5 s for locks (SWAMP_LOCK_TIMEOUT_MS)") == 1, arguments
    for arguments in (["data", "list"], ["datastore", "lock", "status"], ["data", "gc", "--dry-run"]):
        assert "SWAMP_LOCK_TIMEOUT_MS" not in swamp(place.first, *arguments, env=env).ok().err
    assert "SWAMP_LOCK" not in swamp(place.first, "data", "gc", "-y", env={"SWAMP_LOCK_TIMEOUT_MS": "30000"}).ok().err


def test_gc_sweeps_what_killed_processes_left_beside_locks(swamp: Swamp, place: Place) -> None:
    """A temporary file or a claim that is older than a day goes with the next gc; a young one stays."""
    swamp(place.first, "data", "put", "m", "x", stdin="1").ok()
    base = place.datastore or place.first / ".swamp"
    (model,) = [path.parent.parent for path in base.rglob("latest")]
    old, young = model / ".takeover-x-1", lock_file(place).parent / ".acquire-y"
    for path in (old, young):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    os.utime(old, (1, 1))
    swamp(place.first, "data", "gc", "--dry-run").ok()
    assert old.exists()
    swamp(place.first, "data", "gc", "-y").ok()
    assert not old.exists()
    assert young.exists()


@pytest.mark.parametrize("child", ["gc", "prune"])
def test_a_structural_child_of_exec_passes_its_parents_lock(swamp: Swamp, place: Place, child: str) -> None:
    """`swamp exec --lock -- swamp data gc` works, also one inside the other, and leaves no lock behind."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["exec", "--lock", "--", "swamp", "exec", "--lock", "--", "swamp", "data", child, "-y"]
    swamp(place.first, *command, env={"PATH": path, "SWAMP_LOCK_TIMEOUT_MS": "2000"}).ok()
    base = place.datastore or place.first / ".swamp"
    assert [path for path in base.rglob("*.lock*") if path.is_file()] == []
