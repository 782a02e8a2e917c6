"""Every row of the table of S3's errors: each code and status that decides, and what it comes to, written here again.

What obstore makes of an error's bytes is played on a socket in `test_s3_errors_wire.py`; here its text is read by the
same parser, without a server, so that every row can be asked for every operation.
"""

from __future__ import annotations

import pytest

from swampsync.backends import s3_errors
from swampsync.backends.base import CredentialsExpired, ObjectStoreRefused, Throttled
from swampsync.backends.s3_answers import ChecksumWanted, Operation, WireError, parse_answer
from swampsync.backends.s3_errors import translate
from swampsync.backends.s3_settings import S3Options
from swampsync.errors import AccessDenied, SwampsyncError, Unavailable

OPTIONS = S3Options(bucket="team-data", region="eu-north-1")

# Code -> a status it is seen with, our class, and a word of the hint that tells the row from others of its class.
CODES: dict[str, tuple[int, type[SwampsyncError], str]] = {
    "ExpiredToken": (400, CredentialsExpired, "renew the credentials"),
    "ExpiredTokenException": (400, CredentialsExpired, "renew the credentials"),
    "TokenRefreshRequired": (400, CredentialsExpired, "renew the credentials"),
    "RequestExpired": (400, CredentialsExpired, "renew the credentials"),
    "AccessDenied": (403, AccessDenied, ""),
    "AccessDeniedException": (400, AccessDenied, ""),
    "AccountProblem": (400, AccessDenied, ""),
    "AllAccessDisabled": (400, AccessDenied, ""),
    "Forbidden": (400, AccessDenied, ""),
    "InvalidAccessKeyId": (400, AccessDenied, "AWS_ACCESS_KEY_ID"),
    "InvalidSecurity": (400, AccessDenied, ""),
    "InvalidToken": (400, AccessDenied, "AWS_SESSION_TOKEN"),
    "NotSignedUp": (400, AccessDenied, ""),
    "RequestTimeTooSkewed": (400, AccessDenied, "timedatectl"),
    "SignatureDoesNotMatch": (400, AccessDenied, "AWS_SECRET_ACCESS_KEY"),
    "Unauthorized": (400, AccessDenied, ""),
    "UnauthorizedAccess": (400, AccessDenied, ""),
    "XAmzContentSHA256Mismatch": (400, AccessDenied, ""),
    "BandwidthLimitExceeded": (503, Throttled, "config set datastore.config.concurrency 8"),
    "KMS.ThrottlingException": (400, Throttled, "config set datastore.config.concurrency 8"),
    "RequestLimitExceeded": (503, Throttled, "config set datastore.config.concurrency 8"),
    "RequestThrottled": (400, Throttled, "config set datastore.config.concurrency 8"),
    "SlowDown": (503, Throttled, "config set datastore.config.concurrency 8"),
    "SlowDownRead": (503, Throttled, "config set datastore.config.concurrency 8"),
    "SlowDownWrite": (503, Throttled, "config set datastore.config.concurrency 8"),
    "Throttling": (400, Throttled, "config set datastore.config.concurrency 8"),
    "ThrottlingException": (400, Throttled, "config set datastore.config.concurrency 8"),
    "TooManyRequests": (400, Throttled, "config set datastore.config.concurrency 8"),
    "BadDigest": (400, Unavailable, "run the command again later"),
    "IncompleteBody": (400, Unavailable, "run the command again later"),
    "InternalError": (400, Unavailable, "run the command again later"),
    "NoSuchUpload": (404, Unavailable, "run the command again later"),
    "OperationAborted": (409, Unavailable, "run the command again later"),
    "RequestTimeout": (400, Unavailable, "run the command again later"),
    "ServiceUnavailable": (400, Unavailable, "run the command again later"),
    "UnknownError": (400, Unavailable, "run the command again later"),
    "AuthorizationHeaderMalformed": (400, ObjectStoreRefused, "get-bucket-location"),
    "IllegalLocationConstraintException": (400, ObjectStoreRefused, "get-bucket-location"),
    "PermanentRedirect": (400, ObjectStoreRefused, "get-bucket-location"),
    "TemporaryRedirect": (400, ObjectStoreRefused, "get-bucket-location"),
    "Redirect": (400, ObjectStoreRefused, "get-bucket-location"),
    "InsufficientCapacity": (400, ObjectStoreRefused, "ask its operator"),
    "QuotaExceeded": (403, ObjectStoreRefused, "ask its operator"),
    "XMinioStorageFull": (507, ObjectStoreRefused, "ask its operator"),
    "XMinioAdminBucketQuotaExceeded": (400, ObjectStoreRefused, "ask its operator"),
    "MissingUploadObjectWithObjectLockHeaders": (400, ChecksumWanted, "checksum sha256"),
    "MissingContentMD5": (400, ChecksumWanted, "checksum sha256"),
}
# Where only the status is known: a proxy's page, or a server with a code of its own.
STATUSES: dict[int, tuple[type[SwampsyncError], str]] = {
    301: (ObjectStoreRefused, "get-bucket-location"),
    307: (ObjectStoreRefused, "get-bucket-location"),
    308: (ObjectStoreRefused, "get-bucket-location"),
    400: (ObjectStoreRefused, ""),
    401: (AccessDenied, ""),
    403: (AccessDenied, ""),
    404: (ObjectStoreRefused, "address of an S3 server"),
    405: (ObjectStoreRefused, ""),
    408: (Unavailable, "run the command again later"),
    429: (Throttled, "config set datastore.config.concurrency 8"),
    500: (Unavailable, "run the command again later"),
    502: (Unavailable, "run the command again later"),
    503: (Unavailable, "run the command again later"),
    504: (Unavailable, "run the command again later"),
    507: (ObjectStoreRefused, "ask its operator"),
}


def judge(status: int, body: str, operation: Operation) -> SwampsyncError:
    """Class what obstore says of an answer."""
    text = f"Generic S3 error: Server returned non-2xx status code: {status} Strange: {body}"
    return translate(parse_answer(text), operation, key="infra/x", options=OPTIONS)


@pytest.mark.parametrize("code", CODES)
def test_code_becomes_its_error(code: str) -> None:
    """Each code gives its class and its hint, whatever was asked; the cause says what was answered."""
    status, wanted, hint = CODES[code]
    for operation in Operation:
        error = judge(status, f"<Error><Code>{code}</Code><Message>so it is</Message></Error>", operation)
        assert type(error) is wanted, operation
        assert hint in (error.hint or ""), operation
        assert f"{status} {code}: so it is" in error.message
        assert isinstance(error.__cause__, WireError)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("body", ["<html>busy</html>", "<Error><Code>OfTheirOwn</Code></Error>"])
def test_status_without_a_known_code_becomes_its_error(status: int, body: str) -> None:
    """A status alone decides where the code is missing or unknown."""
    wanted, hint = STATUSES[status]
    for operation in set(Operation) - {Operation.HEAD}:  # a HEAD's 404 has no code: see the wire's tests
        error = judge(status, body, operation)
        assert type(error) is wanted, operation
        assert hint in (error.hint or ""), operation


def test_every_code_of_the_table_is_here() -> None:
    """A row that is added, moved away or dropped has to be written here too."""
    rows: set[str] = set()
    for name in ("_EXPIRED", "_DENIED", "_THROTTLED", "_AGAIN", "_REGION", "_NO_ROOM", "_CHECKSUM"):
        row = getattr(s3_errors, name)
        assert not rows & row, "a code stands in one row only"
        rows |= row
    assert rows == set(CODES)
    named = {name for name, value in vars(s3_errors).items() if name.isupper() and isinstance(value, set)}
    assert len(named) == 7
