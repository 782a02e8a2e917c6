"""What a person can do about a refusal: hints that name the right, the region or the clock in question."""

from __future__ import annotations

import re
from typing import Final

from swampsync.backends.s3_settings import S3Options

# AWS names the missing right: "… is not authorized to perform: s3:ListBucket on resource: …".
_RIGHT: Final = re.compile(r"not authorized to perform: ([a-z0-9-]+:\w+)")
_REGION: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
# What a repo needs, and no more, is printed for the asking.
_SHOWN_BY: Final = "(all that is needed: swamp namespace policy)"
_NEEDED: Final = {
    "GET": "s3:GetObject",
    "HEAD": "s3:GetObject",
    "PUT": "s3:PutObject",
    "CREATE": "s3:PutObject",
    "SWAP": "s3:PutObject",
    "PARTS": "s3:PutObject",
    "DELETE": "s3:DeleteObject",
    "LIST": "s3:ListBucket",
}


def hint_for_access(code: str | None, message: str, operation: str, options: S3Options) -> str:
    """Say what to do about a 401 or 403.

    Args:
        code: The server's `<Code>`.
        message: The server's `<Message>`.
        operation: The name of the `Operation`.
        options: Whose bucket it is.
    """
    match code:
        case "RequestTimeTooSkewed":
            return "this machine's clock and the server's differ by more than 15 minutes: sudo timedatectl set-ntp true"
        case "InvalidAccessKeyId":
            return "the server does not know this access key: check AWS_ACCESS_KEY_ID, the profile and the endpoint"
        case "SignatureDoesNotMatch":
            return "the secret does not belong to this access key: check AWS_SECRET_ACCESS_KEY or the profile"
        case "InvalidToken":
            return "the session token is not valid here: renew the credentials, or unset AWS_SESSION_TOKEN"
        case _:
            pass
    if options.anonymous:
        return "requests are not signed (`anonymous`): configure credentials"
    named = _RIGHT.search(message)
    right = named[1] if named else _NEEDED[operation]
    resource = f"arn:aws:s3:::{options.bucket}"
    if right.startswith("kms:"):
        return f"allow `{right}` on the bucket's encryption key"
    if right == "s3:ListBucket":
        hint = f"allow `s3:ListBucket` on `{resource}`"
        if operation == "LIST":
            return f"{hint} {_SHOWN_BY}"
        return f"{hint}: without it S3 answers 403 for every object that does not exist"
    return f"allow `{right}` on `{resource}/{options.root}*`{_besides(right, named, operation, options)} {_SHOWN_BY}"


def _besides(right: str, named: re.Match[str] | None, operation: str, options: S3Options) -> str:
    """Say what may be missing besides, where the server does not name the right."""
    if named is not None:
        return ""
    if operation in {"GET", "HEAD"}:
        resource = f"arn:aws:s3:::{options.bucket}"
        return f", and `s3:ListBucket` on `{resource}`: without it S3 answers 403 for objects that do not exist"
    if options.sse and right == "s3:PutObject":
        return ", and `kms:GenerateDataKey` and `kms:Decrypt` on the encryption key"
    return ""


def hint_for_region(bucket: str, region: str | None) -> str:
    """Say which region to set, or how to find out.

    Args:
        bucket: Whose region it is.
        region: As the server calls it; left out where it could be anything else than a region, in a command to paste.
    """
    if region and _REGION.fullmatch(region):
        return f"{_set('region', region)} (at set-up: --region {region})"
    return f"set the region that this prints: aws s3api get-bucket-location --bucket {bucket}"


def hint_for_load(concurrency: int) -> str:
    """Say how to ask for less at a time than `concurrency`."""
    if concurrency == 1:
        return "run the command again later"
    return f"run the command again later, or with less at a time: {_set('concurrency', concurrency // 2)}"


def hint_for_certificate() -> str:
    """Say how to trust an authority of one's own."""
    return f"{_set('caFile', '/path/to/ca.pem')} (at set-up: --ca-file): the certificates of its authority"


def _set(setting: str, value: object) -> str:
    return f"swamp config set datastore.config.{setting} {value}"
