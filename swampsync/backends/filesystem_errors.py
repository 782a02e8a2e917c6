"""What the operating system's errors mean to a store: the one place where a directory's `OSError`s are translated."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from swampsync.backends.base import ObjectStoreRefused
from swampsync.errors import AccessDenied, Conflict, InvalidInput, SwampsyncError, Unavailable
from swampsync.layout import ObjectKey

_DENIED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_TEMPORARY: Final = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EINTR,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOTCONN,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
_UNUSABLE_NAME: Final = frozenset({errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL})


def translate_os_error(error: OSError, key: str) -> SwampsyncError:
    """Turn what the operating system says about the file of `key` into a store's error."""
    reason = error.strerror or type(error).__name__
    if error.errno in _DENIED:
        return AccessDenied(
            f"`{key}`: {reason}", hint="check who owns the directory, and how it is mounted: ls -ld, mount", key=key
        )
    if error.errno in _TEMPORARY:
        return Unavailable(
            f"`{key}`: {reason}", hint="check the disk or share (df, mount), then run the command again", key=key
        )
    if error.errno in _UNUSABLE_NAME:
        return InvalidInput(f"this file system cannot hold key `{key}`: {reason}", key=key)
    return ObjectStoreRefused(f"`{key}`: {reason}", key=key)


@contextmanager
def translated_errors(key: str) -> Iterator[None]:
    """Raise every `OSError` of the block as the store's error for `key`."""
    try:
        yield
    except OSError as error:
        raise translate_os_error(error, key) from error


def key_under_key(key: ObjectKey) -> Conflict:
    """Say that a directory cannot hold an object below another one."""
    return Conflict(
        f"`{key}` cannot be both an object and the beginning of other keys in a directory",
        key=key.text,
        hint="rename one of them, or use a bucket, where both can exist",
    )
