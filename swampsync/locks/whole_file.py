"""Creating a small file with all of its content in one step, or not at all if something is there.

The complete file is written under a temporary name and then linked to its own. Whether the link was made is read from
the file's link count, not from the answer: a network file system may do the work and lose the answer, and says
"exists" when asked again. Where there are no hard links, the file is created exclusively and written in place, as
swamp does; a reader may then see it torn for a moment.
"""

from __future__ import annotations

import errno
import posixpath
from contextlib import suppress
from typing import Final

from swampsync.disk import Disk, DiskFile, WriteMode

_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
_ATTEMPTS: Final = 8

# What other machines see only after it was flushed. A name that is not here is taken for a network's.
_LOCAL_FILESYSTEMS: Final = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "ramfs", "overlay", "apfs", "hfs", "bcachefs"}
)


def is_seen_at_once(disk: Disk, path: str) -> bool:
    """Whether everybody who can see the file system of `path` sees a write without a flush."""
    return disk.filesystem_type(path) in _LOCAL_FILESYSTEMS


def create_whole(disk: Disk, path: str, body: bytes, *, temporary: str, is_flushed: bool) -> DiskFile | None:
    """Create `path` with `body`; parents are made when they are missing.

    Args:
        disk: Where.
        path: Where to.
        body: The whole content.
        temporary: A path in the same directory that nobody else uses.
        is_flushed: Whether the bytes must be on stable storage before anybody can see them.

    Returns:
        The file, open for writing, or `None` if `path` exists already.
    """
    for attempt in range(_ATTEMPTS):
        try:
            file = _write_temporary(disk, temporary, body, is_flushed=is_flushed)
        except FileNotFoundError:
            disk.makedirs(posixpath.dirname(path))
            continue
        is_ours = False
        try:
            is_ours = _link(disk, temporary, path)
        except FileNotFoundError:
            if attempt == _ATTEMPTS - 1:
                raise
            continue  # somebody removed the directory, or swept the temporary file: start again
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return _create_in_place(disk, path, body, is_flushed=is_flushed)
        finally:
            with suppress(FileNotFoundError):
                disk.unlink(temporary)
            if not is_ours:
                file.close()
        return file if is_ours else None
    raise FileNotFoundError(errno.ENOENT, "the directory vanishes as often as it is made", path)


def _write_temporary(disk: Disk, temporary: str, body: bytes, *, is_flushed: bool) -> DiskFile:
    try:
        file = disk.open_write(temporary, WriteMode.CREATE)
    except FileExistsError:
        # Nobody else uses the name: it is left over from an interrupted attempt of our own.
        disk.unlink(temporary)
        file = disk.open_write(temporary, WriteMode.CREATE)
    try:
        file.write(body)
        if is_flushed:
            file.sync()
    except BaseException:
        file.close()
        with suppress(OSError):
            disk.unlink(temporary)
        raise
    return file


def _link(disk: Disk, temporary: str, path: str) -> bool:
    with suppress(FileExistsError):
        disk.link(temporary, path)
        return True
    return disk.stat(temporary).links > 1


def _create_in_place(disk: Disk, path: str, body: bytes, *, is_flushed: bool) -> DiskFile | None:
    try:
        file = disk.open_write(path, WriteMode.CREATE)
    except FileExistsError:
        return None
    try:
        file.write(body)
        if is_flushed:
            file.sync()
    except BaseException:
        file.close()
        raise
    return file
