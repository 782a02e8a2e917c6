"""The store in S3 keeps every promise of the interface on real servers, at full numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from swampsync.backends.s3 import S3Store
from swampsync.backends.s3_quoting import detect_etag_quoting
from swampsync.backends.s3_settings import ETagQuoting
from swampsync.layout import ObjectKey
from swampsync.testing.s3_side_channel import S3Server, S3Suite


class TestS3Store(S3Suite):
    """The suite over `S3Store` on each server; the side channel is boto3.

    Without a prefix, which would leave less than 1,024 bytes for a key; so the bucket is emptied before each test.
    """

    @pytest.fixture
    def store(self, s3_store: Callable[..., S3Store], s3_client: Any, s3_bucket: str) -> S3Store:
        type(self).client = s3_client
        for page in s3_client.get_paginator("list_objects_v2").paginate(Bucket=s3_bucket):
            if "Contents" in page:
                keys = [{"Key": entry["Key"]} for entry in page["Contents"]]
                s3_client.delete_objects(Bucket=s3_bucket, Delete={"Objects": keys, "Quiet": True})
        return s3_store("")


def test_quoting_is_detected(s3_server: S3Server, s3_store: Callable[..., S3Store]) -> None:
    """The probe finds that Ceph 16 wants bare ETags, and leaves nothing behind."""
    store = s3_store()
    found = detect_etag_quoting(store, ObjectKey("probe"))
    expected = {"rgw": {ETagQuoting.BARE}, "moto": {ETagQuoting.QUOTED}}.get(s3_server.name, set(ETagQuoting))
    assert found in expected
    assert list(store.list("")) == []
