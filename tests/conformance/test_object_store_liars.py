"""The suite catches stores that lie, each for the promise that it breaks."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from swampsync.backends.base import ObjectInfo, ObjectStore
from swampsync.backends.checks import digest_etag
from swampsync.backends.memory import MemoryStore, _Object
from swampsync.backends.s3_pieces import FIRST_BYTES
from swampsync.clock import SystemClock
from swampsync.errors import SwampsyncError
from swampsync.layout import ObjectKey
from swampsync.testing.liars import CheckThenWriter, CreateIgnorer, MatchIgnorer
from swampsync.testing.object_store_suite import ObjectStoreSuite, run_suite
from swampsync.testing.s3_side_channel import S3Suite


class MemorySuite(ObjectStoreSuite):
    """The suite over stores in memory, with small races: a liar shows itself at once."""

    create_race_threads = 8
    create_race_rounds = 5
    page_counts = (10,)
    stream_bytes = 100_000

    def raw_get(self, store: ObjectStore, key: str) -> bytes | None:
        assert isinstance(store, MemoryStore)
        found = store._objects.get(key)
        return None if found is None else found.body

    def raw_put(self, store: ObjectStore, key: str, body: bytes) -> None:
        assert isinstance(store, MemoryStore)
        store._objects[key] = _Object(body, digest_etag(body), SystemClock().now())
        store._order = sorted(store._objects, key=str.encode)

    def raw_keys(self, store: ObjectStore) -> set[str]:
        assert isinstance(store, MemoryStore)
        return set(store._objects)


def find_failures(store: type[MemoryStore]) -> dict[str, str]:
    """Run the suite over a class of stores; return the failed tests with the first line of what they say."""
    found = run_suite(MemorySuite(), lambda: store(SystemClock()))
    return {name: f"{type(errors[0]).__name__}: {errors[0]}" for name, errors in found.items() if errors}


def test_honest_store_passes() -> None:
    """The runner finds no failure in an honest store, and runs every test of the suite."""
    results = run_suite(MemorySuite(), lambda: MemoryStore(SystemClock()))
    assert {name: errors for name, errors in results.items() if errors} == {}
    assert set(results) == {name for name in dir(ObjectStoreSuite) if name.startswith("test_")}
    assert len(results) > 50


def test_store_that_ignores_create_only_is_caught() -> None:
    """It fails exactly where an existing object must be refused, alone and in a race."""
    failures = find_failures(CreateIgnorer)
    assert set(failures) == {
        "test_create_refuses_a_taken_key",
        "test_create_race_has_exactly_one_winner",
        "test_create_race_of_equal_bodies_has_exactly_one_winner",
    }
    assert "DID NOT RAISE" in failures["test_create_refuses_a_taken_key"]
    assert "8 winners in round 0" in failures["test_create_race_has_exactly_one_winner"]
    assert "8 winners in round 0" in failures["test_create_race_of_equal_bodies_has_exactly_one_winner"]


def test_store_that_ignores_if_match_is_caught() -> None:
    """It fails exactly where another state must be refused, alone and in a race."""
    failures = find_failures(MatchIgnorer)
    assert set(failures) == {
        "test_swap_refuses_another_state",
        "test_swap_refuses_an_absent_object",
        "test_swap_race_has_one_winner_a_round",
        "test_swap_race_of_equal_bodies_has_exactly_one_winner",
        "test_swap_race_of_bare_counters_loses_no_increment",
        "test_swap_race_loses_no_increment",
    }
    assert "DID NOT RAISE" in failures["test_swap_refuses_another_state"]
    assert "DID NOT RAISE" in failures["test_swap_refuses_an_absent_object"]
    assert "8 winners in round 0" in failures["test_swap_race_has_one_winner_a_round"]
    assert "8 winners in round 0" in failures["test_swap_race_of_equal_bodies_has_exactly_one_winner"]
    assert "acknowledged increments were lost" in failures["test_swap_race_loses_no_increment"]
    assert "acknowledged increments were lost" in failures["test_swap_race_of_bare_counters_loses_no_increment"]


def test_store_that_checks_and_then_writes_is_caught() -> None:
    """It passes everything but the races: nothing else can tell."""

    class Windowed(CheckThenWriter):
        def __init__(self, clock: SystemClock) -> None:
            # The window is the lie itself: long enough for another thread to get in.
            super().__init__(clock, window=lambda: time.sleep(0.001))

    failures = find_failures(Windowed)
    assert set(failures) == {
        "test_create_race_has_exactly_one_winner",
        "test_create_race_of_equal_bodies_has_exactly_one_winner",
        "test_swap_race_has_one_winner_a_round",
        "test_swap_race_of_equal_bodies_has_exactly_one_winner",
        "test_swap_race_of_bare_counters_loses_no_increment",
        "test_swap_race_loses_no_increment",
    }
    assert "winners in round" in failures["test_create_race_has_exactly_one_winner"]
    assert "winners in round" in failures["test_create_race_of_equal_bodies_has_exactly_one_winner"]
    assert "winners in round" in failures["test_swap_race_has_one_winner_a_round"]
    assert "winners in round" in failures["test_swap_race_of_equal_bodies_has_exactly_one_winner"]
    assert "acknowledged increments were lost" in failures["test_swap_race_loses_no_increment"]
    assert "acknowledged increments were lost" in failures["test_swap_race_of_bare_counters_loses_no_increment"]


class Mixing(MemoryStore):
    """Reads large objects in ranges of whatever state is there by then, or puts them together wrongly."""

    shift = 0

    @contextmanager
    def open(self, key: ObjectKey) -> Iterator[tuple[ObjectInfo, Iterator[bytes]]]:
        info = self.head(key)
        yield info, self._ranges(key, info.size)

    def _ranges(self, key: ObjectKey, size: int) -> Iterator[bytes]:
        for start in range(0, size, FIRST_BYTES):
            body = self.get(key).body
            yield body[start + self.shift if start else 0 :][: min(FIRST_BYTES, size - start)]


class Shifting(Mixing):
    """Loses a byte between two ranges."""

    shift = 1


class LargeSuite(MemorySuite):
    """The suite with bodies as large as over a server."""

    stream_bytes = S3Suite.stream_bytes


def test_store_that_mixes_states_of_a_large_object_is_caught() -> None:
    """The suite's large bodies are larger than the first range that `S3Store` reads."""
    with pytest.raises(AssertionError):
        LargeSuite().test_open_reads_one_state_while_the_object_is_replaced(Mixing(SystemClock()))


def test_store_that_puts_ranges_together_wrongly_is_caught() -> None:
    """The bytes of large bodies are compared."""
    LargeSuite().test_open_streams_the_whole_object(Shifting(SystemClock()), size=1)
    with pytest.raises(AssertionError):
        LargeSuite().test_open_streams_the_whole_object(Shifting(SystemClock()), size=None)


class Forgetful(MemoryStore):
    """Keeps an object that it was to remove, and says nothing of it."""

    pinned: str | None = None

    def delete_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SwampsyncError]:
        return super().delete_many([key for key in keys if key.text != self.pinned])


def test_store_that_keeps_errors_of_removals_to_itself_is_caught() -> None:
    """What could not be removed must be told."""

    class PinningSuite(MemorySuite):
        @contextmanager
        def raw_pinned(self, store: ObjectStore, key: str) -> Iterator[bool]:
            assert isinstance(store, Forgetful)
            store.pinned = key
            yield True
            store.pinned = None

    with pytest.raises(AssertionError):
        PinningSuite().test_delete_many_returns_the_errors_of_what_stays(Forgetful(SystemClock()))
