"""What went wrong on the wire, as our errors: the one place that classes them, by status and `<Code>`.

`tests/unit/backends/test_s3_errors_table.py` asks for every code and status, `test_s3_errors_wire.py` plays the bytes
of the usual ones on a socket.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from swampsync.backends.base import (
    BucketNotFound,
    CredentialsExpired,
    NotConnected,
    NotSupported,
    ObjectExists,
    ObjectNotFound,
    ObjectStoreRefused,
    PreconditionFailed,
    Throttled,
)
from swampsync.backends.s3_answers import (
    Answer,
    ChecksumWanted,
    CompletionUntold,
    Operation,
    Trouble,
    WireError,
    describe,
)
from swampsync.backends.s3_hints import hint_for_access, hint_for_certificate, hint_for_load, hint_for_region
from swampsync.backends.s3_settings import S3Options
from swampsync.errors import AccessDenied, SwampsyncError, Unavailable

_EXPIRED: Final = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"}
_DENIED: Final = {
    "AccessDenied", "AccessDeniedException", "AccountProblem", "AllAccessDisabled", "Forbidden", "InvalidAccessKeyId",
    "InvalidSecurity", "InvalidToken", "NotSignedUp", "RequestTimeTooSkewed", "SignatureDoesNotMatch", "Unauthorized",
    "UnauthorizedAccess", "XAmzContentSHA256Mismatch",
}  # fmt: skip
_THROTTLED: Final = {
    "BandwidthLimitExceeded", "KMS.ThrottlingException", "RequestLimitExceeded", "RequestThrottled", "SlowDown",
    "SlowDownRead", "SlowDownWrite", "Throttling", "ThrottlingException", "TooManyRequests",
}  # fmt: skip
_AGAIN: Final = {
    "BadDigest", "IncompleteBody", "InternalError", "NoSuchUpload", "OperationAborted", "RequestTimeout",
    "ServiceUnavailable", "UnknownError",
}  # fmt: skip
_REGION: Final = {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect",
                  "TemporaryRedirect", "Redirect"}  # fmt: skip
_NO_ROOM: Final = {"InsufficientCapacity", "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"}
_CHECKSUM: Final = {"MissingUploadObjectWithObjectLockHeaders", "MissingContentMD5"}


def translate(
    answer: Answer, operation: Operation, *, key: str | None, options: S3Options, secrets: Iterable[str] = ()
) -> SwampsyncError:
    """Make our error of an answer, its cause set.

    Args:
        answer: What came back.
        operation: What was asked.
        key: The object's key, or the prefix of a listing.
        options: Whose bucket and region the message and the hint name.
        secrets: What must not appear in it.
    """
    answer = answer.redacted(secrets)
    error = _translate_trouble(answer, operation, key, options) if answer.status is None and not answer.code else None
    if error is None:
        error = _translate_status(answer, operation, key, options)
    error.__cause__ = WireError(describe(answer))
    return error


def _subject(operation: Operation, key: str | None, options: S3Options) -> str:
    return (
        f"cannot {operation.value} `{key}` in `{options.url}`" if key else f"cannot {operation.value} `{options.url}`"
    )


def _translate_status(answer: Answer, operation: Operation, key: str | None, options: S3Options) -> SwampsyncError:
    status, code = answer.status or 0, answer.code or ""
    what = f"{_subject(operation, key, options)}: {describe(answer)}"
    if code == "NoSuchBucket":
        return BucketNotFound(
            f"bucket `{options.bucket}` does not exist at {options.where}",
            hint=f"create it with `aws s3 mb s3://{options.bucket}`, or correct bucket, region and endpoint",
            key=key,
        )
    if operation in {Operation.CREATE, Operation.SWAP}:
        conditional = _translate_condition(answer, operation, key)
        if conditional is not None:
            return conditional
    for explain in (_explain_checksum, _explain_place_and_load, _explain_access):
        explained = explain(answer, operation, key, options)
        if explained is not None:
            return explained
    if code == "NoSuchKey" or (status == 404 and operation is Operation.HEAD):
        return ObjectNotFound(f"no object `{key}` in `{options.url}`", key=key)
    if status == 404:
        return ObjectStoreRefused(
            f"{what}: this is not how an S3 server says that something is missing",
            hint=f"check that `{options.where}` is the address of an S3 server",
            key=key,
        )
    return ObjectStoreRefused(what, hint="find out what the server takes and what not: swamp doctor backend", key=key)


def _explain_checksum(
    answer: Answer, operation: Operation, key: str | None, options: S3Options
) -> SwampsyncError | None:
    """The bucket is under Object Lock. AWS says so in words only, under a code that means anything."""
    says_so = answer.code == "InvalidRequest" and "content-md5" in answer.message.lower()
    if answer.code not in _CHECKSUM and not says_so:
        return None
    return ChecksumWanted(
        f"{_subject(operation, key, options)}: {describe(answer)}",
        hint="swamp config set datastore.config.checksum sha256",
        key=key,
    )


def _explain_place_and_load(
    answer: Answer, operation: Operation, key: str | None, options: S3Options
) -> SwampsyncError | None:
    """The bucket is elsewhere, or the server has too much to do or no room left."""
    status, code = answer.status or 0, answer.code or ""
    what = f"{_subject(operation, key, options)}: {describe(answer)}"
    if code in _REGION or status in {301, 307, 308}:
        return ObjectStoreRefused(
            f"bucket `{options.bucket}` is not in region `{options.region}`: {describe(answer)}",
            hint=hint_for_region(options.bucket, answer.region),
            key=key,
        )
    if code in _NO_ROOM or status == 507:
        return ObjectStoreRefused(what, hint="the store is full or a quota is used up: ask its operator", key=key)
    if code in _THROTTLED or status == 429:
        return Throttled(
            f"{options.where} asks us to slow down: {describe(answer)}",
            hint=hint_for_load(options.concurrency),
            key=key,
        )
    if code == "NotImplemented" or status == 501:
        return _not_implemented(answer, operation, key, options)
    if code in _AGAIN or status >= 500 or status == 408:
        return Unavailable(what, hint="the store has a problem of its own: run the command again later", key=key)
    return None


def _explain_access(answer: Answer, operation: Operation, key: str | None, options: S3Options) -> SwampsyncError | None:
    """The keys are old, wrong or not allowed to do this."""
    status, code = answer.status or 0, answer.code or ""
    what = f"{_subject(operation, key, options)}: {describe(answer)}"
    if code in _EXPIRED:
        login = f"aws sso login --profile {options.profile}" if options.profile else "aws sso login"
        hint = f"renew the credentials (`{login}`, or new keys in the environment), then run the command again"
        return CredentialsExpired(f"the credentials have expired: {describe(answer)}", hint=hint, key=key)
    if code in _DENIED or status in {401, 403}:
        return AccessDenied(what, hint=hint_for_access(answer.code, answer.message, operation.name, options), key=key)
    return None


def _translate_condition(answer: Answer, operation: Operation, key: str | None) -> SwampsyncError | None:
    # 409: somebody else's request for the key was under way; as good as having lost against it.
    lost = answer.status == 412 or answer.code in {"ConditionalRequestConflict", "PreconditionFailed"}
    if operation is Operation.CREATE and (lost or answer.status == 304):
        return ObjectExists(f"object `{key}` exists already, or is just being written", key=key)
    if operation is Operation.SWAP and (lost or answer.code == "NoSuchKey"):
        return PreconditionFailed(f"object `{key}` is not what it was", key=key)
    return None


def _not_implemented(answer: Answer, operation: Operation, key: str | None, options: S3Options) -> SwampsyncError:
    if operation in {Operation.CREATE, Operation.SWAP}:
        condition = "create-only" if operation is Operation.CREATE else "conditional"
        return NotSupported(
            f"{options.where} has no {condition} put: {describe(answer)}", hint="swamp doctor backend", key=key
        )
    if options.sse is not None and operation in {Operation.PUT, Operation.PARTS}:
        hint = "the server may lack the encryption that is asked for: swamp config unset datastore.config.sse"
    elif operation is Operation.PARTS:
        hint = "without multipart uploads nothing above 8 MiB can be stored there: use another server"
    else:
        hint = "find out what else the server lacks: swamp doctor backend"
    return ObjectStoreRefused(f"{_subject(operation, key, options)}: {describe(answer)}", hint=hint, key=key)


def _translate_trouble(answer: Answer, operation: Operation, key: str | None, options: S3Options) -> SwampsyncError:
    what = _subject(operation, key, options)
    where = options.where
    address = f"`{options.endpoint}`" if options.endpoint else f"region `{options.region}`"
    match answer.trouble:
        case Trouble.TIMEOUT:
            return Unavailable(
                f"{what}: {where} did not answer in time (request timeout {options.request_timeout_seconds:g} s)",
                hint="check the network, or wait longer: swamp config set datastore.config.requestTimeoutMs 120000",
                key=key,
            )
        case Trouble.DNS:
            return NotConnected(f"{what}: the name of {where} cannot be resolved", hint=f"check {address}", key=key)
        case Trouble.CONNECT:
            return NotConnected(
                f"{what}: no connection to {where}", hint=f"check {address} and the network, then try again", key=key
            )
        case Trouble.CERTIFICATE:
            said = f"{what}: the certificate of {where} is not trusted"
            return ObjectStoreRefused(said, hint=hint_for_certificate(), key=key)
        case Trouble.REDIRECT:
            return ObjectStoreRefused(
                f"bucket `{options.bucket}` is not in region `{options.region}`: {where} points elsewhere",
                hint=hint_for_region(options.bucket, None),
                key=key,
            )
        case Trouble.BROKEN:
            return Unavailable(
                f"{what}: the connection to {where} broke",
                hint="check the network, then run the command again",
                key=key,
            )
        case Trouble.UNTOLD:
            return CompletionUntold(
                f"{what}: {where} did not put the parts together, and its reason was not read",
                hint="put it from a file, which can be sent again, to be told the reason",
                key=key,
            )
        case Trouble.FOREIGN_KEY:
            return ObjectStoreRefused(
                f"{what}: it holds an object whose key no disk can hold (an empty, `.` or `..` segment)",
                hint=f"find and remove it: aws s3 ls --recursive {options.url}/{key or ''}",
                key=key,
            )
        case _:
            return ObjectStoreRefused(
                f"{what}: {where} did not answer as an S3 server does",
                hint=f"check that {address} is the address of an S3 server, and not of a proxy",
                key=key,
            )
