"""How to reach a bucket: values only, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from swampsync.errors import InvalidInput
from swampsync.layout import find_key_problem

_BUCKET_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-")
# Older buckets, and those of other servers, may have what AWS no longer allows in new ones.
_LEGACY_BUCKET_CHARACTERS = _BUCKET_CHARACTERS | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse")


class ETagQuoting(Enum):
    """How a server wants ETags in `If-Match`.

    HTTP says quoted, and most servers take both; Ceph 16 compares the raw text and wants them bare.
    """

    AUTO = "auto"  # quoted until a swap shows that the server wants them bare
    QUOTED = "quoted"
    BARE = "bare"


class Checksum(Enum):
    """Whether puts carry a checksum in a header of its own, besides the one in the signature."""

    AUTO = "auto"  # none until the bucket asks for one, as it does under Object Lock
    SHA256 = "sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Options:
    """How to reach a bucket.

    Args:
        bucket: The bucket's name.
        prefix: Where in the bucket, without slashes at its ends; empty for the whole bucket.
        region: The bucket's region; servers other than AWS mostly take any.
        endpoint: `http://` or `https://` URL of a server that is not AWS, without the bucket.
        profile: The profile of the AWS configuration files to take credentials from.
        path_style: Whether the bucket is the first part of the path instead of the host's name; `None` for what
            suits the endpoint (names on AWS, paths elsewhere).
        concurrency: How many requests at a time.
        request_timeout_seconds: How long the server may be silent.
        sse: Server-side encryption to ask for: `AES256`, `aws:kms` or `aws:kms:dsse`.
        sse_kms_key: The key for `aws:kms`; the account's default key without one.
        ca_file: A file of PEM certificates to trust: for objects besides the system's, for administration alone.
        anonymous: Do not sign requests.
        etag_quoting: See `ETagQuoting`.
        checksum: See `Checksum`.

    Raises:
        InvalidInput: A value cannot be used.
    """

    bucket: str
    prefix: str = ""
    region: str = "us-east-1"
    endpoint: str | None = None
    profile: str | None = None
    path_style: bool | None = None
    concurrency: int = 16
    request_timeout_seconds: float = 30.0
    sse: str | None = None
    sse_kms_key: str | None = None
    ca_file: str | None = None
    anonymous: bool = False
    etag_quoting: ETagQuoting = ETagQuoting.AUTO
    checksum: Checksum = Checksum.AUTO

    def __post_init__(self) -> None:
        _check_bucket(self.bucket, is_aws=self.endpoint is None)
        prefix = self.prefix.strip("/")
        if prefix:
            problem = find_key_problem(prefix)
            if problem:
                raise InvalidInput(f"prefix `{self.prefix}` {problem}")
        object.__setattr__(self, "prefix", prefix)
        if not self.region or not self.region.replace("-", "").isalnum():
            raise InvalidInput(f"`{self.region}` is not the name of a region", hint="for example `us-east-1`")
        if self.endpoint is not None:
            object.__setattr__(self, "endpoint", _check_endpoint(self.endpoint))
        if not 1 <= self.concurrency <= 256:
            raise InvalidInput(f"concurrency is {self.concurrency}, it must be between 1 and 256")
        if not 0 < self.request_timeout_seconds <= 3_600:
            raise InvalidInput(
                f"request timeout is {self.request_timeout_seconds} seconds, it must be above 0 and at most 3600"
            )
        if self.sse is not None and self.sse not in _ENCRYPTIONS:
            raise InvalidInput(f"`{self.sse}` is no server-side encryption", hint=f"one of {', '.join(_ENCRYPTIONS)}")
        if self.sse_kms_key is not None and not (self.sse or "").startswith("aws:kms"):
            raise InvalidInput("a KMS key is set, but the encryption is not `aws:kms`")

    @property
    def uses_path_style(self) -> bool:
        """Whether the bucket goes into the path: a certificate for `*.s3…` does not cover names with dots."""
        if self.path_style is not None:
            return self.path_style
        return self.endpoint is not None or "." in self.bucket or self.bucket != self.bucket.lower()

    @property
    def root(self) -> str:
        """What precedes every key: `prefix/`, or nothing."""
        return f"{self.prefix}/" if self.prefix else ""

    @property
    def url(self) -> str:
        """Name the place for people: `s3://bucket/prefix`."""
        return f"s3://{self.bucket}/{self.prefix}" if self.prefix else f"s3://{self.bucket}"

    @property
    def where(self) -> str:
        """Name the server for people: its endpoint, or AWS and the region."""
        return self.endpoint or f"AWS {self.region}"


def _check_bucket(name: str, *, is_aws: bool) -> None:
    allowed = _BUCKET_CHARACTERS if is_aws else _LEGACY_BUCKET_CHARACTERS
    if not 3 <= len(name) <= (63 if is_aws else 255):
        raise InvalidInput(f"bucket name `{name}` has {len(name)} characters, it must have 3 to 63")
    wrong = sorted(set(name) - allowed)
    if wrong:
        shown = "".join(c if c.isprintable() else repr(c) for c in wrong)
        hint = "the place in the bucket is set by the prefix" if "/" in wrong else None
        raise InvalidInput(f"bucket name `{name}` holds characters that no bucket has: `{shown}`", hint=hint)
    if not (name[0].isalnum() and name[-1].isalnum()) or ".." in name:
        raise InvalidInput(f"bucket name `{name}` must begin and end with a letter or digit and hold no `..`")


def _check_endpoint(endpoint: str) -> str:
    if "@" in endpoint:
        # First, and not repeated in the message: what precedes the @ is a secret.
        raise InvalidInput("the endpoint holds a user name or password", hint="put the keys into a profile instead")
    scheme, separator, rest = endpoint.partition("://")
    if not separator or scheme not in {"http", "https"} or not rest.strip("/"):
        raise InvalidInput(f"endpoint `{endpoint}` is no URL", hint="for example `https://minio.example.com:9000`")
    if "?" in rest or "#" in rest or any(c.isspace() for c in rest):
        raise InvalidInput(
            f"endpoint `{endpoint}` is no plain URL", hint="for example `https://minio.example.com:9000`"
        )
    return endpoint.rstrip("/")
