"""A disk on which nothing is written: what would be goes to a scratch directory and is found there.

Whoever works on it sees its own writes, renames and removals, and all else as it lies on the real disk, which is only
read. So a rehearsal runs the same code as the act.
"""

from __future__ import annotations

import errno
import os
from itertools import count
from typing import BinaryIO

from swampsync.disk.interface import Disk, DiskEntry, DiskFile, DiskStat, Kind, WriteMode, exists

_CHUNK = 1 << 20


class RedirectedDisk:
    """Reads a disk; keeps what is written elsewhere.

    Args:
        disk: What is read.
        scratch: An empty directory on it, for the files that are written; whoever made it removes it.
    """

    def __init__(self, disk: Disk, scratch: str) -> None:
        self._disk = disk
        self._scratch = scratch
        self._numbers = count()
        # Where a file lies really; `None` for a file or directory that is gone.
        self._places: dict[str, str | None] = {}
        self._made: set[str] = set()
        self._names: dict[str, set[str]] = {}

    # --- reading -----------------------------------------------------------------------------------

    def open_read(self, path: str) -> BinaryIO:
        """Open for reading."""
        return self._disk.open_read(self._place_of(path))

    def read_bytes(self, path: str) -> bytes:
        """Read a whole small file."""
        return self._disk.read_bytes(self._place_of(path))

    def read_private(self, path: str) -> bytes:
        """Read a whole small file, unless it is a link, not ours, or open to others."""
        return self._disk.read_private(self._place_of(path))

    def stat(self, path: str) -> DiskStat:
        """Describe a path."""
        if path in self._made:
            return self._disk.stat(self._scratch)
        return self._disk.stat(self._place_of(path))

    def scandir(self, path: str) -> list[DiskEntry]:
        """List a directory."""
        names = self._names.get(path, set())
        entries: list[DiskEntry] = []
        if path not in self._made:
            entries = [entry for entry in self._disk.scandir(self._place_of(path)) if entry.name not in names]
        for name in names:
            child = f"{path}/{name}"
            if child in self._made or self._places.get(child, child) is not None:
                entries.append(DiskEntry(name, self.stat(child).kind))
        return entries

    def readlink(self, path: str) -> str:
        """Return where a symbolic link points."""
        return self._disk.readlink(self._place_of(path))

    def realpath(self, path: str) -> str:
        """Resolve symbolic links, of which none is ever made here."""
        return self._disk.realpath(path)

    def filesystem_type(self, path: str) -> str:
        """Name the file system of `path`."""
        return self._disk.filesystem_type(path)

    # --- writing -----------------------------------------------------------------------------------

    def open_write(self, path: str, mode: WriteMode) -> DiskFile:
        """Open a file of the scratch directory in place of this one."""
        is_there = exists(self, path)
        if mode in {WriteMode.CREATE, WriteMode.PRIVATE} and is_there:
            raise _error(errno.EEXIST, path)
        if mode in {WriteMode.APPEND, WriteMode.UPDATE} and not is_there:
            raise _error(errno.ENOENT, path)
        self._require_directory(path.rpartition("/")[0])
        if mode in {WriteMode.APPEND, WriteMode.UPDATE}:
            return self._disk.open_write(self._own_place_of(path), mode)
        place = self._new_place()
        self._drop(path)
        self._set(path, place)
        return self._disk.open_write(place, WriteMode.CREATE if mode is WriteMode.TRUNCATE else mode)

    def mkdir(self, path: str) -> None:
        """Make a directory."""
        if exists(self, path):
            raise _error(errno.EEXIST, path)
        self._require_directory(path.rpartition("/")[0])
        self._places.pop(path, None)
        self._made.add(path)
        self._note(path)

    def makedirs(self, path: str, *, is_private: bool = False) -> None:
        """Make a directory and its parents; what is here is nobody else's anyway."""
        del is_private
        if not path or self._is_directory(path):
            return
        self.makedirs(path.rpartition("/")[0])
        self.mkdir(path)

    def link(self, source: str, target: str) -> None:
        """Give a file a second name."""
        if exists(self, target):
            raise _error(errno.EEXIST, target)
        place = self._new_place()
        self._disk.link(self._own_place_of(source), place)  # a lock counts the names of a file
        self._set(target, place)

    def rename(self, source: str, target: str) -> None:
        """Rename, replacing an existing file."""
        self._require_directory(target.rpartition("/")[0])
        if self._is_directory(source):
            if target.startswith(f"{source}/"):
                raise _error(errno.EINVAL, target)
            if exists(self, target):
                self.rmdir(target)
            self.mkdir(target)
            for entry in self.scandir(source):
                self.rename(f"{source}/{entry.name}", f"{target}/{entry.name}")
            self.rmdir(source)
            return
        if self._is_directory(target):
            raise _error(errno.EISDIR, target)
        place = self._place_of(source)
        self._disk.stat(place)
        if source == target:
            return
        self._drop(target)
        self._set(target, place)
        self._set(source, None)

    def touch(self, path: str) -> None:
        """Set the modification time of a file that was written here; of others it stays."""
        place = self._place_of(path)
        if place.startswith(f"{self._scratch}/"):
            self._disk.touch(place)

    def unlink(self, path: str) -> None:
        """Remove a file or link."""
        if self._is_directory(path):
            raise _error(errno.EISDIR, path)
        self._disk.stat(self._place_of(path))
        self._drop(path)
        self._set(path, None)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        self._require_directory(path)
        if self.scandir(path):
            raise _error(errno.ENOTEMPTY, path)
        self._made.discard(path)
        self._set(path, None)

    def sync_directory(self, path: str) -> None:
        """Do nothing: what is here need not outlive the process."""
        self._require_directory(path)

    def sync_filesystem(self, path: str) -> None:
        """Do nothing."""
        self.stat(path)

    # --- where things are --------------------------------------------------------------------------

    def _place_of(self, path: str) -> str:
        place = self._places.get(path, path)
        if place is None:
            raise _error(errno.ENOENT, path)
        if place is path and self._places.get(path.rpartition("/")[0]) is not None:
            raise _error(errno.ENOTDIR, path)
        return place

    def _own_place_of(self, path: str) -> str:
        """Return where a file may be written; a file of the real disk is copied first."""
        place = self._place_of(path)
        if place.startswith(f"{self._scratch}/"):
            return place
        own = self._new_place()
        with self._disk.open_read(place) as source, self._disk.open_write(own, WriteMode.CREATE) as target:
            while chunk := source.read(_CHUNK):
                target.write(chunk)
        self._set(path, own)
        return own

    def _new_place(self) -> str:
        return f"{self._scratch}/f{next(self._numbers)}"

    def _drop(self, path: str) -> None:
        """Remove what was written for a path, before something else takes its place."""
        place = self._places.get(path)
        if place is not None and place.startswith(f"{self._scratch}/"):
            self._disk.unlink(place)

    def _set(self, path: str, place: str | None) -> None:
        self._places[path] = place
        self._note(path)

    def _note(self, path: str) -> None:
        parent, _, name = path.rpartition("/")
        self._names.setdefault(parent, set()).add(name)

    def _is_directory(self, path: str) -> bool:
        try:
            return self.stat(path).kind is Kind.DIRECTORY
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _require_directory(self, path: str) -> None:
        if path and self.stat(path).kind is not Kind.DIRECTORY:
            raise _error(errno.ENOTDIR, path)


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
