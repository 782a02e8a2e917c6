"""The object store suite: what `get`, `open` and `head` promise."""

from __future__ import annotations

import io
import threading
from datetime import UTC, datetime, timedelta

import pytest

from swampsync.backends.base import ObjectNotFound, ObjectStore, Overwrite
from swampsync.errors import InvalidInput
from swampsync.testing.object_store_suite_base import HOSTILE_KEYS, ObjectStoreSuiteBase, key_of

BODIES = (b"", b"x", b"\x00\xff\r\n" * 300, "Grüße\n".encode())


def _read(store: ObjectStore, method: str, text: str) -> None:
    if method == "open":
        with store.open(key_of(text)) as (_, chunks):
            b"".join(chunks)
    elif method == "download":
        with store.download(key_of(text), _Sheet()) as (_, extents):
            list(extents)
    else:
        getattr(store, method)(key_of(text))


class _Sheet:
    """Takes bytes at their places, and notes where there are some; fails at the first if it is to."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._lock = threading.Lock()
        self._failure = failure
        self.body = bytearray()
        self.pieces: list[tuple[int, int]] = []

    def write_at(self, offset: int, data: bytes) -> None:
        if self._failure is not None:
            raise self._failure
        with self._lock:
            self.body.extend(bytes(max(0, offset + len(data) - len(self.body))))
            self.body[offset : offset + len(data)] = data
            self.pieces.append((offset, offset + len(data)))

    def filled(self) -> int:
        """Return how much of the beginning was written."""
        end = 0
        with self._lock:
            for first, last in sorted(self.pieces):
                if first <= end:
                    end = max(end, last)
        return end


class ReadTests(ObjectStoreSuiteBase):
    """Reading."""

    @pytest.mark.parametrize("body", BODIES)
    def test_get_returns_what_was_put_behind_the_stores_back(self, store: ObjectStore, body: bytes) -> None:
        """`get` returns the object's exact bytes, its key and its size, the empty body included."""
        self.raw_put(store, "dir/key", body)
        result = store.get(key_of("dir/key"))
        assert (result.body, result.info.key, result.info.size) == (body, key_of("dir/key"), len(body))

    @pytest.mark.parametrize("key", HOSTILE_KEYS)
    def test_hostile_key_is_read(self, store: ObjectStore, key: str) -> None:
        """An object is found under its key, whatever characters are in it."""
        self.raw_put(store, key, key.encode())
        assert store.get(key_of(key)).body == key.encode()
        assert store.head(key_of(key)).key == key_of(key)

    @pytest.mark.parametrize("method", ["get", "head", "open", "download"])
    def test_absent_object_is_not_found(self, store: ObjectStore, method: str) -> None:
        """Reading an absent object raises `ObjectNotFound` with the key."""
        self.raw_put(store, "dir/other", b"x")
        for text in ("dir/absent", "absent/dir/key", "di", "dir", "dir/other2"):
            with pytest.raises(ObjectNotFound) as caught:
                _read(store, method, text)
            assert caught.value.key == text

    @pytest.mark.parametrize(
        ("start", "length", "expected"),
        [
            (0, None, b"0123456789"),
            (3, None, b"3456789"),
            (0, 1, b"0"),
            (2, 5, b"23456"),
            (9, 1, b"9"),
            (7, 99, b"789"),
        ],
    )
    def test_range_is_read(self, store: ObjectStore, start: int, length: int | None, expected: bytes) -> None:
        """`get` returns the asked range, fewer bytes at the end, and describes the whole object."""
        self.raw_put(store, "k", b"0123456789")
        result = store.get(key_of("k"), start=start, length=length)
        assert (result.body, result.info.size) == (expected, 10)
        assert result.info.etag == store.head(key_of("k")).etag

    @pytest.mark.parametrize(
        ("start", "length"), [(10, None), (10, 1), (11, 5), (1_000, None), (-1, None), (0, 0), (0, -1)]
    )
    def test_impossible_range_is_refused(self, store: ObjectStore, start: int, length: int | None) -> None:
        """A range that starts at or behind the end, or is none, raises `InvalidInput` with the key."""
        self.raw_put(store, "k", b"0123456789")
        with pytest.raises(InvalidInput) as caught:
            store.get(key_of("k"), start=start, length=length)
        assert caught.value.key == "k"

    @pytest.mark.parametrize("length", [None, 1, 100])
    def test_empty_object_is_read_from_zero_as_nothing(self, store: ObjectStore, length: int | None) -> None:
        """From 0, an empty object is read as nothing, whatever the length."""
        self.raw_put(store, "k", b"")
        result = store.get(key_of("k"), length=length)
        assert (result.body, result.info.size) == (b"", 0)

    def test_empty_object_has_no_byte_one(self, store: ObjectStore) -> None:
        """From 1, an empty object cannot be read."""
        self.raw_put(store, "k", b"")
        with pytest.raises(InvalidInput):
            store.get(key_of("k"), start=1)

    @pytest.mark.parametrize("size", [0, 1, None])
    def test_open_streams_the_whole_object(self, store: ObjectStore, size: int | None) -> None:
        """`open` gives the description, then all bytes in order, in chunks of at most 16 MiB."""
        size = self.stream_bytes if size is None else size
        body = bytes(range(251)) * (size // 251 + 1)
        self.raw_put(store, "k", body[:size])
        with store.open(key_of("k")) as (info, chunks):
            parts = list(chunks)
        assert b"".join(parts) == body[:size]
        assert (info.key, info.size, info.etag) == (key_of("k"), size, store.head(key_of("k")).etag)
        assert all(len(part) <= 16 * 1024 * 1024 for part in parts)

    def test_open_may_be_left_early(self, store: ObjectStore) -> None:
        """Leaving `open` before the end harms nothing: the next read is whole."""
        body = (bytes(range(251)) * (self.stream_bytes // 251 + 1))[: self.stream_bytes]
        self.raw_put(store, "k", body)
        with store.open(key_of("k")) as (_, chunks):
            first = next(iter(chunks))
        assert first
        assert first == body[: len(first)]
        assert store.get(key_of("k")).body == body

    def test_open_leaves_the_callers_errors_alone(self, store: ObjectStore) -> None:
        """An error that the caller raises while it reads comes out unchanged."""
        self.raw_put(store, "k", b"x")
        with pytest.raises(OSError, match="the caller's own"), store.open(key_of("k")):
            raise OSError("the caller's own")

    def test_open_reads_one_state_while_the_object_is_replaced(self, store: ObjectStore) -> None:
        """A reader that began before a put sees all of the old state, or an error, never a mixture."""
        old, new = b"o" * self.stream_bytes, b"n" * self.stream_bytes
        self.raw_put(store, "k", old)
        with store.open(key_of("k")) as (_, chunks):
            parts = iter(chunks)
            first = next(parts)
            store.put(key_of("k"), new, Overwrite())
            try:
                body = first + b"".join(parts)
            except Exception as error:  # noqa: BLE001 judged in the next line
                assert getattr(error, "is_retryable", False), error  # noqa: PT017
            else:
                assert body == old

    @pytest.mark.parametrize("size", [0, 1, None])
    def test_download_puts_every_byte_in_its_place(self, store: ObjectStore, size: int | None) -> None:
        """`download` describes the object and puts its bytes where they belong; what it tells is there, at last all."""
        size = self.stream_bytes if size is None else size
        body = (bytes(range(251)) * (size // 251 + 1))[:size]
        self.raw_put(store, "k", body)
        sheet, told = _Sheet(), [0]
        with store.download(key_of("k"), sheet) as (info, extents):
            assert sheet.pieces == []
            for extent in extents:
                assert told[-1] < extent <= sheet.filled()
                told.append(extent)
        assert (info.key, info.size, info.etag) == (key_of("k"), size, store.head(key_of("k")).etag)
        assert (told[-1], bytes(sheet.body)) == (size, body)

    def test_download_may_be_left_early(self, store: ObjectStore) -> None:
        """Who leaves a download has no more written: neither its places nor the next read are the worse for it."""
        self.raw_put(store, "k", b"z" * self.stream_bytes)
        sheet = _Sheet()
        with store.download(key_of("k"), sheet) as (_, extents):
            assert next(extents) <= sheet.filled()
        written = list(sheet.pieces)
        assert store.get(key_of("k")).info.size == self.stream_bytes
        assert next(extents, None) is None
        assert sheet.pieces == written

    def test_download_raises_what_its_places_raise(self, store: ObjectStore) -> None:
        """An error of the target, and one of the caller, comes out unchanged."""
        self.raw_put(store, "k", b"z" * self.stream_bytes)
        with (
            pytest.raises(OSError, match="the disk is full"),
            store.download(key_of("k"), _Sheet(OSError("the disk is full"))) as (_, extents),
        ):
            list(extents)
        with pytest.raises(OSError, match="the caller's own"), store.download(key_of("k"), _Sheet()):
            raise OSError("the caller's own")

    def test_download_puts_one_state_in_place_while_the_object_is_replaced(self, store: ObjectStore) -> None:
        """A download that began before a put tells only of the old state, or fails; nothing of the new is in it."""
        old, new = b"o" * self.stream_bytes, b"n" * self.stream_bytes
        self.raw_put(store, "k", old)
        sheet = _Sheet()
        with store.download(key_of("k"), sheet) as (_, extents):
            told = next(extents)
            store.put_stream(key_of("k"), io.BytesIO(new))
            try:
                told = [told, *extents][-1]
            except Exception as error:  # noqa: BLE001 judged in the next line
                assert getattr(error, "is_retryable", False), error  # noqa: PT017
            else:
                assert told == self.stream_bytes
        assert bytes(sheet.body[:told]) == old[:told]

    @pytest.mark.parametrize("body", BODIES)
    def test_head_agrees_with_get(self, store: ObjectStore, body: bytes) -> None:
        """`head` says of an object exactly what `get` says."""
        self.raw_put(store, "k", body)
        head, got = store.head(key_of("k")), store.get(key_of("k")).info
        assert (head.key, head.size, head.etag) == (got.key, got.size, got.etag)
        assert abs(head.modified_at - got.modified_at) < timedelta(seconds=1)
        assert head.etag is not None

    def test_modified_at_is_aware_and_recent(self, store: ObjectStore) -> None:
        """`modified_at` is an aware UTC time, about when the object was put."""
        before = datetime.now(UTC)
        store.put(key_of("k"), b"x", Overwrite())
        modified = store.head(key_of("k")).modified_at
        slack = timedelta(seconds=self.clock_tolerance_seconds)
        assert modified.utcoffset() == timedelta(0)
        assert before - slack <= modified <= datetime.now(UTC) + slack
