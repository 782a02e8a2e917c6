"""Temporary keys kept in a file until they end, readable by their owner only.

The one place of the package that opens a file with a mode of its own: `Disk` knows no modes, since nothing else
may be hidden from the team.
"""

from __future__ import annotations

import json
import logging
import os
import stat
from typing import Final

from swampsync.backends.s3_keys import S3Keys
from swampsync.backends.s3_profiles import parse_expiry
from swampsync.clock import Clock, format_timestamp

log = logging.getLogger("swampsync.s3")

_MODE: Final = 0o600
_MAX_BYTES: Final = 65_536


class CredentialCache:
    """One identity's file. It is a convenience: whatever goes wrong with it is logged, and means "not kept".

    Args:
        directory: Where it lies; `None` to keep nothing.
        identity: Whose keys they are, as a file name.
        clock: Tells when keys end.
    """

    def __init__(self, directory: str | None, identity: str, clock: Clock) -> None:
        self._directory = directory
        self._path = os.path.join(directory or "", f"aws-{identity}.json")
        self._clock = clock

    def load(self) -> S3Keys | None:
        """Return keys that have not ended."""
        if self._directory is None:
            return None
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            about = os.fstat(descriptor)
            if about.st_uid != os.getuid() or stat.S_IMODE(about.st_mode) & 0o077:
                log.warning("credentials in `%s` are ignored: others may read or have written them", self._path)
                return None
            keys = _parse(os.read(descriptor, _MAX_BYTES))
        finally:
            os.close(descriptor)
        if keys is None or keys.expires_at is None or keys.expires_at <= self._clock.now():
            return None
        return keys

    def save(self, keys: S3Keys) -> None:
        """Keep temporary keys; those that never end are not ours to keep."""
        if self._directory is None or keys.expires_at is None:
            return
        document = {
            "accessKeyId": keys.access_key_id,
            "secretAccessKey": keys.secret_access_key,
            "sessionToken": keys.session_token,
            "expiresAt": format_timestamp(keys.expires_at),
        }
        temporary = f"{self._path}.{os.getpid()}"
        try:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
            try:
                os.write(descriptor, json.dumps(document).encode())
            finally:
                os.close(descriptor)
            os.replace(temporary, self._path)
        except OSError as error:
            log.debug("credentials are not kept in `%s`: %s", self._path, error.strerror)


def _parse(data: bytes) -> S3Keys | None:
    try:
        document = json.loads(data)
        return S3Keys(
            str(document["accessKeyId"]),
            str(document["secretAccessKey"]),
            None if document["sessionToken"] is None else str(document["sessionToken"]),
            parse_expiry(document["expiresAt"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
