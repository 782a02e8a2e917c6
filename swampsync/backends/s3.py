"""Objects in an S3 bucket, through obstore's synchronous calls.

obstore carries the bytes at a tenth of boto3's CPU time. Its asynchronous calls now and then abort the interpreter
at exit and are not used; many requests at a time go through threads (`swampsync.backends.transfer`), for which
every call releases the interpreter's lock. Nothing here repeats a request, parts of multipart uploads aside.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from swampsync.backends.base import (
    BucketNotFound,
    Capabilities,
    Create,
    CredentialsExpired,
    ETag,
    GetResult,
    IfMatch,
    ObjectInfo,
    ObjectNotFound,
    ObjectStoreRefused,
    Overwrite,
    PreconditionFailed,
    PutMode,
    PutResult,
    RequestObserver,
)
from swampsync.backends.checks import check_conditional_size, check_directory_prefix, check_range, range_behind_end
from swampsync.backends.places import Places
from swampsync.backends.s3_answers import Operation
from swampsync.backends.s3_download import place_ranges, read_ranges
from swampsync.backends.s3_keys import CredentialSource
from swampsync.backends.s3_listing import list_range
from swampsync.backends.s3_pieces import FIRST_BYTES
from swampsync.backends.s3_requests import S3Requests, is_out_of_range
from swampsync.backends.s3_settings import ETagQuoting, S3Options
from swampsync.backends.s3_sharing import Sharing
from swampsync.backends.s3_streams import put_stream
from swampsync.errors import AccessDenied, SwampsyncError, Unavailable
from swampsync.layout import ObjectKey, find_key_problem

if TYPE_CHECKING:
    from concurrent.futures import Executor

SINGLE_PUT_BYTES: Final = 64 << 20
MAX_DELETE_MANY: Final = 1_000


class S3Store:
    """An `ObjectStore` in a bucket.

    Args:
        options: How to reach the bucket; keys are relative to its prefix.
        credentials: What signs the requests.
        on_request: Told every HTTP request, from any thread.
        read_file: Reads the file of certificates that the options may name.
        new_pool: Makes an executor of so many threads, by which one large object is read.
    """

    def __init__(
        self,
        options: S3Options,
        credentials: CredentialSource,
        *,
        on_request: RequestObserver | None = None,
        read_file: Callable[[str], bytes],
        new_pool: Callable[[int], Executor] | None = None,
    ) -> None:
        self._options = options
        self._root = options.root
        self._credentials = credentials
        self._requests = S3Requests(options, credentials, on_request=on_request, read_file=read_file)
        self._new_pool = new_pool or _make_threads
        self._quoting = options.etag_quoting
        self._sharing = Sharing()

    def __repr__(self) -> str:
        return f"S3Store({self._options.url!r} at {self._options.where!r})"

    @property
    def options(self) -> S3Options:
        """How the bucket is reached, with what was found to work: the quoting, and whether puts need a checksum."""
        return replace(self._options, etag_quoting=self._quoting, checksum=self._requests.checksum)

    @property
    def capabilities(self) -> Capabilities:
        """What S3 promises, until the server refuses a swap; whether it keeps it is for `doctor backend` to prove."""
        swaps = not self._requests.has_refused_a_swap
        return Capabilities(create_only=True, compare_and_swap=swaps, max_delete_many=MAX_DELETE_MANY)

    def with_quoting(self, quoting: ETagQuoting) -> S3Store:
        """Return this store, with the same connections, under another quoting of ETags."""
        twin = copy.copy(self)
        twin._quoting = quoting  # noqa: SLF001 - it is this class's own
        return twin

    # --- reading -----------------------------------------------------------------------------------

    def get(self, key: ObjectKey, *, start: int = 0, length: int | None = None) -> GetResult:
        """Read an object or a range of it."""
        check_range(key, start, length)
        options: Any = None
        if length is not None:
            options = {"range": (start, start + length)}
        elif start:
            options = {"range": {"offset": start}}
        try:
            return self._get(key, options)
        except ObjectStoreRefused as error:
            if options is None or not is_out_of_range(error):
                raise
        # 416 also answers any range of an empty object; one that starts at 0 is the whole of it.
        info = self.head(key)
        if start or info.size:
            raise range_behind_end(key, start, info.size)
        return GetResult(info, b"")

    @contextmanager
    def open(self, key: ObjectKey) -> Iterator[tuple[ObjectInfo, Iterator[bytes]]]:
        """Read an object as chunks: one request if it is small, ranges side by side if it is large."""
        first = self.get(key, length=FIRST_BYTES)
        chunks = read_ranges(first, partial(self._requests.get_range, key), self._new_pool, self._sharing)
        with closing(chunks):
            yield first.info, chunks

    @contextmanager
    def download(self, key: ObjectKey, target: Places) -> Iterator[tuple[ObjectInfo, Iterator[int]]]:
        """Read an object to its places, ranges side by side: the threads that fetch them write them too."""
        first = self.get(key, length=FIRST_BYTES)
        fetch = partial(self._requests.get_range, key)
        extents = place_ranges(first, fetch, target, self._new_pool, self._sharing)
        with closing(extents):
            yield first.info, extents

    def head(self, key: ObjectKey) -> ObjectInfo:
        """Describe an object."""
        try:
            return self._requests.head(key)
        except SwampsyncError as error:
            if str(error.__cause__) not in _BARE_STATUS:
                raise
        # The answer to HEAD has no body: only GET tells a missing object from a missing bucket, and which right,
        # region or renewal is needed.
        try:
            return self._get(key, {"range": (0, 1)}).info
        except ObjectStoreRefused as error:
            if not is_out_of_range(error):
                raise
        return self._requests.get(key, None).info

    def _get(self, key: ObjectKey, options: Any) -> GetResult:
        """Read an object; to whoever may list only below some prefixes an absent one is 403 too (decision 0150)."""
        try:
            return self._requests.get(key, options)
        except AccessDenied as error:
            if _DENIED not in str(error.__cause__) or not self._is_absent(key):
                raise
            raise ObjectNotFound(f"no object `{key}` in `{self._options.url}`", key=key.text) from error

    def _is_absent(self, key: ObjectKey) -> bool:
        try:
            return not any(info.key == key for info in islice(self.list(key.text), 1))
        except SwampsyncError:
            return False

    # --- writing -----------------------------------------------------------------------------------

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        """Write an object."""
        check_conditional_size(key, len(body), mode)
        match mode:
            case Create():
                return self._requests.put(Operation.CREATE, key, body, mode="create")
            case IfMatch(etag):
                return self._swap(key, body, etag)
            case Overwrite():
                if len(body) > SINGLE_PUT_BYTES:
                    return self.put_stream(key, io.BytesIO(body))
                return self._requests.put(Operation.PUT, key, body, mode=None)

    def _swap(self, key: ObjectKey, body: bytes, etag: ETag) -> PutResult:
        if self._quoting is ETagQuoting.BARE:
            return self._requests.put(Operation.SWAP, key, body, mode={"e_tag": etag.text})
        try:
            result = self._requests.put(Operation.SWAP, key, body, mode={"e_tag": f'"{etag.text}"'})
        except PreconditionFailed:
            if self._quoting is ETagQuoting.QUOTED or not self._still_has(key, etag):
                raise
            # The object has the ETag and the server denies it: it compares quotes and all (Ceph 16).
            result = self._requests.put(Operation.SWAP, key, body, mode={"e_tag": etag.text})
            self._quoting = ETagQuoting.BARE
            return result
        if self._quoting is ETagQuoting.AUTO:
            self._quoting = ETagQuoting.QUOTED
        return result

    def _still_has(self, key: ObjectKey, etag: ETag) -> bool:
        try:
            return self.head(key).etag == etag
        except ObjectNotFound:
            return False

    def put_stream(self, key: ObjectKey, body: BinaryIO) -> PutResult:
        """Write a large object in parts; a small one in one request."""
        put_by_boto = partial(self._put_by_boto, key)
        etag = put_stream(self._requests, self._sharing, key, body, put_by_boto=put_by_boto)
        # Ceph answers the completion in a way that obstore finds no ETag in.
        etag = etag or self.head(key).etag
        if etag is None:
            raise ObjectStoreRefused(
                f"{self._options.where} gives `{key}` no ETag", hint="swamp doctor backend", key=key.text
            )
        return PutResult(etag)

    def _put_by_boto(self, key: ObjectKey, parts: Iterator[bytes]) -> ETag | None:
        from swampsync.backends.s3_boto_upload import BotoUpload  # noqa: PLC0415 - 300 ms, and hardly ever

        return BotoUpload(self.options, self._credentials, self._requests.hook).put(key, parts)

    def delete(self, key: ObjectKey) -> None:
        """Remove an object."""
        self._requests.delete(key)

    def delete_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SwampsyncError]:
        """Remove many objects, a thousand in a request; one by one what a server refuses to remove so."""
        failed: dict[ObjectKey, SwampsyncError] = {}
        for at in range(0, len(keys), MAX_DELETE_MANY):
            batch = keys[at : at + MAX_DELETE_MANY]
            error = self._requests.delete_batch(batch)
            if error is None:
                continue
            if isinstance(error, Unavailable | BucketNotFound | CredentialsExpired):
                failed |= dict.fromkeys(batch, error)
                continue
            # obstore names only the first key that failed.
            for key in batch:
                try:
                    self.delete(key)
                except SwampsyncError as single:
                    failed[key] = single
        return failed

    # --- listing -----------------------------------------------------------------------------------

    def list(self, prefix: str, *, start: str | None = None) -> Iterator[ObjectInfo]:
        """List objects, a thousand in a request."""
        wanted = list_range(self._root, prefix, start)
        if wanted is None:
            return
        for page in self._requests.list_pages(wanted.directory, wanted.offset, prefix):
            for entry in page:
                path: str = entry["path"]
                if path < wanted.first:
                    continue
                if not path.startswith(wanted.prefix):
                    # Ordered: what does not begin with the prefix here comes after all that does.
                    return
                etag = entry["e_tag"]
                yield ObjectInfo(
                    ObjectKey(path[len(self._root) :]),
                    entry["size"],
                    ETag.parse(etag) if etag else None,
                    entry["last_modified"],
                )

    def list_dirs(self, prefix: str) -> Iterable[str]:
        """Name the directories below a prefix."""
        check_directory_prefix(prefix)
        full = self._root + prefix
        if full and find_key_problem(full[:-1]):
            return []
        found = self._requests.list_dirs(full.rstrip("/"), prefix)
        return sorted(path[len(full) :] for path in found if path.startswith(full))


# The code of a refusal that is about rights, and not about keys, clocks or regions.
_DENIED: Final = "AccessDenied"


def _make_threads(width: int) -> Executor:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - a look at a log needs no threads

    return ThreadPoolExecutor(width)


_BARE_STATUS: Final = {"400", "401", "403", "404", "409", "412"}
