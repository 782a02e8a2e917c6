"""The obstore clients of a store: made when they are first needed, one for each way of waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from swampsync.backends.s3_keys import CredentialSource
from swampsync.backends.s3_settings import S3Options
from swampsync.errors import InvalidInput, SwampsyncError

if TYPE_CHECKING:
    from obstore.store import S3Store as ObstoreS3

# A body of up to 16 MiB has five times the patience that an answer has: by default 112 kB/s suffice for one, and
# 450 kB/s for the four parts that a large upload has on their way.
_BULK_PATIENCE: Final = 5
_PART_RETRIES: Final = 3
# For the pauses between the tries of a part, which obstore counts among the time for all of them.
_PAUSES: Final = timedelta(minutes=2)
_CONNECT_SECONDS: Final = 10.0
_NEVER: Final = timedelta(days=1)


class Use(Enum):
    """What a client is for."""

    SMALL = "small"  # the server may be silent for the request timeout; single deletes
    BULK = "bulk"  # large bodies in one request, and deletes of many
    PARTS = "parts"  # multipart uploads: the only client that repeats requests by itself


class S3Clients:
    """Makes obstore clients of options and credentials.

    Args:
        options: How to reach the bucket.
        credentials: What signs the requests; unused if they are anonymous.
        read_file: Reads the file of certificates.
    """

    def __init__(self, options: S3Options, credentials: CredentialSource, read_file: Callable[[str], bytes]) -> None:
        self._options = options
        self._credentials = credentials
        self._read_file = read_file
        self._lock = threading.Lock()
        self._made: dict[tuple[Use, bool], ObstoreS3] = {}
        self.provider_error: SwampsyncError | None = None
        # What obstore's calls raise; known once a client was made.
        self.failures: tuple[type[Exception], ...] = ()

    def of(self, use: Use, *, is_checked: bool = False) -> ObstoreS3:
        """Return the client for a use.

        Args:
            use: What it is for.
            is_checked: Whether what it puts carries a checksum.
        """
        kind = (use, is_checked)
        client = self._made.get(kind)
        if client is None:
            with self._lock:
                client = self._made.get(kind)
                if client is None:
                    client = self._made[kind] = self._make(use, is_checked=is_checked)
        return client

    def secrets(self) -> tuple[str, ...]:
        """Return what must not appear in any message."""
        return () if self._options.anonymous else self._credentials.current().secrets

    def _make(self, use: Use, *, is_checked: bool) -> ObstoreS3:
        from obstore.exceptions import BaseError
        from obstore.store import S3Store

        self.failures = (BaseError, FileNotFoundError)
        options = self._options
        endpoint = _endpoint(options)
        # obstore also reads AWS_ variables; what is given here wins, so everything that matters is given. Encryption
        # and checksums cannot be unset: the command takes their variables out of its environment (`cli/entry.py`).
        config: dict[str, Any] = {
            "region": options.region,
            "endpoint": endpoint,
            "aws_endpoint_url_s3": endpoint,
            "virtual_hosted_style_request": not options.uses_path_style,
            "skip_signature": options.anonymous,
            "unsigned_payload": False,
            "request_payer": False,
            "s3_express": False,
            "conditional_put": "etag",
            "disable_bulk_delete": use is Use.SMALL,
        }
        if options.sse:
            config["server_side_encryption"] = options.sse
        if options.sse_kms_key:
            config["sse_kms_key_id"] = options.sse_kms_key
        if not options.anonymous:
            config["credential_provider"] = self._provide
        client_options = self._client_options(use, endpoint)
        if is_checked:
            # The digest is made for the signature anyway.
            config["checksum_algorithm"] = "SHA256"
            if use is not Use.PARTS:
                # Some servers look for the header by which AWS's own libraries announce it. On requests without a
                # checksum AWS refuses it, and of those an upload has some.
                client_options["default_headers"] = {"x-amz-sdk-checksum-algorithm": "SHA256"}
        try:
            return S3Store(
                options.bucket,
                client_options=client_options,
                # Its retries would repeat a conditional put whose answer was lost and report a loss that was a win.
                # A part has a number and can be put again; nothing above could repeat a single one.
                retry_config=self._retries(use),
                **config,
            )
        except BaseError as caught:
            problem = str(caught).partition("\n")[0]
        if options.ca_file:
            raise InvalidInput(f"cannot read certificates from `{options.ca_file}`: {problem}", key=options.ca_file)
        raise InvalidInput(f"cannot reach `{options.url}` with these settings: {problem}")

    def _retries(self, use: Use) -> Any:
        if use is not Use.PARTS:
            return {"max_retries": 0}
        # No retry begins later than this after the first try: each try before the last may take all of its patience.
        patience = timedelta(seconds=self._options.request_timeout_seconds) * _BULK_PATIENCE
        return {"max_retries": _PART_RETRIES, "retry_timeout": _PART_RETRIES * patience + _PAUSES}

    def _client_options(self, use: Use, endpoint: str) -> Any:
        patience = timedelta(seconds=self._options.request_timeout_seconds)
        options: dict[str, Any] = {
            "allow_http": endpoint.startswith("http://"),
            # Shorter than the patience with an answer, so that it is known that nothing was sent.
            "connect_timeout": min(patience * 0.75, timedelta(seconds=_CONNECT_SECONDS)),
        }
        if use is Use.SMALL:
            # Not a limit on the whole: a large object may take long as long as it flows.
            options |= {"read_timeout": patience, "timeout": _NEVER}
        else:
            options |= {"timeout": patience * _BULK_PATIENCE}
        if self._options.ca_file:
            options["root_certificate"] = self._read_certificates(self._options.ca_file)
        return options

    def _read_certificates(self, path: str) -> bytes:
        try:
            return self._read_file(path)
        except OSError as error:
            raise InvalidInput(f"cannot read certificates from `{path}`: {error.strerror}", key=path) from error

    def _provide(self) -> Any:
        # obstore turns an exception into text; the store raises the original instead.
        try:
            keys = self._credentials.current()
        except SwampsyncError as error:
            self.provider_error = error
            raise
        return {
            "access_key_id": keys.access_key_id,
            "secret_access_key": keys.secret_access_key,
            "token": keys.session_token,
            "expires_at": keys.expires_at,
        }


def _endpoint(options: S3Options) -> str:
    if options.endpoint is not None:
        if options.uses_path_style:
            return options.endpoint
        scheme, _, host = options.endpoint.partition("://")
        return f"{scheme}://{options.bucket}.{host}"
    domain = "amazonaws.com.cn" if options.region.startswith("cn-") else "amazonaws.com"
    host = f"s3.{options.region}.{domain}"
    return f"https://{host}" if options.uses_path_style else f"https://{options.bucket}.{host}"
