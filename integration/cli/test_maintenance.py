"""Looking back, vacuum, undelete, verify and repair on real servers: by one repo, seen by others and by a new clone."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from swampsync.backends.base import Overwrite
from swampsync.backends.s3 import S3Store
from swampsync.layout import ObjectKey
from swampsync.repo.vacuuming import Vacuumer
from swampsync.testing.s3_side_channel import S3Server
from tests.cli.conftest import Clone, Swamp

LARGE = 9 * 1024 * 1024


class Repo(Clone):
    """One clone, and what it lists."""

    def names(self, *flags: str) -> list[tuple[str, int]]:
        listed = self("data", "list", "vpc", "--json", *flags).json
        return [(item["name"], item["version"]) for group in listed["groups"] for item in group["items"]]


@dataclass(frozen=True)
class Team:
    """A place in a bucket of a server, and what makes repos there."""

    root: Path
    swamp: Swamp
    server: S3Server
    bucket: str
    prefix: str
    namespace: str
    store: S3Store

    def repo(self, name: str, namespace: str | None = None) -> Repo:
        wanted = self.namespace if namespace is None else namespace
        path = self.root / name
        path.mkdir()
        self.swamp(path, "repo", "init").ok()
        with (path / ".swamp.yaml").open("a") as file:
            file.write(
                f'datastore:\n  type: "@swampsync/s3"\n  config:\n    bucket: {self.bucket}\n'
                f'    prefix: {self.prefix}\n    endpoint: "{self.server.endpoint}"\n'
            )
        if wanted:
            words = ("join", wanted) if self.keys(f"{wanted}/") else ("set", wanted)
            self.swamp(path, "namespace", *words).ok()
        return Repo(path, self.swamp)

    def keys(self, prefix: str = "") -> list[str]:
        return [info.key.text for info in self.store.list(prefix)]

    def key(self, path: str) -> ObjectKey:
        return ObjectKey(f"{self.namespace}/{path}" if self.namespace else path)

    def find(self, ending: str) -> ObjectKey:
        (key,) = [key for key in self.keys() if key.endswith(ending)]
        return ObjectKey(key)


@pytest.fixture(params=["", "infra"], ids=["solo", "namespaced"])
def team(
    request: pytest.FixtureRequest, tmp_path: Path, variables: dict[str, str], s3_server: S3Server, s3_bucket: str
) -> Team:
    """A place of its own for each test, in solo mode and in a namespace."""
    variables |= {
        **s3_server.key_variables(),
        "AWS_REGION": s3_server.region,
        "HOME": str(tmp_path),
        "SWAMP_HOME": str(tmp_path / "swamp"),
    }
    swamp: Swamp = request.getfixturevalue("swamp")
    prefix = f"maintenance/{uuid.uuid4().hex[:8]}"
    return Team(tmp_path, swamp, s3_server, s3_bucket, prefix, str(request.param), s3_server.store(s3_bucket, prefix))


def verified(repo: Repo, *flags: str) -> Any:
    outcome = repo("datastore", "verify", "--json", *flags)
    return json.loads(outcome.out)


def test_past_undelete_and_vacuum(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was deleted is listed and read as of then, comes back, and once vacuumed is told to be gone."""
    ann, bob = team.repo("ann"), team.repo("bob")
    large = bytes(range(256)) * (LARGE // 256)
    for content in ("one", "two"):
        ann.put("state", content)
    ann.put("large", large)
    ann("data", "delete", "vpc", "large", "-y").ok()
    ann("data", "delete", "vpc", "state", "--version", "1", "-y").ok()

    assert bob.names("--as-of", "3") == [("large", 1), ("state", 2)]
    assert bob.content_bytes("large", "--as-of", "3") == large
    assert bob.names("--as-of", "0m") == [("state", 2)]
    log = bob("datastore", "log", "--json").json["commits"]
    assert [(c["seq"], c["kind"], c["versions"], c["removed"]) for c in log[:3]] == [
        (5, "delete", 0, 1),
        (4, "delete", 0, 1),
        (3, "put", 1, 0),
    ]
    assert bob("datastore", "undelete", "vpc", "--json").json["total"] == 2
    for repo in (ann, bob, team.repo("carl")):
        repo("datastore", "sync").ok()
        assert (repo.content_bytes("large"), repo.content_bytes("state", "--version", "1")) == (large, b"one")
        assert verified(repo, "--content")["problems"] == []

    ann("data", "delete", "vpc", "large", "-y").ok()
    young = bob("datastore", "vacuum", "--yes", "--json").json
    assert young["objectsRemoved"] == 0
    # What the store's time will be in a month: nobody here can wait for it.
    server_now = Vacuumer._server_now
    seen: list[datetime] = []

    def in_a_month(self: Vacuumer) -> datetime:
        now = server_now(self)
        assert now is not None
        seen.append(now)
        return now + timedelta(days=30)

    monkeypatch.setattr(Vacuumer, "_server_now", in_a_month)
    done = bob("datastore", "vacuum", "--yes", "--json").json
    assert (done["objectsRemoved"], done["failed"]) == (6, [])
    assert abs(seen[0] - datetime.now(UTC)) < timedelta(minutes=5)
    assert done["bytesFreed"] > 2 * LARGE
    gone = ann("datastore", "undelete", "vpc", "large", "--json")
    assert (gone.status, gone.error["code"]) == (1, "data_error")
    for repo in (ann, bob):
        repo("datastore", "sync").ok()
        assert (repo.content_bytes("state"), repo.content_bytes("state", "--version", "1")) == (b"two", b"one")
        assert verified(repo, "--content")["problems"] == []
    if team.namespace:
        app = team.repo("app", "app")
        assert app.content_bytes("state", "-n", "infra") == b"two"
        assert app.names("-n", "infra", "--as-of", "1") == [("state", 1)]


def test_damage_is_found_and_repaired(team: Team) -> None:
    """A commit that is gone, one that is damaged and objects that are gone: named, previewed, mended, for everybody."""
    ann, bob = team.repo("ann"), team.repo("bob")
    for content in ("one", "two", "three"):
        ann.put("state", content)
    bob("datastore", "sync").ok()
    team.store.delete(team.key(f"_log/{1:020d}.json"))
    team.store.put(team.key(f"_log/{3:020d}.json"), b"{", Overwrite())
    for ending in ("/state/2/raw", "/state/2/metadata.yaml"):
        team.store.delete(team.find(ending))
    kinds = [problem["kind"] for problem in verified(bob)["problems"]]
    assert kinds == ["commit missing", "commit damaged"]
    before = team.keys()
    planned = bob("datastore", "verify", "--repair", "--dry-run", "--json").json
    assert [commit["seq"] for commit in planned["repair"]["commits"]] == [1, 3]
    assert team.keys() == before
    done = json.loads(ann("datastore", "verify", "--repair", "--yes", "--json").out)
    assert done["problems"] == []
    assert len(done["repair"]["objectsPutBack"]) == 2
    for repo in (ann, bob, team.repo("carl")):
        assert verified(repo, "--content")["problems"] == []
        assert [repo.content_bytes("state", "--version", str(n)) for n in (1, 2, 3)] == [b"one", b"two", b"three"]
    bob.put("state", "four")
    ann("datastore", "sync").ok()
    assert ann.content_bytes("state") == b"four"
