"""What the parts of the object store suite share: the raw side channel, settings, small tools."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Final, TypeVar

from swampsync.backends.base import ObjectStore
from swampsync.clock import Spawner, spawn_daemon
from swampsync.layout import ObjectKey
from swampsync.maintenance.racing import race

T = TypeVar("T")

# Every one of them is a valid key; each was mangled by some store, client library or proxy.
HOSTILE_KEYS: Final = (
    "plain",
    "a b/c  d",
    " leading and trailing ",
    "plus+plus",
    "per%2Fcent%25%",
    "hash#fragment",
    "query?x=1&y=2",
    "semi;colon:at@",
    "quote'double\"back`tick",
    "<angle>&amp;",
    "brackets[0]{1}",
    "star*question?",
    "dollar$caret^pipe|bang!",
    "~tilde/~",
    ".hidden/.lock",
    "...",
    "trailing.dot.",
    "-dash",
    "_log/00000000000000000042.json",
    "dir.with.dots/a..b",
    "\u00e4\u00f6\u00fc\u00df",
    "\u65e5\u672c\u8a9e/\u0440\u0443\u0441\u0441\u043a\u0438\u0439",
    "\U0001f40a/\U0001f9ea",
    "\uffe6\u2028",
    "CON/aux.txt",
    "deep/" + "/".join("abcdefghij"),
    "x" * 255,
    "/".join(["y" * 200] * 5) + "/" + "z" * 19,
)


def key_of(text: str) -> ObjectKey:
    """Make a key for a test."""
    return ObjectKey.parse(text)


class ObjectStoreSuiteBase(ABC):
    """How a backend's test file tells the suite about its store.

    A subclass called `Test…` gives the pytest fixture `store`, a fresh and empty one for every test, and three
    helpers that must not use the store's own methods, so that reading is checked against bytes put behind the
    store's back and writing against bytes looked at there.
    """

    spawner: ClassVar[Spawner] = staticmethod(spawn_daemon)

    create_race_threads: ClassVar[int] = 32
    create_race_rounds: ClassVar[int] = 50
    swap_race_workers: ClassVar[int] = 5
    swap_race_increments: ClassVar[int] = 20
    page_counts: ClassVar[tuple[int, ...]] = (1_001, 2_500)
    # More than one part of a multipart put, and more than one range of a large read.
    stream_bytes: ClassVar[int] = 9 * 1024 * 1024
    max_read_bytes: ClassVar[int] = 64 * 1024 * 1024  # how much `put_stream` may ask of its body at once
    max_segment_bytes: ClassVar[int] = 1_024  # between two slashes
    has_key_under_key: ClassVar[bool] = True  # `a` and `a/b` at the same time
    clock_tolerance_seconds: ClassVar[float] = 2.0  # between `modified_at` and the test machine's clock

    @abstractmethod
    def raw_get(self, store: ObjectStore, key: str) -> bytes | None:
        """Read an object behind the store's back; `None` if it does not exist."""

    @abstractmethod
    def raw_put(self, store: ObjectStore, key: str, body: bytes) -> None:
        """Write an object behind the store's back."""

    @abstractmethod
    def raw_keys(self, store: ObjectStore) -> set[str]:
        """Name all objects behind the store's back, unfinished ones included."""

    def raw_put_many(self, store: ObjectStore, keys: Sequence[str], body: bytes) -> None:
        """Write many objects behind the store's back; a slow server's suite may do it side by side."""
        for key in keys:
            self.raw_put(store, key, body)

    @contextmanager
    def raw_pinned(self, store: ObjectStore, key: str) -> Iterator[bool]:  # noqa: ARG002
        """Make an object irremovable for a while, behind the store's back; yield whether that can be done here."""
        yield False

    def race(self, count: int, act: Callable[[int], T]) -> list[T | BaseException]:
        """Call `act(0)` to `act(count - 1)` at the same moment, a thread each; return results or errors by number."""
        return race(count, act, spawner=type(self).spawner)
