"""What the store in S3 sends, and how it reads what comes back."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from swampsync.backends.base import (
    MAX_CONDITIONAL_BYTES,
    BucketNotFound,
    Create,
    CredentialsExpired,
    ETag,
    IfMatch,
    NotSupported,
    ObjectInfo,
    ObjectStoreRefused,
    Overwrite,
    PreconditionFailed,
    PutMode,
    Throttled,
)
from swampsync.backends.s3 import S3Store
from swampsync.backends.s3_clients import S3Clients, Use
from swampsync.backends.s3_keys import S3Keys, StaticCredentials
from swampsync.backends.s3_pieces import FIRST_BYTES
from swampsync.backends.s3_quoting import detect_etag_quoting
from swampsync.backends.s3_settings import Checksum, ETagQuoting, S3Options
from swampsync.disk import LocalDisk
from swampsync.errors import AccessDenied, InvalidInput, SwampsyncError, Unavailable
from swampsync.layout import ObjectKey
from swampsync.testing.scripted_server import End, Reply, Request, ScriptedServer, answer, s3_error
from tests.certificates import make_authority

KEY = ObjectKey("a/b.json")
KEYS = S3Keys("AKIAEXAMPLE", "secret", "token")
DATE = "Sat, 21 Nov 2026 10:00:00 GMT"
WRITTEN = answer("200 OK", ETag='"e1"')
Script = Callable[[Request], Reply]


def store_at(server: ScriptedServer, *, seen: list[tuple[str, int, int]] | None = None, **more: Any) -> S3Store:
    options: dict[str, Any] = {"bucket": "team-data", "prefix": "swamp", "endpoint": server.endpoint}
    hook = None if seen is None else lambda kind, sent, received: seen.append((kind, sent, received))
    return S3Store(
        S3Options(**(options | more)), StaticCredentials(KEYS), on_request=hook, read_file=LocalDisk().read_bytes
    )


def always(reply: Reply) -> Script:
    return lambda _: reply


def served(body: bytes, etag: str = '"e1"') -> Reply:
    return answer("200 OK", body, ETag=etag, Last_Modified=DATE)


def test_requests_are_signed_for_the_region_with_the_session_token() -> None:
    """A request carries the region, the access key's name and the session token; never the secret."""
    with ScriptedServer(always(served(b"x"))) as server:
        store_at(server, region="eu-north-1").get(KEY)
    headers = server.requests[0].headers
    assert re.match(r"AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/\d{8}/eu-north-1/s3/", headers["authorization"])
    assert headers["x-amz-security-token"] == "token"
    assert server.requests[0].target == "/team-data/swamp/a/b.json"


def test_anonymous_requests_are_not_signed() -> None:
    """An anonymous store asks for no credentials and signs nothing."""

    class Nothing:
        def current(self) -> S3Keys:
            raise AssertionError("asked for credentials")

    with ScriptedServer(always(served(b"x"))) as server:
        options = S3Options(bucket="team-data", endpoint=server.endpoint, anonymous=True)
        S3Store(options, Nothing(), read_file=LocalDisk().read_bytes).get(KEY)
    assert "authorization" not in server.requests[0].headers


def test_environment_does_not_reach_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that obstore would read by itself change neither where a request goes nor how it is signed."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOTHER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "other")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    monkeypatch.setenv("AWS_REGION", "ap-south-1")
    monkeypatch.setenv("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "true")
    monkeypatch.setenv("AWS_UNSIGNED_PAYLOAD", "true")
    monkeypatch.setenv("AWS_REQUEST_PAYER", "requester")
    monkeypatch.setenv("AWS_S3_EXPRESS", "true")
    with ScriptedServer(always(WRITTEN)) as server:
        store_at(server).put(KEY, b"x", Create())
    assert server.requests[0].headers["x-amz-content-sha256"] == hashlib.sha256(b"x").hexdigest()
    assert "x-amz-request-payer" not in server.requests[0].headers
    assert "AKIAEXAMPLE" in server.requests[0].headers["authorization"]
    assert "/us-east-1/" in server.requests[0].headers["authorization"]
    assert server.requests[0].headers["x-amz-security-token"] == "token"
    assert server.requests[0].headers["host"] == f"127.0.0.1:{server.port}"


def test_proxy_of_the_environment_is_followed_unless_the_server_is_excepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests go through `HTTP_PROXY`, but for servers that `NO_PROXY` names."""
    for name in ("NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    far = S3Options(bucket="team-data", endpoint="http://s3.example.invalid:9000")
    with ScriptedServer(always(served(b"x"))) as proxy, ScriptedServer(always(served(b"near"))) as near:
        monkeypatch.setenv("HTTP_PROXY", proxy.endpoint)
        S3Store(far, StaticCredentials(KEYS), read_file=LocalDisk().read_bytes).get(KEY)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert store_at(near).get(KEY).body == b"near"
    assert [r.target for r in proxy.requests] == ["http://s3.example.invalid:9000/team-data/a/b.json"]


@pytest.mark.parametrize(
    ("sse", "key", "expected"),
    [
        ("AES256", None, {"x-amz-server-side-encryption": "AES256"}),
        (
            "aws:kms",
            "arn:aws:kms:eu-north-1:1:key/2",
            {
                "x-amz-server-side-encryption": "aws:kms",
                "x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:eu-north-1:1:key/2",
            },
        ),
    ],
)
def test_encryption_is_asked_for(sse: str, key: str | None, expected: dict[str, str]) -> None:
    """A put names the encryption and its key."""
    with ScriptedServer(always(WRITTEN)) as server:
        store_at(server, sse=sse, sse_kms_key=key).put(KEY, b"x", Create())
    found = {k: v for k, v in server.requests[0].headers.items() if "encryption" in k}
    assert found == expected


def test_credentials_that_cannot_be_had_are_their_own_error() -> None:
    """If there are no keys, the error of their source is raised and no request is sent."""

    class Expired:
        def current(self) -> S3Keys:
            raise AccessDenied("log in first", hint="aws sso login")

    with ScriptedServer(always(served(b"x"))) as server:
        options = S3Options(bucket="team-data", endpoint=server.endpoint)
        store = S3Store(options, Expired(), read_file=LocalDisk().read_bytes)
        for act in (lambda: store.get(KEY), lambda: list(store.list("")), lambda: store.put(KEY, b"", Create())):
            with pytest.raises(AccessDenied, match="log in first"):
                act()
    assert server.requests == []


def test_new_keys_are_used_when_the_old_ones_end() -> None:
    """Temporary keys that end soon are asked for again, and requests signed with the new ones."""
    ends = datetime(2026, 1, 1, tzinfo=UTC)
    keys = iter([S3Keys(f"AKIA{n}", "secret", None, ends) for n in range(100)])

    class Rotating:
        def current(self) -> S3Keys:
            return next(keys)

    with ScriptedServer(always(served(b"x"))) as server:
        options = S3Options(bucket="team-data", endpoint=server.endpoint)
        store = S3Store(options, Rotating(), read_file=LocalDisk().read_bytes)
        store.get(KEY)
        store.get(KEY)
    names = [re.findall(r"Credential=(\w+)/", r.headers["authorization"])[0] for r in server.requests]
    assert len(set(names)) == 2


# --- conditions ------------------------------------------------------------------------------------


def test_create_sends_if_none_match() -> None:
    """Create-only is the condition `If-None-Match: *`."""
    with ScriptedServer(always(WRITTEN)) as server:
        assert store_at(server).put(KEY, b"x", Create()).etag == ETag("e1")
    assert server.requests[0].headers["if-none-match"] == "*"


@pytest.mark.parametrize(
    ("quoting", "sent"), [(ETagQuoting.AUTO, '"e0"'), (ETagQuoting.QUOTED, '"e0"'), (ETagQuoting.BARE, "e0")]
)
def test_swap_sends_the_etag_as_configured(quoting: ETagQuoting, sent: str) -> None:
    """The ETag of a swap goes quoted unless the server is known to want it bare."""
    with ScriptedServer(always(WRITTEN)) as server:
        store_at(server, etag_quoting=quoting).put(KEY, b"x", IfMatch(ETag("e0")))
    assert server.requests[0].headers["if-match"] == sent


def compares_raw(request: Request) -> Reply:
    """Answer as Ceph 16 does: the ETag of a swap must stand there without quotes."""
    if request.method in {"HEAD", "GET"}:
        return answer("200 OK", ETag='"e0"', Last_Modified=DATE)
    condition = request.headers.get("if-match")
    return WRITTEN if condition in {None, "e0"} else s3_error("412 Precondition Failed", "PreconditionFailed")


def test_bare_etags_are_found_out_by_the_first_swap() -> None:
    """If a server denies the ETag that its object has, the swap is sent bare, and from then on always."""
    with ScriptedServer(compares_raw) as server:
        store = store_at(server)
        store.put(KEY, b"x", IfMatch(ETag("e0")))
        assert store.options.etag_quoting is ETagQuoting.BARE
        store.put(KEY, b"x", IfMatch(ETag("e0")))
    assert [r.headers.get("if-match") for r in server.requests] == ['"e0"', None, "e0", "e0"]


def test_lost_swap_is_not_mistaken_for_a_matter_of_quotes() -> None:
    """If the object has another ETag, the swap has lost, and is not sent again."""
    with ScriptedServer(compares_raw) as server, pytest.raises(PreconditionFailed):
        store_at(server).put(KEY, b"x", IfMatch(ETag("old")))
    assert [r.method for r in server.requests] == ["PUT", "HEAD"]


def test_server_without_swaps_is_known_after_the_first() -> None:
    """A 501 to `If-Match` is that server's word: the store declares no compare-and-swap from then on."""
    refused = s3_error("501 Not Implemented", "NotImplemented", "A header you provided implies functionality")
    with ScriptedServer(lambda request: refused if "if-match" in request.headers else WRITTEN) as server:
        store = store_at(server)
        declared = [store.capabilities.compare_and_swap]
        with pytest.raises(NotSupported, match="no conditional put"):
            store.put(KEY, b"x", IfMatch(ETag("e0")))
        declared += [store.capabilities.compare_and_swap, store.capabilities.create_only]
        assert declared == [True, False, True]
        store.put(KEY, b"x", Create())
    assert [r.method for r in server.requests] == ["PUT", "PUT"]


def test_refusal_of_a_create_says_nothing_about_swaps() -> None:
    """A server that cannot create exclusively may swap."""
    with ScriptedServer(always(s3_error("501 Not Implemented", "NotImplemented"))) as server:
        store = store_at(server)
        with pytest.raises(NotSupported, match="no create-only put"):
            store.put(KEY, b"x", Create())
        assert store.capabilities.compare_and_swap


@pytest.mark.parametrize(("script", "found"), [(compares_raw, ETagQuoting.BARE), (always(WRITTEN), ETagQuoting.QUOTED)])
def test_quoting_is_detected_and_the_scratch_object_removed(script: Script, found: ETagQuoting) -> None:
    """The probe tells how the server wants ETags, and cleans up."""

    def scratch(request: Request) -> Reply:
        if request.method == "PUT" and "if-match" not in request.headers:
            return answer("200 OK", ETag='"e0"')
        return script(request)

    with ScriptedServer(scratch) as server:
        store = store_at(server)
        assert detect_etag_quoting(store, ObjectKey("probe")) is found
    assert server.requests[-1].method == "DELETE"


LOCKED = s3_error(
    "400 Bad Request",
    "InvalidRequest",
    "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters",
)


def checksum_of(request: Request) -> str | None:
    """The checksum in a request, if it is the one of its body and belongs to what is signed."""
    sent = request.headers.get("x-amz-checksum-sha256")
    if sent is not None:
        assert base64.b64decode(sent) == hashlib.sha256(request.body).digest()
        assert "x-amz-checksum-sha256" in request.headers["authorization"]
    return sent


def under_lock(then: Script) -> Script:
    """Answer as a bucket under Object Lock does."""
    return lambda r: LOCKED if r.method == "PUT" and not checksum_of(r) else then(r)


@pytest.mark.parametrize("mode", [Create(), IfMatch(ETag("e0")), Overwrite()])
def test_checksum_is_sent_when_the_bucket_asks_for_it(mode: PutMode) -> None:
    """Under Object Lock the first put is refused and sent again with a checksum; all later ones have one."""
    seen: list[tuple[str, int, int]] = []
    with ScriptedServer(under_lock(always(WRITTEN))) as server:
        store = store_at(server, seen=seen, etag_quoting=ETagQuoting.QUOTED)
        twin = store.with_quoting(ETagQuoting.BARE)
        known = [store.options.checksum]
        store.put(KEY, b"one", mode)
        twin.put(KEY, b"two", mode)
        known += [store.options.checksum, twin.options.checksum]
        sent = [(r.body, checksum_of(r) is not None) for r in server.requests]
    assert known == [Checksum.AUTO, Checksum.SHA256, Checksum.SHA256]
    assert sent == [(b"one", False), (b"one", True), (b"two", True)]
    assert all("x-amz-sdk-checksum-algorithm" in r.headers for r in server.requests[1:])
    assert [up for _, up, _ in seen] == [0, 3, 3]  # what is refused counts as a request without bytes


def test_checksum_that_is_configured_is_sent_at_once_and_with_puts_only() -> None:
    """With the setting nothing is refused, and reading asks for no checksum."""
    with ScriptedServer(under_lock(always(served(b"body")))) as server:
        store = store_at(server, checksum=Checksum.SHA256)
        store.put(KEY, b"one", Create())
        store.get(KEY)
    assert [(r.method, "x-amz-sdk-checksum-algorithm" in r.headers) for r in server.requests] == [
        ("PUT", True),
        ("GET", False),
    ]


def test_bucket_that_is_not_content_with_the_checksum_is_asked_twice_only() -> None:
    """A server that goes on asking gets its refusal raised, with the setting as a hint."""
    with ScriptedServer(always(LOCKED)) as server, pytest.raises(ObjectStoreRefused, match="Content-MD5") as caught:
        store_at(server).put(KEY, b"one", Create())
    assert (len(server.requests), caught.value.hint) == (2, "swamp config set datastore.config.checksum sha256")


def test_writers_that_are_refused_together_all_try_again() -> None:
    """Many puts at once, none of which knew: each is sent again, though another found out first."""
    with ScriptedServer(under_lock(always(WRITTEN))) as server, ThreadPoolExecutor(8) as pool:
        store = store_at(server)
        list(pool.map(lambda n: store.put(ObjectKey(f"k{n}"), b"x", Create()), range(32)))


def test_parts_carry_checksums_when_the_bucket_asks_for_them() -> None:
    """An upload that is refused for want of checksums begins again from the body's beginning, once."""
    whole = Multipart()
    body = bytes(range(256)) * (PART // 256) + b"tail"
    with ScriptedServer(under_lock(whole)) as server:
        store = store_at(server)
        stream = io.BytesIO(b"not ours" + body)
        stream.seek(8)
        assert store.put_stream(KEY, stream).etag == ETag("whole-2")
        puts = [checksum_of(r) is not None for r in server.requests if r.method == "PUT"]
    assert whole.parts[1] + whole.parts[2] == body
    assert puts[-2:] == [True, True]
    assert not puts[0]
    # AWS wants no such announcement on requests without a body of the object, as the first and last of an upload.
    assert not any("x-amz-sdk-checksum-algorithm" in r.headers for r in server.requests)


def test_conditional_body_is_limited_before_anything_is_sent() -> None:
    """A conditional body above the limit is refused without a request."""
    with ScriptedServer(always(WRITTEN)) as server:
        with pytest.raises(InvalidInput, match="at most"):
            store_at(server).put(KEY, bytes(MAX_CONDITIONAL_BYTES + 1), Create())
        assert server.requests == []


# --- large bodies ----------------------------------------------------------------------------------

PART = 8 << 20


class Multipart:
    """A server that takes multipart uploads; `broken` answers part 2, or the completion."""

    def __init__(self, *, part_two: Reply | None = None, complete: Reply | None = None) -> None:
        self.parts: dict[int, bytes] = {}
        self.part_two = part_two
        self.complete = complete
        self.lock = threading.Lock()

    def __call__(self, request: Request) -> Reply:
        if "uploads" in request.target:
            return answer(
                "200 OK", b"<InitiateMultipartUploadResult><UploadId>U1</UploadId></InitiateMultipartUploadResult>"
            )
        number = re.search(r"partNumber=(\d+)", request.target)
        if number:
            if int(number[1]) == 2 and self.part_two:
                return self.part_two
            with self.lock:
                self.parts[int(number[1])] = request.body
            return answer("200 OK", ETag=f'"p{number[1]}"')
        if request.method == "POST":
            return self.complete or answer(
                "200 OK", b'<CompleteMultipartUploadResult><ETag>"whole-2"</ETag></CompleteMultipartUploadResult>'
            )
        if request.method == "HEAD":
            return answer("200 OK", ETag='"looked-up"', Last_Modified=DATE)
        return answer("204 No Content")


def test_stream_of_one_part_is_one_put() -> None:
    """What fits into one part is put in one request."""
    with ScriptedServer(always(WRITTEN)) as server:
        store_at(server).put_stream(KEY, io.BytesIO(b"small"))
    assert [(r.method, r.target, r.body) for r in server.requests] == [("PUT", "/team-data/swamp/a/b.json", b"small")]


def test_stream_of_many_parts_is_a_multipart_upload() -> None:
    """A large stream is cut into parts, whatever the sizes in which it can be read; each request is counted."""
    body = bytes(range(256)) * (PART // 256) + b"tail"

    class Slow(io.RawIOBase):
        def __init__(self) -> None:
            self.rest = io.BytesIO(body)

        def seekable(self) -> bool:
            return True

        def seek(self, offset: int, whence: int = 0) -> int:
            return self.rest.seek(offset, whence)

        def tell(self) -> int:
            return self.rest.tell()

        def read(self, size: int = -1) -> bytes:
            return self.rest.read(min(size, 3_000_000))

    seen: list[tuple[str, int, int]] = []
    script = Multipart()
    with ScriptedServer(script) as server:
        result = store_at(server, seen=seen).put_stream(KEY, Slow())  # type: ignore[arg-type]
    assert result.etag == ETag("whole-2")
    assert script.parts[1] + script.parts[2] == body
    assert seen == [("multipart", 0, 0), ("put", PART, 0), ("put", 4, 0), ("multipart", 0, 0)]
    assert len(server.requests) == len(seen)


def test_etag_that_the_completion_does_not_tell_is_looked_up() -> None:
    """Where the completion's answer has an empty ETag (Ceph), the object is asked for it."""
    script = Multipart(
        complete=answer("200 OK", b"<CompleteMultipartUploadResult><ETag></ETag></CompleteMultipartUploadResult>")
    )
    with ScriptedServer(script) as server:
        assert store_at(server).put_stream(KEY, io.BytesIO(bytes(PART + 1))).etag == ETag("looked-up")


@pytest.mark.parametrize(("code", "error"), [("InternalError", Unavailable), ("SlowDown", Throttled)])
def test_completion_that_fails_late_is_a_failure(code: str, error: type[SwampsyncError]) -> None:
    """A completion that is answered by 200 and an error in its body failed, and leaves no parts."""
    script = Multipart(complete=s3_error("200 OK", code))
    with ScriptedServer(script) as server, pytest.raises(SwampsyncError) as caught:
        store_at(server).put_stream(KEY, io.BytesIO(bytes(PART + 1)))
    assert type(caught.value) is error
    assert server.requests[-1].method == "DELETE"


def test_failed_upload_leaves_no_parts() -> None:
    """If a part is refused, the upload is aborted, and the refusal raised."""
    script = Multipart(part_two=s3_error("403 Forbidden", "AccessDenied"))
    with ScriptedServer(script) as server, pytest.raises(AccessDenied):
        store_at(server).put_stream(KEY, io.BytesIO(bytes(PART + 1)))
    assert ("DELETE", "/team-data/swamp/a/b.json?uploadId=U1") in [(r.method, r.target) for r in server.requests]


def test_stream_that_cannot_be_read_leaves_no_parts() -> None:
    """If the stream itself fails, its own error is raised, and the upload aborted."""

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() >= PART:
                raise OSError("disk gone")
            return super().read(size)

    with ScriptedServer(Multipart()) as server, pytest.raises(OSError, match="disk gone"):
        store_at(server).put_stream(KEY, Failing(bytes(2 * PART)))
    assert "DELETE" in [r.method for r in server.requests]


def test_part_that_a_busy_server_refuses_is_put_again() -> None:
    """A part is the one request that is repeated: nothing above could repeat it alone."""
    replies = iter([s3_error("503 Slow Down", "SlowDown")])
    whole = Multipart()

    def script(request: Request) -> Reply:
        if "partNumber=2" in request.target:
            refused = next(replies, None)
            if refused is not None:
                return refused
        return whole(request)

    with ScriptedServer(script) as server:
        store_at(server).put_stream(KEY, io.BytesIO(bytes(PART + 1)))
    assert sum("partNumber=2" in r.target for r in server.requests) == 2
    assert len(whole.parts) == 2


def test_part_that_times_out_is_put_again() -> None:
    """A part that the server never answers is put again, in time: the time for all tries is longer than the tries."""
    replies = iter([Reply(b"", End.STALL)])
    whole = Multipart()

    def script(request: Request) -> Reply:
        silence = next(replies, None) if "partNumber=2" in request.target else None
        return silence or whole(request)

    with ScriptedServer(script) as server:
        store_at(server, request_timeout_seconds=0.15).put_stream(KEY, io.BytesIO(bytes(PART + 1)))
    assert sum("partNumber=2" in r.target for r in server.requests) == 2
    assert len(whole.parts) == 2


@pytest.mark.parametrize(("timeout_seconds", "patience"), [(30, "2m 30s"), (600, "50m")])
def test_parts_have_time_for_all_their_tries(timeout_seconds: int, patience: str) -> None:
    """However long one try may take, the last of them can still begin; nothing else is tried twice."""
    options = S3Options(bucket="team-data", endpoint="http://127.0.0.1:1", request_timeout_seconds=timeout_seconds)
    clients = S3Clients(options, StaticCredentials(KEYS), LocalDisk().read_bytes)
    found: Any = clients.of(Use.PARTS)
    assert found.client_options["timeout"] == patience
    assert found.retry_config["max_retries"] == 3
    assert found.retry_config["retry_timeout"] > 3 * timedelta(seconds=5 * timeout_seconds)
    others: list[Any] = [clients.of(Use.SMALL), clients.of(Use.BULK)]
    assert [other.retry_config["max_retries"] for other in others] == [0, 0]


# --- deleting --------------------------------------------------------------------------------------


def test_single_delete_is_a_delete_request() -> None:
    """One object is removed by DELETE, which every server has; that it is absent is success."""
    with ScriptedServer(always(s3_error("404 Not Found", "NoSuchKey"))) as server:
        store_at(server).delete(KEY)
    assert [r.method for r in server.requests] == ["DELETE"]


def test_delete_of_many_names_what_could_not_be_removed() -> None:
    """If a bulk delete reports a failure, the keys are removed one by one, and each error is told by its key."""

    def script(request: Request) -> Reply:
        if request.method == "POST":
            failure = b"<Error><Key>swamp/k1</Key><Code>AccessDenied</Code><Message>no</Message></Error>"
            return answer("200 OK", b"<DeleteResult>" + failure + b"</DeleteResult>")
        return s3_error("403 Forbidden", "AccessDenied") if request.target.endswith("k1") else answer("204 No Content")

    keys = [ObjectKey(f"k{n}") for n in range(3)]
    with ScriptedServer(script) as server:
        failed = store_at(server).delete_many(keys)
    assert {key.text: type(error) for key, error in failed.items()} == {"k1": AccessDenied}
    assert failed[keys[1]].key == "k1"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (s3_error("503 Slow Down", "SlowDown"), Throttled),
        (s3_error("404 Not Found", "NoSuchBucket"), BucketNotFound),
        (s3_error("400 Bad Request", "ExpiredToken"), CredentialsExpired),
    ],
)
def test_delete_of_many_does_not_ask_in_vain(reply: Reply, expected: type[SwampsyncError]) -> None:
    """If no key can be removed now, every key of the batch gets that error without a request of its own."""
    keys = [ObjectKey(f"k{n}") for n in range(3)]
    with ScriptedServer(always(reply)) as server:
        failed = store_at(server).delete_many(keys)
    assert {key: type(error) for key, error in failed.items()} == dict.fromkeys(keys, expected)
    assert len(server.requests) == 1


NOT_S3 = [b"<html>log in</html>", b"", b"{}"]


@pytest.mark.parametrize("body", NOT_S3)
def test_deletes_and_listings_believe_whatever_is_answered(body: bytes) -> None:
    """A 200 without S3's answer reads as done or empty; a put and a read at the same server fail."""
    with ScriptedServer(always(answer("200 OK", body))) as server:
        store = store_at(server)
        assert store.delete_many([KEY]) == {}
        assert server.requests[0].method == "POST"
        for act in (lambda: store.put(KEY, b"x", Create()), lambda: store.get(KEY), lambda: store.head(KEY)):
            with pytest.raises(ObjectStoreRefused):
                act()


def test_page_of_a_proxy_reads_as_an_empty_listing() -> None:
    """What is no listing has no objects and no directories in it, as far as obstore tells."""
    with ScriptedServer(always(answer("200 OK", NOT_S3[0]))) as server:
        store = store_at(server)
        assert list(store.list("")) == []
        assert list(store.list_dirs("")) == []
    assert len(server.requests) == 2


# --- reading and listing ---------------------------------------------------------------------------


def test_object_is_described_by_its_headers() -> None:
    """Size, ETag without quotes and the server's time come from the answer."""
    with ScriptedServer(always(served(b"12345", 'W/"e9"'))) as server:
        got = store_at(server).get(KEY)
    assert got.info == ObjectInfo(KEY, 5, ETag("e9"), datetime(2026, 11, 21, 10, tzinfo=UTC))
    assert got.body == b"12345"


def test_range_behind_the_end_says_how_large_the_object_is() -> None:
    """416 becomes an error that names the object's size."""

    def script(request: Request) -> Reply:
        if request.method == "HEAD":
            return Reply(served(b"12345").data[:-5])
        return s3_error("416 Range Not Satisfiable", "InvalidRange")

    with ScriptedServer(script) as server, pytest.raises(InvalidInput, match="has 5 bytes"):
        store_at(server).get(KEY, start=9)


def test_object_of_untold_size_is_an_error() -> None:
    """An answer that does not tell the object's size is none that an S3 server gives."""
    chunked = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nLast-Modified: ' + DATE.encode() + b"\r\n"
    reply = Reply(chunked + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    with ScriptedServer(always(reply)) as server, pytest.raises(ObjectStoreRefused, match="as an S3 server does"):
        store_at(server).get(KEY)


class Ranges:
    """A server of one large object; `change` makes it another one after so many requests."""

    def __init__(self, body: bytes, *, change_after: int | None = None, new_body: bytes = b"") -> None:
        self.body = body
        self.new_body = new_body
        self.change_after = change_after
        self.lock = threading.Lock()
        self.served = 0

    def __call__(self, request: Request) -> Reply:
        with self.lock:
            self.served += 1
            is_new = self.change_after is not None and self.served > self.change_after
        body, etag = (self.new_body, '"new"') if is_new else (self.body, '"old"')
        first, last = (int(n) for n in request.headers["range"].removeprefix("bytes=").split("-"))
        if first >= len(body):
            return s3_error("416 Range Not Satisfiable", "InvalidRange")
        last = min(last, len(body) - 1)
        where = f"bytes {first}-{last}/{len(body)}"
        return answer("206 Partial Content", body[first : last + 1], ETag=etag, Last_Modified=DATE, Content_Range=where)


def test_large_object_is_read_in_ranges_and_given_in_order() -> None:
    """A large object comes in ranges, each a request, and its chunks in order; a small one in one request."""
    body = bytes(range(256)) * (5 * FIRST_BYTES // 512 + 1)
    seen: list[tuple[str, int, int]] = []
    with ScriptedServer(Ranges(body)) as server, store_at(server, seen=seen).open(KEY) as (info, chunks):
        assert (info.size, info.etag) == (len(body), ETag("old"))
        assert b"".join(chunks) == body
    assert sorted(down for _, _, down in seen) == sorted([FIRST_BYTES, FIRST_BYTES, len(body) - 2 * FIRST_BYTES])
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "new_body", [bytes(3 * FIRST_BYTES), bytes(FIRST_BYTES), b"short"], ids=["as long", "shorter", "tiny"]
)
def test_object_that_is_replaced_while_it_is_read_is_an_error(new_body: bytes) -> None:
    """Ranges of two states are never joined, whatever the size of the new one."""
    script = Ranges(bytes(3 * FIRST_BYTES), change_after=1, new_body=new_body)

    def whole(request: Request) -> Reply:
        if request.method == "HEAD":
            return answer("200 OK", ETag='"new"', Last_Modified=DATE)
        return script(request)

    with (
        ScriptedServer(whole) as server,
        store_at(server).open(KEY) as (_, chunks),
        pytest.raises(Unavailable, match="replaced while it was read"),
    ):
        list(chunks)


def test_reading_may_stop_early() -> None:
    """Whoever leaves in the middle of a large object leaves nothing running."""
    with ScriptedServer(Ranges(bytes(20 * FIRST_BYTES))) as server:
        with store_at(server).open(KEY) as (_, chunks):
            assert len(next(chunks)) == FIRST_BYTES
            assert 1 <= len(next(chunks)) <= FIRST_BYTES
        assert len(server.requests) <= 9
    assert next(chunks, None) is None


def page(keys: list[str], token: str | None = None) -> Reply:
    entries = "".join(
        f"<Contents><Key>swamp/{k}</Key><LastModified>2026-11-21T10:00:00.000Z</LastModified>"
        f"<ETag>&quot;e&quot;</ETag><Size>1</Size></Contents>"
        for k in keys
    )
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return answer("200 OK", f"<ListBucketResult>{entries}{more}</ListBucketResult>".encode())


def test_listing_from_a_key_is_one_request_and_includes_the_key() -> None:
    """The tail of a log costs one request: it starts just before the last known commit, which comes back."""
    with ScriptedServer(always(page(["_log/0041.json"]))) as server:
        found = list(store_at(server).list("_log/", start="_log/0041.json"))
    assert [(o.key.text, o.etag) for o in found] == [("_log/0041.json", ETag("e"))]
    assert len(server.requests) == 1
    assert "start-after=swamp%2F_log%2F0041.jsom%7E" in server.requests[0].target
    assert "prefix=swamp%2F_log%2F" in server.requests[0].target


def test_what_surrounds_the_wanted_keys_is_dropped() -> None:
    """A string prefix is listed through its directory; what comes before and after is not given back."""
    with ScriptedServer(always(page(["a/b", "a/ca", "a/cb", "a/d", "a/e"]))) as server:
        assert [o.key.text for o in store_at(server).list("a/c")] == ["a/ca", "a/cb"]
        assert [o.key.text for o in store_at(server).list("a/c", start="a/cb")] == ["a/cb"]


def test_pages_are_followed_and_counted() -> None:
    """A listing follows continuation tokens, a request each, and only as far as it is read."""
    first, second = [f"k{n:04d}" for n in range(1000)], [f"k{n:04d}" for n in range(1000, 1500)]
    seen: list[tuple[str, int, int]] = []

    def script(request: Request) -> Reply:
        return page(second) if "continuation-token=T1" in request.target else page(first, "T1")

    with ScriptedServer(script) as server:
        store = store_at(server, seen=seen)
        assert [o.key.text for o in store.list("")] == first + second
        assert len(server.requests) == 2
        assert [kind for kind, _, _ in seen] == ["list", "list"]

        asked = len(server.requests)
        listing = iter(store.list(""))
        assert [next(listing).key.text for _ in first] == first
        assert len(server.requests) == asked + 1
        assert next(listing).key.text == "k1000"
        assert len(server.requests) == asked + 2


def test_foreign_key_is_refused_by_name() -> None:
    """A listing that holds a key with a `..` segment is refused: it must never reach a disk."""
    listed = always(page(["a/../../etc/passwd"]))
    with ScriptedServer(listed) as server, pytest.raises(ObjectStoreRefused, match="no disk can hold") as caught:
        list(store_at(server).list("a/"))
    assert "s3://team-data/swamp/a/" in (caught.value.hint or "")


def test_impossible_prefix_costs_no_request() -> None:
    """No key can begin with `../`, so nothing is asked."""
    with ScriptedServer(always(page([]))) as server:
        store = store_at(server)
        assert list(store.list("../x")) == []
        assert list(store.list_dirs("../")) == []
    assert server.requests == []


def test_requests_are_counted_with_their_bytes() -> None:
    """The hook is told each request once, failed ones too, with the bytes of the bodies."""
    seen: list[tuple[str, int, int]] = []
    part = answer("206 Partial Content", b"12345", ETag='"e1"', Last_Modified=DATE, Content_Range="bytes 0-4/5")
    replies = iter([WRITTEN, served(b"12345"), part, s3_error("404 Not Found", "NoSuchKey")])
    with ScriptedServer(lambda _: next(replies)) as server:
        store = store_at(server, seen=seen)
        store.put(KEY, b"123", Create())
        store.get(KEY)
        with store.open(KEY) as (_, chunks):
            assert b"".join(chunks) == b"12345"
        with pytest.raises(SwampsyncError):
            store.get(KEY)
    assert seen == [("put", 3, 0), ("get", 0, 5), ("get", 0, 5), ("get", 0, 0)]


# --- certificates ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return make_authority(tmp_path_factory.mktemp("tls"))


def test_server_of_a_private_authority_is_trusted_by_its_file(authority: tuple[Path, ssl.SSLContext]) -> None:
    """A server whose certificate a private authority has signed is reached with that authority's file."""
    path, context = authority
    with ScriptedServer(always(served(b"x")), tls=context) as server:
        assert store_at(server, ca_file=str(path)).get(KEY).body == b"x"


def test_certificate_that_is_not_trusted_is_an_error_for_good(authority: tuple[Path, ssl.SSLContext]) -> None:
    """Without the file the server is not trusted, and trying again would not help."""
    with ScriptedServer(always(served(b"x")), tls=authority[1]) as server:
        with pytest.raises(ObjectStoreRefused, match="certificate of https://127") as caught:
            store_at(server).get(KEY)
        assert server.requests == []
    assert "swamp config set datastore.config.caFile" in (caught.value.hint or "")


def test_certificates_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """A file of certificates that does not exist is named."""
    with ScriptedServer(always(WRITTEN)) as server, pytest.raises(InvalidInput, match=r"absent\.pem"):
        store_at(server, ca_file=str(tmp_path / "absent.pem")).get(KEY)


def test_certificates_file_that_holds_none_is_an_error(tmp_path: Path) -> None:
    """A file of certificates that cannot be read as such is named."""
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    with ScriptedServer(always(WRITTEN)) as server, pytest.raises(InvalidInput, match=r"ca\.pem"):
        store_at(server, ca_file=str(tmp_path / "ca.pem")).get(KEY)
