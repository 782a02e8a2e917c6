"""The object store suite: what `put`, `put_stream`, `delete` and `delete_many` promise."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO, cast

import pytest

from swampsync.backends.base import (
    MAX_CONDITIONAL_BYTES,
    Create,
    ETag,
    IfMatch,
    NotSupported,
    ObjectExists,
    ObjectNotFound,
    ObjectStore,
    Overwrite,
    PreconditionFailed,
)
from swampsync.errors import Conflict, InvalidInput
from swampsync.testing.object_store_suite_base import HOSTILE_KEYS, ObjectStoreSuiteBase, key_of

NEVER = ETag("0" * 32)


class WriteTests(ObjectStoreSuiteBase):
    """Writing and removing."""

    @pytest.mark.parametrize("body", [b"", b"x", b"\x00\xff\r\n" * 300])
    def test_put_writes_the_exact_bytes(self, store: ObjectStore, body: bytes) -> None:
        """What `put` wrote is there behind the store's back, the empty body included, and nothing else is."""
        store.put(key_of("dir/key"), body, Overwrite())
        assert self.raw_get(store, "dir/key") == body
        assert self.raw_keys(store) == {"dir/key"}

    @pytest.mark.parametrize("key", HOSTILE_KEYS)
    def test_hostile_key_is_written(self, store: ObjectStore, key: str) -> None:
        """An object lies under exactly its key, whatever characters are in it, and can be removed."""
        store.put(key_of(key), key.encode(), Overwrite())
        assert self.raw_keys(store) == {key}
        assert self.raw_get(store, key) == key.encode()
        store.delete(key_of(key))
        assert self.raw_keys(store) == set()

    def test_put_overwrites(self, store: ObjectStore) -> None:
        """`Overwrite` replaces what is there, by shorter bytes too."""
        self.raw_put(store, "k", b"long old content")
        store.put(key_of("k"), b"new", Overwrite())
        assert self.raw_get(store, "k") == b"new"

    def test_put_is_seen_by_the_next_read(self, store: ObjectStore) -> None:
        """Whoever reads or lists after a put or a delete returned sees it."""
        for number in range(20):
            body = f"state {number}".encode()
            store.put(key_of("k"), body, Overwrite())
            assert store.get(key_of("k")).body == body
            assert [info.key.text for info in store.list("")] == ["k"]
            store.delete(key_of("k"))
            assert list(store.list("")) == []

    def test_put_returns_the_etag_that_is_read(self, store: ObjectStore) -> None:
        """`put` and `put_stream` return the ETag that `head` and `get` tell afterwards."""
        put = store.put(key_of("k"), b"one", Overwrite())
        assert store.head(key_of("k")).etag == store.get(key_of("k")).info.etag == put.etag
        streamed = store.put_stream(key_of("s"), io.BytesIO(b"two"))
        assert store.head(key_of("s")).etag == streamed.etag

    def test_etag_differs_with_the_content(self, store: ObjectStore) -> None:
        """Another content has another ETag, also at equal size and in the same instant."""
        etags = {store.put(key_of("k"), f"{n:04d}".encode(), Overwrite()).etag for n in range(50)}
        assert len(etags) == 50

    # --- create-only -----------------------------------------------------------------------------

    @pytest.mark.parametrize("body", [b"", b"new"])
    def test_create_writes_where_nothing_is(self, store: ObjectStore, body: bytes) -> None:
        """`Create` writes an object under a free key."""
        result = store.put(key_of("dir/k"), body, Create())
        assert self.raw_get(store, "dir/k") == body
        assert store.head(key_of("dir/k")).etag == result.etag

    @pytest.mark.parametrize("old", [b"", b"old", b"new"])
    def test_create_refuses_a_taken_key(self, store: ObjectStore, old: bytes) -> None:
        """`Create` raises `ObjectExists`, with key and hint, where an object is, of equal content too, and keeps it."""
        self.raw_put(store, "dir/k", old)
        with pytest.raises(ObjectExists) as caught:
            store.put(key_of("dir/k"), b"new", Create())
        assert caught.value.key == "dir/k"
        assert "run the command again" in (caught.value.hint or "")
        assert self.raw_get(store, "dir/k") == old
        assert self.raw_keys(store) == {"dir/k"}

    def test_create_works_again_after_a_delete(self, store: ObjectStore) -> None:
        """A removed object's key is free."""
        self.raw_put(store, "k", b"old")
        store.delete(key_of("k"))
        store.put(key_of("k"), b"new", Create())
        assert self.raw_get(store, "k") == b"new"

    # --- compare-and-swap ------------------------------------------------------------------------

    def test_swap_replaces_the_state_it_names(self, store: ObjectStore) -> None:
        """`IfMatch` replaces an object that still has the ETag, taken from a put, a get or a head."""
        if not store.capabilities.compare_and_swap:
            self.assert_no_swap(store)
            return
        first = store.put(key_of("k"), b"1", Create()).etag
        second = store.put(key_of("k"), b"2", IfMatch(first)).etag
        assert self.raw_get(store, "k") == b"2"
        got = store.get(key_of("k")).info.etag
        assert got == second
        assert got is not None
        store.put(key_of("k"), b"3", IfMatch(got))
        head = store.head(key_of("k")).etag
        assert head is not None
        store.put(key_of("k"), b"", IfMatch(head))
        assert self.raw_get(store, "k") == b""

    def test_swap_refuses_another_state(self, store: ObjectStore) -> None:
        """`IfMatch` raises `PreconditionFailed` with the key where the ETag is another, and keeps what is there."""
        if not store.capabilities.compare_and_swap:
            self.assert_no_swap(store)
            return
        stale = store.put(key_of("k"), b"old", Overwrite()).etag
        self.raw_put(store, "k", b"theirs")
        for etag in (stale, NEVER):
            with pytest.raises(PreconditionFailed) as caught:
                store.put(key_of("k"), b"ours", IfMatch(etag))
            assert caught.value.key == "k"
            assert "run the command again" in (caught.value.hint or "")
        assert self.raw_get(store, "k") == b"theirs"

    def test_swap_refuses_an_absent_object(self, store: ObjectStore) -> None:
        """`IfMatch` raises `PreconditionFailed` where the object is gone, and does not create it."""
        if not store.capabilities.compare_and_swap:
            self.assert_no_swap(store)
            return
        etag = store.put(key_of("k"), b"old", Overwrite()).etag
        store.delete(key_of("k"))
        with pytest.raises(PreconditionFailed) as caught:
            store.put(key_of("k"), b"ours", IfMatch(etag))
        assert caught.value.key == "k"
        assert self.raw_keys(store) == set()

    def assert_no_swap(self, store: ObjectStore) -> None:
        """Assert that a store that declares no compare-and-swap refuses it, and changes nothing."""
        etag = store.put(key_of("k"), b"old", Overwrite()).etag
        for tag in (etag, NEVER):
            with pytest.raises(NotSupported) as caught:
                store.put(key_of("k"), b"new", IfMatch(tag))
            assert caught.value.key == "k"
        assert self.raw_get(store, "k") == b"old"

    def test_create_is_refused_where_it_is_not_declared(self, store: ObjectStore) -> None:
        """A store either declares `create_only` and keeps it, or raises `NotSupported` and writes nothing."""
        if store.capabilities.create_only:
            store.put(key_of("k"), b"x", Create())
            assert self.raw_get(store, "k") == b"x"
        else:
            with pytest.raises(NotSupported):
                store.put(key_of("k"), b"x", Create())
            assert self.raw_keys(store) == set()

    @pytest.mark.parametrize("mode", [Create(), IfMatch(NEVER)])
    def test_large_conditional_body_is_refused(self, store: ObjectStore, mode: Create | IfMatch) -> None:
        """A conditional body above 16 MiB raises `InvalidInput`, and nothing is written."""
        with pytest.raises(InvalidInput) as caught:
            store.put(key_of("k"), b"\0" * (MAX_CONDITIONAL_BYTES + 1), mode)
        assert caught.value.key == "k"
        assert self.raw_keys(store) == set()

    def test_largest_conditional_body_is_taken(self, store: ObjectStore) -> None:
        """A create-only body of exactly 16 MiB is written."""
        store.put(key_of("k"), b"\0" * MAX_CONDITIONAL_BYTES, Create())
        assert store.head(key_of("k")).size == MAX_CONDITIONAL_BYTES

    # --- keys --------------------------------------------------------------------------------------

    def test_long_segment_is_taken_or_refused(self, store: ObjectStore) -> None:
        """A segment as long as the store allows is a key; a longer one raises `InvalidInput` and writes nothing."""
        key = key_of("s" * self.max_segment_bytes)
        store.put(key, b"x", Create())
        assert self.raw_keys(store) == {key.text}
        if self.max_segment_bytes < 1_024:
            longer = key_of("t" * (self.max_segment_bytes + 1))
            with pytest.raises(InvalidInput) as caught:
                store.put(longer, b"x", Overwrite())
            assert caught.value.key == longer.text
            assert self.raw_keys(store) == {key.text}

    @pytest.mark.parametrize("mode", [Create(), Overwrite()])
    @pytest.mark.parametrize("order", [("a", "a/b"), ("a/b", "a"), ("a/b/c", "a"), ("a", "a/b/c")])
    def test_key_under_a_key_is_taken_or_refused(
        self, store: ObjectStore, order: tuple[str, str], mode: Create | Overwrite
    ) -> None:
        """`a` and `a/b` are two objects; a store that cannot hold both raises `Conflict` for the second."""
        store.put(key_of(order[0]), b"first", mode)
        if self.has_key_under_key:
            store.put(key_of(order[1]), b"second", mode)
            assert {key: self.raw_get(store, key) for key in order} == {order[0]: b"first", order[1]: b"second"}
        else:
            with pytest.raises(Conflict) as caught:
                store.put(key_of(order[1]), b"second", mode)
            assert not isinstance(caught.value, ObjectExists)
            assert caught.value.key == order[1]
            assert self.raw_keys(store) == {order[0]}
            store.delete(key_of(order[0]))
            store.put(key_of(order[1]), b"second", mode)
        assert self.raw_get(store, order[1]) == b"second"

    def test_keys_differ_by_case(self, store: ObjectStore) -> None:
        """`Key` and `key` are two objects."""
        store.put(key_of("Key"), b"upper", Create())
        store.put(key_of("key"), b"lower", Create())
        assert (self.raw_get(store, "Key"), self.raw_get(store, "key")) == (b"upper", b"lower")

    # --- put_stream --------------------------------------------------------------------------------

    @pytest.mark.parametrize("size", [0, 1, None])
    def test_stream_writes_the_exact_bytes(self, store: ObjectStore, size: int | None) -> None:
        """`put_stream` writes all bytes of the body, the empty one included, over what was there."""
        body = (bytes(range(251)) * (self.stream_bytes // 251 + 1))[: self.stream_bytes if size is None else size]
        self.raw_put(store, "k", b"old")
        store.put_stream(key_of("k"), io.BytesIO(body))
        assert self.raw_get(store, "k") == body
        assert self.raw_keys(store) == {"k"}

    def test_stream_reads_its_body_in_pieces(self, store: ObjectStore) -> None:
        """`put_stream` never asks its body for everything at once."""
        body = _WatchedBody(self.stream_bytes, lambda: None)
        store.put_stream(key_of("k"), cast("BinaryIO", body))
        assert store.head(key_of("k")).size == self.stream_bytes
        assert all(0 < size <= self.max_read_bytes for size in body.asked)

    def test_stream_is_not_visible_before_its_end(self, store: ObjectStore) -> None:
        """While `put_stream` reads its body, readers and listings see the state before."""
        seen: set[tuple[bytes | None, tuple[str, ...]]] = set()

        def look() -> None:
            listed = tuple(info.key.text for info in store.list(""))
            try:
                seen.add((store.get(key_of("k")).body, listed))
            except ObjectNotFound:
                seen.add((None, listed))

        store.put_stream(key_of("k"), cast("BinaryIO", _WatchedBody(self.stream_bytes, look)))
        assert seen == {(None, ())}
        assert store.head(key_of("k")).size == self.stream_bytes

    def test_stream_that_fails_leaves_nothing(self, store: ObjectStore) -> None:
        """A body that cannot be read to its end leaves the state before, no part of it, and its own error."""
        self.raw_put(store, "kept", b"old")

        def fail() -> None:
            raise OSError("the disk is gone")

        for key in ("kept", "fresh/dir/key"):
            with pytest.raises(OSError, match="the disk is gone"):
                store.put_stream(key_of(key), cast("BinaryIO", _WatchedBody(self.stream_bytes, fail)))
        assert self.raw_keys(store) == {"kept"}
        assert self.raw_get(store, "kept") == b"old"

    # --- delete ------------------------------------------------------------------------------------

    def test_delete_removes_one_object(self, store: ObjectStore) -> None:
        """`delete` removes the object and no other."""
        for key in ("dir/a", "dir/b", "dir/ab"):
            self.raw_put(store, key, b"x")
        store.delete(key_of("dir/a"))
        assert self.raw_keys(store) == {"dir/b", "dir/ab"}

    def test_delete_of_an_absent_object_is_success(self, store: ObjectStore) -> None:
        """That an object is absent is what `delete` wants; the prefix of a key is no object."""
        self.raw_put(store, "dir/a", b"x")
        for text in ("absent", "absent/dir/key", "dir", "dir/a2"):
            store.delete(key_of(text))
        assert self.raw_keys(store) == {"dir/a"}

    def test_delete_many_removes_the_named_objects(self, store: ObjectStore) -> None:
        """`delete_many` removes all the named objects, absent and repeated ones are success, and no other."""
        for key in ("a", "b/c", "d", "kept"):
            self.raw_put(store, key, b"x")
        assert store.delete_many([key_of(k) for k in ("a", "b/c", "absent", "d", "a")]) == {}
        assert self.raw_keys(store) == {"kept"}

    def test_delete_many_returns_the_errors_of_what_stays(self, store: ObjectStore) -> None:
        """`delete_many` removes what it can, and returns the error of each other key; of none where all can go."""
        keys = ["a", "b/pinned", "b/x", "z"]
        for key in keys:
            self.raw_put(store, key, b"x")
        with self.raw_pinned(store, "b/pinned") as is_pinned:
            failures = store.delete_many([key_of(key) for key in keys])
            expected = {"b/pinned"} if is_pinned else set()
            assert {key.text for key in failures} == expected
            assert self.raw_keys(store) == expected
            assert all(error.key == key.text for key, error in failures.items())
        assert store.delete_many([key_of(key) for key in keys]) == {}
        assert self.raw_keys(store) == set()

    def test_delete_many_of_nothing_is_success(self, store: ObjectStore) -> None:
        """An empty sequence removes nothing."""
        self.raw_put(store, "kept", b"x")
        assert store.delete_many([]) == {}
        assert self.raw_keys(store) == {"kept"}

    @pytest.mark.parametrize("key", HOSTILE_KEYS)
    def test_delete_many_takes_hostile_keys(self, store: ObjectStore, key: str) -> None:
        """A key in the body of a batch means the same object as in a path."""
        self.raw_put(store, key, b"x")
        assert store.delete_many([key_of(key)]) == {}
        assert self.raw_keys(store) == set()


class _WatchedBody(io.RawIOBase):
    """Gives `size` bytes, notes how much it is asked for, and calls `on_half` once when half is read."""

    def __init__(self, size: int, on_half: Callable[[], None]) -> None:
        self._left = size
        self._half = size // 2
        self._on_half: Callable[[], None] | None = on_half
        self.asked: list[int] = []

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        return self._give(memoryview(buffer))

    def _give(self, view: memoryview) -> int:
        self.asked.append(len(view))
        if self._left <= self._half and self._on_half is not None:
            call, self._on_half = self._on_half, None
            call()
        # Short reads are allowed, and end no stream.
        given = min(self._left, len(view), 1_000_000)
        view[:given] = b"w" * given
        self._left -= given
        return given

    def readall(self) -> bytes:
        raise AssertionError("the body was asked for everything at once")
