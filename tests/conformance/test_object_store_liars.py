"""The suite catches stores that lie, each for the promise that it breaks."""

from __future__ import annotations

import time

from swampsync.backends.base import ObjectStore
from swampsync.backends.checks import digest_etag
from swampsync.backends.memory import MemoryStore, _Object
from swampsync.clock import SystemClock
from swampsync.testing.liars import CheckThenWriter, CreateIgnorer, MatchIgnorer
from swampsync.testing.object_store_suite import ObjectStoreSuite, run_suite


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
