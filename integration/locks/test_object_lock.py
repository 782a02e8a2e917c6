"""Buckets under S3 Object Lock: locks in them, and whole repos that share them.

moto keeps conditions in a bucket with versions, as AWS is documented to. Ceph 16 does not: to it each version is a
new object, so that create-only never finds one and a swap never finds the right one. Nothing can be shared there, and
set-up says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from swampsync.backends.base import Create, IfMatch, Overwrite, PreconditionFailed
from swampsync.backends.bucket_rules import BucketVersions
from swampsync.backends.s3_admin import S3Admin
from swampsync.backends.s3_keys import StaticCredentials
from swampsync.backends.s3_settings import Checksum
from swampsync.clock import SystemClock, format_timestamp
from swampsync.errors import LeaseLost, Unavailable
from swampsync.layout import ObjectKey
from swampsync.locks.lease import Lease, Sight
from swampsync.locks.object_store import ObjectLeaseStore
from swampsync.testing.lease_bench import LeaseBench
from swampsync.testing.s3_side_channel import S3Server

SWAMP = str(Path(sys.executable).with_name("swamp"))
LOCK_KEY = ".locks/infra.lock"
KEY = ObjectKey("infra/x")
RETENTIONS = ("COMPLIANCE", "GOVERNANCE")


def lock_bucket(server: S3Server, mode: str) -> str:
    """Make a bucket in which every object is held for a day; it stays, since nothing in it can be removed."""
    name = f"swampsync-lock-{uuid.uuid4().hex[:12]}"
    client = server.client()
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": mode, "Days": 1}}}
    client.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=rule)
    client.close()
    return name


@pytest.fixture(params=RETENTIONS)
def retention(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("checksum", Checksum)
def test_lease_goes_round_under_object_lock(moto_server: S3Server, retention: str, checksum: Checksum) -> None:
    """A lock is taken, refused to a second holder, renewed, released, and taken by the second."""
    store = ObjectLeaseStore(moto_server.store(lock_bucket(moto_server, retention), checksum=checksum))
    bench = LeaseBench(SystemClock())
    lease = bench.take(store, LOCK_KEY)
    assert not lease.is_weak
    refused = store.try_acquire(LOCK_KEY, bench.record())
    assert isinstance(refused, Sight)
    assert refused.nonce == lease.nonce
    lease = store.renew(lease, format_timestamp(bench.clock.now()))
    assert store.release(lease, is_valid=True)
    assert store.inspect(LOCK_KEY) is None
    successor = bench.take(store, LOCK_KEY)
    assert successor.nonce != lease.nonce
    with pytest.raises(LeaseLost):
        store.renew(lease, format_timestamp(bench.clock.now()))
    assert store.release(successor, is_valid=True)


def test_every_way_of_writing_has_its_checksum(moto_server: S3Server, retention: str) -> None:
    """Create, swap, overwrite and an upload in parts all arrive in such a bucket; what is removed is no more seen."""
    store = moto_server.store(lock_bucket(moto_server, retention))
    etag = store.put(KEY, b"one", Create()).etag
    store.put(KEY, b"two", IfMatch(etag))
    store.put(KEY, b"three", Overwrite())
    large = os.urandom(9 << 20)
    with open(os.memfd_create("large"), "w+b") as file:
        file.write(large)
        file.seek(0)
        store.put_stream(ObjectKey("infra/large"), file)
    with store.open(ObjectKey("infra/large")) as (_, chunks):
        assert b"".join(chunks) == large
    assert store.get(KEY).body == b"three"
    store.delete(KEY)
    assert store.delete_many([ObjectKey("infra/large")]) == {}
    assert list(store.list("")) == []
    assert store.options.checksum is Checksum.SHA256


def test_bucket_tells_how_long_it_keeps_things(s3_server: S3Server, retention: str) -> None:
    """The retention is read as the server words it."""
    options = s3_server.options(lock_bucket(s3_server, retention))
    with S3Admin(options, StaticCredentials(s3_server.keys)) as admin:
        assert admin.versions() == BucketVersions(is_kept=True, retention=f"1 day ({retention})")


def test_ceph_keeps_no_condition_in_a_bucket_with_versions(rgw_server: S3Server, retention: str) -> None:
    """What set-up refuses is true: a second create is accepted, and a swap by the right ETag is not."""
    store = rgw_server.store(lock_bucket(rgw_server, retention))
    etag = store.put(KEY, b"one", Create()).etag
    with pytest.raises(PreconditionFailed):
        store.put(KEY, b"two", IfMatch(etag))
    assert store.get(KEY).info.etag == etag
    store.put(KEY, b"three", Create())
    assert store.get(KEY).body == b"three"
    leases = ObjectLeaseStore(store)
    bench = LeaseBench(SystemClock())
    lease = leases.try_acquire(LOCK_KEY, bench.record())
    assert isinstance(lease, Lease)
    # Nobody is told that he holds what he does not: the renewal fails, and the work under the lock with it.
    with pytest.raises(Unavailable, match="could not renew the lock"):
        leases.renew(lease, format_timestamp(bench.clock.now()))


@dataclass(frozen=True)
class Team:
    """Repos below one home that share a bucket."""

    home: Path
    server: S3Server
    bucket: str

    def run(self, repo: str, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[bytes]:
        environment = {
            **os.environ,
            "HOME": str(self.home),
            "SWAMP_HOME": str(self.home / "swamp"),
            **self.server.key_variables(),
            "AWS_REGION": self.server.region,
        }
        path = self.home / repo
        path.mkdir(exist_ok=True)
        done = subprocess.run([SWAMP, *arguments], cwd=path, env=environment, capture_output=True, check=False)
        assert done.returncode == status, f"{arguments}: {(done.stdout + done.stderr).decode()}"
        assert b"Traceback" not in done.stderr
        return done

    def json(self, repo: str, *arguments: str, status: int = 0) -> Any:
        done = self.run(repo, *arguments, "--json", status=status)
        return json.loads(done.stderr if status and not done.stdout else done.stdout)

    def set_up(self, repo: str, namespace: str | None, status: int = 0) -> Any:
        self.run(repo, "repo", "init")
        words = ["--bucket", self.bucket, "--endpoint", self.server.endpoint]
        return self.json(
            repo, "datastore", "setup", "s3", *words, *(["-n", namespace] if namespace else []), status=status
        )


@pytest.mark.parametrize(("retention", "is_solo"), [("COMPLIANCE", False), ("GOVERNANCE", True)])
def test_repos_share_a_bucket_under_object_lock(
    tmp_path: Path, moto_server: S3Server, retention: str, *, is_solo: bool
) -> None:
    """One repo writes, deletes and collects, another reads; set-up has written down what the bucket wants."""
    team = Team(tmp_path, moto_server, lock_bucket(moto_server, retention))
    promises = team.set_up("infra", None if is_solo else "infra")["promises"]
    assert (promises["create-only-race"], promises["if-match-race"], promises["removal"]) == ("kept", "kept", "absent")
    assert "checksum: sha256" in (tmp_path / "infra" / ".swamp.yaml").read_text()
    (tmp_path / "large").write_bytes(os.urandom(9 << 20))
    for name, file in (("state", "/dev/null"), ("large", str(tmp_path / "large"))):
        team.run("infra", "data", "put", "vpc", name, file)
    if is_solo:
        team.run("app", "repo", "init")
        (tmp_path / "app" / ".swamp.yaml").write_text((tmp_path / "infra" / ".swamp.yaml").read_text())
        team.run("app", "datastore", "sync", "--pull")
        words: tuple[str, ...] = ()
    else:
        team.set_up("app", "app")
        words = ("-n", "infra")
    got = team.run("app", "data", "get", "vpc", "large", "--output", "-", *words)
    assert got.stdout == (tmp_path / "large").read_bytes()
    team.run("infra", "data", "delete", "vpc", "large", "-y")
    if is_solo:
        team.run("app", "datastore", "sync", "--pull")
    gone = team.json("app", "data", "get", "vpc", "large", *words, status=1)
    assert gone["code"] == "not_found"
    # Nothing is older than the horizon; that it removes what is, over a store that keeps versions, is held elsewhere.
    assert team.json("infra", "datastore", "vacuum", "--yes")["failed"] == []
    shown = team.run("infra", "doctor", "backend", "--quick").stdout.decode()
    assert f"Object Lock keeps what is removed or replaced for 1 day ({retention})" in shown
    assert team.json("infra", "datastore", "lock", "status")["held"] is False


def test_set_up_refuses_a_bucket_with_versions_on_ceph(tmp_path: Path, rgw_server: S3Server) -> None:
    """Where conditions are not kept nothing is claimed and nothing configured, and the hint says what to do without."""
    team = Team(tmp_path, rgw_server, lock_bucket(rgw_server, "COMPLIANCE"))
    error = team.set_up("infra", "infra", status=1)
    assert error["code"] == "refused"
    assert "create-only: `If-None-Match: *` on PUT is accepted and ignored" in error["error"]
    assert "if-match" in error["error"]
    assert error["hint"].startswith("with versions kept this server fails conditions: use a bucket without versioning")
    assert "datastore" not in (tmp_path / "infra" / ".swamp.yaml").read_text()
    store = rgw_server.store(team.bucket)
    assert [info.key.text for info in store.list("") if ".swampsync-doctor" not in info.key.text] == []
