"""Every error that swampsync raises on purpose.

The tree is small: a class exists only where a caller would act differently. The class decides the exit status
and whether trying again can help; the message says what happened, to which key; the hint is a command to paste.

    SwampsyncError
    |-- InvalidInput        wrong usage or configuration; nothing was done            exit 2
    |   `-- QueryError      a predicate or projection that cannot be used             exit 1
    |-- NotFound            what was named does not exist                             exit 1
    |-- Conflict            somebody else's claim or content is in the way            exit 1
    |-- Refused             the request is valid but would do harm as it stands       exit 1
    |-- AccessDenied        permissions or credentials do not suffice                 exit 1
    |-- DataError           corrupt bytes or an unknown format                        exit 1
    |-- SyncIncomplete      part of a push or pull was not done                       exit 1
    |-- Unavailable         the store cannot be reached now; try again                exit 75
    `-- LockError
        |-- LockHeld        somebody holds the lock, and we do not wait               exit 75
        |-- LockTimeout     waited for the lock as long as allowed                    exit 75
        `-- LeaseLost       our own lease expired or was taken over                   exit 75
"""

from __future__ import annotations

from typing import ClassVar


def printable(text: str) -> str:
    """Escape what cannot be printed, so that a name can neither move the cursor nor fake a line of a message."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}" for c in text)


class SwampsyncError(Exception):
    """Root of all errors that swampsync raises on purpose.

    Args:
        message: What happened; lower-case start, literals in back-ticks, no final full stop.
        hint: One line that helps, ideally a command to paste.
        key: The path or object key that the error is about.
    """

    code: ClassVar[str] = "error"
    exit_status: ClassVar[int] = 1
    is_retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str | None = None, key: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.key = key

    def __str__(self) -> str:
        return self.message


class InvalidInput(SwampsyncError):
    """A name, flag, file or setting that cannot be used; nothing was written."""

    code = "invalid_input"
    exit_status = 2


class QueryError(InvalidInput):
    """A predicate or projection that cannot be parsed or names unknown fields."""

    code = "query_failed"
    exit_status = 1


class NotFound(SwampsyncError):
    """What was named does not exist."""

    code = "not_found"


class Conflict(SwampsyncError):
    """Somebody else's claim or content is in the way."""

    code = "conflict"


class Refused(SwampsyncError):
    """A valid request that would do harm as things stand, or that needs a confirmation."""

    code = "refused"


class AccessDenied(SwampsyncError):
    """Permissions or credentials do not suffice."""

    code = "access_denied"


class DataError(SwampsyncError):
    """Bytes that are corrupt, incomplete or of an unknown format."""

    code = "data_error"


class Unavailable(SwampsyncError):
    """A store or disk that cannot serve now; trying again can help."""

    code = "unavailable"
    exit_status = 75
    is_retryable = True


class LockError(SwampsyncError):
    """Root of what can go wrong with a lock."""

    code = "lock_error"
    exit_status = 75
    is_retryable = True


class LockHeld(LockError):
    """Somebody holds the lock and we were told not to wait."""

    code = "lock_held"


class LockTimeout(LockError):
    """We waited for the lock as long as allowed."""

    code = "lock_timeout"


class LeaseLost(LockError):
    """Our own lease expired or was taken over; the work stopped before its next write."""

    code = "lease_lost"


class PlaceChanged(LockError):
    """The data was moved elsewhere while we waited for a lock; nothing was written where it was."""

    code = "place_changed"


class SyncIncomplete(SwampsyncError):
    """Part of a push or a pull was not done.

    Args:
        message: What was done and what was not.
        failures: Path and reason of everything that was left out.
        hint: See `SwampsyncError`.
        is_retryable: Whether trying again can help (exit status 75 instead of 1).
    """

    code = "sync_incomplete"

    def __init__(
        self,
        message: str,
        *,
        failures: tuple[tuple[str, str], ...] = (),
        hint: str | None = None,
        is_retryable: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.failures = failures
        if is_retryable:
            self.exit_status = 75  # type: ignore[misc]
            self.is_retryable = True  # type: ignore[misc]
