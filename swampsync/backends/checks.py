"""What every store checks in the same way before it asks anybody."""

from __future__ import annotations

from collections.abc import Iterable

from swampsync.backends.base import MAX_CONDITIONAL_BYTES, ETag, Overwrite, PutMode
from swampsync.errors import InvalidInput
from swampsync.layout import ObjectKey


def digest_etag(body: bytes) -> ETag:
    """Make the ETag that S3 gives to a body put in one request: its MD5."""
    import hashlib  # noqa: PLC0415 - it loads a large library, which a look at a log does not need

    return ETag(hashlib.md5(body, usedforsecurity=False).hexdigest())


def digest_chunks(chunks: Iterable[bytes]) -> ETag:
    """Make the ETag of a body that comes in pieces."""
    import hashlib  # noqa: PLC0415 - it loads a large library, which a look at a log does not need

    digest = hashlib.md5(usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    return ETag(digest.hexdigest())


def check_range(key: ObjectKey, start: int, length: int | None) -> None:
    """Refuse a range that no store can answer.

    Raises:
        InvalidInput: `start` is negative or `length` not positive.
    """
    if start < 0 or (length is not None and length <= 0):
        raise InvalidInput(f"no range of `{key}` starts at {start} and has {length} bytes", key=key.text)


def range_behind_end(key: ObjectKey, start: int, size: int) -> InvalidInput:
    """Make the error for a range that starts at or behind the object's end."""
    return InvalidInput(f"object `{key}` has {size} bytes, a range of it cannot start at {start}", key=key.text)


def check_conditional_size(key: ObjectKey, size: int, mode: PutMode) -> None:
    """Refuse a conditional body that a store may only take in parts, where conditions are not to be trusted.

    Raises:
        InvalidInput: The body is above `MAX_CONDITIONAL_BYTES` and `mode` is not `Overwrite`.
    """
    if size > MAX_CONDITIONAL_BYTES and not isinstance(mode, Overwrite):
        raise InvalidInput(
            f"object `{key}` has {size} bytes, a conditional put takes at most {MAX_CONDITIONAL_BYTES}", key=key.text
        )


def check_directory_prefix(prefix: str) -> None:
    """Refuse a prefix that is no directory.

    Raises:
        InvalidInput: `prefix` is neither empty nor ends in a slash.
    """
    if prefix and not prefix.endswith("/"):
        raise InvalidInput(f"prefix `{prefix}` does not end in a slash", key=prefix)
