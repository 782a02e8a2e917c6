"""The ObjectStore interface: where bytes live.

A store maps keys to objects: bytes with an ETag. Keys are relative to the store's own root. It knows nothing of
namespaces or artifacts, and it does not retry on its own (`swampsync.backends.retrying`). What each method
promises is written here once and tested, a test a sentence, by `swampsync.testing.object_store_suite`.

Why not a file-system interface: no seek, no append, no rename, no directories. Object stores lack them or fake
them, and everything above is built so as not to need them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO, Final, Protocol

from swampsync.backends.places import Places
from swampsync.errors import AccessDenied, Conflict, InvalidInput, NotFound, SwampsyncError, Unavailable
from swampsync.layout import ObjectKey

MAX_CONDITIONAL_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ETag:
    """What a store calls the state of an object; only ever taken from a former result. Kept without quotes."""

    text: str

    @classmethod
    def parse(cls, raw: str) -> ETag:
        """Take an ETag as a store sent it, quoted or bare."""
        return cls(raw.strip().removeprefix("W/").strip('"'))

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Overwrite:
    """Put whatever is there; the last writer wins."""


@dataclass(frozen=True, slots=True)
class Create:
    """Put only if nothing is there; of many at once exactly one wins, the others get `ObjectExists`."""


@dataclass(frozen=True, slots=True)
class IfMatch:
    """Put only if the object still has this ETag; else `PreconditionFailed`.

    An ETag may be a digest of the content: a body that is swapped in twice makes the old ETag true again, so
    bodies that are compared and swapped carry a nonce.
    """

    etag: ETag


PutMode = Overwrite | Create | IfMatch


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object without its bytes.

    Args:
        key: Relative to the store's root.
        size: In bytes.
        etag: `None` only where a listing does not tell.
        modified_at: By the store's own clock, aware UTC.
    """

    key: ObjectKey
    size: int
    etag: ETag | None
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class PutResult:
    """What a put leaves behind."""

    etag: ETag


@dataclass(frozen=True, slots=True)
class GetResult:
    """A whole object, or the asked range of it."""

    info: ObjectInfo
    body: bytes


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a store declares; `doctor backend` proves it.

    Args:
        create_only: `Create` is atomic.
        compare_and_swap: `IfMatch` is atomic.
        max_delete_many: How many keys one request of `delete_many` takes.
    """

    create_only: bool
    compare_and_swap: bool
    max_delete_many: int = 1_000


class RequestKind(StrEnum):
    """What one request to a store is, as stores bill and count them."""

    GET = "get"
    HEAD = "head"
    PUT = "put"  # parts of a multipart put included
    MULTIPART = "multipart"  # its begin, end and abort
    DELETE = "delete"  # a batch is one
    LIST = "list"  # one page


# A store that sends requests of its own takes one of these as `on_request` and calls it once for every request, with a
# `RequestKind`, the bytes of the object that went up and those that came down; list pages, parts, batches and failures
# included, from whatever thread sends it.
RequestObserver = Callable[[str, int, int], None]


class ObjectNotFound(NotFound):
    """No object has the key."""


class BucketNotFound(NotFound):
    """The bucket, or the directory that stands for it, does not exist."""

    code = "bucket_not_found"


_LOST: Final = "another writer was first: run the command again, to begin from what is there now"


class ObjectExists(Conflict):
    """`Create` found an object, or lost a race for the key; who has it must be read, not guessed."""

    code = "object_exists"

    def __init__(self, message: str, *, hint: str | None = _LOST, key: str | None = None) -> None:
        super().__init__(message, hint=hint, key=key)


class PreconditionFailed(Conflict):
    """`IfMatch` found another ETag or no object; whether our own first try did it must be read, not guessed."""

    code = "precondition_failed"

    def __init__(self, message: str, *, hint: str | None = _LOST, key: str | None = None) -> None:
        super().__init__(message, hint=hint, key=key)


class ObjectStoreRefused(SwampsyncError):
    """The store rejected the request for good: it would be rejected again."""

    code = "store_refused"


class NotSupported(InvalidInput):
    """The store declares that it lacks this ability (`Capabilities`)."""

    code = "not_supported"


class Throttled(Unavailable):
    """The store asks us to slow down."""

    code = "throttled"


class NotConnected(Unavailable):
    """There was no connection, so that nothing was sent: refused, timed out, or no such host."""


class CredentialsExpired(AccessDenied):
    """The credentials were valid once."""

    code = "credentials_expired"


class ObjectStore(Protocol):
    """Where bytes live.

    Every method may raise, with the key in `error.key`: `AccessDenied` (`CredentialsExpired`), `Unavailable`
    (`Throttled`, `NotConnected`; also time-outs and broken connections), `BucketNotFound`, `ObjectStoreRefused`. After
    `Unavailable` from a put nobody knows whether it was done, unless it is `NotConnected`. Methods may be called from
    many threads.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What the store declares it can do."""
        ...

    def get(self, key: ObjectKey, *, start: int = 0, length: int | None = None) -> GetResult:
        """Read an object, or `length` bytes of it from `start` (fewer at its end); one consistent state.

        The info's size is that of the whole object, whatever was asked of it.

        Raises:
            ObjectNotFound: No object has the key.
            InvalidInput: `start` is above 0 and at or behind the object's end, or `start` is negative, or `length`
                is not positive. From 0, an empty object is read as nothing, whatever the length.
        """
        ...

    def open(self, key: ObjectKey) -> AbstractContextManager[tuple[ObjectInfo, Iterator[bytes]]]:
        """Read a large object as chunks, in constant memory; one consistent state, or an error on the way.

        A body that ends early is `Unavailable` from the iterator, never a shorter body.

        Raises:
            ObjectNotFound: No object has the key.
        """
        ...

    def download(self, key: ObjectKey, target: Places) -> AbstractContextManager[tuple[ObjectInfo, Iterator[int]]]:
        """Read a large object to its places in `target`, in any order and from many threads; else as `open`.

        The iterator tells, always more, how many bytes from the beginning are in place, at last all. Nothing is
        written before it is asked, nor after it ended, broke or was left. What `target` raises comes out of it.

        Raises:
            ObjectNotFound: No object has the key.
        """
        ...

    def head(self, key: ObjectKey) -> ObjectInfo:
        """Describe an object.

        Raises:
            ObjectNotFound: No object has the key.
        """
        ...

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        """Write an object in one request; readers see the old state or the new one, and the new one at once.

        Whoever reads or lists after a put returned sees it.

        Raises:
            ObjectExists: `mode` is `Create` and the key is taken.
            PreconditionFailed: `mode` is `IfMatch` and the object has another ETag, or is gone.
            InvalidInput: `mode` is not `Overwrite` and the body is above `MAX_CONDITIONAL_BYTES`.
            NotSupported: The store does not declare the ability that `mode` needs.
            Conflict: The store cannot hold a key below another one (`a` and `a/b`), as a directory cannot.
        """
        ...

    def put_stream(self, key: ObjectKey, body: BinaryIO) -> PutResult:
        """Write a large object unconditionally, in parts and constant memory; visible whole or not at all.

        A failed call leaves no parts behind, as far as the store can still be reached. `Conflict` as of `put`.
        """
        ...

    def delete(self, key: ObjectKey) -> None:
        """Remove an object, unconditionally; that it is absent is success."""
        ...

    def delete_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SwampsyncError]:
        """Remove many objects, of any number; return the errors of those that could not be removed.

        Absent ones count as removed. The keys are sent `Capabilities.max_delete_many` at a time.
        """
        ...

    def list(self, prefix: str, *, start: str | None = None) -> Iterator[ObjectInfo]:
        """List all objects whose key begins with `prefix`, in the order of the keys' UTF-8 bytes.

        Lazy: pages are asked for as they are needed. What is put or deleted meanwhile may or may not appear; all
        else appears exactly once.

        Args:
            prefix: A string prefix, not a directory; empty for everything.
            start: Only keys at or after this one: `start` itself is included.
        """
        ...

    def list_dirs(self, prefix: str) -> Iterable[str]:
        """Name, without slashes, the segments that follow `prefix` before a further slash.

        Each once, in the order of the names' UTF-8 bytes; an object directly below `prefix` is not named.

        Args:
            prefix: Empty, or ending in a slash.

        Raises:
            InvalidInput: `prefix` is neither.
        """
        ...
