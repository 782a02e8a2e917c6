"""Which keys the commands of one repo write, as they go over the wire to a server."""

from __future__ import annotations

import fnmatch
import json
import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from swampsync.cli.table import COMMANDS
from swampsync.locks.table import COMMAND_LOCKS, LockKind
from swampsync.testing.http_messages import Message
from swampsync.testing.lossy_wire import Fault, LossyWire
from tests.cli.conftest import BucketPlace, Outcome, Swamp

PREFIX = "teams/data"
LARGE = bytes(range(256)) * (9 << 12)  # 9 MiB: more than one part


class Recorder(LossyWire):
    """A wire that loses nothing, and remembers every request that changes something: method and key."""

    writes: list[tuple[str, str]]

    def _decide(self, request: Message) -> Fault:
        fault = super()._decide(request)
        if request.method not in {"GET", "HEAD"}:
            path = urllib.parse.unquote(request.target.partition("?")[0])
            keys = [path.split("/", 2)[2] if path.count("/") > 1 else ""]
            if request.method == "POST" and "?delete" in request.target:
                keys = re.findall(r"<Key>(.*?)</Key>", request.raw[request.head_bytes :].decode())
            with self._lock:
                self.writes += [(request.method, key) for key in keys]
        return fault


@pytest.fixture
def wire(bucket: BucketPlace) -> Iterator[Recorder]:
    with Recorder.before(bucket.endpoint, lambda _method, _target: Fault.NONE) as wire:
        assert isinstance(wire, Recorder)
        wire.writes = []
        yield wire


@dataclass
class Life:
    """One repo, and the commands that it ran."""

    path: Path
    bucket: BucketPlace
    endpoint: str
    swamp: Swamp
    ran: set[str] = field(default_factory=set)

    def __call__(self, command: str, *rest: str, stdin: bytes | str = b"", status: int = 0) -> Outcome:
        self.ran.add(command)
        outcome = self.swamp(self.path, *command.split(), *rest, stdin=stdin, env=self.bucket.env)
        assert outcome.status == status, f"{command} {rest}: {outcome.err}{outcome.text}"
        return outcome

    def set_up(self, *named: str) -> None:
        place = ("--bucket", self.bucket.name, "--prefix", PREFIX, "--endpoint", self.endpoint)
        self("datastore setup s3", *place, *named)


def begin(swamp: Swamp, path: Path, bucket: BucketPlace, endpoint: str) -> Life:
    path.mkdir()
    swamp(path, "repo", "init").ok()
    return Life(path, bucket, endpoint, swamp)


def live(life: Life, *, is_thorough: bool) -> None:
    """Run every command that reads or writes a bucket, so that each has something to do."""
    source = life.path / "source"
    source.mkdir()
    for name in "abc":
        (source / name).write_text(name)
    life("model create", "command/shell", "made")
    life("data put", "vpc", "state", "-", "--content-type", "application/json", stdin='{"a":1}')
    life("data put", "vpc", "log", "-", "--streaming", stdin="1")
    life("data put", "vpc", "log", "-", "--append", stdin="2")
    life("data put", "vpc", "large", "-", stdin=LARGE)
    life("data import", str(source), "--model", "files")
    life("data rename", "files", "a", "z")
    life("data delete", "files", "b", "--yes")
    life("datastore undelete", "files", "b", "--yes")
    for _ in range(3):
        life("data put", "vpc", "short", "-", "--gc", "1", stdin="x")
    life("data gc", "--yes")
    life("data prune", "--yes")
    life("data put", "vpc", "later", "-", "--no-sync", stdin="later")
    life("datastore sync")
    life("datastore sync", "--all")
    life("namespace follow", "all")
    life("datastore sync", "--hydrate")
    life("datastore vacuum", "--yes")
    life("datastore verify")
    life("datastore compact")
    life("datastore reindex")
    life("datastore status")
    life("datastore log")
    life("datastore lock status")
    life("datastore lock release", "--force")
    life("exec", "--lock", "--", "true")
    life("doctor backend", *(() if is_thorough else ("--quick",)))
    life("namespace list")
    life("namespace describe")
    life("namespace policy")
    life("data list", "--all-namespaces")
    life("data query", "attributes.a == 1")
    life("data search", "state")
    life("data get", "vpc", "state", "--output", "-")
    life("data get", "vpc", "state", "-n", "other", "--output", "-")
    life("data versions", "vpc", "state")
    life("repo upgrade")


# Write in a place that they are given, or where no bucket is.
ELSEWHERE = {"datastore setup filesystem", "namespace migrate", "namespace join"}


@pytest.fixture
def other(swamp: Swamp, tmp_path: Path, bucket: BucketPlace) -> Life:
    """Somebody else's namespace in the same bucket, not seen by the recorder."""
    life = begin(swamp, tmp_path / "other", bucket, bucket.endpoint)
    life.set_up("-n", "other")
    life("data put", "vpc", "state", "-", "--content-type", "application/json", stdin='{"of":"other"}')
    return life


def contents(bucket: BucketPlace, prefix: str) -> dict[str, str]:
    return {key: bucket.client.head_object(Bucket=bucket.name, Key=key)["ETag"] for key in bucket.keys(prefix)}


def allowed(life: Life, named: tuple[str, ...]) -> list[str]:
    """What the printed policy allows to write."""
    words = ("--bucket", life.bucket.name, "--prefix", PREFIX, *named)
    statements: list[dict[str, Any]] = json.loads(life("namespace policy", *words).text)["Statement"]
    (own,) = [s for s in statements if "s3:PutObject" in s["Action"]]
    return [resource.partition(f":::{life.bucket.name}/")[2] for resource in own["Resource"]]


@pytest.mark.timeout(600)
@pytest.mark.holds("I4")
def test_every_request_that_writes_stays_in_the_namespace(
    swamp: Swamp, tmp_path: Path, bucket: BucketPlace, wire: Recorder, other: Life
) -> None:
    """Every PUT, POST and DELETE of a whole life goes below `{ns}/` or to its lock, and the policy allows each."""
    before = contents(bucket, f"{PREFIX}/other/")
    life = begin(swamp, tmp_path / "infra", bucket, wire.endpoint)
    life.set_up("-n", "infra")
    live(life, is_thorough=True)
    patterns = allowed(life, ())
    assert {method for method, _ in wire.writes} == {"PUT", "POST", "DELETE"}
    for method, key in wire.writes:
        assert key.startswith(f"{PREFIX}/infra/") or key == f"{PREFIX}/.locks/infra.lock", (method, key)
        assert any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns), (method, key)
    assert contents(bucket, f"{PREFIX}/other/") == before
    locking = {command for command, kind in COMMAND_LOCKS.items() if kind is not LockKind.NONE}
    writing = {" ".join(words) for words in COMMANDS} & locking
    assert writing - life.ran == ELSEWHERE


@pytest.mark.timeout(600)
@pytest.mark.holds("I4")
def test_solo_writes_only_what_no_namespace_owns(
    swamp: Swamp, tmp_path: Path, bucket: BucketPlace, wire: Recorder
) -> None:
    """Without a namespace every write is one that the solo policy allows; no namespace of the bucket changes."""
    life = begin(swamp, tmp_path / "solo", bucket, wire.endpoint)
    life.set_up()
    somebody = begin(swamp, tmp_path / "other", bucket, bucket.endpoint)
    somebody.set_up("-n", "other")
    somebody("data put", "vpc", "state", "-", stdin="x")
    before = contents(bucket, f"{PREFIX}/other/")
    live(life, is_thorough=False)
    patterns = allowed(life, ())
    for method, key in wire.writes:
        assert not key.startswith((f"{PREFIX}/other/", f"{PREFIX}/.locks/")), (method, key)
        assert any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns), (method, key)
    assert contents(bucket, f"{PREFIX}/other/") == before
