"""Namespaces of one bucket beside each other, and solo beside none: whose rows count, what is written where."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

import pytest

from swampsync.backends.memory import MemoryStore
from swampsync.clock import SystemClock
from swampsync.repo import Repo
from swampsync.repo.sync_report import SyncOptions
from tests.stateful.team import Member, Office


def put(repo: Repo, name: str, content: str, **more: Any) -> None:
    repo.data.put("m", name, io.BytesIO(content.encode()), **more)


def make_office(root: Path) -> Office:
    return Office(root, MemoryStore(SystemClock()), random.Random(7))


def bodies(office: Office) -> dict[str, bytes]:
    return {info.key.text: office.store.get(info.key).body for info in office.store.list("")}


@pytest.mark.holds("I4")
@pytest.mark.holds("I6")
def test_rows_of_neighbours_are_never_own(tmp_path: Path) -> None:
    """What another namespace published is read, and neither counted, collected, pushed nor removed as one's own."""
    office = make_office(tmp_path)
    app, infra = office.member("app", namespace="app"), office.member("infra", namespace="infra")
    with app.process() as repo:
        for number in range(3):
            put(repo, "state", f"app {number}", garbage_collection=1)
    before = {key: body for key, body in bodies(office).items() if key.startswith("app/")}
    with infra.process() as repo:
        put(repo, "own", "infra")
        assert len(repo.data.versions("app:m", "state")[1]) == 3
        repo.synchroniser.sync(SyncOptions(all_namespaces=True))
        assert list(repo._parts.catalog.rows("app"))
        # Above its cap by two, in the neighbour's catalog rows; not ours to collect.
        assert repo.structural.gc().versions_deleted == 0
        status = repo.synchroniser.status()
        assert (status.pending_puts, status.pending_removals) == (0, 0)
        listed = [row.data_name for listing in repo.data.list("m") for row in listing.rows]
        assert listed == ["own"]
        assert [summary.namespace for summary in repo.data.list_models()] == ["infra"]
        assert repo.synchroniser.sync(SyncOptions(is_scanning=True)).pushed == 0
    assert {key: body for key, body in bodies(office).items() if key.startswith("app/")} == before


@pytest.mark.holds("I9")
def test_solo_in_a_bucket_is_a_namespace_without_its_prefix(tmp_path: Path) -> None:
    """The same work leaves the same objects, but for the prefix and for the name where a commit or a claim says it."""
    found = []
    for namespace in ("", "infra"):
        office = make_office(tmp_path / (namespace or "solo"))
        member = office.member("ann", namespace=namespace)
        office.clock.suspend(3600.0)
        office.ids = type(office.ids)(3)
        with member.process() as repo:
            repo.models.create("command/shell", "m")
            put(repo, "state", "1")
            put(repo, "state", "2")
            repo.data.rename("m", "state", "renamed")
        prefix = f"{namespace}/" if namespace else ""
        objects = {key.removeprefix(prefix): body for key, body in bodies(office).items()}
        objects = {
            key: body for key, body in objects.items() if not key.endswith((".swampsync.json", ".namespace.json"))
        }
        assert not any(key.startswith(".locks/") for key in objects)
        for key, body in objects.items():
            if key.startswith("_log/"):
                document = json.loads(body)
                assert document.pop("namespace") == namespace
                objects[key] = json.dumps(document).encode()
        found.append(objects)
    assert found[0] == found[1]
    assert len(found[0]) > 10


@pytest.mark.holds("I10")
@pytest.mark.parametrize("namespace", ["", "infra"], ids=["solo", "namespaced"])
def test_secrets_never_reach_a_bucket(tmp_path: Path, namespace: str) -> None:
    """Whatever is put, scanned and synced, nothing of the repo's secrets is in any object."""
    office = make_office(tmp_path)
    member: Member = office.member("ann", namespace=namespace)
    places = [member.directory / ".swamp" / "secrets", member.directory / ".swamp" / "remote" / namespace / "secrets"]
    for place in places:
        place.mkdir(parents=True)
        (place / "key").write_text("hunter2")
    with member.process() as repo:
        put(repo, "state", "1")
        report = repo.synchroniser.sync(SyncOptions(is_scanning=True))
        assert report.failures == []
        repo.structural.gc()
    assert not any(b"hunter2" in body or "secrets" in key for key, body in bodies(office).items())
    assert all((place / "key").read_text() == "hunter2" for place in places)
