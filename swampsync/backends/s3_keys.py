"""Keys that sign requests, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class S3Keys:
    """An access key; what is secret of it appears in no `repr`.

    Args:
        access_key_id: Its name.
        secret_access_key: What signs.
        session_token: For temporary keys.
        expires_at: When temporary keys end, aware UTC; `None` if they do not.
    """

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be printed; the key's name is not secret, but nobody needs it in a log either."""
        return tuple(s for s in (self.secret_access_key, self.session_token, self.access_key_id) if s)


class CredentialSource(Protocol):
    """Where keys come from; may be asked from many threads, before every request."""

    def current(self) -> S3Keys:
        """Return keys that are valid now.

        Raises:
            AccessDenied: There are none.
            CredentialsExpired: They have ended and could not be renewed.
        """
        ...


@dataclass(frozen=True, slots=True)
class StaticCredentials:
    """Keys that never change."""

    keys: S3Keys

    def current(self) -> S3Keys:
        """Return the keys."""
        return self.keys
