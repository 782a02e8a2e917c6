"""The command that an error names for a lock that is held: run as it stands, it releases that lock and no other."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from swampsync.backends.base import Overwrite
from swampsync.layout import ObjectKey
from swampsync.locks import directory_guard
from swampsync.locks.parent import NONCE_VARIABLE
from swampsync.repo.world import World
from tests.cli.conftest import Outcome, Place, Swamp
from tests.cli.test_lock import plant
from tests.unit.repo.buckets import MemoryBuckets, write_settings

IMPATIENT = {"SWAMP_LOCK_TIMEOUT_MS": "50"}
CREATING = "auto-definitions/.auto-definition-create"
Locks = dict[str, str]


@pytest.fixture(autouse=True)
def _do_not_wait_for_definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_guard, "DEFINITION_WAIT_SECONDS", 0.05)


def read_files(root: Path) -> Locks:
    files = [path for path in root.rglob("*.lock*") if path.is_file() and path.name != "_sync.lock"]
    return {str(path.relative_to(root)): json.loads(path.read_text())["nonce"] for path in files}


def run_hint(swamp: Swamp, repo: Path, *command: str, environ: Mapping[str, str] = {}) -> Outcome:
    """Run a command that finds a lock held, then what its error tells to run."""
    outcome = swamp(repo, *command, "--json", stdin="1", env={**IMPATIENT, **environ})
    assert outcome.status == 75, outcome.err
    hint = json.loads(outcome.err[outcome.err.index("{") :])["hint"]
    _, found, pasted = hint.partition("gone: swamp ")
    assert found, hint
    return swamp(repo, *shlex.split(pasted)).ok()


def assert_shown_and_released_by_nonce(swamp: Swamp, repo: Path, read: Callable[[], Locks], expected: set[str]) -> None:
    """Every lock of the namespace is in `lock status`, and `release --nonce` finds it there."""
    shown = swamp(repo, "datastore", "lock", "status", "--json").json["locks"]
    assert {lock["info"]["nonce"] for lock in shown} == expected
    for nonce in sorted(expected):
        before = read()
        swamp(repo, "datastore", "lock", "release", "--nonce", nonce).ok()
        assert before.items() - read().items() == {(k, n) for k, n in before.items() if n == nonce}
    assert swamp(repo, "datastore", "lock", "status", "--json").json["held"] is False


# --- on a directory ------------------------------------------------------------------------------------------------


@pytest.fixture
def base(place: Place) -> Path:
    return place.datastore or place.first / ".swamp"


def test_hint_releases_the_lock_that_is_in_the_way(swamp: Swamp, place: Place, base: Path) -> None:
    """A model's, a definition's, the structural one and that of the holder's children; everything else stays."""
    put = swamp(place.first, "data", "put", "m", "x", "--json", stdin="1").json
    prefix = f"{place.first_namespace}/" if place.first_namespace else ""
    structural = f".locks/{place.first_namespace}.lock" if place.first_namespace else ".datastore.lock"
    model = f"{prefix}data/{put['modelType']}/{put['modelId']}/.lock"
    definition = f"{prefix}{CREATING}/fresh.lock"
    planted = {definition: "n-definition", structural: "n-structural", f"{structural}.child": "n-child"}
    for key, nonce in (planted | {model: "n-model", ".locks/other.lock": "n-other"}).items():
        plant(base / key, nonce=nonce)
    parent = {NONCE_VARIABLE: "n-structural"}

    def assert_releases(key: str, *command: str, environ: Mapping[str, str] = {}) -> None:
        before = read_files(base)
        assert "Lock Released" in run_hint(swamp, place.first, *command, environ=environ).text
        assert before.items() - read_files(base).items() == {(key, before[key])}, command
        plant(base / key, nonce=before[key])

    assert_releases(definition, "data", "put", "fresh", "x")
    assert_releases(structural, "data", "put", "m", "x")
    assert_releases(model, "data", "gc", "-y")
    (base / model).unlink()
    assert_releases(structural, "data", "gc", "-y")
    assert_releases(f"{structural}.child", "data", "gc", "-y", environ=parent)
    plant(base / model, nonce="n-model")
    expected = {*planted.values(), "n-model"}
    assert_shown_and_released_by_nonce(swamp, place.first, lambda: read_files(base), expected)
    assert read_files(base) == {".locks/other.lock": "n-other"}


def test_hint_names_locks_of_other_namespaces(swamp: Swamp, pair: Place) -> None:
    """A command that waits in another namespace than the repo's own tells how to release the lock there."""
    assert pair.datastore is not None
    plant(pair.datastore / ".locks/infra.lock", nonce="ours")
    plant(pair.datastore / ".locks/app.lock", nonce="theirs")
    run_hint(swamp, pair.first, "namespace", "join", "app")
    assert read_files(pair.datastore) == {".locks/infra.lock": "ours"}


def test_hint_names_the_lock_that_a_migration_waits_for(swamp: Swamp, solo: Path) -> None:
    """A migration holds the place that is left, which is no namespace's."""
    swamp(solo, "data", "put", "m", "x", stdin="1").ok()
    swamp(solo, "datastore", "namespace", "set", "infra").ok()
    base = solo / ".swamp"
    plant(base / ".datastore.lock", nonce="solo")
    plant(base / ".locks/infra.lock", nonce="infra")
    run_hint(swamp, solo, "datastore", "namespace", "migrate", "-y")
    assert read_files(base) == {".locks/infra.lock": "infra"}
    run_hint(swamp, solo, "datastore", "namespace", "migrate", "-y")
    assert read_files(base) == {}


@pytest.mark.parametrize(
    "key", ["infra.yaml", "../x.lock", "/etc/passwd", "data/m/../../../.lock", ".locks/a/b.lock", "x/.datastore.lock"]
)
def test_a_key_that_names_no_lock_is_refused(swamp: Swamp, pair: Place, key: str) -> None:
    """Nothing but a lock of this datastore can be removed, however it is named."""
    outcome = swamp(pair.first, "datastore", "lock", "release", "--force", "--key", key, "--json")
    assert (outcome.status, outcome.error["code"]) == (2, "invalid_input"), outcome.err
    assert "names no lock of this datastore" in outcome.error["error"]


# --- in a bucket ---------------------------------------------------------------------------------------------------


def test_hint_releases_locks_of_the_bucket_and_of_the_copy(
    swamp: Swamp, tmp_path: Path, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The structural lock is an object; models', definitions' and the children's lie in the copy."""
    buckets = MemoryBuckets()
    monkeypatch.setattr("swampsync.repo.repo.World", lambda: World(open_bucket=buckets.open))
    repo = tmp_path / "repo"
    repo.mkdir()
    swamp(repo, "repo", "init").ok()
    write_settings(repo, namespace)
    put = swamp(repo, "data", "put", "m", "x", "--json", stdin="1").json
    copy = repo / ".swamp" / "remote"
    prefix = f"{namespace}/" if namespace else ""
    structural = f".locks/{namespace}.lock" if namespace else ".datastore.lock"
    model, definition = f"{prefix}data/{put['modelType']}/{put['modelId']}/.lock", f"{prefix}{CREATING}/fresh.lock"

    def plant_object() -> None:
        record = plant(tmp_path / "record", nonce="n-structural")
        buckets.store().put(ObjectKey(structural), json.dumps(record).encode(), Overwrite())

    def read() -> Locks:
        document = json.loads(buckets.store().get(ObjectKey(structural)).body)
        files = {f"copy {key}": nonce for key, nonce in read_files(copy).items()}
        return files | ({} if document.get("released") else {"object": document["nonce"]})

    plant_object()
    for key, nonce in ((model, "n-model"), (definition, "n-definition"), (structural, "n-child")):
        plant(copy / key, nonce=nonce)
    commands: list[tuple[str, tuple[str, ...], dict[str, str]]] = [
        (f"copy {model}", ("data", "put", "m", "x"), {}),
        (f"copy {definition}", ("data", "put", "fresh", "x"), {}),
        (f"copy {structural}", ("data", "gc", "-y"), {NONCE_VARIABLE: "n-structural"}),
        ("object", ("data", "gc", "-y"), {}),
    ]
    for key, command, environ in commands:
        before = read()
        run_hint(swamp, repo, *command, environ=environ)
        assert before.items() - read().items() == {(key, before[key])}, command
        if key == "object":
            plant_object()
        else:
            plant(copy / key.removeprefix("copy "), nonce=before[key])
    expected = {"n-model", "n-definition", "n-child", "n-structural"}
    assert_shown_and_released_by_nonce(swamp, repo, read, expected)
