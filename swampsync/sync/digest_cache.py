"""Content by its digest, for all repos of a user: bounded, and always fetched again where it is missing or damaged.

    {root}/{2 hex}/{SHA-256}     content; its modification time is when it was last read
    {root}/{2 hex}/.{id}.tmp     content that is being written
    {root}/written               one byte for each 4 KiB written since the cache was last measured

Any number of processes use one cache without a lock. A file appears under its name whole, by a rename, and two that
write one digest write the same bytes. Whoever reads holds the open file, which lives on when another process evicts its
name. Nothing is believed: content is hashed before the first byte of it is used.
"""

from __future__ import annotations

import contextlib
import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import BinaryIO, Final

from swampsync.clock import Clock
from swampsync.disk import Disk, DiskStat, Kind, WriteMode
from swampsync.sync.local_copy import WrongContent

_BLOCK: Final = 4_096  # what the smallest file takes on most disks
_CHUNK: Final = 1 << 20
_JOURNAL: Final = "written"
# Measured when a sixteenth of the limit was written, down to fifteen: in between the limit holds.
_SHARE: Final = 16
_LEFT_BEHIND: Final = timedelta(days=1)


class DigestCache:
    """A bounded cache of content.

    Args:
        root: Its directory, made when the first content is kept.
        limit: How many bytes its files may take, least recently used first out; 0 keeps nothing.
        disk: Where it lies.
        clock: Tells how old what a killed process left behind is.
        new_id: Makes names that nobody else uses.
    """

    def __init__(self, root: str, *, limit: int, disk: Disk, clock: Clock, new_id: Callable[[], str]) -> None:
        self._root = root
        self._limit = limit
        self._disk = disk
        self._clock = clock
        self._new_id = new_id

    @property
    def limit(self) -> int:
        """How many bytes its files may take."""
        return self._limit

    def path_of(self, sha256: str) -> str:
        """Return where content is, if it is kept."""
        return f"{self._root}/{sha256[:2]}/{sha256}"

    def has(self, sha256: str, *, size: int) -> bool:
        """Say whether a file of that size is kept; its content is not read."""
        try:
            return self._disk.stat(self.path_of(sha256)).size == size
        except (FileNotFoundError, NotADirectoryError):
            return False

    def find(self, sha256: str, *, size: int) -> BinaryIO | None:
        """Open content that is kept, at its beginning; `None` if it is not, or not as it should be.

        Raises:
            OSError: The file cannot be read.
        """
        path = self.path_of(sha256)
        try:
            file = self._disk.open_read(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            if not _holds(file, sha256, size):
                self._forget(path)
                file.close()
                return None
            file.seek(0)
            with contextlib.suppress(OSError):
                self._disk.touch(path)
        except BaseException:
            file.close()
            raise
        return file

    def put(self, sha256: str, chunks: Iterable[bytes], *, size: int) -> BinaryIO:
        """Keep content, and open it at its beginning; what is larger than the limit is only opened.

        Raises:
            WrongContent: The chunks are other bytes; nothing was kept.
            OSError: The file cannot be written.
        """
        path = self.path_of(sha256)
        directory = path.rpartition("/")[0]
        self._disk.makedirs(directory)
        temporary = f"{directory}/.{self._new_id()}.tmp"
        with contextlib.ExitStack() as undo:
            undo.callback(self._forget, temporary)
            self._write(temporary, chunks, sha256, size)
            file = self._disk.open_read(temporary)
            undo.callback(file.close)
            if _cost(size) * _BLOCK > self._limit:
                self._disk.unlink(temporary)
            else:
                self._disk.rename(temporary, path)
                with contextlib.suppress(OSError):  # whoever wants the content has it
                    self._account(_cost(size))
            undo.pop_all()
        return file

    def _write(self, path: str, chunks: Iterable[bytes], sha256: str, size: int) -> None:
        digest, written = hashlib.sha256(), 0
        with self._disk.open_write(path, WriteMode.CREATE) as file:
            for chunk in chunks:
                written += file.write(chunk)
                digest.update(chunk)
                if written > size:
                    break
        if written != size or digest.hexdigest() != sha256:
            raise WrongContent(f"the object does not hold the content with SHA-256 {sha256} that the log names")

    def _forget(self, path: str) -> None:
        with contextlib.suppress(OSError):
            self._disk.unlink(path)

    # --- bounds ------------------------------------------------------------------------------------

    def _account(self, blocks: int) -> None:
        """Note what was written, and measure the cache when enough was."""
        journal = f"{self._root}/{_JOURNAL}"
        try:
            file = self._disk.open_write(journal, WriteMode.APPEND)
        except FileNotFoundError:
            file = self._disk.open_write(journal, WriteMode.TRUNCATE)
        with file:
            file.write(b"." * blocks)
            written = file.stat().size * _BLOCK
        if written >= self._limit // _SHARE:
            self.evict()
            self._disk.open_write(journal, WriteMode.TRUNCATE).close()

    def evict(self) -> int:
        """Remove what was not used for the longest time until enough room is left; return the bytes removed."""
        sizes, times = array("q"), array("q")
        stale_ns = int((self._clock.now() - _LEFT_BEHIND).timestamp() * 1_000_000_000)
        for path, stat in self._files():
            if path.rpartition("/")[2].startswith("."):
                if stat.mtime_ns < stale_ns:
                    self._forget(path)
                continue
            sizes.append(_cost(stat.size) * _BLOCK)
            times.append(stat.mtime_ns)
        surplus = sum(sizes) - self._limit * (_SHARE - 1) // _SHARE
        if surplus <= 0:
            return 0
        # Only the time of the last that goes is kept in mind, and none of the names: there may be half a million.
        cutoff, left = 0, surplus
        for index in sorted(range(len(times)), key=times.__getitem__):
            cutoff = times[index]
            left -= sizes[index]
            if left <= 0:
                break
        removed = 0
        for path, stat in self._files():
            if removed < surplus and stat.mtime_ns <= cutoff and not path.rpartition("/")[2].startswith("."):
                self._forget(path)
                removed += _cost(stat.size) * _BLOCK
        return removed

    def _files(self) -> Iterator[tuple[str, DiskStat]]:
        for shard in self._scan(self._root):
            for path in self._scan(shard):
                with contextlib.suppress(FileNotFoundError):
                    stat = self._disk.stat(path)
                    if stat.kind is Kind.FILE:
                        yield path, stat

    def _scan(self, directory: str) -> list[str]:
        try:
            return [f"{directory}/{entry.name}" for entry in self._disk.scandir(directory)]
        except (FileNotFoundError, NotADirectoryError):
            return []


def _cost(size: int) -> int:
    """Count the blocks that a file takes."""
    return max(1, -(-size // _BLOCK))


def _holds(file: BinaryIO, sha256: str, size: int) -> bool:
    digest, left = hashlib.sha256(), size
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        left -= len(chunk)
    return left == 0 and digest.hexdigest() == sha256
