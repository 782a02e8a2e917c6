"""What lies in the copy although the databases say that it is gone: noted with them, removed after them.

The databases are written first and the copy is tidied up after, so that a process that dies in between leaves too much
and never too little. What it leaves is noted in the same transaction: a scan would take it for a version that nobody
knows, and a removal that everybody has would come back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import orjson

from swampsync.catalog.files import FileRecord, FileState
from swampsync.catalog.metadata_rows import MetadataRow
from swampsync.log.paths import RAW_FILE, parse_version_path
from swampsync.sync.clone import Clone
from swampsync.sync.kept_aside import KeptAside
from swampsync.sync.local_copy import LocalCopy

_SETTING: Final = "leftover:"


class Leftover(NamedTuple):
    """A file, or a version's directory, that is to be removed from the copy once the databases are written.

    Args:
        path: Of the file, or of the directory.
        record: As it was noted; `None` if nothing was.
        row: The metadata of a version, if that is known.
    """

    path: str
    record: FileRecord | None
    row: MetadataRow | None = None


def note_leftovers(clone: Clone, leftovers: Iterable[Leftover]) -> None:
    """Note what is to be removed, inside the transaction after which it is nobody's."""
    for left in leftovers:
        noted = None if left.record is None else list(left.record)
        clone.state.settings.put(_prefix(clone) + left.path, orjson.dumps(noted).decode())


def noted_leftovers(clone: Clone) -> list[Leftover]:
    """List what was noted and may lie there still."""
    prefix = _prefix(clone)
    found = []
    for key, value in clone.state.settings.under(prefix).items():
        fields = orjson.loads(value)
        record = None if fields is None else FileRecord._make(fields)._replace(state=FileState(fields[2]))
        found.append(Leftover(key[len(prefix) :], record))
    return found


def sweep_leftovers(clone: Clone, copy: LocalCopy) -> None:
    """Remove what a process that died has left; the caller holds the clone's lock."""
    leftovers = noted_leftovers(clone)
    if leftovers:
        remove_leftovers(clone, copy, leftovers, KeptAside(clone.disk, clone.layout, copy))


def remove_leftovers(clone: Clone, copy: LocalCopy, leftovers: Iterable[Leftover], kept: KeptAside) -> None:
    """Remove leftovers, unless they are something else by now; what somebody edited is kept aside."""
    done = []
    for path, noted, row in leftovers:
        is_version = parse_version_path(f"{path}/{RAW_FILE}") is not None
        record = clone.state.files.find(clone.namespace, f"{path}/{RAW_FILE}" if is_version else path)
        done.append(_prefix(clone) + path)
        if record is not None and record.state is not FileState.REMOTE:
            continue
        if is_version:
            if noted is not None:
                kept.keep_version(noted, row)
            copy.remove_version(path)
        else:
            if noted is not None:
                kept.keep_file(noted)
            copy.remove(path)
    clone.state.settings.remove(done)


def _prefix(clone: Clone) -> str:
    return f"{_SETTING}{clone.namespace}:"
