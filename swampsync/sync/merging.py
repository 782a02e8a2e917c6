"""Merging files of JSON lines that two clones extended: what was common, then theirs, then ours.

The common part is not fetched: it is the beginning of both contents, and its digest says how long it is. The merged
file takes our file's place in the copy before the state says so; a process that dies in between finds its own merge
there, knows it by the same digests, and takes it as what it is.
"""

from __future__ import annotations

import hashlib
from typing import Final

from swampsync.backends.base import ObjectNotFound
from swampsync.catalog.files import FileRecord, FileState
from swampsync.log.conflict_copies import merge_lines
from swampsync.log.rows import FilePut
from swampsync.sync.clone import Clone
from swampsync.sync.local_copy import LocalCopy

# Both sides and the result are held in memory at once; what is larger becomes a conflict copy.
MAX_BYTES: Final = 32 * 1024 * 1024


def find_base(body: bytes, sha256: str | None) -> bytes | None:
    """Find the whole lines at the beginning of `body` that have a digest; without one, nothing was common."""
    if sha256 is None:
        return b""
    digest = hashlib.sha256()
    at = 0
    while (end := body.find(b"\n", at) + 1) > 0:
        digest.update(body[at:end])
        at = end
        if digest.hexdigest() == sha256:
            return body[:end]
    return None


def merge_contents(base: str | None, *, theirs: bytes, ours: bytes, recorded: str) -> bytes | None:
    """Merge two contents, `None` if one of them is no extension of what they had in common.

    Args:
        base: The digest of what ours extends; `None` if there was nothing.
        theirs: What the log has now.
        ours: What the copy holds: our content, or what an earlier try has made of it.
        recorded: The digest of our content.
    """
    common = find_base(theirs, base)
    if common is None:
        return None
    if hashlib.sha256(ours).hexdigest() == recorded:
        return merge_lines(common, theirs=theirs, ours=ours)
    for gap in (b"", b"\n"):
        if ours.startswith(theirs + gap):
            mine = common + ours[len(theirs + gap) :]
            if hashlib.sha256(mine).hexdigest() == recorded:
                return merge_lines(common, theirs=theirs, ours=mine)
    return None


def merge_file(clone: Clone, copy: LocalCopy, *, record: FileRecord, base: str | None, theirs: FilePut) -> FileRecord:
    """Merge our file with what the log has at its path; return its new record.

    Args:
        clone: Which.
        copy: Its local copy, whose file is replaced.
        record: Of our content.
        base: The digest of what ours extends.
        theirs: What the log has.

    Raises:
        LookupError: They cannot be merged: both are kept instead.
        Unavailable: The store cannot be reached.
    """
    if max(record.size, theirs.size) > MAX_BYTES:
        raise LookupError("too large to be merged")
    try:
        body = clone.log.store.get(clone.layout.key(theirs.object_path)).body
        ours = copy.read(record.path)
    except (ObjectNotFound, OSError) as error:
        raise LookupError("one side cannot be read") from error
    if hashlib.sha256(body).hexdigest() != theirs.sha256:
        raise LookupError("their object holds other bytes than the log names")
    merged = merge_contents(base, theirs=body, ours=ours, recorded=record.sha256)
    if merged is None:
        raise LookupError("one side does not extend what both had")
    stat = copy.write_bytes(record.path, merged, is_only_one=True)
    digest = hashlib.sha256(merged).hexdigest()
    return FileRecord(
        record.namespace, record.path, FileState.PENDING, *stat.signature, len(merged), digest, None, None
    )
