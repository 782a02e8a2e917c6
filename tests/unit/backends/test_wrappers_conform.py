"""Every wrapper over an honest store keeps every promise that the store keeps."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO

import pytest

from swampsync.backends.base import Capabilities, Create, GetResult, ObjectInfo, ObjectStore, PutMode, PutResult
from swampsync.backends.checks import digest_etag
from swampsync.backends.counting import Counting, RequestCounter
from swampsync.backends.memory import MemoryStore, _Object
from swampsync.backends.places import Places
from swampsync.backends.prefixed import Prefixed
from swampsync.backends.retrying import Retrying
from swampsync.clock import SystemClock
from swampsync.errors import AccessDenied, SwampsyncError
from swampsync.layout import ObjectKey
from swampsync.namespace import SOLO, Namespace
from swampsync.testing.faulty_store import Fault, Faulty, RandomFaults
from swampsync.testing.manual_clock import ManualClock
from swampsync.testing.object_store_suite import ObjectStoreSuite, run_suite


class Below:
    """Gives the part of another store that lies below a prefix as a store: its keys, and those of its errors.

    The suite writes wherever it likes, and a guarded store takes that only where everything is the namespace's own.
    """

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    @property
    def capabilities(self) -> Capabilities:
        return self._store.capabilities

    def get(self, key: ObjectKey, *, start: int = 0, length: int | None = None) -> GetResult:
        with self._own_errors():
            got = self._store.get(self._full(key), start=start, length=length)
        return GetResult(self._own(got.info), got.body)

    @contextmanager
    def open(self, key: ObjectKey) -> Iterator[tuple[ObjectInfo, Iterator[bytes]]]:
        with self._own_errors(), self._store.open(self._full(key)) as (info, chunks):
            yield self._own(info), chunks

    @contextmanager
    def download(self, key: ObjectKey, target: Places) -> Iterator[tuple[ObjectInfo, Iterator[int]]]:
        with self._own_errors(), self._store.download(self._full(key), target) as (info, extents):
            yield self._own(info), extents

    def head(self, key: ObjectKey) -> ObjectInfo:
        with self._own_errors():
            return self._own(self._store.head(self._full(key)))

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        with self._own_errors():
            return self._store.put(self._full(key), body, mode)

    def put_stream(self, key: ObjectKey, body: BinaryIO) -> PutResult:
        with self._own_errors():
            return self._store.put_stream(self._full(key), body)

    def delete(self, key: ObjectKey) -> None:
        with self._own_errors():
            self._store.delete(self._full(key))

    def delete_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SwampsyncError]:
        failed = self._store.delete_many([self._full(key) for key in keys])
        for error in failed.values():
            error.key = (error.key or "").removeprefix(self._prefix)
        return {ObjectKey(key.text.removeprefix(self._prefix)): error for key, error in failed.items()}

    def list(self, prefix: str, *, start: str | None = None) -> Iterator[ObjectInfo]:
        full = None if start is None else self._prefix + start
        return (self._own(info) for info in self._store.list(self._prefix + prefix, start=full))

    def list_dirs(self, prefix: str) -> Iterable[str]:
        return self._store.list_dirs(self._prefix + prefix)

    def _full(self, key: ObjectKey) -> ObjectKey:
        return ObjectKey(self._prefix + key.text)

    def _own(self, info: ObjectInfo) -> ObjectInfo:
        assert info.key.text.startswith(self._prefix)
        return replace(info, key=ObjectKey(info.key.text.removeprefix(self._prefix)))

    @contextmanager
    def _own_errors(self) -> Iterator[None]:
        try:
            yield
        except SwampsyncError as error:
            error.key = (error.key or "").removeprefix(self._prefix)
            raise


class Pinning(MemoryStore):
    """Does not remove one of its objects when many are to go, and tells how much of a listing was taken."""

    pinned: str | None = None
    listed = 0

    def delete_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SwampsyncError]:
        stays = [key for key in keys if key.text == self.pinned]
        failures = super().delete_many([key for key in keys if key not in stays])
        return failures | {key: AccessDenied(f"cannot delete `{key}`", key=key.text) for key in stays}

    def list(self, prefix: str, *, start: str | None = None) -> Iterator[ObjectInfo]:
        for info in super().list(prefix, start=start):
            self.listed += 1
            yield info


class WrappedSuite(ObjectStoreSuite):
    """The suite over a wrapper; the side channel is the memory store behind it.

    Args:
        prefix: Below which the suite's keys lie in the memory store.
    """

    create_race_threads = 4
    create_race_rounds = 3
    swap_race_workers = 3
    swap_race_increments = 3
    page_counts = (1_001,)
    stream_bytes = 100_000

    def __init__(self, prefix: str = "") -> None:
        self.inner = Pinning(SystemClock())
        self.prefix = prefix

    def raw_get(self, store: ObjectStore, key: str) -> bytes | None:
        found = self.inner._objects.get(self.prefix + key)
        return None if found is None else found.body

    def raw_put(self, store: ObjectStore, key: str, body: bytes) -> None:
        self.raw_put_many(store, [key], body)

    def raw_put_many(self, store: ObjectStore, keys: Sequence[str], body: bytes) -> None:
        self.inner._objects |= {self.prefix + k: _Object(body, digest_etag(body), SystemClock().now()) for k in keys}
        self.inner._order = sorted(self.inner._objects, key=str.encode)

    @contextmanager
    def raw_pinned(self, store: ObjectStore, key: str) -> Iterator[bool]:
        self.inner.pinned = self.prefix + key
        yield True
        self.inner.pinned = None

    def raw_keys(self, store: ObjectStore) -> set[str]:
        assert all(key.startswith(self.prefix) for key in self.inner._objects)
        return {key.removeprefix(self.prefix) for key in self.inner._objects}


def patient(store: ObjectStore) -> Retrying:
    return Retrying(store, clock=ManualClock(), rng=random.Random(1))


def lossy(store: ObjectStore, seed: int) -> ObjectStore:
    rates = {Fault.LOST_REQUEST: 0.1, Fault.LOST_ANSWER: 0.1, Fault.THROTTLE: 0.05, Fault.DUPLICATE: 0.1}
    return Faulty(store, RandomFaults(random.Random(seed), rates=rates))


SEEDS = itertools.count()
WRAPPERS: dict[str, Callable[[ObjectStore], ObjectStore]] = {
    "counting": lambda store: Counting(store, RequestCounter()),
    "faultless": Faulty,
    "retrying": patient,
    "retrying over faults": lambda store: patient(lossy(store, next(SEEDS))),
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_wrapper_conforms(wrap: Callable[[ObjectStore], ObjectStore]) -> None:
    """The whole suite passes through the wrapper.

    Two exceptions of `Retrying` are documented: it takes a body equal to its own for its own put, and over faults tries
    a stream once that cannot be rewound.
    """
    suite = WrappedSuite()

    def make_store() -> ObjectStore:
        suite.inner = Pinning(SystemClock())
        return wrap(suite.inner)

    failures = {name for name, errors in run_suite(suite, make_store).items() if errors}
    documented = {
        "test_create_refuses_a_taken_key",
        "test_create_race_of_equal_bodies_has_exactly_one_winner",
        "test_swap_race_of_equal_bodies_has_exactly_one_winner",
        "test_swap_race_of_bare_counters_loses_no_increment",
    }
    tried_once = {
        "test_stream_is_not_visible_before_its_end",
        "test_stream_reads_its_body_in_pieces",
        "test_stream_that_fails_leaves_nothing",
    }
    if wrap is WRAPPERS["retrying over faults"]:
        failures -= tried_once
    assert failures == (documented if isinstance(make_store(), Retrying) else set())


@pytest.mark.parametrize(
    ("namespace", "prefix"), [(Namespace.parse("infra"), "infra/"), (SOLO, "data/")], ids=["namespaced", "solo"]
)
def test_guard_conforms(namespace: Namespace, prefix: str) -> None:
    """The whole suite passes through the namespace's guard below the namespace's own keys, and nothing lands elsewhere.

    What the guard refuses is tested in `test_prefixed.py`.
    """
    suite = WrappedSuite(prefix)

    def make_store() -> ObjectStore:
        suite.inner = Pinning(SystemClock())
        return Below(Prefixed(suite.inner, namespace), prefix)

    assert {name: errors for name, errors in run_suite(suite, make_store).items() if errors} == {}


@pytest.mark.parametrize("wrap", [*WRAPPERS.values(), lambda store: Prefixed(store, SOLO)], ids=[*WRAPPERS, "guard"])
def test_wrapper_lists_lazily(wrap: Callable[[ObjectStore], ObjectStore]) -> None:
    """A listing through the wrapper asks the store for no more objects than are taken from it."""
    inner = Pinning(ManualClock())
    for number in range(10):
        inner.put(ObjectKey(f"data/{number}"), b"", Create())
    listing = iter(wrap(inner).list("data/"))
    assert inner.listed == 0
    assert [next(listing).key.text for _ in range(3)] == ["data/0", "data/1", "data/2"]
    assert inner.listed <= 4
