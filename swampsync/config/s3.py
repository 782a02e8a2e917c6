"""A datastore in a bucket, as it is configured: what may stand in `config:`, and what must not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from swampsync.config.environment import expand_path
from swampsync.config.schema import SettingReader
from swampsync.errors import InvalidInput, printable
from swampsync.layout import find_key_problem

S3_TYPE: Final = "@swampsync/s3"
SETUP_S3: Final = "swamp datastore setup s3 --bucket BUCKET"
ENCRYPTIONS: Final = ("AES256", "aws:kms", "aws:kms:dsse")
QUOTINGS: Final = ("auto", "quoted", "bare")
CHECKSUMS: Final = ("auto", "sha256")
S3_KEYS: Final = frozenset(
    {
        "bucket",
        "prefix",
        "region",
        "endpoint",
        "profile",
        "forcePathStyle",
        "concurrency",
        "pullConcurrency",
        "pushConcurrency",
        "requestTimeoutMs",
        "sse",
        "sseKmsKeyId",
        "caFile",
        "anonymous",
        "etagQuoting",
        "checksum",
        "hydrationStrategy",
    }
)

_SECRET_KEYS: Final = frozenset({"accesskeyid", "secretaccesskey", "sessiontoken", "accesskey", "secretkey"})
_BUCKET: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]"
_ENDPOINT: Final = r"https?://[^\s/?#@]+(/[^\s?#@]*)?"
_REGION: Final = r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*"
_MAX_CONCURRENCY: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Settings:
    """A datastore in a bucket.

    Args:
        bucket: Its name.
        prefix: Keys begin with it; without slashes at its ends, empty for none.
        region: `None` leaves it to the environment and the profile.
        endpoint: URL of a server other than AWS.
        profile: Where credentials come from; never credentials themselves.
        force_path_style: `None` leaves it to the backend.
        concurrency: How many requests are under way at once; `None` leaves it to the backend.
        pull_concurrency: How many objects are fetched at once, if not as many as that.
        push_concurrency: How many objects are stored at once, if not as many as that.
        request_timeout_ms: How long the server may be silent.
        sse: Server-side encryption to ask for, one of `ENCRYPTIONS`.
        sse_kms_key_id: The key for `aws:kms`.
        ca_file: Absolute path of PEM certificates of the server's own authority.
        anonymous: Do not sign requests.
        etag_quoting: How the server wants ETags in `If-Match`, one of `QUOTINGS`; `None` finds out when needed.
        checksum: Whether puts carry a checksum, one of `CHECKSUMS`; `None` finds out when needed.
    """

    bucket: str
    prefix: str = ""
    region: str | None = None
    endpoint: str | None = None
    profile: str | None = None
    force_path_style: bool | None = None
    concurrency: int | None = None
    pull_concurrency: int | None = None
    push_concurrency: int | None = None
    request_timeout_ms: int | None = None
    sse: str | None = None
    sse_kms_key_id: str | None = None
    ca_file: str | None = None
    anonymous: bool = False
    etag_quoting: str | None = None
    checksum: str | None = None

    @property
    def type(self) -> str:
        """What `.swamp.yaml` calls it."""
        return S3_TYPE

    @property
    def url(self) -> str:
        """Name the place as people do: `s3://bucket/prefix`."""
        return f"s3://{self.bucket}/{self.prefix}" if self.prefix else f"s3://{self.bucket}"

    @property
    def place(self) -> tuple[str, str, str]:
        """Where it is, whatever else is said of it: server, bucket, prefix."""
        return ((self.endpoint or "").rstrip("/"), self.bucket, self.prefix)


def read_s3(reader: SettingReader, above: tuple[str, ...], *, repo_dir: str, environ: Mapping[str, str]) -> S3Settings:
    """Read the settings of a bucket out of the map at `above`.

    Raises:
        InvalidInput: One of them cannot be used.
    """
    bucket = reader.text(*above, "bucket")
    if bucket is None:
        raise reader.wrong(above, "needs a `bucket`", hint=SETUP_S3)
    if re.fullmatch(_BUCKET, bucket) is None:
        raise reader.wrong((*above, "bucket"), "is no name that a bucket can have")
    region = reader.text(*above, "region")
    if region is not None and re.fullmatch(_REGION, region) is None:
        raise reader.wrong((*above, "region"), "is no name of a region, as in `eu-central-1`")
    sse = reader.choice(*above, "sse", among=ENCRYPTIONS)
    kms_key = reader.text(*above, "sseKmsKeyId")
    if kms_key is not None and not (sse or "").startswith("aws:kms"):
        raise reader.wrong((*above, "sseKmsKeyId"), "needs `sse: aws:kms` beside it")
    return S3Settings(
        bucket=bucket,
        prefix=_prefix(reader, above),
        region=region,
        endpoint=_endpoint(reader, above),
        profile=reader.text(*above, "profile"),
        force_path_style=reader.flag(*above, "forcePathStyle"),
        concurrency=_bounded(reader, (*above, "concurrency"), 1, _MAX_CONCURRENCY),
        pull_concurrency=_bounded(reader, (*above, "pullConcurrency"), 1, _MAX_CONCURRENCY),
        push_concurrency=_bounded(reader, (*above, "pushConcurrency"), 1, _MAX_CONCURRENCY),
        request_timeout_ms=_bounded(reader, (*above, "requestTimeoutMs"), 1_000, 600_000),
        sse=sse,
        sse_kms_key_id=kms_key,
        ca_file=_ca_file(reader, above, repo_dir, environ),
        anonymous=reader.flag(*above, "anonymous") or False,
        etag_quoting=reader.choice(*above, "etagQuoting", among=QUOTINGS),
        checksum=reader.choice(*above, "checksum", among=CHECKSUMS),
    )


def make_s3(bucket: str, *, prefix: str = "", region: str | None = None) -> S3Settings:
    """Check where a bucket is that was named elsewhere than in the configuration.

    Raises:
        InvalidInput: The name, the prefix or the region cannot be used.
    """
    if re.fullmatch(_BUCKET, bucket) is None:
        raise InvalidInput(f"`{printable(bucket[:80])}` is no name that a bucket can have")
    prefix = prefix.strip("/")
    problem = find_key_problem(prefix) if prefix else None
    if problem is not None:
        raise InvalidInput(f"prefix `{printable(prefix[:80])}` {problem}")
    if region is not None and re.fullmatch(_REGION, region) is None:
        raise InvalidInput(f"`{printable(region[:80])}` is no name of a region", hint="for example `eu-central-1`")
    return S3Settings(bucket=bucket, prefix=prefix, region=region)


def _prefix(reader: SettingReader, above: tuple[str, ...]) -> str:
    prefix = (reader.text(*above, "prefix") or "").strip("/")
    problem = find_key_problem(prefix) if prefix else None
    if problem is not None:
        raise reader.wrong((*above, "prefix"), problem)
    return prefix


def _endpoint(reader: SettingReader, above: tuple[str, ...]) -> str | None:
    endpoint = reader.text(*above, "endpoint")
    if endpoint is not None and re.fullmatch(_ENDPOINT, endpoint) is None:
        raise reader.wrong((*above, "endpoint"), "must be a URL without credentials, as in `https://s3.example.com`")
    return endpoint


def _ca_file(reader: SettingReader, above: tuple[str, ...], repo_dir: str, environ: Mapping[str, str]) -> str | None:
    written = reader.text(*above, "caFile")
    if written is None:
        return None
    try:
        return expand_path(written, repo_dir=repo_dir, environ=environ)
    except InvalidInput as error:
        raise reader.wrong((*above, "caFile"), f"cannot be used: {error.message}", hint=error.hint) from error


def _bounded(reader: SettingReader, keys: tuple[str, ...], low: int, high: int) -> int | None:
    number = reader.positive(*keys)
    if number is not None and not low <= number <= high:
        raise reader.wrong(keys, f"is {number}, but must be between {low} and {high}")
    return number


def refuse_secrets(key: str) -> None:
    """Refuse a key whose value would be a secret; the value is not repeated.

    Raises:
        InvalidInput: It is one.
    """
    if key.replace("_", "").lower() in _SECRET_KEYS:
        raise InvalidInput(
            f"`{key}` does not belong into the configuration: secrets are never written down here",
            hint="use a profile (`profile: NAME`) or the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
