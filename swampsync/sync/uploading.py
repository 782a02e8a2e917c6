"""Uploading: claims and contents of pending entries, side by side, each key written once.

Creating `{N}/metadata.yaml` claims a version's number; the content follows under the claim. Before the first request
an entry is marked as claimed, so that a process that dies and comes back goes on with what is its own, once it has seen
that it is there; after a day that is given up, because vacuum may take what no commit names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

from swampsync.backends.base import Create, ObjectExists, ObjectNotFound
from swampsync.backends.transfer import Done, Failed, run_many
from swampsync.catalog.files import FileRecord
from swampsync.catalog.metadata_rows import MetadataRow
from swampsync.clock import parse_timestamp
from swampsync.errors import InvalidInput, SwampsyncError
from swampsync.layout import ObjectKey
from swampsync.log.paths import METADATA_FILE
from swampsync.sync.cataloguing import metadata_of, metadata_text_of
from swampsync.sync.clone import Clone
from swampsync.sync.digested import Digested
from swampsync.sync.local_copy import LocalCopy, WrongContent
from swampsync.sync.pending import PendingEntry

RESUME_SECONDS: Final = 23 * 3600.0
STREAM_BYTES: Final = 4 * 1024 * 1024


class KeyTaken(InvalidInput):
    """Somebody else has the key: another number or key must be taken."""

    code = "key_taken"


@dataclass(frozen=True, slots=True)
class Upload:
    """One entry with what is to be uploaded of it.

    Args:
        entry: The entry, claimed.
        record: Of its content.
        metadata: What the version's `metadata.yaml` is made of; `None` for other files.
        is_resumed: Whether an earlier process may have uploaded some of it.
    """

    entry: PendingEntry
    record: FileRecord
    metadata: MetadataRow | None
    is_resumed: bool


def age_of(clone: Clone, entry: PendingEntry) -> float | None:
    """Return how many seconds ago an entry's upload began, `None` if it did not."""
    if entry.claimed_at is None:
        return None
    return (clone.clock.now() - parse_timestamp(entry.claimed_at)).total_seconds()


def is_abandoned(clone: Clone, entry: PendingEntry) -> bool:
    """Say whether an upload began too long ago to be published, or at a time that has not come yet."""
    age = age_of(clone, entry)
    return age is not None and not -60.0 <= age <= RESUME_SECONDS


def upload(clone: Clone, copy: LocalCopy, item: Upload) -> None:
    """Upload one entry; called from many threads.

    Exactly as many bytes go up as were recorded: what lies behind them is of an append that was killed before it was
    acknowledged.

    Raises:
        KeyTaken: Somebody else has its number or key.
        WrongContent: The local file does not hold what was recorded.
        OSError: The local file cannot be read.
    """
    entry, record = item.entry, item.record
    if item.is_resumed and entry.is_uploaded and _is_there(clone, item):
        return
    if record.size <= STREAM_BYTES:
        with copy.open(record.path) as stream:
            body = stream.read(record.size)
            is_longer = bool(stream.read(1))
        if hashlib.sha256(body).hexdigest() != record.sha256:
            raise _changed(record)
        if is_longer:
            _cut(copy, item)
        _claim(clone, item)
        _create(clone, clone.layout.key(entry.key or record.path), body)
        return
    with copy.open(record.path) as stream:
        _claim(clone, item)
        key = clone.layout.key(entry.key or record.path)
        if item.is_resumed and _is_whole(clone, key, record):
            return
        digested = Digested(stream, record.size)
        clone.log.store.put_stream(key, cast("BinaryIO", digested))
        is_longer = bool(stream.read(1))
    if digested.hexdigest != record.sha256:
        raise _changed(record)
    if is_longer:
        _cut(copy, item)


def _cut(copy: LocalCopy, item: Upload) -> None:
    """Undo what a killed append has left in the copy; what no command appends to was edited.

    Raises:
        WrongContent: It is no streaming version.
    """
    if item.metadata is None or not metadata_of(item.metadata).streaming:
        raise _changed(item.record)
    copy.cut(item.record.path, size=item.record.size)
    copy.write_bytes(f"{item.entry.path}/{METADATA_FILE}", metadata_text_of(item.metadata))


def _changed(record: FileRecord) -> WrongContent:
    return WrongContent(
        "its content was changed after it was recorded; `swamp datastore sync --scan` takes it as it is now",
        key=record.path,
    )


def _claim(clone: Clone, item: Upload) -> None:
    if item.metadata is not None:
        _create(clone, clone.layout.key(f"{item.entry.path}/{METADATA_FILE}"), metadata_text_of(item.metadata))


def _create(clone: Clone, key: ObjectKey, body: bytes) -> None:
    """Create an object, or find that it is there with exactly these bytes: then it was us."""
    try:
        clone.log.store.put(key, body, Create())
    except ObjectExists as error:
        if clone.log.store.get(key).body != body:
            raise KeyTaken(f"somebody else has `{key}`", key=key.text) from error


def _is_there(clone: Clone, item: Upload) -> bool:
    """Look whether what an earlier push has noted as uploaded is still there: the bucket may come from a backup."""
    store, layout = clone.log.store, clone.layout
    sizes = {item.entry.key or item.record.path: item.record.size}
    if item.metadata is not None:
        sizes[f"{item.entry.path}/{METADATA_FILE}"] = len(item.metadata)
    try:
        return all(store.head(layout.key(key)).size == size for key, size in sizes.items())
    except ObjectNotFound:
        return False


def _is_whole(clone: Clone, key: ObjectKey, record: FileRecord) -> bool:
    """Look whether a large object is there already with the right content."""
    try:
        if clone.log.store.head(key).size != record.size:
            return False
        digest = hashlib.sha256()
        with clone.log.store.open(key) as (_, chunks):
            for chunk in chunks:
                digest.update(chunk)
    except ObjectNotFound:
        return False
    return digest.hexdigest() == record.sha256


def side_by_side(
    clone: Clone, items: Iterable[Upload], act: Callable[[Upload], None]
) -> Generator[Done[Upload, None] | Failed[Upload], None, None]:
    """Act on items, in the clone's pool if it has one."""
    if clone.pool is not None:
        yield from run_many(items, act, pool=clone.pool, concurrency=clone.concurrency)
        return
    for item in items:
        try:
            act(item)
        except (SwampsyncError, OSError) as error:
            yield Failed(item, error)
        else:
            yield Done(item, None)
