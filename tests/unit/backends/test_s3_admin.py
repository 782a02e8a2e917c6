"""Administration of a bucket, answered as S3 does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from swampsync.backends.base import (
    BucketNotFound,
    CredentialsExpired,
    ETag,
    NotSupported,
    ObjectExists,
    ObjectStoreRefused,
    PreconditionFailed,
    Throttled,
)
from swampsync.backends.bucket_rules import BucketVersions, LifecycleEffect, LifecycleRule
from swampsync.backends.s3_admin import S3Admin
from swampsync.backends.s3_keys import S3Keys, StaticCredentials
from swampsync.backends.s3_settings import ETagQuoting, S3Options
from swampsync.errors import AccessDenied, Conflict, SwampsyncError, Unavailable
from swampsync.testing.scripted_server import End, Reply, Request, ScriptedServer, answer, s3_error
from tests.certificates import make_authority

KEYS = S3Keys("AKIAEXAMPLE", "hunter2secret", "token")


def admin_of(server: ScriptedServer, prefix: str = "swamp", **more: Any) -> S3Admin:
    options = S3Options(
        bucket="team-data", prefix=prefix, endpoint=server.endpoint, request_timeout_seconds=0.3, **more
    )
    return S3Admin(options, StaticCredentials(KEYS))


def xml(body: str) -> Reply:
    return answer("200 OK", f'<?xml version="1.0"?>{body}'.encode(), Content_Type="application/xml")


def always(reply: Reply) -> Callable[[Request], Reply]:
    return lambda _: reply


def test_bucket_is_found_by_a_listing() -> None:
    """A bucket exists if it can be listed; that it does not is no error."""
    with ScriptedServer(always(xml("<ListBucketResult></ListBucketResult>"))) as server, admin_of(server) as admin:
        assert admin.has_bucket()
    assert server.requests[0].target.startswith("/team-data?")
    with ScriptedServer(always(s3_error("404 Not Found", "NoSuchBucket"))) as server, admin_of(server) as admin:
        assert not admin.has_bucket()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (s3_error("403 Forbidden", "AccessDenied"), AccessDenied),
        (s3_error("400 Bad Request", "ExpiredToken"), CredentialsExpired),
        (s3_error("503 Slow Down", "SlowDown"), Throttled),
        (s3_error("500 Internal Server Error", "InternalError"), Unavailable),
        (s3_error("403 Forbidden", "QuotaExceeded"), ObjectStoreRefused),
        (Reply(b"", End.CLOSE), Unavailable),
        (Reply(b"", End.STALL), Unavailable),
    ],
)
def test_refusals_are_classed_as_elsewhere(reply: Reply, error: type[SwampsyncError]) -> None:
    """boto3's errors become the same classes as obstore's, after one request, and show no key."""
    with ScriptedServer(always(reply)) as server, admin_of(server) as admin:
        with pytest.raises(SwampsyncError) as caught:
            admin.has_bucket()
        assert len(server.requests) == 1
    assert type(caught.value) is error
    assert "hunter2" not in repr(caught.value) + str(caught.value.hint)


def test_refusal_shows_no_key_that_the_server_repeats() -> None:
    """What a server repeats of our keys stays out of the error, at the place where messages are cut too."""
    for said in (f"{KEYS.secret_access_key} {KEYS.access_key_id}", "x" * 295 + KEYS.secret_access_key):
        script = always(s3_error("403 Forbidden", "AccessDenied", said))
        with ScriptedServer(script) as server, admin_of(server) as admin, pytest.raises(AccessDenied) as caught:
            admin.has_bucket()
        shown = repr(caught.value) + str(caught.value.hint) + repr(caught.value.__cause__)
        assert "hunt" not in shown
        assert KEYS.access_key_id not in shown


def test_proxy_of_the_environment_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Administration goes through `HTTP_PROXY`, as the store does."""
    for name in ("NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    options = S3Options(bucket="team-data", endpoint="http://s3.example.invalid:9000")
    with ScriptedServer(always(xml("<ListBucketResult></ListBucketResult>"))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.endpoint)
        with S3Admin(options, StaticCredentials(KEYS)) as admin:
            assert admin.has_bucket()
    assert [r.target.partition("?")[0] for r in proxy.requests] == ["http://s3.example.invalid:9000/team-data"]


def test_server_of_a_private_authority_is_trusted_by_its_file(tmp_path: Path) -> None:
    """Administration trusts the authority of `ca_file`; without it the error is the store's, and nothing is sent."""
    ca_file, context = make_authority(tmp_path)
    listing = always(xml("<ListBucketResult></ListBucketResult>"))
    with ScriptedServer(listing, tls=context) as server:
        options = S3Options(bucket="team-data", endpoint=server.endpoint, ca_file=str(ca_file))
        with S3Admin(options, StaticCredentials(KEYS)) as admin:
            assert admin.has_bucket()
        assert len(server.requests) == 1
        refused = pytest.raises(ObjectStoreRefused, match=r"certificate of https://127.* is not trusted")
        with admin_of(server) as stranger, refused as caught:
            stranger.has_bucket()
        assert len(server.requests) == 1
    assert "caFile" in (caught.value.hint or "")


def test_region_that_the_server_names_is_the_hint() -> None:
    """A bucket that is elsewhere is an error that says where."""
    reply = s3_error("400 Bad Request", "AuthorizationHeaderMalformed", extra="<Region>eu-west-1</Region>")
    refused = pytest.raises(ObjectStoreRefused, match="not in region `us-east-1`")
    with ScriptedServer(always(reply)) as server, admin_of(server) as admin, refused as caught:
        admin.versioning()
    assert caught.value.hint == "swamp config set datastore.config.region eu-west-1 (at set-up: --region eu-west-1)"


def test_bucket_of_our_own_is_created_twice_without_complaint() -> None:
    """That the bucket is ours already is success; that it is somebody else's is not."""
    for reply in (answer("200 OK"), s3_error("409 Conflict", "BucketAlreadyOwnedByYou")):
        with ScriptedServer(always(reply)) as server, admin_of(server) as admin:
            admin.create_bucket()
        assert [r.method for r in server.requests] == ["PUT"]
    taken = always(s3_error("409 Conflict", "BucketAlreadyExists"))
    with ScriptedServer(taken) as server, admin_of(server) as admin, pytest.raises(Conflict, match="is taken"):
        admin.create_bucket()


@pytest.mark.parametrize(("status", "expected"), [("<Status>Enabled</Status>", "Enabled"), ("", "Off")])
def test_versioning_is_told(status: str, expected: str) -> None:
    """Versioning is `Off` where the server says nothing."""
    reply = xml(f"<VersioningConfiguration>{status}</VersioningConfiguration>")
    with ScriptedServer(always(reply)) as server, admin_of(server) as admin:
        assert admin.versioning() == expected


LOCK = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{}</ObjectLockConfiguration>"
RETENTION = "<Rule><DefaultRetention><Mode>{}</Mode><{}>{}</{}></DefaultRetention></Rule>"
NO_LOCK = s3_error("404 Not Found", "ObjectLockConfigurationNotFoundError")


@pytest.mark.parametrize(
    ("status", "lock", "expected"),
    [
        ("", NO_LOCK, BucketVersions(is_kept=False)),
        ("<Status>Suspended</Status>", NO_LOCK, BucketVersions(is_kept=False)),
        ("<Status>Enabled</Status>", NO_LOCK, BucketVersions(is_kept=True)),
        ("<Status>Enabled</Status>", s3_error("501 Not Implemented", "NotImplemented"), BucketVersions(is_kept=True)),
        ("<Status>Enabled</Status>", xml(LOCK.format("")), BucketVersions(is_kept=True)),
        (
            "<Status>Enabled</Status>",
            xml(LOCK.format(RETENTION.format("COMPLIANCE", "Days", 1, "Days"))),
            BucketVersions(is_kept=True, retention="1 day (COMPLIANCE)"),
        ),
        (
            "<Status>Enabled</Status>",
            xml(LOCK.format(RETENTION.format("GOVERNANCE", "Years", 2, "Years"))),
            BucketVersions(is_kept=True, retention="2 years (GOVERNANCE)"),
        ),
    ],
)
def test_what_a_bucket_keeps_is_told(status: str, lock: Reply, expected: BucketVersions) -> None:
    """Versions are kept where versioning is on, and locked where Object Lock has a retention by default."""
    versioning = xml(f"<VersioningConfiguration>{status}</VersioningConfiguration>")
    with (
        ScriptedServer(lambda r: lock if "object-lock" in r.target else versioning) as server,
        admin_of(server) as admin,
    ):
        assert admin.versions() == expected


RULES = """<LifecycleConfiguration>
<Rule><ID>all</ID><Status>Enabled</Status><Filter></Filter><Expiration><Days>30</Days></Expiration></Rule>
<Rule><ID>off</ID><Status>Disabled</Status><Filter></Filter><Expiration><Days>30</Days></Expiration></Rule>
<Rule><ID>logs</ID><Status>Enabled</Status><Filter><Prefix>swamp/infra/_log/</Prefix></Filter>
  <Expiration><Date>2026-12-01T00:00:00Z</Date></Expiration></Rule>
<Rule><ID>tagged</ID><Status>Enabled</Status><Filter><And><Prefix>swam</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And>
  </Filter><Expiration><Days>1</Days></Expiration></Rule>
<Rule><ID>elsewhere</ID><Status>Enabled</Status><Prefix>other/</Prefix><Expiration><Days>1</Days></Expiration></Rule>
<Rule><ID>abort</ID><Status>Enabled</Status><Prefix>swamp/</Prefix>
  <AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>
<Rule><ID>markers</ID><Status>Enabled</Status><Filter></Filter>
  <Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration></Rule>
<Rule><ID>cold</ID><Status>Enabled</Status><Filter></Filter>
  <Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition></Rule>
<Rule><ID>cheap</ID><Status>Enabled</Status><Filter></Filter>
  <Transition><Days>30</Days><StorageClass>STANDARD_IA</StorageClass></Transition></Rule>
</LifecycleConfiguration>"""


def test_lifecycle_rules_are_read() -> None:
    """Rules that are switched on and touch our prefix are read in all their forms, relative to it."""
    with ScriptedServer(always(xml(RULES))) as server, admin_of(server) as admin:
        assert admin.lifecycle_rules() == [
            LifecycleRule("all", "", LifecycleEffect.EXPIRE),
            LifecycleRule("logs", "infra/_log/", LifecycleEffect.EXPIRE),
            LifecycleRule("tagged", "", LifecycleEffect.EXPIRE),
            LifecycleRule("abort", "", LifecycleEffect.OTHER),
            LifecycleRule("markers", "", LifecycleEffect.OTHER),
            LifecycleRule("cold", "", LifecycleEffect.ARCHIVE),
            LifecycleRule("cheap", "", LifecycleEffect.OTHER),
        ]


@pytest.mark.parametrize(
    "reply",
    [s3_error("404 Not Found", "NoSuchLifecycleConfiguration"), s3_error("501 Not Implemented", "NotImplemented")],
)
def test_absent_rules_are_none(reply: Reply) -> None:
    """A bucket without rules, and a server without rules, have none."""
    with ScriptedServer(always(reply)) as server, admin_of(server) as admin:
        assert admin.lifecycle_rules() == []


def test_hidden_rules_are_not_taken_for_none() -> None:
    """If we may not see the rules, that is an error: there may be some."""
    denied = always(s3_error("403 Forbidden", "AccessDenied"))
    with ScriptedServer(denied) as server, admin_of(server) as admin, pytest.raises(AccessDenied):
        admin.lifecycle_rules()


def test_stale_uploads_are_aborted_and_young_ones_left() -> None:
    """Only uploads below the prefix that were begun before the time are aborted."""
    uploads = "".join(
        f"<Upload><Key>swamp/infra/{key}</Key><UploadId>{uid}</UploadId><Initiated>{at}</Initiated></Upload>"
        for key, uid, at in [("a", "U1", "2026-11-20T10:00:00.000Z"), ("b", "U2", "2026-11-21T10:00:00.000Z")]
    )

    def script(request: Request) -> Reply:
        if request.method == "DELETE":
            return answer("204 No Content")
        return xml(
            f"<ListMultipartUploadsResult>{uploads}<IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
        )

    with ScriptedServer(script) as server, admin_of(server) as admin:
        assert admin.abort_stale_uploads("infra/", older_than=datetime(2026, 11, 21, tzinfo=UTC)) == ["infra/a"]
    assert "prefix=swamp%2Finfra%2F" in server.requests[0].target
    assert [r.target for r in server.requests if r.method == "DELETE"] == ["/team-data/swamp/infra/a?uploadId=U1"]


def test_missing_bucket_is_told_by_a_listing_of_versions() -> None:
    """Every question but `has_bucket` raises on a missing bucket."""
    with ScriptedServer(always(s3_error("404 Not Found", "NoSuchBucket"))) as server, admin_of(server) as admin:
        with pytest.raises(BucketNotFound):
            list(admin.object_versions(""))
        with pytest.raises(BucketNotFound):
            admin.lifecycle_rules()


# --- conditions that nothing rests on ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("quoting", "sent"), [(ETagQuoting.AUTO, '"e1"'), (ETagQuoting.QUOTED, '"e1"'), (ETagQuoting.BARE, "e1")]
)
def test_object_is_removed_by_its_etag(quoting: ETagQuoting, sent: str) -> None:
    """The removal carries the ETag in the form that the server wants, below the prefix."""
    with ScriptedServer(always(answer("204 No Content"))) as server, admin_of(server, etag_quoting=quoting) as admin:
        admin.delete_if_match("infra/k", ETag("e1"))
    request = server.requests[0]
    assert (request.method, request.target) == ("DELETE", "/team-data/swamp/infra/k")
    assert request.headers["if-match"] == sent


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (s3_error("412 Precondition Failed", "PreconditionFailed"), PreconditionFailed),
        (s3_error("409 Conflict", "ConditionalRequestConflict"), PreconditionFailed),
        (s3_error("501 Not Implemented", "NotImplemented"), NotSupported),
        (s3_error("400 Bad Request", "InvalidArgument"), ObjectStoreRefused),
        (s3_error("403 Forbidden", "AccessDenied"), AccessDenied),
    ],
)
def test_refused_removal_is_classed(reply: Reply, error: type[SwampsyncError]) -> None:
    """That the condition does not hold is told from that the server has none."""
    with ScriptedServer(always(reply)) as server, admin_of(server) as admin, pytest.raises(SwampsyncError) as caught:
        admin.delete_if_match("infra/k", ETag("e1"))
    assert type(caught.value) is error
    assert caught.value.key == "infra/k"


def completing(reply: Reply) -> Callable[[Request], Reply]:
    def script(request: Request) -> Reply:
        if request.method == "POST" and "uploadId" in request.target:
            return reply
        if request.method == "POST":
            return xml("<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>")
        return answer("200 OK", ETag='"p1"') if request.method == "PUT" else answer("204 No Content")

    return script


def test_upload_is_completed_if_there_is_none() -> None:
    """One part, and a completion with the condition; the encryption that is asked for is asked for here too."""
    done = xml("<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")
    with ScriptedServer(completing(done)) as server, admin_of(server, sse="AES256") as admin:
        admin.upload_if_absent("infra/k", b"body")
    begin, part, end = server.requests
    assert begin.headers["x-amz-server-side-encryption"] == "AES256"
    assert (part.method, part.body) == ("PUT", b"body")
    assert end.headers["if-none-match"] == "*"
    assert b"<PartNumber>1</PartNumber>" in end.body
    assert {r.target.partition("?")[0] for r in server.requests} == {"/team-data/swamp/infra/k"}


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (s3_error("412 Precondition Failed", "PreconditionFailed"), ObjectExists),
        (s3_error("501 Not Implemented", "NotImplemented"), NotSupported),
        (s3_error("500 Internal Server Error", "InternalError"), Unavailable),
    ],
)
def test_refused_completion_leaves_no_parts(reply: Reply, error: type[SwampsyncError]) -> None:
    """An upload that does not become an object is aborted, and the refusal comes out."""
    with ScriptedServer(completing(reply)) as server, admin_of(server) as admin:
        with pytest.raises(SwampsyncError) as caught:
            admin.upload_if_absent("infra/k", b"body")
        assert type(caught.value) is error
        assert [r.method for r in server.requests] == ["POST", "PUT", "POST", "DELETE"]
        assert "uploadId=u1" in server.requests[-1].target
