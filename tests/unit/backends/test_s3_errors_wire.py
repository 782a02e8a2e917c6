"""Every way in which a request to S3 goes wrong, played as bytes on a socket: class, key and hint."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import socket
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from swampsync.backends.base import (
    BucketNotFound,
    Create,
    CredentialsExpired,
    ETag,
    IfMatch,
    NotConnected,
    NotSupported,
    ObjectExists,
    ObjectNotFound,
    ObjectStoreRefused,
    Overwrite,
    PreconditionFailed,
    Throttled,
)
from swampsync.backends.s3 import S3Store
from swampsync.backends.s3_answers import ChecksumWanted
from swampsync.backends.s3_keys import S3Keys, StaticCredentials
from swampsync.backends.s3_pieces import FIRST_BYTES
from swampsync.backends.s3_settings import ETagQuoting, S3Options
from swampsync.disk import LocalDisk
from swampsync.errors import AccessDenied, SwampsyncError, Unavailable
from swampsync.layout import ObjectKey
from swampsync.testing.scripted_server import End, Reply, Request, ScriptedServer, answer, s3_error

KEY = ObjectKey("infra/_log/1.json")
KEYS = S3Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "FwoGZXIvYXdzEXAMPLETOKEN")
DATE = "Sat, 21 Nov 2026 10:00:00 GMT"


def store_at(endpoint: str, **more: Any) -> S3Store:
    options: dict[str, Any] = {
        "bucket": "team-data",
        "prefix": "swamp",
        "region": "eu-north-1",
        "etag_quoting": ETagQuoting.QUOTED,
    }
    options |= {"endpoint": endpoint, "request_timeout_seconds": 0.2}
    return S3Store(S3Options(**(options | more)), StaticCredentials(KEYS), read_file=LocalDisk().read_bytes)


def stream(store: S3Store) -> bytes:
    with store.open(KEY) as (_, chunks):
        return b"".join(chunks)


OPERATIONS: dict[str, Callable[[S3Store], object]] = {
    "get": lambda s: s.get(KEY),
    "head": lambda s: s.head(KEY),
    "open": stream,
    "put": lambda s: s.put(KEY, b"x", Overwrite()),
    "create": lambda s: s.put(KEY, b"x", Create()),
    "swap": lambda s: s.put(KEY, b"x", IfMatch(ETag("abc"))),
    "stream": lambda s: s.put_stream(KEY, io.BytesIO(b"x")),
    "delete": lambda s: s.delete(KEY),
    "list": lambda s: list(s.list("infra/")),
    "dirs": lambda s: list(s.list_dirs("infra/")),
}
READS = ("get", "head", "open")
WRITES = ("put", "create", "swap", "stream")
ALL = tuple(OPERATIONS)


def fail(reply: Reply, operation: str, **options: Any) -> SwampsyncError:
    """Answer every request with `reply` (to HEAD without its body, as HTTP has it) and return the error."""

    def script(request: Any) -> Reply:
        if request.method == "HEAD" and reply.end is End.KEEP:
            head, separator, _ = reply.data.partition(b"\r\n\r\n")
            return Reply(head + separator)
        return reply

    with ScriptedServer(script) as server, pytest.raises(SwampsyncError) as caught:
        OPERATIONS[operation](store_at(server.endpoint, **options))
    return caught.value


@dataclass(frozen=True)
class Case:
    """An answer and what becomes of it: the class, and what message and hint say."""

    reply: Reply
    error: type[SwampsyncError]
    hint: str
    operations: tuple[str, ...] = ALL
    message: str = ""


LOST = "^another writer was first: run the command again"
LOCKED = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters"
NOT_AUTHORIZED = "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: {} on resource: x"

CASES: dict[str, Case] = {
    "missing bucket": Case(
        s3_error("404 Not Found", "NoSuchBucket"), BucketNotFound, "aws s3 mb s3://team-data", message="`team-data`"
    ),
    "missing object": Case(
        s3_error("404 Not Found", "NoSuchKey"), ObjectNotFound, "", READS, "no object `infra/_log/1.json`"
    ),
    "404 of something that is not S3": Case(
        answer("404 Not Found", b"<html>nginx</html>"), ObjectStoreRefused, "address of an S3 server", ("get", "list")
    ),
    "create finds an object": Case(
        s3_error("412 Precondition Failed", "PreconditionFailed"), ObjectExists, LOST, ("create",)
    ),
    "create loses a race": Case(
        s3_error("409 Conflict", "ConditionalRequestConflict"), ObjectExists, LOST, ("create",)
    ),
    "swap finds another": Case(
        s3_error("412 Precondition Failed", "PreconditionFailed"), PreconditionFailed, LOST, ("swap",)
    ),
    "swap loses a race": Case(
        s3_error("409 Conflict", "ConditionalRequestConflict"), PreconditionFailed, LOST, ("swap",)
    ),
    "swap finds none": Case(s3_error("404 Not Found", "NoSuchKey"), PreconditionFailed, LOST, ("swap",)),
    "another operation is under way": Case(
        s3_error("409 Conflict", "OperationAborted"), Unavailable, "later", ("put", "create", "swap", "delete")
    ),
    "no conditional puts": Case(
        s3_error("501 Not Implemented", "NotImplemented"), NotSupported, "swamp doctor backend", ("create", "swap")
    ),
    "not implemented": Case(
        s3_error("501 Not Implemented", "NotImplemented"), ObjectStoreRefused, "swamp doctor backend", ("put", "list")
    ),
    "object lock, as AWS says it": Case(
        s3_error("400 Bad Request", "InvalidRequest", LOCKED), ChecksumWanted, "checksum sha256", WRITES
    ),
    "object lock, as others say it": Case(
        s3_error("400 Bad Request", "MissingUploadObjectWithObjectLockHeaders"), ChecksumWanted, "checksum", WRITES
    ),
    "another invalid request": Case(
        s3_error("400 Bad Request", "InvalidRequest", "too bad"), ObjectStoreRefused, "", WRITES
    ),
    "429": Case(
        s3_error("429 Too Many Requests", "TooManyRequests"), Throttled, "config set datastore.config.concurrency 8"
    ),
    "503 SlowDown": Case(
        s3_error("503 Slow Down", "SlowDown"),
        Throttled,
        "config set datastore.config.concurrency 8",
        (*WRITES, "get", "list"),
    ),
    "503": Case(s3_error("503 Service Unavailable", "ServiceUnavailable"), Unavailable, "run the command again later"),
    "503 of a proxy": Case(answer("503 Service Unavailable", b"<html>"), Unavailable, "run the command again later"),
    "500": Case(s3_error("500 Internal Server Error", "InternalError"), Unavailable, "run the command again later"),
    "400 RequestTimeout": Case(s3_error("400 Bad Request", "RequestTimeout"), Unavailable, "later", WRITES),
    "quota": Case(s3_error("403 Forbidden", "QuotaExceeded"), ObjectStoreRefused, "ask its operator", WRITES),
    "expired credentials": Case(s3_error("400 Bad Request", "ExpiredToken"), CredentialsExpired, "aws sso login"),
    "expired credentials, 403": Case(s3_error("403 Forbidden", "ExpiredToken"), CredentialsExpired, "aws sso login"),
    "clock skew": Case(s3_error("403 Forbidden", "RequestTimeTooSkewed"), AccessDenied, "timedatectl set-ntp true"),
    "unknown key": Case(s3_error("403 Forbidden", "InvalidAccessKeyId"), AccessDenied, "AWS_ACCESS_KEY_ID"),
    "wrong secret": Case(s3_error("403 Forbidden", "SignatureDoesNotMatch"), AccessDenied, "AWS_SECRET_ACCESS_KEY"),
    "wrong session token": Case(s3_error("400 Bad Request", "InvalidToken"), AccessDenied, "AWS_SESSION_TOKEN"),
    "401": Case(s3_error("401 Unauthorized", "Unauthorized"), AccessDenied, "allow `s3:"),
    "403 on reading, reason unknown": Case(
        s3_error("403 Forbidden", "AccessDenied", "Access Denied"), AccessDenied, "and `s3:ListBucket` on", READS
    ),
    "403 on reading, with ListBucket": Case(
        s3_error("403 Forbidden", "AccessDenied", NOT_AUTHORIZED.format("s3:GetObject")),
        AccessDenied,
        r"^allow `s3:GetObject` on `arn:aws:s3:::team-data/swamp/\*` \(all that is needed: swamp namespace policy\)$",
        READS,
    ),
    "403 on reading, without ListBucket": Case(
        s3_error("403 Forbidden", "AccessDenied", NOT_AUTHORIZED.format("s3:ListBucket")),
        AccessDenied,
        r"^allow `s3:ListBucket` on `arn:aws:s3:::team-data`: without it S3 answers 403",
        READS,
    ),
    "403 on writing": Case(s3_error("403 Forbidden", "AccessDenied"), AccessDenied, "allow `s3:PutObject` on", WRITES),
    "403 on deleting": Case(
        s3_error("403 Forbidden", "AccessDenied"), AccessDenied, "allow `s3:DeleteObject`", ("delete",)
    ),
    "403 on listing": Case(
        s3_error("403 Forbidden", "AccessDenied"),
        AccessDenied,
        r"allow `s3:ListBucket` on `arn:aws:s3:::team-data` \(all that is needed: swamp namespace policy\)$",
        ("list", "dirs"),
    ),
    "403 of the encryption key": Case(
        s3_error("403 Forbidden", "AccessDenied", NOT_AUTHORIZED.format("kms:GenerateDataKey")),
        AccessDenied,
        "allow `kms:GenerateDataKey` on the bucket's encryption key",
        WRITES,
    ),
    "wrong region, named": Case(
        s3_error(
            "400 Bad Request", "AuthorizationHeaderMalformed", "the region is wrong", "<Region>eu-west-1</Region>"
        ),
        ObjectStoreRefused,
        "^swamp config set datastore.config.region eu-west-1 ",
        message="not in region `eu-north-1`",
    ),
    "wrong region, named by what a shell would run": Case(
        s3_error("400 Bad Request", "AuthorizationHeaderMalformed", "no", "<Region>$(rm -rf ~)</Region>"),
        ObjectStoreRefused,
        "^set the region that this prints: aws s3api get-bucket-location --bucket team-data$",
    ),
    "wrong region, redirected": Case(
        s3_error("301 Moved Permanently", "PermanentRedirect"),
        ObjectStoreRefused,
        "get-bucket-location --bucket team-data",
        message="not in region `eu-north-1`",
    ),
    "wrong region, 307": Case(
        s3_error("307 Temporary Redirect", "TemporaryRedirect"),
        ObjectStoreRefused,
        "get-bucket-location",
        ("get", "put"),
    ),
    "connection closed without an answer": Case(Reply(b"", End.CLOSE), Unavailable, "check the network"),
    "connection reset": Case(Reply(b"", End.RESET), Unavailable, "check the network"),
    "silence": Case(Reply(b"", End.STALL), Unavailable, "requestTimeoutMs", ("get", "put", "create", "list", "delete")),
    "not HTTP": Case(Reply(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", End.CLOSE), ObjectStoreRefused, "S3 server"),
    "page of a proxy": Case(
        answer("200 OK", b"<html>log in</html>"), ObjectStoreRefused, "not of a proxy", ("get", "head", "open", *WRITES)
    ),
}


@pytest.mark.parametrize(("name", "operation"), [(name, op) for name, case in CASES.items() for op in case.operations])
def test_answer_becomes_our_error(name: str, operation: str) -> None:
    """Each answer gives the class that says what to do, with a hint that helps and the key it is about."""
    case = CASES[name]
    error = fail(case.reply, operation)
    assert type(error) is case.error, repr(error)
    assert re.search(case.hint, error.hint or ""), error.hint
    assert case.message in error.message
    assert error.key in {KEY.text, "infra/"}
    assert error.message[0].islower() or error.message.startswith("AWS")
    assert not error.message.endswith(".")


@pytest.mark.parametrize(
    ("sse", "size", "hint"),
    [(None, 9 << 20, "nothing above 8 MiB"), ("AES256", 9 << 20, "unset datastore.config.sse"), ("AES256", 1, "sse")],
)
def test_what_a_server_lacks_is_named_where_it_can_be_guessed(sse: str | None, size: int, hint: str) -> None:
    """A 501 to an upload, or to a put that asks for encryption, says what to do without."""
    lacking = s3_error("501 Not Implemented", "NotImplemented")
    with ScriptedServer(lambda _: lacking) as server, pytest.raises(ObjectStoreRefused) as caught:
        store_at(server.endpoint, sse=sse).put_stream(KEY, io.BytesIO(bytes(size)))
    assert hint in (caught.value.hint or "")


HEAD = (
    "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-3999999/4000000\r\nContent-Length: 4000000\r\n"
    f'ETag: "abc"\r\nLast-Modified: {DATE}\r\n\r\n'
).encode()
BODIES = {
    "stalled": (End.STALL, "did not answer in time (request timeout 0.2 s)", "requestTimeoutMs"),
    "reset": (End.RESET, "broke", "check the network, then run the command again"),
    "short": (End.CLOSE, "broke", "check the network, then run the command again"),
}


@pytest.mark.parametrize("operation", ["get", "open"])
@pytest.mark.parametrize("name", BODIES)
def test_body_that_stops_is_unavailable(name: str, operation: str) -> None:
    """A body that stalls, is reset or ends early is an error that can be retried, never a short object."""
    end, message, hint = BODIES[name]
    error = fail(Reply(HEAD + b"x" * 3_000_000, end), operation)
    assert type(error) is Unavailable
    assert message in error.message
    assert hint in (error.hint or "")
    assert error.key == KEY.text


class Nowhere:
    """Takes what comes and keeps nothing."""

    def write_at(self, offset: int, data: bytes) -> None:
        pass


def download(store: S3Store) -> list[int]:
    with store.download(KEY, Nowhere()) as (_, extents):
        return list(extents)


@pytest.mark.parametrize("act", [stream, download])
@pytest.mark.parametrize("name", BODIES)
def test_later_range_that_stops_is_unavailable(name: str, act: Callable[[S3Store], object]) -> None:
    """A large object whose first range came whole, and a later one not, is an error that can be retried."""
    end, message, hint = BODIES[name]
    size = FIRST_BYTES + 1_000_000

    def script(request: Request) -> Reply:
        first, last = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers["range"]).groups()  # type: ignore[union-attr]
        at, until = int(first), min(int(last), size - 1)
        place = {"ETag": '"abc"', "Last_Modified": DATE, "Content_Range": f"bytes {at}-{until}/{size}"}
        whole = answer("206 Partial Content", bytes(until + 1 - at), **place)
        return whole if at == 0 else Reply(whole.data[:-500_000], end)

    with ScriptedServer(script) as server, pytest.raises(SwampsyncError) as caught:
        act(store_at(server.endpoint))
    error = caught.value
    assert len(server.requests) == 2
    assert type(error) is Unavailable
    assert message in error.message
    assert hint in (error.hint or "")
    assert error.key == KEY.text


def test_bulk_delete_in_silence_fails_for_every_key() -> None:
    """A bulk delete that the server never answers may have removed anything: each of its keys can be tried again."""
    keys = [ObjectKey(f"k{n}") for n in range(3)]
    with ScriptedServer(lambda _: Reply(b"", End.STALL)) as server:
        failed = store_at(server.endpoint, request_timeout_seconds=0.05).delete_many(keys)
    assert {key: type(error) for key, error in failed.items()} == dict.fromkeys(keys, Unavailable)
    assert len(server.requests) == 1


@pytest.mark.parametrize("end", [End.STALL, End.RESET, End.CLOSE])
def test_listing_that_stops_is_unavailable(end: End) -> None:
    """A listing whose page breaks off is an error, never a short listing."""
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n<ListBucketResult><Contents>"
    assert type(fail(Reply(page, end), "list")) is Unavailable


@pytest.mark.parametrize(
    "word", ["redirect", "certificate", "InvalidCertificate", "TimedOut", "invalid path", "Parse("]
)
@pytest.mark.parametrize("end", [End.CLOSE, End.RESET])
def test_words_in_keys_are_not_taken_for_the_networks(word: str, end: End) -> None:
    """A broken connection is one that can be retried, whatever bucket, prefix and key are called."""
    key = ObjectKey(f"infra/data/{word}/1/raw")
    with ScriptedServer(lambda _: Reply(b"", end)) as server:
        store = store_at(server.endpoint, bucket="team-certificates", prefix=f"redirect/{word}")
        for act in (lambda: store.get(key), lambda: store.put(key, b"x", Create()), lambda: store.delete(key)):
            with pytest.raises(Unavailable, match="broke"):
                act()


def test_no_server_is_unavailable() -> None:
    """A refused connection is an error that can be retried and names the endpoint."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotConnected, match="no connection to") as caught:
        store_at(f"http://127.0.0.1:{port}").get(KEY)
    assert f"check `http://127.0.0.1:{port}`" in (caught.value.hint or "")


def test_unknown_host_is_unavailable() -> None:
    """A name that cannot be resolved is an error that names the endpoint."""
    with pytest.raises(NotConnected, match="cannot be resolved") as caught:
        store_at("http://no-such-host.invalid", request_timeout_seconds=5).get(KEY)
    assert "check `http://no-such-host.invalid`" in (caught.value.hint or "")


def test_connection_that_is_not_made_in_time_is_none() -> None:
    """A server whose queue is full, or a network that drops everything, is told apart from one that answers late."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        with pytest.raises(NotConnected, match="no connection to"):
            store_at(f"http://127.0.0.1:{listener.getsockname()[1]}").get(KEY)


def test_head_asks_again_for_the_reason() -> None:
    """The answer to HEAD has no body, so that one GET tells a missing bucket from a missing object."""
    replies = {"HEAD": answer("404 Not Found"), "GET": s3_error("404 Not Found", "NoSuchBucket")}
    with ScriptedServer(lambda request: replies[request.method]) as server, pytest.raises(BucketNotFound):
        store_at(server.endpoint).head(KEY)
    assert [request.method for request in server.requests] == ["HEAD", "GET"]


def test_object_that_appears_between_the_questions_is_found() -> None:
    """If GET finds what HEAD did not, the object is described."""
    found = answer("206 Partial Content", b"a", ETag='"abc"', Last_Modified=DATE, Content_Range="bytes 0-0/7")
    replies = {"HEAD": answer("404 Not Found"), "GET": found}
    with ScriptedServer(lambda request: replies[request.method]) as server:
        assert store_at(server.endpoint).head(KEY).size == 7


@pytest.mark.parametrize(
    "reply",
    [
        s3_error("500 Internal Server Error", "InternalError"),
        s3_error("503 Slow Down", "SlowDown"),
        Reply(b"", End.CLOSE),
    ],
)
@pytest.mark.parametrize("operation", ["get", "put", "create", "swap", "delete", "list"])
def test_no_request_is_repeated(reply: Reply, operation: str) -> None:
    """The store sends a request once: whether it may be repeated is decided above it."""
    with ScriptedServer(lambda _: reply) as server, pytest.raises(Unavailable):
        OPERATIONS[operation](store_at(server.endpoint))
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", CASES)
def test_no_credential_is_printed(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither error, hint, cause, traceback nor log shows a key, even if the server repeats what we sent."""
    case = CASES[name]
    echo = f" {KEYS.access_key_id} {KEYS.secret_access_key} {KEYS.session_token} "
    reply = Reply(case.reply.data.replace(b"<Message>", b"<Message>" + echo.encode()), case.reply.end)
    head, separator, body = reply.data.partition(b"\r\n\r\n")
    head = re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(body), head)
    with caplog.at_level(logging.DEBUG):
        error = fail(Reply(head + separator + body, reply.end), case.operations[0])
    shown = "".join(traceback.format_exception(error)) + repr(error) + str(error.hint) + caplog.text
    for secret in KEYS.secrets:
        assert secret not in shown
    assert "Debug source" not in shown


def test_credential_at_the_end_of_a_long_message_is_not_printed_in_part() -> None:
    """Messages are cut after their secrets are, so that no beginning of one is left."""
    secret = KEYS.secret_access_key
    error = fail(s3_error("403 Forbidden", "AccessDenied", "x" * (300 - len(secret) // 2) + secret), "get")
    assert secret[:6] not in error.message + str(error.__cause__)
    assert len(error.message) < 500


def test_nothing_that_holds_keys_shows_them() -> None:
    """Keys, their source and the store have no secret in their `repr`."""
    store = store_at("http://127.0.0.1:1")
    shown = repr(KEYS) + str(KEYS) + repr(StaticCredentials(KEYS)) + repr(store) + repr(vars(store))
    assert not [secret for secret in KEYS.secrets if secret in shown]
