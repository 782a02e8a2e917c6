"""Temporary keys kept in a file until they end, readable by their owner only."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable

from swampsync.backends.s3_keys import S3Keys
from swampsync.backends.s3_profiles import parse_expiry
from swampsync.clock import Clock, format_timestamp
from swampsync.disk import Disk, WriteMode

log = logging.getLogger("swampsync.s3")


class CredentialCache:
    """One identity's file. It is a convenience: whatever goes wrong with it is logged, and means "not kept".

    Args:
        directory: Where it lies; `None` to keep nothing.
        identity: Whose keys they are, as a file name.
        disk: Reads and writes it.
        clock: Tells when keys end.
        new_id: Makes the names of temporary files, so that no two writers share one, wherever they run.
    """

    def __init__(
        self, directory: str | None, identity: str, *, disk: Disk, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self._directory = directory
        self._path = f"{directory or ''}/aws-{identity}.json"
        self._disk = disk
        self._clock = clock
        self._new_id = new_id

    def load(self) -> S3Keys | None:
        """Return keys that have not ended."""
        if self._directory is None:
            return None
        try:
            data = self._disk.read_private(self._path)
        except PermissionError as error:
            log.warning("credentials in `%s` are ignored: %s", self._path, error.strerror)
            return None
        except OSError:
            return None
        keys = _parse(data)
        if keys is None or keys.expires_at is None or keys.expires_at <= self._clock.now():
            return None
        return keys

    def save(self, keys: S3Keys) -> None:
        """Keep temporary keys, in one step; those that never end are not ours to keep."""
        if self._directory is None or keys.expires_at is None:
            return
        document = {
            "accessKeyId": keys.access_key_id,
            "secretAccessKey": keys.secret_access_key,
            "sessionToken": keys.session_token,
            "expiresAt": format_timestamp(keys.expires_at),
        }
        temporary = f"{self._path}.{self._new_id()}.tmp"
        try:
            self._disk.makedirs(self._directory, is_private=True)
            try:
                # Not synced: what a crash of the machine takes is asked for again, and half a file is none.
                with self._disk.open_write(temporary, WriteMode.PRIVATE) as file:
                    file.write(json.dumps(document).encode())
                self._disk.rename(temporary, self._path)
            except BaseException:
                with contextlib.suppress(OSError):
                    self._disk.unlink(temporary)
                raise
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
