"""One HTTP request each: asks obstore, counts, and turns what goes wrong into our errors.

Knows nothing of modes, ranges or prefixes; that is `swampsync.backends.s3`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from swampsync.backends.base import (
    ETag,
    GetResult,
    NotSupported,
    ObjectInfo,
    ObjectNotFound,
    ObjectStoreRefused,
    PutResult,
    RequestKind,
    RequestObserver,
)
from swampsync.backends.s3_answers import Answer, ChecksumWanted, Operation, Trouble, WireError, parse_answer
from swampsync.backends.s3_clients import S3Clients, Use
from swampsync.backends.s3_download import RangeChunks
from swampsync.backends.s3_keys import CredentialSource
from swampsync.backends.s3_settings import Checksum, S3Options
from swampsync.backends.s3_upload import Parts
from swampsync.errors import InvalidInput, SwampsyncError
from swampsync.layout import ObjectKey

log = logging.getLogger("swampsync.s3")

PAGE_KEYS: Final = 1_000
SMALL_BYTES: Final = 1 << 20
# What is taken from a connection at a time; with 1 MiB a large download was seen to take up to half as much CPU time
# again, with less than this no less.
CHUNK_BYTES: Final = 256 << 10
T = TypeVar("T")


def is_out_of_range(error: SwampsyncError) -> bool:
    """Say whether the server refused because the range lies behind the object's end."""
    return isinstance(error.__cause__, WireError) and str(error.__cause__).startswith("416")


def _ignore(_kind: str, _sent: int, _received: int) -> None:
    """Count nothing."""


class S3Requests:
    """Requests to one bucket; parameters as in `S3Store`."""

    def __init__(
        self,
        options: S3Options,
        credentials: CredentialSource,
        *,
        on_request: RequestObserver | None,
        read_file: Callable[[str], bytes],
    ) -> None:
        self._options = options
        self._root = options.root
        self._credentials = credentials
        self._clients = S3Clients(options, credentials, read_file)
        self.hook = on_request or _ignore
        # Becomes SHA256, for good, with the first put that the bucket refuses for want of it.
        self.checksum = options.checksum
        # Becomes true, for good, with the first 501 to `If-Match`, in whatever form the ETag was sent.
        self.has_refused_a_swap = False

    def count(self, kind: RequestKind, *, sent: int = 0, received: int = 0) -> None:
        """Tell the hook of one request."""
        self.hook(kind, sent, received)

    def ask(self, operation: Operation, key: str | None, call: Callable[[], T], *, kind: RequestKind | None) -> T:
        """Do a call of obstore; its failure is counted as `kind` and raised as one of our errors."""
        if not self._options.anonymous:
            # Here and not only in obstore's callback, so that missing credentials are our own error.
            self._credentials.current()
        try:
            return call()
        except self._clients.failures as caught:
            if kind is not None:
                self.count(kind)
            failure = self._failure(caught, operation, key)
        # Outside the handler: obstore's text, with the URL of the request in it, stays out of the traceback.
        raise failure

    def _failure(self, caught: Exception, operation: Operation, key: str | None) -> SwampsyncError:
        provider_error, self._clients.provider_error = self._clients.provider_error, None
        if provider_error is not None:
            return provider_error
        from swampsync.backends.s3_errors import translate  # noqa: PLC0415 - most requests go well

        answer = parse_answer(str(caught))
        error = translate(answer, operation, key=key, options=self._options, secrets=self._clients.secrets())
        log.debug("%s: %s", operation.value, error.__cause__)
        return error

    def _not_s3(self, operation: Operation, key: str) -> SwampsyncError:
        from swampsync.backends.s3_errors import translate  # noqa: PLC0415 - most requests go well

        return translate(Answer(trouble=Trouble.GARBAGE), operation, key=key, options=self._options)

    # --- objects -----------------------------------------------------------------------------------

    def get(self, key: ObjectKey, options: Any) -> GetResult:
        """Read an object, or the range of it that `options` names."""
        import obstore

        client = self._clients.of(Use.SMALL)
        path = self._root + key.text

        def fetch() -> tuple[Any, bytes]:
            found = obstore.get(client, path, options=options)
            return found.meta, found.bytes().to_bytes()

        meta, body = self.ask(Operation.GET, key.text, fetch, kind=RequestKind.GET)
        self.hook(RequestKind.GET, 0, len(body))
        return GetResult(self._describe(meta, key, Operation.GET), body)

    def get_range(self, key: ObjectKey, start: int, length: int) -> RangeChunks:
        """Begin to read a range, of which the chunks come as they are asked for; put together, it would be there twice.

        Raises:
            InvalidInput: The object ends before the range begins.
        """
        import obstore

        client = self._clients.of(Use.SMALL)
        options: Any = {"range": (start, start + length)}
        try:
            found = self.ask(
                Operation.GET,
                key.text,
                lambda: obstore.get(client, self._root + key.text, options=options),
                kind=RequestKind.GET,
            )
        except ObjectStoreRefused as error:
            if is_out_of_range(error):
                raise InvalidInput(f"object `{key}` ends before {start}", key=key.text) from error
            raise
        return RangeChunks(self._describe(found.meta, key, Operation.GET), self._chunks(key, found))

    def _chunks(self, key: ObjectKey, found: Any) -> Iterator[bytes]:
        stream = iter(found.stream(min_chunk_size=CHUNK_BYTES))
        received = 0
        try:
            while True:
                chunk = self.ask(Operation.GET, key.text, lambda: next(stream, None), kind=None)
                if chunk is None:
                    return
                received += len(chunk)
                yield chunk
        finally:
            self.hook(RequestKind.GET, 0, received)

    def head(self, key: ObjectKey) -> ObjectInfo:
        """Describe an object."""
        import obstore

        client = self._clients.of(Use.SMALL)
        meta = self.ask(
            Operation.HEAD, key.text, lambda: obstore.head(client, self._root + key.text), kind=RequestKind.HEAD
        )
        self.count(RequestKind.HEAD)
        return self._describe(meta, key, Operation.HEAD)

    def _describe(self, meta: Any, key: ObjectKey, operation: Operation) -> ObjectInfo:
        if not meta["e_tag"]:
            # A proxy's page, for one: a 200 that no S3 server gave.
            raise self._not_s3(operation, key.text)
        return ObjectInfo(key, meta["size"], ETag.parse(meta["e_tag"]), meta["last_modified"])

    def put(self, operation: Operation, key: ObjectKey, body: bytes, *, mode: Any) -> PutResult:
        """Write an object in one request; `mode` as obstore takes it."""
        use = Use.SMALL if len(body) <= SMALL_BYTES else Use.BULK
        sent = self.checksum
        try:
            return self._put(operation, key, body, mode, use)
        except ChecksumWanted:
            if sent is Checksum.SHA256:
                raise
            self.checksum = Checksum.SHA256
        except NotSupported:
            self.has_refused_a_swap |= operation is Operation.SWAP
            raise
        return self._put(operation, key, body, mode, use)

    def _put(self, operation: Operation, key: ObjectKey, body: bytes, mode: Any, use: Use) -> PutResult:
        import obstore

        client = self._clients.of(use, is_checked=self.checksum is Checksum.SHA256)
        result = self.ask(
            operation,
            key.text,
            lambda: obstore.put(client, self._root + key.text, body, mode=mode, use_multipart=False),
            kind=RequestKind.PUT,
        )
        self.count(RequestKind.PUT, sent=len(body))
        if not result["e_tag"]:
            raise self._not_s3(operation, key.text)
        return PutResult(ETag.parse(result["e_tag"]))

    def put_parts(self, key: ObjectKey, parts: Parts, *, at_a_time: int) -> ETag | None:
        """Write an object in parts; obstore aborts the upload if any of it fails."""
        import obstore

        client = self._clients.of(Use.PARTS, is_checked=self.checksum is Checksum.SHA256)
        try:
            result = self.ask(
                Operation.PARTS,
                key.text,
                lambda: obstore.put(
                    client,
                    self._root + key.text,
                    parts,
                    use_multipart=True,
                    chunk_size=parts.part_bytes,
                    max_concurrency=at_a_time,
                ),
                kind=None,
            )
        finally:
            # The first and the last request open and complete, or abort, the upload.
            self.count(RequestKind.MULTIPART)
            for at in range(0, parts.sent, parts.part_bytes):
                self.count(RequestKind.PUT, sent=min(parts.part_bytes, parts.sent - at))
            self.count(RequestKind.MULTIPART)
            if parts.error is not None:
                raise parts.error
        return ETag.parse(result["e_tag"]) if result["e_tag"] else None

    def delete(self, key: ObjectKey) -> None:
        """Remove an object; that it is absent is success."""
        import obstore

        client = self._clients.of(Use.SMALL)
        try:
            self.ask(Operation.DELETE, key.text, lambda: obstore.delete(client, self._root + key.text), kind=None)
        except ObjectNotFound:
            pass
        finally:
            self.count(RequestKind.DELETE)

    def delete_batch(self, keys: Sequence[ObjectKey]) -> SwampsyncError | None:
        """Remove up to a thousand objects; return the first error."""
        import obstore

        client = self._clients.of(Use.BULK)
        paths = [self._root + key.text for key in keys]
        try:
            self.ask(Operation.DELETE, None, lambda: obstore.delete(client, paths), kind=None)
        except SwampsyncError as error:
            return error
        finally:
            self.count(RequestKind.DELETE)
        return None

    # --- listing -----------------------------------------------------------------------------------

    def list_pages(self, directory: str | None, offset: str | None, shown: str) -> Iterator[Sequence[Any]]:
        """List what lies in a directory after `offset`, by pages; `shown` names it in errors."""
        import obstore

        client = self._clients.of(Use.SMALL)
        pages = iter(obstore.list(client, directory, offset=offset, chunk_size=PAGE_KEYS))
        page: Sequence[Any] | None = self.ask(Operation.LIST, shown, lambda: next(pages, None), kind=RequestKind.LIST)
        self.count(RequestKind.LIST)
        while page is not None:
            yield page
            # A page that is not full was the last; that the next one is asked for shows only here.
            if len(page) < PAGE_KEYS:
                return
            page = self.ask(Operation.LIST, shown, lambda: next(pages, None), kind=RequestKind.LIST)
            if page is not None:
                self.count(RequestKind.LIST)

    def list_dirs(self, directory: str, shown: str) -> list[str]:
        """List the directories in a directory, whole paths with a slash at their end."""
        import obstore

        client = self._clients.of(Use.SMALL)
        found = self.ask(
            Operation.LIST, shown, lambda: obstore.list_with_delimiter(client, directory or None), kind=RequestKind.LIST
        )
        paths = list(found["common_prefixes"])
        for _ in range(0, max(1, len(paths) + len(found["objects"])), PAGE_KEYS):
            self.count(RequestKind.LIST)
        return paths
