"""The `latest` marker: which version readers get.

A put never moves it back. Two puts at once may rename their markers in the wrong order, so whoever renamed looks at
the tree once more: if a higher version is whole by now, it writes the marker again. The last to rename has then seen
every version that was whole before, and the owner of any later one renames after it: the marker ends at the highest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.scan import LATEST_NAME, list_numbers, read_marker, read_version
from swampsync.artifacts.tree import Tree, no_check


def highest_whole(tree: Tree, path: str) -> Metadata | None:
    """Return metadata of an artifact's highest whole version."""
    name = path.rpartition("/")[2]
    for number in reversed(list_numbers(tree.disk, path)):
        found = read_version(tree.disk, path, name, number)
        if isinstance(found, Metadata):
            return found
    return None


def latest_of(tree: Tree, path: str) -> Metadata | None:
    """Return metadata of the version that readers get: the marker's if it is whole, else the highest whole one."""
    marker = read_marker(tree.disk, path)
    if marker is not None:
        found = read_version(tree.disk, path, path.rpartition("/")[2], marker)
        if isinstance(found, Metadata):
            return found
    return highest_whole(tree, path)


def write_marker(
    tree: Tree, path: str, number: int, *, check: Callable[[], None] = no_check, is_synced: bool = True
) -> None:
    """Replace the marker by rename; the directory is not synced yet, the marker unless it need not be."""
    marker = f"{path}/{LATEST_NAME}"
    temporary = tree.write_beside(marker, str(number).encode(), is_synced=is_synced)
    try:
        check()
        tree.disk.rename(temporary, marker)
    except BaseException:
        with contextlib.suppress(OSError):
            tree.disk.unlink(temporary)
        raise


def advance_marker(tree: Tree, path: str, *, check: Callable[[], None] = no_check) -> None:
    """Move the marker to the highest whole version, forwards only, however many do so at once."""
    while True:
        found = highest_whole(tree, path)
        marker = read_marker(tree.disk, path)
        if found is None or marker == found.version:
            return
        if marker is not None and marker > found.version and _is_whole(tree, path, marker):
            continue  # published since we looked
        write_marker(tree, path, found.version, check=check)


def settle_marker(tree: Tree, path: str, *, check: Callable[[], None] = no_check, is_synced: bool = True) -> int | None:
    """Point the marker at the highest whole version left, backwards if need be; return its number.

    Without any version left, the marker and the artifact's directory are removed.
    """
    while (found := highest_whole(tree, path)) is not None:
        if read_marker(tree.disk, path) == found.version:
            return found.version
        write_marker(tree, path, found.version, check=check, is_synced=is_synced)
    with contextlib.suppress(FileNotFoundError):
        check()
        tree.disk.unlink(f"{path}/{LATEST_NAME}")
    with contextlib.suppress(OSError):  # somebody has claimed a number in it, or it is gone already
        tree.disk.rmdir(path)
    return None


def _is_whole(tree: Tree, path: str, number: int) -> bool:
    return isinstance(read_version(tree.disk, path, path.rpartition("/")[2], number), Metadata)
