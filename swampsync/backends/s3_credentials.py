"""Credentials for S3: found when first needed, kept until they end, renewed in time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import cached_property
from typing import Final

from swampsync.backends.base import CredentialsExpired
from swampsync.backends.s3_credential_cache import CredentialCache
from swampsync.backends.s3_keys import S3Keys
from swampsync.backends.s3_profiles import CredentialPlaces, find_static_keys
from swampsync.clock import Clock
from swampsync.disk import Disk
from swampsync.errors import SwampsyncError

log = logging.getLogger("swampsync.s3")

# Keys are renewed this long before they end, so that a request under way still finds them valid.
RENEW_BEFORE: Final = timedelta(minutes=2)
# What in the environment decides whose keys boto3 finds.
_IDENTITY_VARIABLES: Final = (
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)

Fetch = Callable[[str | None, CredentialPlaces], S3Keys]


def fetch_lazily(profile: str | None, places: CredentialPlaces) -> S3Keys:
    """Ask boto3, which is imported only now."""
    from swampsync.backends.s3_boto import fetch_keys  # noqa: PLC0415 - 300 ms

    return fetch_keys(profile, places)


class AwsCredentials:
    """Keys from wherever AWS's own tools would take them; a `CredentialSource`.

    Keys in the environment and in static profiles are read here; for SSO, assumed roles, web identities,
    containers, instances and processes boto3 is asked, and its answer kept in a file until it ends.

    Args:
        profile: The profile that the configuration names, if it does.
        places: Where to look.
        disk: Reads the configuration files, and keeps temporary keys.
        clock: Tells when keys end.
        new_id: Makes names of temporary files.
        fetch: Asks boto3.
    """

    def __init__(
        self,
        profile: str | None,
        places: CredentialPlaces,
        *,
        disk: Disk,
        clock: Clock,
        new_id: Callable[[], str],
        fetch: Fetch = fetch_lazily,
    ) -> None:
        self._profile = profile
        self._places = places
        self._disk = disk
        self._clock = clock
        self._new_id = new_id
        self._fetch = fetch
        self._lock = threading.Lock()
        self._keys: S3Keys | None = None
        self._is_static = False

    @cached_property
    def _cache(self) -> CredentialCache:
        return CredentialCache(
            self._places.cache_dir, self._identity(), disk=self._disk, clock=self._clock, new_id=self._new_id
        )

    def __repr__(self) -> str:
        return f"AwsCredentials(profile={self._profile!r})"

    def current(self) -> S3Keys:
        """Return keys that are valid now, renewed if they end soon."""
        keys = self._keys
        if keys is not None and self._is_fresh(keys):
            return keys
        with self._lock:
            keys = self._keys
            if keys is None or not self._is_fresh(keys):
                keys = self._keys = self._renew(keys)
            return keys

    def _is_fresh(self, keys: S3Keys) -> bool:
        return keys.expires_at is None or keys.expires_at - RENEW_BEFORE > self._clock.now()

    def _renew(self, old: S3Keys | None) -> S3Keys:
        if old is None or self._is_static:
            static = find_static_keys(self._profile, self._places, self._disk)
            if static is not None:
                self._is_static = True
                if static.expires_at is not None and static.expires_at <= self._clock.now():
                    raise CredentialsExpired(
                        f"the credentials in the environment ended at {static.expires_at:%Y-%m-%d %H:%M} UTC",
                        hint="renew them, then run the command again",
                    )
                return static
        if old is None:
            kept = self._cache.load()
            if kept is not None and self._is_fresh(kept):
                return kept
        try:
            keys = self._fetch(self._profile, self._places)
        except SwampsyncError as error:
            if old is not None and old.expires_at is not None and old.expires_at > self._clock.now():
                log.warning("credentials could not be renewed, the old ones are valid until %s", old.expires_at)
                log.debug("renewing credentials: %s", error)
                return old
            raise
        self._cache.save(keys)
        return keys

    def _identity(self) -> str:
        environment = self._places.environment
        parts = [self._places.profile_name(self._profile), self._places.config_file, self._places.credentials_file]
        parts += [f"{name}={environment.get(name, '')}" for name in _IDENTITY_VARIABLES]
        import hashlib  # noqa: PLC0415 - it loads a large library, which keys in the environment do not need

        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
