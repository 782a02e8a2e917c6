"""The local copy of a namespace: files that lie where they would lie on a directory.

It belongs to us. A file that is missing here is content that was not fetched, never a deletion; what is written comes
whole or not at all, and only with the digest that the log names.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from swampsync.artifacts.latest import settle_marker
from swampsync.artifacts.tree import Tree, no_check
from swampsync.clock import Clock
from swampsync.disk import Disk, DiskStat, Kind, WriteMode, exists
from swampsync.errors import DataError, Refused
from swampsync.layout import Layout
from swampsync.log.paths import check_path, parse_version_path
from swampsync.sync.downloading import Download, write_download


class WrongContent(DataError):
    """Bytes that are not those that the log names."""

    code = "wrong_content"


class LocalCopy:
    """Reads and changes the files of the copy.

    Args:
        disk: Where they lie.
        layout: Makes their paths.
        clock: Dates nothing that is kept.
        new_id: Makes names of temporary files.
    """

    def __init__(self, disk: Disk, layout: Layout, *, clock: Clock, new_id: Callable[[], str]) -> None:
        self._disk = disk
        self._layout = layout
        self._new_id = new_id
        self._tree = Tree(disk, clock, layout, new_id)

    def path(self, relative: str) -> str:
        """Make the path of a file on the disk.

        Raises:
            InvalidInput: No commit may name it.
        """
        return self._layout.datastore_path(check_path(relative))

    def stat(self, relative: str) -> DiskStat | None:
        """Describe a regular file, `None` if there is none."""
        try:
            found = self._disk.stat(self.path(relative))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found if found.kind is Kind.FILE else None

    def open(self, relative: str) -> BinaryIO:
        """Open a file for reading."""
        return self._disk.open_read(self.path(relative))

    def read(self, relative: str) -> bytes:
        """Read a small file."""
        return self._disk.read_bytes(self.path(relative))

    def write(
        self,
        relative: str,
        chunks: Iterable[bytes],
        *,
        size: int,
        sha256: str,
        is_only_one: bool = False,
        before_replacing: Callable[[], None] = no_check,
    ) -> DiskStat:
        """Write a file that must turn out to have a size and digest; a reader sees the old one or all of the new.

        Args:
            relative: Its path.
            chunks: Its content.
            size: In bytes.
            sha256: Of the content.
            is_only_one: Whether it cannot be fetched again, so that it is synced to the disk before it is relied on.
            before_replacing: Called once the content has come whole, before it takes the place of what lies there.

        Raises:
            WrongContent: The chunks are other bytes; nothing was changed.
            Refused: The path leads through a symbolic link.
        """
        import hashlib  # noqa: PLC0415 - it loads a large library, which a look at a log does not need

        digest, written = hashlib.sha256(), 0
        with self._replacing(relative, before_replacing) as temporary:
            with self._disk.open_write(temporary, WriteMode.CREATE) as file:
                for chunk in chunks:
                    written += file.write(chunk)
                    digest.update(chunk)
                    if written > size:
                        break
                if is_only_one:
                    file.sync()
            if written != size or digest.hexdigest() != sha256:
                raise _wrong_content(relative)
        path = self.path(relative)
        if is_only_one:
            self._disk.sync_directory(path.rpartition("/")[0])
        return self._disk.stat(path)

    def write_download(
        self,
        relative: str,
        download: Download,
        *,
        size: int,
        sha256: str,
        before_replacing: Callable[[], None] = no_check,
    ) -> DiskStat:
        """Write a large file of an object, as its parts come; see `write`."""
        with self._replacing(relative, before_replacing) as temporary:
            if write_download(self._disk, temporary, download, size=size) != sha256:
                raise _wrong_content(relative)
        return self._disk.stat(self.path(relative))

    @contextlib.contextmanager
    def _replacing(self, relative: str, before_replacing: Callable[[], None]) -> Iterator[str]:
        """Give the path of a temporary file, which takes the file's place if nothing is raised, and else is gone."""
        target = self.path(relative)
        directory, _, name = target.rpartition("/")
        self.make_directory(directory)
        temporary = f"{directory}/.{name[:100]}.{self._new_id()}.tmp"
        try:
            yield temporary
            before_replacing()
            self._disk.rename(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                self._disk.unlink(temporary)
            raise

    def write_bytes(
        self,
        relative: str,
        body: bytes,
        *,
        is_only_one: bool = False,
        before_replacing: Callable[[], None] = no_check,
    ) -> DiskStat:
        """Write a small file of our own making; see `write`."""
        import hashlib  # noqa: PLC0415 - it loads a large library, which a look at a log does not need

        sha256 = hashlib.sha256(body).hexdigest()
        return self.write(
            relative,
            (body,),
            size=len(body),
            sha256=sha256,
            is_only_one=is_only_one,
            before_replacing=before_replacing,
        )

    def copy(self, source: str, target: str, *, size: int, sha256: str) -> DiskStat:
        """Write a file with the first `size` bytes of another one, which must have a digest and may be the only ones.

        Raises:
            WrongContent: They are other bytes; nothing was changed.
        """
        with self.open(source) as stream:
            return self.write(target, _take(stream, size), size=size, sha256=sha256, is_only_one=True)

    def move(self, source: str, target: str) -> None:
        """Give a file another path; that it lies there already, from an earlier try, is success."""
        path = self.path(target)
        self.make_directory(path.rpartition("/")[0])
        with contextlib.suppress(FileNotFoundError):
            self._disk.rename(self.path(source), path)

    def cut(self, relative: str, *, size: int) -> None:
        """Take off what lies behind the first `size` bytes of a file."""
        path = self.path(relative)
        self._guard(path.rpartition("/")[0])
        with self._disk.open_write(path, WriteMode.APPEND) as file:
            file.truncate(size)

    def remove(self, relative: str) -> None:
        """Remove a file and the directories that it leaves empty."""
        path = self.path(relative)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            self._guard(path.rpartition("/")[0])
            self._disk.unlink(path)
        root = self._layout.root
        parent = path.rpartition("/")[0]
        while len(parent) > len(root):
            try:
                self._disk.rmdir(parent)
            except OSError:
                return
            parent = parent.rpartition("/")[0]

    def remove_version(self, directory: str) -> None:
        """Remove a version's directory with all that is in it, and point `latest` at what is left."""
        version = parse_version_path(f"{directory}/raw")
        assert version is not None
        path = self.path(directory)
        artifact = path.rpartition("/")[0]
        if self._is_there(path):
            self._guard(artifact)
            self._tree.remove(path)
        if self._is_there(artifact):
            settle_marker(self._tree, artifact)

    def claim_directory(self, directory: str) -> bool:
        """Make a version's directory; say whether it was us who made it."""
        path = self.path(directory)
        self.make_directory(path.rpartition("/")[0])
        try:
            self._disk.mkdir(path)
        except FileExistsError:
            return False
        return True

    def settle_latest(self, artifact: str) -> None:
        """Point an artifact's `latest` at the highest version that is here whole; it is not synced."""
        path = self.path(artifact)
        if self._is_there(path):
            settle_marker(self._tree, path, is_synced=False)

    def rename(self, relative: str, target: str) -> None:
        """Give a file another path in the copy, durably."""
        path = self.path(target)
        directory = path.rpartition("/")[0]
        self.make_directory(directory)
        self._disk.rename(self.path(relative), path)
        self._disk.sync_directory(directory)

    def move_aside(self, relative: str, directory: str) -> str | None:
        """Move a file to the same relative path below another directory, `~2` and so on behind it if that is taken.

        Returns:
            Where it is; `None` if there was no such file.
        """
        target = wanted = f"{directory}/{relative}"
        number = 1
        while exists(self._disk, target):
            number += 1
            target = f"{wanted}~{number}"
        self._disk.makedirs(target.rpartition("/")[0])
        try:
            self._disk.rename(self.path(relative), target)
        except FileNotFoundError:
            return None
        return target

    def _is_there(self, path: str) -> bool:
        try:
            return self._disk.stat(path).kind is Kind.DIRECTORY
        except (FileNotFoundError, NotADirectoryError):
            return False

    def make_directory(self, path: str) -> None:
        """Make a directory, by its path on the disk, with its parents.

        Raises:
            Refused: The path leads through a symbolic link.
        """
        self._guard(path)
        self._disk.makedirs(path)

    def _guard(self, path: str) -> None:
        root = self._layout.root
        if self._disk.realpath(path) != self._disk.realpath(root) + path[len(root) :]:
            raise Refused(f"`{path}` goes through a symbolic link; nothing is written or removed there", key=path)


def _wrong_content(relative: str) -> WrongContent:
    return WrongContent(f"the object of `{relative}` does not hold the content that the log names")


def _take(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while size and (chunk := stream.read(min(size, 1 << 20))):
        size -= len(chunk)
        yield chunk
