"""Reading and replacing `.swamp.yaml` on a disk."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Final

from swampsync.config.document import ConfigDocument
from swampsync.disk import Disk, WriteMode
from swampsync.errors import Conflict, NotFound

_TEMPORARY_SUFFIX: Final = ".swampsync-tmp"
_MAX_TEMPORARIES: Final = 100


def read_config_file(disk: Disk, path: str) -> ConfigDocument:
    """Read and parse a configuration.

    Raises:
        NotFound: There is no such file.
        InvalidInput: It cannot be parsed.
    """
    try:
        data = disk.read_bytes(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"there is no `{path}`", hint="swamp repo init", key=path) from error
    return ConfigDocument.parse(data, path=path)


def write_config_file(disk: Disk, document: ConfigDocument, *, replaces: ConfigDocument | None) -> None:
    """Replace a configuration in one step, durable when this returns; a symbolic link is written through.

    Args:
        disk: Where.
        document: What; nothing is written if the file has these bytes already.
        replaces: What the change was made from; `None` for a new file.

    Raises:
        Conflict: Somebody changed or created the file in the meantime.
    """
    target = disk.realpath(document.path)
    data = document.to_bytes()
    found = _read_or_none(disk, target)
    if found == data:
        return
    if found != (replaces.to_bytes() if replaces is not None else None):
        raise Conflict(
            f"`{document.path}` was changed by somebody else just now; nothing was written",
            hint="run the same command again",
            key=document.path,
        )
    replace_file(disk, target, data)


def replace_file(disk: Disk, path: str, data: bytes) -> None:
    """Write a file beside the old one and put it in its place, durably, with the old one's mode where there is one.

    Raises:
        Conflict: Leftovers of many interrupted writers are in the way.
    """
    temporary = _create_temporary(disk, path, data)
    try:
        # Only disks that know modes have this method; there is none in `Disk`.
        copy_mode: Callable[[str, str], None] | None = getattr(disk, "copy_mode", None)
        if copy_mode is not None:
            copy_mode(path, temporary)
        disk.rename(temporary, path)
    except BaseException:
        _remove_if_there(disk, temporary)
        raise
    disk.sync_directory(posixpath.dirname(path))


def _create_temporary(disk: Disk, path: str, data: bytes) -> str:
    # Created exclusively, so that two writers never share one; what an interrupted writer left only takes a number.
    for number in range(_MAX_TEMPORARIES):
        temporary = f"{path}.{number}{_TEMPORARY_SUFFIX}"
        try:
            file = disk.open_write(temporary, WriteMode.CREATE)
        except FileExistsError:
            continue
        try:
            with file:
                file.write(data)
                file.sync()
        except BaseException:
            _remove_if_there(disk, temporary)
            raise
        return temporary
    raise Conflict(
        f"{_MAX_TEMPORARIES} leftovers of interrupted writers are in the way of `{path}`",
        hint=f"rm {path}.*{_TEMPORARY_SUFFIX}",
        key=path,
    )


def _read_or_none(disk: Disk, path: str) -> bytes | None:
    try:
        return disk.read_bytes(path)
    except FileNotFoundError:
        return None


def _remove_if_there(disk: Disk, path: str) -> None:
    try:
        disk.unlink(path)
    except FileNotFoundError:
        return
