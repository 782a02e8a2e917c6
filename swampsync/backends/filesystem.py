"""A store in a directory: a key is a path below the root, an object a regular file.

An object appears whole: its bytes are written and synced under a temporary name beside it, then the name is
given by `link` (which fails where the name is taken: create-only) or by `rename` (which replaces). Compare-and-swap
has no such system call and is declared absent rather than imitated.

What a directory cannot do as a bucket does: hold a key below another key (`a` and `a/b`: `Conflict`), and hold
segments above 255 bytes (`InvalidInput`). Symbolic links and names that are no valid keys are no objects.
"""

from __future__ import annotations

import hashlib
import logging
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import BinaryIO, Final

from swampsync.backends.base import (
    BucketNotFound,
    Capabilities,
    Create,
    ETag,
    GetResult,
    IfMatch,
    NotSupported,
    ObjectExists,
    ObjectInfo,
    ObjectNotFound,
    Overwrite,
    PutMode,
    PutResult,
)
from swampsync.backends.checks import (
    check_conditional_size,
    check_directory_prefix,
    check_range,
    digest_chunks,
    digest_etag,
    range_behind_end,
)
from swampsync.backends.filesystem_errors import key_under_key, translated_errors
from swampsync.backends.filesystem_walk import is_temporary_name, list_directories, make_temporary_name, walk_files
from swampsync.backends.places import Places, place_chunks
from swampsync.disk import Disk, DiskFile, DiskStat, Kind, WriteMode
from swampsync.errors import InvalidInput, SwampsyncError, Unavailable
from swampsync.layout import ObjectKey, find_key_problem

CHUNK_BYTES: Final = 1 << 20
_ATTEMPTS: Final = 20

_log: Final = logging.getLogger("swampsync.backends.filesystem")


class FilesystemStore:
    """Objects as files below a directory.

    The ETag is the MD5 of the content. A stat signature would be cheaper and wrong: two versions of equal size can
    share inode and time stamp. So describing an object or reading a range of it reads the whole file; only a
    listing does not, and has no ETags.

    Args:
        disk: Where the directory is.
        root: Its absolute path; it must exist.
        new_id: Makes the unique part of temporary names.
    """

    def __init__(self, disk: Disk, root: str, *, new_id: Callable[[], str]) -> None:
        self._disk = disk
        self._root = root.rstrip("/") or "/"
        self._new_id = new_id

    @property
    def capabilities(self) -> Capabilities:
        """Create-only by `link`; no compare-and-swap."""
        return Capabilities(create_only=True, compare_and_swap=False)

    def get(self, key: ObjectKey, *, start: int = 0, length: int | None = None) -> GetResult:
        """Read an object or a range of it; the whole file is read for its ETag."""
        check_range(key, start, length)
        file, stat = self._open_file(key)
        with file:
            body = b"".join(self._read(key, file))
        if start and start >= len(body):
            raise range_behind_end(key, start, len(body))
        info = _describe(key, stat, len(body), digest_etag(body))
        return GetResult(info, body[start : None if length is None else start + length])

    @contextmanager
    def open(self, key: ObjectKey) -> Iterator[tuple[ObjectInfo, Iterator[bytes]]]:
        """Read an object as chunks; it is read twice, once for its ETag."""
        file, stat = self._open_file(key)
        with file:
            etag = digest_chunks(self._read(key, file))
            size = file.tell()
            file.seek(0)
            yield _describe(key, stat, size, etag), self._read(key, file)

    @contextmanager
    def download(self, key: ObjectKey, target: Places) -> Iterator[tuple[ObjectInfo, Iterator[int]]]:
        """Read an object to its places, which is in order here."""
        with self.open(key) as (info, chunks), closing(place_chunks(chunks, target)) as extents:
            yield info, extents

    def head(self, key: ObjectKey) -> ObjectInfo:
        """Describe an object; the whole file is read for its ETag."""
        file, stat = self._open_file(key)
        with file:
            etag = digest_chunks(self._read(key, file))
            return _describe(key, stat, file.tell(), etag)

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        """Write an object."""
        check_conditional_size(key, len(body), mode)
        if isinstance(mode, IfMatch):
            raise NotSupported(f"a directory has no compare-and-swap, wanted for `{key}`", key=key.text)
        return self._put_chunks(key, [body], mode)

    def put_stream(self, key: ObjectKey, body: BinaryIO) -> PutResult:
        """Write an object from a file."""
        return self._put_chunks(key, _read_chunks(body), Overwrite())

    def delete(self, key: ObjectKey) -> None:
        """Remove an object, and the directories that are empty then."""
        path = self._path(key)
        with translated_errors(key.text):
            stat = self._stat(path)
            if stat is None or stat.kind is not Kind.FILE:
                self._require_root()
                return
            with suppress(FileNotFoundError):
                self._disk.unlink(path)
        self._prune(path)

    def delete_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SwampsyncError]:
        """Remove many objects, one after the other."""
        failures: dict[ObjectKey, SwampsyncError] = {}
        for key in keys:
            try:
                self.delete(key)
            except SwampsyncError as error:
                failures[key] = error
        return failures

    def list(self, prefix: str, *, start: str | None = None) -> Iterator[ObjectInfo]:
        """List objects, without ETags; a directory is read when the listing comes to it."""
        with translated_errors(self._root):
            self._require_root()
            for text, stat in walk_files(self._disk, self._root, prefix, start=start or ""):
                problem = find_key_problem(text)
                if problem is None:
                    yield _describe(ObjectKey(text), stat, stat.size, None)
                else:
                    _log.warning("left out of the listing: a file whose name %s: %r", problem, text)

    def list_dirs(self, prefix: str) -> Iterable[str]:
        """Name the directories that hold an object, at whatever depth."""
        check_directory_prefix(prefix)
        with translated_errors(self._root):
            self._require_root()
            names = list_directories(self._disk, self._root, prefix)
        return [name for name in names if next(self.list(f"{prefix}{name}/"), None) is not None]

    # --- writing ---------------------------------------------------------------------------------

    def _put_chunks(self, key: ObjectKey, chunks: Iterable[bytes], mode: Create | Overwrite) -> PutResult:
        path = self._path(key)
        digest = hashlib.md5(usedforsecurity=False)
        with translated_errors(key.text):
            temporary, file = self._reserve(key, path)
        try:
            with file:
                for chunk in chunks:  # may raise errors of its own, which are not ours to translate
                    digest.update(chunk)
                    with translated_errors(key.text):
                        file.write(chunk)
                with translated_errors(key.text):
                    file.sync()
            with translated_errors(key.text):
                self._publish(key, temporary, path, mode)
        except BaseException:
            self._discard(temporary)
            self._prune(path)
            raise
        self._discard(temporary)
        with translated_errors(key.text):
            self._disk.sync_directory(_parent(path))
        return PutResult(ETag(digest.hexdigest()))

    def _reserve(self, key: ObjectKey, path: str) -> tuple[str, DiskFile]:
        """Create the temporary file, and the directories above it: others may be removing them at the same time."""
        temporary = f"{_parent(path)}/{make_temporary_name(self._new_id())}"
        for _ in range(_ATTEMPTS):
            try:
                return temporary, self._disk.open_write(temporary, WriteMode.CREATE)
            except FileNotFoundError:
                self._require_root()
                with suppress(FileNotFoundError):
                    self._make_parents(path)
            except NotADirectoryError as error:
                raise key_under_key(key) from error
        raise Unavailable(f"the directory of `{key}` is removed again and again", key=key.text)

    def _make_parents(self, path: str) -> None:
        """Create the missing directories above `path`, each synced into the one above it."""
        parent = _parent(path)
        if self._stat(parent) is not None:
            return
        self._make_parents(parent)
        with suppress(FileExistsError):
            self._disk.mkdir(parent)
        self._disk.sync_directory(_parent(parent))

    def _publish(self, key: ObjectKey, temporary: str, path: str, mode: Create | Overwrite) -> None:
        if isinstance(mode, Create):
            try:
                self._disk.link(temporary, path)
            except FileExistsError as error:
                # A network file system repeats a request whose answer was lost: the link may be our own.
                if self._disk.stat(temporary).links == 2:
                    return
                stat = self._stat(path)
                if stat is not None and stat.kind is Kind.DIRECTORY:
                    raise key_under_key(key) from error
                raise ObjectExists(f"object `{key}` exists already", key=key.text) from error
        else:
            try:
                self._disk.rename(temporary, path)
            except (IsADirectoryError, FileExistsError, NotADirectoryError) as error:
                raise key_under_key(key) from error

    def _discard(self, temporary: str) -> None:
        with suppress(OSError):
            self._disk.unlink(temporary)

    def _prune(self, path: str) -> None:
        parent = _parent(path)
        with suppress(OSError):  # not empty, or somebody else was faster: either way it may stay
            while len(parent) > len(self._root):
                self._disk.rmdir(parent)
                parent = _parent(parent)

    # --- reading ---------------------------------------------------------------------------------

    def _open_file(self, key: ObjectKey) -> tuple[BinaryIO, DiskStat]:
        """Open the file together with the stat that belongs to it, not to one that replaced it meanwhile."""
        path = self._path(key)
        with translated_errors(key.text):
            for _ in range(_ATTEMPTS):
                before = self._stat(path)
                if before is None or before.kind is not Kind.FILE:
                    self._require_root()
                    raise ObjectNotFound(f"no object `{key}`", key=key.text)
                try:
                    file = self._disk.open_read(path)
                except FileNotFoundError:
                    continue
                after = self._stat(path)
                if after is not None and after.inode == before.inode and after.mtime_ns == before.mtime_ns:
                    return file, before
                file.close()
        raise Unavailable(f"object `{key}` is replaced again and again", key=key.text)

    def _read(self, key: ObjectKey, file: BinaryIO) -> Iterator[bytes]:
        with translated_errors(key.text):
            yield from _read_chunks(file)

    def _stat(self, path: str) -> DiskStat | None:
        try:
            return self._disk.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _require_root(self) -> None:
        stat = self._stat(self._root)
        if stat is None or stat.kind is Kind.FILE:
            hint = f"mount it if it is a share, else: mkdir -p {shlex.quote(self._root)}"
            raise BucketNotFound(f"directory `{self._root}` does not exist", hint=hint, key=self._root)

    def _path(self, key: ObjectKey) -> str:
        if any(is_temporary_name(segment) for segment in key.text.split("/")):
            raise InvalidInput(f"key `{key}` looks like one of our temporary files", key=key.text)
        return f"{self._root.rstrip('/')}/{key}"


def _describe(key: ObjectKey, stat: DiskStat, size: int, etag: ETag | None) -> ObjectInfo:
    return ObjectInfo(key, size, etag, datetime.fromtimestamp(stat.mtime_ns / 1e9, UTC))


def _read_chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "/"
