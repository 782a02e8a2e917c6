"""Bugs that tools of this kind are known for, seen from the command line (`design/known-bugs.md`)."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from swampsync.cli.console import Console
from swampsync.repo import Repo
from tests.cli.conftest import Place, Swamp


def base(place: Place) -> Path:
    """Where the first repo's datastore subdirectories lie."""
    return place.first / ".swamp" if place.datastore is None else place.datastore / place.first_namespace


def versions(swamp: Swamp, repo: Path, model: str, name: str) -> list[int]:
    document = swamp(repo, "data", "versions", model, name, "--json").ok().json
    return [item["version"] for item in document["versions"]]


def bytes_below(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("raw"))


@pytest.mark.parametrize("model_type", ["flat", "command/shell", "@acme/tools/deep/er"])
def test_gc_reaches_every_type_and_frees_the_bytes(swamp: Swamp, place: Place, model_type: str) -> None:
    """gc finds nested and scoped types, and what it reports as reclaimed is gone from the disk."""
    for content in ("a" * 1000, "b" * 1000, "c" * 10):
        swamp(place.first, "data", "put", "m", "x", "--type", model_type, "--gc", "1", stdin=content).ok()
    document = swamp(place.first, "data", "gc", "--yes", "--json").ok().json
    assert document["versionsDeleted"] == 2
    assert document["bytesReclaimed"] >= 2000
    assert bytes_below(base(place) / "data") == 10
    assert versions(swamp, place.first, "m", "x") == [3]


def test_nothing_is_collected_unless_asked(swamp: Swamp, place: Place) -> None:
    """Writing beyond a cap, losing the catalog and rebuilding it delete nothing; `autoGc: true` asks for it."""
    for _ in range(4):
        swamp(place.first, "data", "put", "m", "x", "--gc", "2", stdin="1").ok()
    for path in (place.first / ".swamp" / "data").glob("_*.db*"):
        path.unlink()
    swamp(place.first, "data", "list").ok()
    swamp(place.first, "datastore", "reindex").ok()
    assert versions(swamp, place.first, "m", "x") == [4, 3, 2, 1]
    swamp(place.first, "config", "set", "autoGc", "true").ok()
    swamp(place.first, "data", "put", "m", "x", "--gc", "2", stdin="1").ok()
    assert versions(swamp, place.first, "m", "x") == [5, 4]
    (place.first / "files").mkdir()
    (place.first / "files" / "x").write_text("1")
    for _ in range(2):  # an import keeps the cap of what is there
        swamp(place.first, "data", "import", "files", "--model", "m").ok()
    assert versions(swamp, place.first, "m", "x") == [7, 6]
    listed = swamp(place.first, "data", "query", "isLatest || !isLatest", "--json").ok().json["results"]
    assert sorted(row["version"] for row in listed) == [6, 7]


def test_an_import_changes_no_retention(swamp: Swamp, pair: Place) -> None:
    """Importing over an artifact keeps its lifetime and cap, so that gc removes no more than was asked for."""
    swamp(pair.first, "data", "put", "m", "x", "--gc", "99", "--lifetime", "2w", stdin="0").ok()
    (pair.first / "files").mkdir()
    (pair.first / "files" / "x").write_text("1")
    (pair.first / "files" / "new").write_text("1")
    for _ in range(11):
        swamp(pair.first, "data", "import", "files", "--model", "m").ok()
    document = swamp(pair.first, "data", "get", "m", "x", "--json").ok().json
    assert (document["lifetime"], document["garbageCollection"]) == ("2w", 99)
    swamp(pair.first, "data", "gc", "--yes").ok()
    assert len(versions(swamp, pair.first, "m", "x")) == 12
    assert len(versions(swamp, pair.first, "m", "new")) == 10


def test_data_outlives_its_definition(swamp: Swamp, place: Place) -> None:
    """Data of a deleted model is found by the model's name; once the name is taken again, by the old id."""
    swamp(place.first, "model", "create", "command/shell", "tool").ok()
    old = swamp(place.first, "data", "put", "tool", "x", "--json", stdin="old").ok().json["modelId"]
    (place.first / "models" / "command" / "shell" / "tool.yaml").unlink()
    assert swamp(place.first, "data", "get", "tool", "x", "-o", "-").ok().out == b"old"
    swamp(place.first, "model", "create", "command/shell", "tool").ok()
    refused = swamp(place.first, "data", "get", "tool", "x", "--json")
    assert (refused.status, refused.error["hint"]) == (1, f"swamp data get {old} x")
    assert swamp(place.first, "data", "get", old, "x", "-o", "-").ok().out == b"old"
    listed = swamp(place.first, "data", "list", "--json").ok().json["models"]
    assert [(m["modelId"], m["modelName"]) for m in listed] == [(old, "tool")]


def test_prune_consults_every_place_of_definitions(swamp: Swamp, place: Place) -> None:
    """Models defined by hand or automatically are live wherever the datastore is; a deleted one is not."""
    swamp(place.first, "data", "put", "auto", "x", stdin="1").ok()
    swamp(place.first, "model", "create", "command/shell", "manual").ok()
    swamp(place.first, "data", "put", "manual", "x", stdin="1").ok()
    assert swamp(place.first, "data", "prune", "--yes", "--json").ok().json["modelsReclaimed"] == 0
    (base(place) / "auto-definitions" / "swampsync" / "artifact" / "auto.yaml").unlink()
    document = swamp(place.first, "data", "prune", "--yes", "--json").ok().json
    assert [model["modelName"] for model in document["reclaimedModels"]] == ["auto"]
    assert swamp(place.first, "data", "get", "manual", "x", "-o", "-").ok().out == b"1"


def test_local_files_never_lie_in_a_shared_place(swamp: Swamp, pair: Place) -> None:
    """Catalog and state stay in the repo; the datastore holds no database and no temporary file afterwards."""
    assert pair.datastore is not None
    for repo in (pair.first, pair.second):
        swamp(repo, "data", "put", "m", "x", stdin="1").ok()
        swamp(repo, "data", "list", "--all-namespaces").ok()
        swamp(repo, "data", "gc", "--yes").ok()
    names = [path.name for path in pair.datastore.rglob("*") if path.is_file()]
    assert not [name for name in names if ".db" in name or name.endswith((".tmp", ".log"))]
    assert {path.name for path in (pair.first / ".swamp" / "data").glob("_*.db")} == {"_catalog.db", "_sync.db"}


def test_opening_again_and_again_leaks_no_descriptor(swamp: Swamp, solo: Path) -> None:
    """A repo that is opened, read and closed many times leaves no file open."""
    swamp(solo, "data", "put", "m", "x", stdin="1").ok()

    def read_once() -> None:
        with Repo.open(str(solo)) as repo:
            assert b"".join(repo.reading.read(repo.reading.get("m", "x"))) == b"1"
            assert repo.reading.list_models()

    read_once()
    before = len(os.listdir("/dev/fd"))
    for _ in range(20):
        read_once()
    assert len(os.listdir("/dev/fd")) == before


def foreign_lock(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "holder": "ana@elsewhere",
        "hostname": "elsewhere",
        "pid": 1,
        "acquiredAt": "2026-11-21T09:00:00.000Z",
        "ttlMs": 600_000,
        "nonce": "5b0c4f0e-6a5e-4c0e-9c55-0f3f0f1d2c3b",
    }
    path.write_text(json.dumps(record, indent=2))


@pytest.mark.parametrize("kind", ["structural", "model"])
def test_every_wait_is_bounded_by_the_variable(swamp: Swamp, place: Place, kind: str) -> None:
    """Writers and structural commands give up after SWAMP_LOCK_TIMEOUT_MS with exit 75, naming key and holder."""
    model = swamp(place.first, "data", "put", "m", "x", "--json", stdin="1").ok().json["modelId"]
    structural = place.first / ".swamp" / ".datastore.lock"
    if place.datastore is not None:
        structural = place.datastore / ".locks" / "infra.lock"
    path = structural if kind == "structural" else base(place) / "data/swampsync/artifact" / model / ".lock"
    foreign_lock(path)
    for arguments in (("data", "put", "m", "x"), ("data", "delete", "m", "x", "--yes"), ("data", "gc", "--yes")):
        outcome = swamp(place.first, *arguments, "--json", stdin="2", env={"SWAMP_LOCK_TIMEOUT_MS": "300"})
        error = json.loads(outcome.err[outcome.err.index("{") :])
        assert (outcome.status, error["code"]) == (75, "lock_timeout"), (arguments, outcome.err)
        assert "ana@elsewhere" in error["error"]
    assert json.loads(path.read_text())["holder"] == "ana@elsewhere"
    assert versions(swamp, place.first, "m", "x") == [1]


def test_no_lock_is_held_while_a_person_is_asked(swamp: Swamp, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deleting and collecting ask before they take a lock."""
    for _ in range(2):
        swamp(place.first, "data", "put", "m", "x", "--gc", "1", stdin="1").ok()
    seen: list[list[str]] = []

    def confirm(_console: Console, _question: str, *, is_confirmed: bool) -> bool:
        assert not is_confirmed
        seen.append([str(path) for path in place.first.parent.rglob("*.lock")])
        return True

    monkeypatch.setattr(Console, "confirm", confirm)
    swamp(place.first, "data", "gc").ok()
    swamp(place.first, "data", "delete", "m", "x").ok()
    shutil.rmtree(base(place) / "auto-definitions")
    swamp(place.first, "data", "prune").ok()
    assert seen[:2] == [[], []]
