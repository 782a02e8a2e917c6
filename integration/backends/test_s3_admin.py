"""Administration and refusals of real servers."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from swampsync.backends.base import BucketNotFound, Overwrite
from swampsync.backends.bucket_rules import LifecycleEffect, LifecycleRule
from swampsync.backends.s3 import S3Store
from swampsync.backends.s3_admin import S3Admin
from swampsync.backends.s3_keys import S3Keys, StaticCredentials
from swampsync.errors import AccessDenied
from swampsync.layout import ObjectKey
from swampsync.testing.s3_side_channel import S3Server

KEY = ObjectKey("infra/data/x")


def admin_of(server: S3Server, bucket: str, prefix: str = "") -> S3Admin:
    return S3Admin(server.options(bucket, prefix), StaticCredentials(server.keys))


@pytest.fixture
def bucket(s3_server: S3Server, s3_client: Any) -> Any:
    """A bucket of this test alone."""
    name = f"swampsync-admin-{uuid.uuid4().hex[:12]}"
    with admin_of(s3_server, name) as admin:
        assert not admin.has_bucket()
        admin.create_bucket()
        admin.create_bucket()
        assert admin.has_bucket()
    yield name
    for version in s3_client.list_object_versions(Bucket=name).get("Versions", []):
        s3_client.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
    for marker in s3_client.list_object_versions(Bucket=name).get("DeleteMarkers", []):
        s3_client.delete_object(Bucket=name, Key=marker["Key"], VersionId=marker["VersionId"])
    s3_client.delete_bucket(Bucket=name)


def test_versions_are_listed_read_and_restored(s3_server: S3Server, s3_client: Any, bucket: str) -> None:
    """In a versioned bucket what was overwritten or removed can be found and brought back."""
    with admin_of(s3_server, bucket, "team") as admin:
        assert admin.versioning() == "Off"
        s3_client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        assert admin.versioning() == "Enabled"
        store = s3_server.store(bucket, "team")
        store.put(KEY, b"one", Overwrite())
        store.put(KEY, b"two", Overwrite())
        store.delete(KEY)
        versions = list(admin.object_versions("infra/"))
        assert [v.key for v in versions if v.is_delete_marker and v.is_latest] == [KEY.text]
        bodies = {admin.read_version(v.key, v.version_id): v for v in versions if not v.is_delete_marker}
        assert set(bodies) == {b"one", b"two"}
        admin.restore_version(KEY.text, bodies[b"one"].version_id)
        assert store.get(KEY).body == b"one"


def test_lifecycle_rules_are_read(s3_server: S3Server, s3_client: Any, bucket: str) -> None:
    """A bucket's rules are read as the server gives them back."""
    with admin_of(s3_server, bucket, "team") as admin:
        assert admin.lifecycle_rules() == []
        rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "team/infra/_log/"}, "Expiration": {"Days": 3}}
        s3_client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
        assert admin.lifecycle_rules() == [LifecycleRule("old", "infra/_log/", LifecycleEffect.EXPIRE)]


KILLED_IN_THE_MIDDLE = """
import io, os, sys
from swampsync.backends.s3_keys import S3Keys
from swampsync.layout import ObjectKey
from swampsync.testing.s3_side_channel import S3Server

class Dies(io.BytesIO):
    def read(self, size=-1):
        if self.tell() >= 40_000_000:
            print("now", flush=True)
            sys.stdin.read()
        return super().read(size)

endpoint, key, secret, bucket = sys.argv[1:]
store = S3Server("x", endpoint, S3Keys(key, secret)).store(bucket, "team")
store.put_stream(ObjectKey("infra/data/x"), Dies(bytes(60_000_000)))
"""


def test_parts_of_a_killed_upload_are_removed(s3_server: S3Server, s3_client: Any, bucket: str) -> None:
    """What a process leaves behind that is killed in the middle of an upload is invisible, and can be removed."""
    arguments = [s3_server.endpoint, s3_server.keys.access_key_id, s3_server.keys.secret_access_key, bucket]
    command = [sys.executable, "-c", KILLED_IN_THE_MIDDLE, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"now\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    store = s3_server.store(bucket, "team")
    assert list(store.list("")) == []
    assert s3_client.list_multipart_uploads(Bucket=bucket).get("Uploads")
    now = datetime.now(UTC)
    with admin_of(s3_server, bucket, "team") as admin:
        if s3_server.name != "moto":  # which tells 2010 for the begin of every upload
            assert admin.abort_stale_uploads("infra/", older_than=now - timedelta(hours=1)) == []
        assert admin.abort_stale_uploads("infra/", older_than=now + timedelta(hours=1)) == [KEY.text]
    assert not s3_client.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_missing_bucket_is_told_from_a_missing_object(s3_server: S3Server, s3_store: Callable[..., S3Store]) -> None:
    """On a bucket that does not exist every request says so, a look at an object too."""
    store = s3_server.store("swampsync-no-such-bucket")
    for act in (lambda: store.get(KEY), lambda: store.head(KEY), lambda: list(store.list(""))):
        with pytest.raises(BucketNotFound, match="swampsync-no-such-bucket"):
            act()


@pytest.mark.parametrize(
    ("keys", "hint"),
    [
        (lambda good: replace(good, secret_access_key="wrong-secret"), "AWS_SECRET_ACCESS_KEY"),
        (lambda good: S3Keys("AKIAUNKNOWN", "wrong-secret"), "AWS_ACCESS_KEY_ID"),
    ],
    ids=["wrong secret", "unknown key"],
)
def test_wrong_keys_are_refused_with_a_hint(keys: Callable[[S3Keys], S3Keys], hint: str, rgw_server: S3Server) -> None:
    """A server that checks signatures (moto does not) says which half is wrong; the error shows neither."""
    store = replace(rgw_server, keys=keys(rgw_server.keys)).store("any-bucket")
    with pytest.raises(AccessDenied) as caught:
        store.get(KEY)
    assert hint in (caught.value.hint or "")
    assert "wrong-secret" not in repr(caught.value) + str(caught.value.__cause__)
