"""A file made of a download."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

import pytest

from swampsync.backends.base import ETag, ObjectInfo, Overwrite
from swampsync.backends.memory import MemoryStore
from swampsync.backends.places import Places
from swampsync.layout import Layout, ObjectKey
from swampsync.namespace import Namespace
from swampsync.sync.downloading import write_download
from swampsync.sync.local_copy import LocalCopy, WrongContent
from swampsync.testing.manual_clock import ManualClock
from swampsync.testing.memory_disk import MemoryDisk

BODY = random.Random(7).randbytes(200_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
KEY = ObjectKey("infra/x")
PATH = "data/vpc/1/image/1/raw"


@contextmanager
def shuffled(target: Places) -> Iterator[tuple[ObjectInfo, Iterator[int]]]:
    """Put pieces in place from the last to the first, twenty at a time; their ends fit no buffer's."""

    def extents() -> Iterator[int]:
        for begin in range(0, len(BODY), 20 * 777):
            end = min(begin + 20 * 777, len(BODY))
            for at in reversed(range(begin, end, 777)):
                target.write_at(at, BODY[at : min(at + 777, end)])
            yield end

    yield ObjectInfo(KEY, len(BODY), ETag("e"), datetime(2026, 11, 21, tzinfo=UTC)), extents()


@pytest.fixture
def disk() -> MemoryDisk:
    disk = MemoryDisk(ManualClock())
    disk.makedirs("/repo")
    return disk


def test_digest_is_of_what_lies_there_in_whatever_order_it_came(disk: MemoryDisk) -> None:
    """Nothing is hashed before it is in place, though readers of files read ahead."""
    assert write_download(disk, "/repo/f", shuffled, size=len(BODY)) == SHA256
    assert disk.read_bytes("/repo/f") == BODY


def test_object_of_another_size_is_not_fetched(disk: MemoryDisk) -> None:
    """An object that cannot be the right one costs one look."""
    assert write_download(disk, "/repo/f", shuffled, size=len(BODY) + 1) is None
    assert disk.read_bytes("/repo/f") == b""


@pytest.mark.parametrize("body", [BODY[:-1], BODY + b"x", BODY[:-1] + bytes([BODY[-1] ^ 1])])
def test_wrong_content_changes_nothing(disk: MemoryDisk, body: bytes) -> None:
    """Bytes that the log does not name are refused: what lay there stays, and nothing beside it."""
    layout = Layout("/repo", "/base", Namespace.parse("infra"))
    copy = LocalCopy(disk, layout, clock=ManualClock(), new_id=lambda: "id")
    copy.write_bytes(PATH, b"old")
    store = MemoryStore(ManualClock())
    store.put(KEY, body, Overwrite())
    with pytest.raises(WrongContent, match="does not hold the content that the log names"):
        copy.write_download(PATH, partial(store.download, KEY), size=len(BODY), sha256=SHA256)
    assert copy.read(PATH) == b"old"
    assert [entry.name for entry in disk.scandir(copy.path(PATH).rpartition("/")[0])] == ["raw"]
    store.put(KEY, BODY, Overwrite())
    copy.write_download(PATH, partial(store.download, KEY), size=len(BODY), sha256=SHA256)
    assert copy.read(PATH) == BODY
