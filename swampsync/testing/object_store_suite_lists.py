"""The object store suite: what `list` and `list_dirs` promise."""

from __future__ import annotations

import pytest

from swampsync.backends.base import ObjectStore, Overwrite
from swampsync.errors import InvalidInput
from swampsync.testing.object_store_suite_base import HOSTILE_KEYS, ObjectStoreSuiteBase, key_of

# Orders that differ from that of UTF-8 bytes: by directory, by locale, ignoring case, by UTF-16 unit.
ORDERED = (
    "A",
    "B",
    "a!",
    "a-b",
    "a.b",
    "a.b/c",
    "a/b",
    "a/b-c",
    "a/b.c",
    "a0",
    "aa/x",
    "b",
    "b\u00e4",
    "\u00c4",
    "\u00e4",
    "\uff5e/full-width",
    "\U00010000/astral",
    "\U0001f40a",
)


def _texts(store: ObjectStore, prefix: str, start: str | None = None) -> list[str]:
    return [info.key.text for info in store.list(prefix, start=start)]


class ListTests(ObjectStoreSuiteBase):
    """Listing."""

    def test_empty_store_lists_nothing(self, store: ObjectStore) -> None:
        """An empty store has no objects and no directories."""
        assert _texts(store, "") == []
        assert list(store.list_dirs("")) == []
        assert _texts(store, "absent/dir/") == []
        assert list(store.list_dirs("absent/dir/")) == []

    def test_list_is_ordered_by_key_bytes(self, store: ObjectStore) -> None:
        """Objects come in the order of their keys' UTF-8 bytes."""
        keys = [k for k in ORDERED if self.has_key_under_key or k != "a.b/c"]
        for key in reversed(keys):
            self.raw_put(store, key, b"x")
        assert _texts(store, "") == sorted(keys, key=str.encode)

    def test_list_describes_each_object(self, store: ObjectStore) -> None:
        """A listing tells each object's size and time as `head` does, and its ETag if it tells one."""
        for key, body in (("a", b""), ("b/c", b"xyz")):
            self.raw_put(store, key, body)
        for info in store.list(""):
            head = store.head(info.key)
            assert info.size == head.size
            assert abs((info.modified_at - head.modified_at).total_seconds()) < 1
            assert info.etag in {None, head.etag}

    @pytest.mark.parametrize(
        ("prefix", "expected"),
        [
            ("", ["a", "ab", "dir.x", "dir/a", "dir/b/c", "dir2/a"]),
            ("a", ["a", "ab"]),
            ("ab", ["ab"]),
            ("abc", []),
            ("dir", ["dir.x", "dir/a", "dir/b/c", "dir2/a"]),
            ("dir/", ["dir/a", "dir/b/c"]),
            ("dir/b", ["dir/b/c"]),
            ("dir/b/", ["dir/b/c"]),
            ("dir/b/c", ["dir/b/c"]),
            ("dir/b/c/", []),
            ("DIR/", []),
            ("/", []),
            ("../", []),
            ("dir/../", []),
        ],
    )
    def test_prefix_is_a_string_not_a_directory(self, store: ObjectStore, prefix: str, expected: list[str]) -> None:
        """`list` gives exactly the keys that begin with `prefix`, wherever it ends; never one outside the store."""
        for key in ("a", "ab", "dir.x", "dir/a", "dir/b/c", "dir2/a"):
            self.raw_put(store, key, b"x")
        assert _texts(store, prefix) == expected

    @pytest.mark.parametrize(
        ("prefix", "start", "expected"),
        [
            ("", "b", ["b", "b.x", "b/1", "b/2", "c"]),
            ("", "b.", ["b.x", "b/1", "b/2", "c"]),
            ("", "b/", ["b/1", "b/2", "c"]),
            ("", "b/1", ["b/1", "b/2", "c"]),
            ("", "b/10", ["b/2", "c"]),
            ("", "b0", ["c"]),
            ("", "d", []),
            ("", "", ["a", "b", "b.x", "b/1", "b/2", "c"]),
            ("b/", "b/2", ["b/2"]),
            ("b/", "a", ["b/1", "b/2"]),
            ("b/", "b", ["b/1", "b/2"]),
            ("b/", "c", []),
            ("b/", "b/3", []),
        ],
    )
    def test_start_is_included(self, store: ObjectStore, prefix: str, start: str, expected: list[str]) -> None:
        """`list` begins at `start` itself if that is a key, else at the next one; `prefix` holds as before."""
        missing = set() if self.has_key_under_key else {"b"}
        for key in {"a", "b", "b.x", "b/1", "b/2", "c"} - missing:
            self.raw_put(store, key, b"x")
        assert _texts(store, prefix, start) == [key for key in expected if key not in missing]

    @pytest.mark.parametrize("key", HOSTILE_KEYS)
    def test_hostile_key_is_listed(self, store: ObjectStore, key: str) -> None:
        """A listing names the exact key, finds it by any part of it as prefix, and starts at it."""
        self.raw_put(store, key, b"x")
        assert _texts(store, "") == [key]
        assert _texts(store, key) == [key]
        assert _texts(store, key[: len(key) // 2]) == [key]
        assert _texts(store, "", key) == [key]
        assert _texts(store, "", key + "0") == []

    def test_many_pages_are_listed(self, store: ObjectStore) -> None:
        """Listings of more than one page are complete and ordered, and begin in any page."""
        total = 0
        for count in self.page_counts:
            keys = [f"page/{n:05d}" for n in range(total, count)]
            self.raw_put_many(store, keys, b"x")
            total = count
            assert _texts(store, "page/") == [f"page/{n:05d}" for n in range(count)]
            assert _texts(store, "page/", f"page/{count - 1:05d}") == [f"page/{count - 1:05d}"]
        # The end of a page and the end of the prefix fall together here.
        self.raw_put(store, "pagf", b"x")
        assert len(_texts(store, "page/00")) == min(total, 1_000)
        assert list(store.list_dirs("")) == ["page"]
        assert store.delete_many([key_of(f"page/{n:05d}") for n in range(total)]) == {}
        assert self.raw_keys(store) == {"pagf"}

    def test_list_may_be_left_early(self, store: ObjectStore) -> None:
        """A listing may be left after its first object, and another one begun.

        How many pages were asked for by then only the wire can tell: it is asserted there.
        """
        self.raw_put_many(store, [f"k{n:04d}" for n in range(30)], b"x")
        assert next(iter(store.list(""))).key.text == "k0000"
        assert len(_texts(store, "")) == 30

    def test_list_goes_on_while_its_objects_are_removed(self, store: ObjectStore) -> None:
        """Removing each object as it is listed removes them all: what stays is neither skipped nor repeated."""
        count = min(self.page_counts)
        self.raw_put_many(store, [f"k{n:05d}" for n in range(count)], b"x")
        seen = []
        for info in store.list(""):
            seen.append(info.key.text)
            if info.key.text.endswith("0"):
                store.delete(info.key)
        assert seen == [f"k{n:05d}" for n in range(count)]
        assert len(_texts(store, "")) == count - (count + 9) // 10

    def test_list_goes_on_while_objects_are_put(self, store: ObjectStore) -> None:
        """What is put while a listing goes on may appear or not; what was there appears once, and all in order."""
        count = min(self.page_counts)
        before = [f"k{n:05d}" for n in range(count)]
        self.raw_put_many(store, before, b"x")
        seen, put = [], set[str]()
        for info in store.list(""):
            seen.append(info.key.text)
            if info.key.text.endswith("50"):
                for text in (f"a{info.key}", f"{info.key}+", f"z{info.key}"):
                    if text not in put:
                        put.add(text)
                        store.put(key_of(text), b"new", Overwrite())
            assert len(seen) <= 3 * count
        assert seen == sorted(set(seen), key=str.encode)
        assert [text for text in seen if text not in put] == before
        assert set(_texts(store, "")) == put | set(before)

    # --- list_dirs ---------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("prefix", "expected"),
        [
            ("", ["A", "a", "a-b", "a.b", "\u00e4"]),
            ("a/", ["b", "c"]),
            ("a/b/", ["d"]),
            ("a/c/", []),
            ("absent/", []),
            ("a/b/d/e/", []),
            ("../", []),
        ],
    )
    def test_dirs_are_named_once_and_ordered(self, store: ObjectStore, prefix: str, expected: list[str]) -> None:
        """`list_dirs` names the next segments, each once, ordered by name; objects directly below are none."""
        for key in ("a/b/d/e", "a/b/d/f", "a/c/x", "a/file", "a-b/x", "a.b/x", "A/x", "\u00e4/x", "top"):
            self.raw_put(store, key, b"x")
        assert list(store.list_dirs(prefix)) == expected

    @pytest.mark.parametrize("prefix", ["a", "a/b"])
    def test_dirs_of_no_directory_are_refused(self, store: ObjectStore, prefix: str) -> None:
        """`list_dirs` raises `InvalidInput` for a prefix that does not end in a slash."""
        with pytest.raises(InvalidInput):
            list(store.list_dirs(prefix))

    def test_dir_disappears_with_its_last_object(self, store: ObjectStore) -> None:
        """There are no empty directories."""
        store.put(key_of("a/b/c"), b"x", Overwrite())
        store.put(key_of("a/d"), b"x", Overwrite())
        store.delete(key_of("a/b/c"))
        assert list(store.list_dirs("a/")) == []
        store.delete(key_of("a/d"))
        assert list(store.list_dirs("")) == []
        store.put(key_of("a"), b"now an object", Overwrite())
        assert self.raw_keys(store) == {"a"}
