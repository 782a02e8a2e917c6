"""Finding the model locks of a namespace without reading its data.

Reads directories down to model level only. Every name in `data/` is a part of a type, a model's id, or something of a
model's; a model is known by its id's shape (a UUID), or by what lies in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from swampsync.disk import Disk, Kind
from swampsync.layout import MODEL_LOCK_NAME

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAX_DEPTH: Final = 32


def walk_model_directories(disk: Disk, data_path: str) -> Iterator[tuple[str, str]]:
    """Find the directories of models under a `data` directory.

    A directory of a model whose id is no UUID is found only while it holds a lock file.

    Args:
        disk: Where.
        data_path: `{base}[/{ns}]/data`; it need not exist.

    Yields:
        The model (`type/id`) and its directory, in no particular order.
    """
    pending = [("", 0)]
    while pending:
        relative, depth = pending.pop()
        path = f"{data_path}/{relative}" if relative else data_path
        if _UUID.fullmatch(relative.rpartition("/")[2]):
            yield relative, path
            continue
        try:
            entries = disk.scandir(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        names = {e.name for e in entries}
        if "/" in relative and MODEL_LOCK_NAME in names:
            yield relative, path
        # An artifact holds `latest` and numbers; there is no model below it.
        if "latest" in names or depth >= _MAX_DEPTH or any(n.isdigit() for n in names):
            continue
        pending.extend(
            (f"{relative}/{entry.name}" if relative else entry.name, depth + 1)
            for entry in entries
            if entry.kind is Kind.DIRECTORY and not entry.name.startswith(".")
        )


def find_model_locks(disk: Disk, data_path: str) -> Iterator[tuple[str, str]]:
    """Find every model's lock file under a `data` directory.

    Yields:
        The model (`type/id`) and its lock's path, in no particular order.
    """
    for relative, path in walk_model_directories(disk, data_path):
        lock = f"{path}/{MODEL_LOCK_NAME}"
        try:
            disk.stat(lock)
        except (FileNotFoundError, NotADirectoryError):
            continue
        yield relative, lock
