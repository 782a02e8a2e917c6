from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from swampsync.backends.base import Create
from swampsync.backends.prefixed import Prefixed
from swampsync.backends.s3 import S3Store
from swampsync.backends.s3_profiles import CredentialPlaces
from swampsync.backends.s3_settings import Checksum, ETagQuoting, S3Options
from swampsync.config.datastore import S3Settings
from swampsync.config.settings import Flags, load_config
from swampsync.disk import LocalDisk
from swampsync.errors import InvalidInput
from swampsync.layout import ObjectKey
from swampsync.locks.bucket_guard import BucketGuard
from swampsync.namespace import SOLO, Namespace
from swampsync.registry.bucket import BucketRegistry
from swampsync.repo import Repo
from swampsync.repo.remote import Bucket, make_options, open_bucket, open_remote
from swampsync.repo.world import World
from tests.unit.repo.buckets import MemoryBuckets, make_repo

INFRA = Namespace.parse("infra")
BUCKET = 'datastore:\n  type: "@swampsync/s3"\n  config:\n    bucket: team\n  namespace: infra\n'


def options_of(settings: S3Settings, home: Path, **environ: str) -> S3Options:
    return make_options(settings, places=CredentialPlaces.of(environ, home=str(home)), world=World())


def test_everything_that_is_configured_reaches_the_backend(tmp_path: Path) -> None:
    """No setting of the bucket is dropped on the way, and each has the backend's unit."""
    settings = S3Settings(
        bucket="team", prefix="a/b", region="eu-west-1", endpoint="https://s3.example.com", profile="ops",
        force_path_style=False, concurrency=7, request_timeout_ms=2_500, sse="aws:kms", sse_kms_key_id="k",
        ca_file="/ca.pem", anonymous=True, etag_quoting="bare", checksum="sha256",
    )  # fmt: skip
    assert options_of(settings, tmp_path) == S3Options(
        bucket="team", prefix="a/b", region="eu-west-1", endpoint="https://s3.example.com", profile="ops",
        path_style=False, concurrency=7, request_timeout_seconds=2.5, sse="aws:kms", sse_kms_key="k",
        ca_file="/ca.pem", anonymous=True, etag_quoting=ETagQuoting.BARE, checksum=Checksum.SHA256,
    )  # fmt: skip
    assert options_of(S3Settings(bucket="team"), tmp_path) == S3Options(bucket="team")


def test_region_comes_from_where_aws_tools_take_it(tmp_path: Path) -> None:
    """The configuration, then the environment, then the profile, then AWS's first region."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\nregion = eu-north-1\n[profile ops]\nregion = sa-east-1\n")
    plain, ops = S3Settings(bucket="team"), S3Settings(bucket="team", profile="ops")
    assert options_of(S3Settings(bucket="team", region="r-1"), tmp_path, AWS_REGION="r-2").region == "r-1"
    assert options_of(plain, tmp_path, AWS_REGION="r-2", AWS_DEFAULT_REGION="r-3").region == "r-2"
    assert options_of(plain, tmp_path, AWS_DEFAULT_REGION="r-3").region == "r-3"
    assert options_of(plain, tmp_path).region == "eu-north-1"
    assert options_of(ops, tmp_path).region == "sa-east-1"
    assert options_of(plain, tmp_path / "nowhere").region == "us-east-1"


def test_opening_sends_nothing_and_shows_no_secret(tmp_path: Path) -> None:
    """A bucket that cannot be reached is opened all the same, and nothing of it shows the keys."""
    environ = {"AWS_ACCESS_KEY_ID": "AKIAVISIBLE", "AWS_SECRET_ACCESS_KEY": "hunter2", "HOME": str(tmp_path)}
    settings = S3Settings(bucket="team", endpoint="http://127.0.0.1:9")
    told: list[str] = []
    bucket = open_bucket(
        settings, environ=environ, world=World(), cache_dir=None, on_request=lambda kind, _up, _down: told.append(kind)
    )
    assert isinstance(bucket.plain, S3Store)
    assert list(bucket.quotings) == ["quoted", "bare"]
    assert "hunter2" not in repr(bucket)
    assert "AKIAVISIBLE" not in repr(bucket)
    assert told == []


@pytest.mark.holds("I4")
def test_remote_writes_in_one_namespace_and_reads_all(tmp_path: Path) -> None:
    """What a command gets refuses every write outside its namespace, and counts what it sends."""
    server = MemoryBuckets()
    config = load_config(LocalDisk(), str(make_repo(tmp_path / "r", more=BUCKET)), environ={}, flags=Flags())
    told: list[str] = []
    store = open_remote(
        config, environ={}, world=server.world(), namespace=INFRA, on_request=lambda kind, _up, _down: told.append(kind)
    )
    assert isinstance(store, Prefixed)
    store.put(ObjectKey("infra/x"), b"1", Create())
    with pytest.raises(InvalidInput, match="does not belong to namespace `infra`"):
        store.put(ObjectKey("app/x"), b"1", Create())
    server.store().put(ObjectKey("app/y"), b"2", Create())
    assert store.get(ObjectKey("app/y")).body == b"2"
    assert told == ["put", "get"]


def test_parts_of_a_bucket_take_registry_and_locks_there(tmp_path: Path) -> None:
    """Registry and structural lock live in the bucket, each writing in the namespace that it is about."""
    server = MemoryBuckets()
    parts = server.parts(make_repo(tmp_path / "r", more=BUCKET))
    assert isinstance(parts.registry, BucketRegistry)
    assert isinstance(parts.remote.make_guard(parts.layout, parts.keeper_parts), BucketGuard)
    parts.require_member(INFRA)
    with parts.guard.structural_lock(command="test"):
        (state,) = parts.guard.status()
    assert (state.key, state.state) == (".locks/infra.lock", "held")
    with parts.guard_of(SOLO).structural_lock(command="test"):
        pass
    assert server.keys() == [".datastore.lock", ".locks/infra.lock", "infra/.namespace.json", "infra/.swampsync.json"]
    assert parts.remote.requests.snapshot().requests > 0
    parts.close()


def test_place_for_credentials_is_passed_on(tmp_path: Path) -> None:
    """Where temporary keys are kept is the caller's choice."""
    server = MemoryBuckets()
    repo = make_repo(tmp_path / "r", more=BUCKET)
    config = load_config(LocalDisk(), str(repo), environ={}, flags=Flags())
    with Repo.from_config(config, world=server.world(), cache_dir="/cache") as opened:
        assert opened.locks.status() == []
    assert [cache for _, cache in server.opened] == ["/cache"]


def test_directory_repos_open_no_bucket(tmp_path: Path) -> None:
    """A repo on a directory never asks for one."""

    def refuse(*args: object, **options: object) -> Bucket:
        raise AssertionError("a bucket was opened")

    repo = make_repo(tmp_path / "r")
    config = load_config(LocalDisk(), str(repo), environ={}, flags=Flags())
    with Repo.from_config(config, world=World(open_bucket=refuse)) as opened:
        assert opened.locks.status() == []
        assert opened.namespaces.list() == ([], [])


def test_library_imports_no_bucket_for_itself() -> None:
    """Importing the front door loads neither the remote nor a backend."""
    code = "import json, sys, swampsync.repo; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = [name for name in json.loads(done.stdout) if name.startswith("swampsync.")]
    assert not [name for name in loaded if "remote" in name or "backends" in name or "bucket" in name]
