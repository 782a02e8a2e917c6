"""Errors inside a 200 to the completion of an upload are classed by their code, of which obstore tells two."""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import re
import threading
import traceback
from typing import Any

import pytest

from swampsync.backends.base import BucketNotFound, CredentialsExpired, ETag, ObjectStoreRefused, Throttled
from swampsync.backends.s3 import S3Store
from swampsync.backends.s3_answers import CompletionUntold
from swampsync.backends.s3_keys import S3Keys, StaticCredentials
from swampsync.backends.s3_settings import Checksum, S3Options
from swampsync.disk import LocalDisk
from swampsync.errors import AccessDenied, SwampsyncError, Unavailable
from swampsync.layout import ObjectKey
from swampsync.testing.scripted_server import Reply, Request, ScriptedServer, answer, s3_error

KEY = ObjectKey("infra/x")
KEYS = S3Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "FwoGZXIvYXdzEXAMPLETOKEN")
PART = 8 << 20
BODY = bytes(range(256)) * (PART // 256) + b"tail"
DONE = answer("200 OK", b'<CompleteMultipartUploadResult><ETag>"whole-2"</ETag></CompleteMultipartUploadResult>')


class Uploads:
    """A server that takes uploads and answers their completions one after the other, the last one for ever."""

    def __init__(self, *completions: Reply) -> None:
        self.completions = list(completions)
        self.parts: dict[tuple[int, int], bytes] = {}
        self.begun = 0
        self.lock = threading.Lock()

    def __call__(self, request: Request) -> Reply:
        with self.lock:
            number = re.search(r"partNumber=(\d+)", request.target)
            if number:
                self.parts[self.begun, int(number[1])] = request.body
                return answer("200 OK", ETag=f'"p{number[1]}"')
            if request.method == "POST" and "uploadId" not in request.target:
                self.begun += 1
                upload = f"<UploadId>U{self.begun}</UploadId>"
                body = f"<InitiateMultipartUploadResult>{upload}</InitiateMultipartUploadResult>"
                return answer("200 OK", body.encode())
            if request.method == "POST":
                return self.completions.pop(0) if len(self.completions) > 1 else self.completions[0]
        return answer("204 No Content")


def store_at(server: ScriptedServer, *, seen: list[tuple[str, int, int]] | None = None, **more: Any) -> S3Store:
    hook = None if seen is None else lambda kind, sent, received: seen.append((kind, sent, received))
    options = S3Options(bucket="team-data", prefix="swamp", endpoint=server.endpoint, **more)
    return S3Store(options, StaticCredentials(KEYS), on_request=hook, read_file=LocalDisk().read_bytes)


CODES: dict[str, tuple[type[SwampsyncError], str]] = {
    "AccessDenied": (AccessDenied, "allow `s3:PutObject` on"),
    "ExpiredToken": (CredentialsExpired, "aws sso login"),
    "RequestTimeTooSkewed": (AccessDenied, "timedatectl"),
    "SignatureDoesNotMatch": (AccessDenied, "AWS_SECRET_ACCESS_KEY"),
    "NoSuchBucket": (BucketNotFound, "aws s3 mb s3://team-data"),
    "QuotaExceeded": (ObjectStoreRefused, "ask its operator"),
    "OperationAborted": (Unavailable, "run the command again later"),
    "NoSuchUpload": (Unavailable, "run the command again later"),
    "RequestTimeout": (Unavailable, "run the command again later"),
    "ThrottlingException": (Throttled, "config set datastore.config.concurrency 8"),
    "PermanentRedirect": (ObjectStoreRefused, "get-bucket-location"),
    "UnknownError": (Unavailable, "run the command again later"),
    "EntityTooSmall": (ObjectStoreRefused, ""),
}


@pytest.mark.parametrize("code", CODES)
def test_completion_that_fails_late_is_classed_by_its_code(code: str) -> None:
    """Class, key and hint are those of the same code under any other status; neither upload leaves parts behind."""
    wanted, hint = CODES[code]
    script = Uploads(s3_error("200 OK", code, "so it is"))
    with ScriptedServer(script) as server, pytest.raises(SwampsyncError) as caught:
        store_at(server).put_stream(KEY, io.BytesIO(BODY))
    assert type(caught.value) is wanted
    assert hint in (caught.value.hint or "")
    assert caught.value.key == KEY.text
    assert code in str(caught.value.__cause__)
    aborted = [request.target for request in server.requests if request.method == "DELETE"]
    assert [target.rpartition("=")[2] for target in aborted] == ["U1", "U2"]


def test_server_without_a_code_has_a_problem_of_its_own() -> None:
    """A completion that is answered by 500 and nothing else may go well later."""
    script = Uploads(s3_error("200 OK", "OfTheirOwn"), answer("500 Oops"))
    with ScriptedServer(script) as server, pytest.raises(Unavailable, match="500"):
        store_at(server).put_stream(KEY, io.BytesIO(BODY))


def test_upload_that_goes_well_the_second_time_is_done() -> None:
    """The second upload is a whole one, of the body from where it stood, with all that the first one asked for."""
    script, seen = Uploads(s3_error("200 OK", "AccessDenied"), DONE), list[tuple[str, int, int]]()
    body = io.BytesIO(b"before" + BODY)
    body.seek(6)
    with ScriptedServer(script) as server:
        store = store_at(server, seen=seen, sse="aws:kms", sse_kms_key="the-key", checksum=Checksum.SHA256)
        assert store.put_stream(KEY, body).etag == ETag("whole-2")
    assert script.parts[2, 1] + script.parts[2, 2] == BODY
    begin, *parts, end = [request for request in server.requests if "/swamp/infra/x" in request.target][-4:]
    assert begin.headers["x-amz-server-side-encryption"] == "aws:kms"
    assert begin.headers["x-amz-server-side-encryption-aws-kms-key-id"] == "the-key"
    sums = [base64.b64encode(hashlib.sha256(piece).digest()).decode() for piece in (BODY[:PART], b"tail")]
    assert [part.headers["x-amz-checksum-sha256"] for part in parts] == sums
    assert all(f"<ChecksumSHA256>{one}</ChecksumSHA256>".encode() in end.body for one in sums)
    assert seen[-4:] == [("multipart", 0, 0), ("put", PART, 0), ("put", 4, 0), ("multipart", 0, 0)]


def test_stream_that_cannot_be_read_again_says_so() -> None:
    """Without the body nobody can ask again: the error is one for good, with a hint."""

    class Once(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with (
        ScriptedServer(Uploads(s3_error("200 OK", "AccessDenied"))) as server,
        pytest.raises(CompletionUntold, match="did not put the parts together") as caught,
    ):
        store_at(server).put_stream(KEY, Once(bytes((16 << 20) + 1)))
    assert "from a file" in (caught.value.hint or "")


def test_body_that_fails_the_second_time_leaves_no_parts() -> None:
    """An error of the stream itself comes out unchanged, and the second upload is aborted too."""

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if script.begun == 2 and self.tell() >= PART:
                raise OSError("disk gone")
            return super().read(size)

    script = Uploads(s3_error("200 OK", "AccessDenied"))
    with ScriptedServer(script) as server, pytest.raises(OSError, match="disk gone"):
        store_at(server).put_stream(KEY, Failing(BODY))
    assert server.requests[-1].method == "DELETE"
    assert server.requests[-1].target.endswith("U2")


def test_no_credential_is_printed(caplog: pytest.LogCaptureFixture) -> None:
    """Neither error, hint, traceback nor log of ours shows a key, even if the server repeats what we sent."""
    echo = f"no {KEYS.access_key_id} {KEYS.secret_access_key} {KEYS.session_token}"
    with (
        caplog.at_level(logging.DEBUG, logger="swampsync"),
        ScriptedServer(Uploads(s3_error("200 OK", "AccessDenied", echo))) as server,
        pytest.raises(AccessDenied) as caught,
    ):
        store_at(server).put_stream(KEY, io.BytesIO(BODY))
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(caught.value.hint)
    assert not [secret for secret in KEYS.secrets if secret in shown + caplog.text]
