"""Telling an object that is absent from one that may not be read, where S3 answers 403 for both."""

from __future__ import annotations

import pytest

from swampsync.backends.base import ObjectNotFound
from swampsync.backends.s3 import S3Store
from swampsync.backends.s3_keys import S3Keys, StaticCredentials
from swampsync.backends.s3_settings import S3Options
from swampsync.disk import LocalDisk
from swampsync.errors import AccessDenied
from swampsync.layout import ObjectKey
from swampsync.testing.scripted_server import Reply, Request, ScriptedServer, answer, s3_error

KEY = ObjectKey("infra/.namespace.json")
DENIED = s3_error("403 Forbidden", "AccessDenied", "Access Denied")
ENTRY = (
    "<Contents><Key>{}</Key><LastModified>2026-11-21T10:00:00.000Z</LastModified><ETag>&quot;e1&quot;</ETag>"
    "<Size>1</Size></Contents>"
)


def listing(*keys: str) -> Reply:
    entries = "".join(ENTRY.format(key) for key in keys)
    body = f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
    return answer("200 OK", body.encode(), Content_Type="application/xml")


def is_listing(request: Request) -> bool:
    return "list-type=2" in request.target


def store_at(server: ScriptedServer) -> S3Store:
    options = S3Options(bucket="team", prefix="P", endpoint=server.endpoint)
    return S3Store(options, StaticCredentials(S3Keys("key", "secret")), read_file=LocalDisk().read_bytes)


def test_denied_object_that_no_listing_shows_is_absent() -> None:
    """A read that is denied becomes `ObjectNotFound` if the listing of its directory is allowed and lacks it."""
    with ScriptedServer(lambda request: listing("P/infra/other") if is_listing(request) else DENIED) as server:
        store = store_at(server)
        with pytest.raises(ObjectNotFound):
            store.get(KEY)
        with pytest.raises(ObjectNotFound):
            store.head(KEY)
    # Only what the least-privilege policy allows is listed.
    listed = [request.target for request in server.requests if is_listing(request)]
    assert all("prefix=P%2Finfra%2F" in target or "prefix=P/infra/" in target for target in listed)


def test_denied_object_that_a_listing_shows_is_denied() -> None:
    """A read that is denied stays so if the object is there."""
    with (
        ScriptedServer(lambda request: listing("P/infra/.namespace.json") if is_listing(request) else DENIED) as server,
        pytest.raises(AccessDenied, match=r"\.namespace\.json"),
    ):
        store_at(server).get(KEY)


def test_denied_object_whose_directory_may_not_be_listed_is_denied() -> None:
    """Without the right to look, the first answer stands."""
    with ScriptedServer(lambda _: DENIED) as server, pytest.raises(AccessDenied, match="cannot read"):
        store_at(server).get(KEY)


def test_wrong_key_is_not_followed_by_a_listing() -> None:
    """A refusal that is about credentials says nothing of the object, and no listing is asked for."""
    script = s3_error("403 Forbidden", "InvalidAccessKeyId")
    with ScriptedServer(lambda _: script) as server, pytest.raises(AccessDenied):
        store_at(server).get(KEY)
    assert not [request for request in server.requests if is_listing(request)]
