"""What the operating system's errors mean to a store: the one place where a directory's `OSError`s are translated."""

from __future__ import annotations

import errno
import os
import shlex
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
_LOOK: Final = "see what the directory can hold: swamp doctor backend"


def translate_os_error(error: OSError, key: str) -> SwampsyncError:
    """Turn what the operating system says about the file of `key` into a store's error."""
    said = f"`{key}`: {error.strerror or type(error).__name__}"
    hint = _hint(error)
    if error.errno in _DENIED:
        return AccessDenied(said, key=key, hint=hint)
    if error.errno in _TEMPORARY:
        return Unavailable(said, key=key, hint=hint)
    if error.errno in _UNUSABLE_NAME:
        return InvalidInput(f"this file system cannot hold key {said}", key=key, hint=hint)
    return ObjectStoreRefused(said, key=key, hint=hint)


def _hint(error: OSError) -> str:
    """Say what a person can look at."""
    if error.errno in {errno.EMFILE, errno.ENFILE}:
        return "too many files are open, run it with a higher limit: ulimit -n 4096"
    if not isinstance(error.filename, str):
        return _LOOK
    directory = shlex.quote(os.path.dirname(error.filename) or ".")
    match error.errno:
        case errno.EROFS:
            return f"see how it is mounted: findmnt -T {directory}"
        case errno.EACCES | errno.EPERM:
            return f"see who may write there, and as whom you do: ls -ld {directory}; id"
        case errno.ENOSPC | errno.EDQUOT:
            return f"make room, or ask for more: df -h {directory}; df -i {directory}"
        case code if code in _TEMPORARY:
            return f"see whether the disk or share answers, then run the command again: ls -ld {directory}"
        case _:
            return _LOOK


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
