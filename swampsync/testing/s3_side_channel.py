"""A bucket seen through boto3: what the object store suite reads and writes behind the store's back.

Another library than the store's own, so that a mistake in one is not hidden by the same mistake in the other.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from swampsync.backends.base import ObjectStore
from swampsync.backends.s3 import S3Store
from swampsync.backends.s3_keys import S3Keys, StaticCredentials
from swampsync.backends.s3_settings import S3Options
from swampsync.testing.object_store_suite import ObjectStoreSuite

_WORKERS: Final = 8


def _no_file(path: str) -> bytes:
    raise AssertionError(f"no certificates are configured: {path}")


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running server.

    Args:
        name: What it is (`moto`, `rgw`).
        endpoint: Its URL.
        keys: What signs requests to it.
        region: A region that it accepts.
    """

    name: str
    endpoint: str
    keys: S3Keys
    region: str = "us-east-1"

    def key_variables(self) -> dict[str, str]:
        """Make the variables by which a command finds the keys."""
        found = {"AWS_ACCESS_KEY_ID": self.keys.access_key_id, "AWS_SECRET_ACCESS_KEY": self.keys.secret_access_key}
        return found | ({"AWS_SESSION_TOKEN": self.keys.session_token} if self.keys.session_token else {})

    def client(self) -> Any:
        """Make a boto3 client; the caller closes it."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.keys.access_key_id,
            aws_secret_access_key=self.keys.secret_access_key,
            aws_session_token=self.keys.session_token,
            config=Config(
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "path"},
                max_pool_connections=2 * _WORKERS,
            ),
        )

    def options(self, bucket: str, prefix: str = "", **more: Any) -> S3Options:
        """Say how to reach a bucket of the server."""
        return S3Options(bucket=bucket, prefix=prefix, endpoint=self.endpoint, region=self.region, **more)

    def store(self, bucket: str, prefix: str = "", **more: Any) -> S3Store:
        """Make a store on a bucket of the server."""
        return S3Store(self.options(bucket, prefix, **more), StaticCredentials(self.keys), read_file=_no_file)


class S3Suite(ObjectStoreSuite):
    """The object store suite over a server.

    A subclass sets `client` (a boto3 client) before the first test, and gives the fixture `store`: an `S3Store` with a
    bucket or prefix of its own.
    """

    client: ClassVar[Any] = None
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def _place(self, store: ObjectStore, key: str) -> dict[str, str]:
        assert isinstance(store, S3Store)
        return {"Bucket": store.options.bucket, "Key": store.options.root + key}

    def raw_get(self, store: ObjectStore, key: str) -> bytes | None:
        """Read an object with boto3."""
        try:
            body: bytes = self.client.get_object(**self._place(store, key))["Body"].read()
        except self.client.exceptions.NoSuchKey:
            return None
        return body

    def raw_put(self, store: ObjectStore, key: str, body: bytes) -> None:
        """Write an object with boto3."""
        self.client.put_object(**self._place(store, key), Body=body)

    def raw_put_many(self, store: ObjectStore, keys: Sequence[str], body: bytes) -> None:
        """Write many objects with boto3, side by side."""
        with ThreadPoolExecutor(_WORKERS) as pool:
            list(pool.map(lambda key: self.raw_put(store, key, body), keys))

    def raw_keys(self, store: ObjectStore) -> set[str]:
        """List objects, and uploads that were never completed, with boto3."""
        assert isinstance(store, S3Store)
        where = {"Bucket": store.options.bucket, "Prefix": store.options.root}
        found: set[str] = set()
        for name, field in (("list_objects_v2", "Contents"), ("list_multipart_uploads", "Uploads")):
            for page in self.client.get_paginator(name).paginate(**where):
                found |= {entry["Key"][len(store.options.root) :] for entry in page.get(field, [])}
        return found

    @contextmanager
    def raw_pinned(self, store: ObjectStore, key: str) -> Iterator[bool]:
        """Forbid the removal of an object by the bucket's policy."""
        place = self._place(store, key)
        denied = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["s3:DeleteObject"],
            "Resource": [f"arn:aws:s3:::{place['Bucket']}/{place['Key']}"],
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
        self.client.put_bucket_policy(Bucket=place["Bucket"], Policy=policy)
        try:
            yield True
        finally:
            self.client.delete_bucket_policy(Bucket=place["Bucket"])
