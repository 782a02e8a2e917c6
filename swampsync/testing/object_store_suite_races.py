"""The object store suite: what holds when many write at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from swampsync.backends.base import (
    Create,
    IfMatch,
    NotSupported,
    ObjectExists,
    ObjectStore,
    Overwrite,
    PreconditionFailed,
    PutResult,
)
from swampsync.errors import Unavailable
from swampsync.testing.object_store_suite_base import ObjectStoreSuiteBase, key_of


class RaceTests(ObjectStoreSuiteBase):
    """Racing."""

    def test_create_race_has_exactly_one_winner(self, store: ObjectStore) -> None:
        """Of many that create one key at once exactly one succeeds, and the object is what that one wrote.

        A loser gets `ObjectExists`. `Unavailable` is allowed to a loser only: nobody knew, and it was not done.
        """
        assert store.capabilities.create_only
        for round_number in range(self.create_race_rounds):
            key = key_of(f"race/{round_number:03d}")
            bodies = [f"{round_number}-{n}".encode() for n in range(self.create_race_threads)]
            results = self.race(len(bodies), lambda n, k=key, b=bodies: store.put(k, b[n], Create()))  # type: ignore[misc]
            winners = [n for n, result in enumerate(results) if isinstance(result, PutResult)]
            others = [r for r in results if not isinstance(r, PutResult | ObjectExists | Unavailable)]
            assert others == []
            assert len(winners) == 1, f"{len(winners)} winners in round {round_number}"
            assert self.raw_get(store, key.text) == bodies[winners[0]]

    def test_create_race_of_equal_bodies_has_exactly_one_winner(self, store: ObjectStore) -> None:
        """Equal bodies make no difference to create-only."""
        for round_number in range(max(1, self.create_race_rounds // 5)):
            key = key_of(f"race/{round_number:03d}")
            results = self.race(self.create_race_threads, lambda _, k=key: store.put(k, b"same", Create()))  # type: ignore[misc]
            winners = sum(isinstance(result, PutResult) for result in results)
            assert winners == 1, f"{winners} winners in round {round_number}"

    def test_swap_race_loses_no_increment(self, store: ObjectStore) -> None:
        """A counter that many increment by compare-and-swap ends at the number of acknowledged increments.

        The number comes back to equal values again and again (it is counted modulo 3): the nonce keeps bodies apart,
        as all bodies of ours do that are compared and swapped.
        """
        if not store.capabilities.compare_and_swap:
            etag = store.put(key_of("counter"), b"0", Overwrite()).etag
            with pytest.raises(NotSupported):
                store.put(key_of("counter"), b"1", IfMatch(etag))
            return
        key = key_of("counter")
        store.put(key, json.dumps({"count": 0, "nonces": []}).encode(), Create())

        self._race_swaps(lambda name, together: self._increment(store, name, together))
        final = json.loads(self.raw_get(store, key.text) or b"{}")
        expected = {f"{w}-{s}" for w in range(self.swap_race_workers) for s in range(self.swap_race_increments)}
        lost = expected - set(final["nonces"])
        assert not lost, f"{len(lost)} of {len(expected)} acknowledged increments were lost"
        assert sorted(final["nonces"]) == sorted(expected)
        assert final["count"] == len(expected) % 3

    def test_swap_race_of_bare_counters_loses_no_increment(self, store: ObjectStore) -> None:
        """The same where the number is the whole body: all who collide swap the same bytes for the same bytes.

        Nothing in the object tells who won, so only the store's answer may. `Unavailable` leaves it open.
        """
        if not store.capabilities.compare_and_swap:
            etag = store.put(key_of("counter"), b"0", Overwrite()).etag
            with pytest.raises(NotSupported):
                store.put(key_of("counter"), b"0", IfMatch(etag))
            return
        key = key_of("counter")
        store.put(key, b"0", Create())
        acknowledged: list[str] = []
        unknown: list[str] = []

        def increment(name: str, together: threading.Barrier) -> None:
            is_first = True
            while True:
                got = store.get(key)
                assert got.info.etag is not None
                if is_first:
                    together.wait(60)
                    is_first = False
                try:
                    store.put(key, b"%d" % (int(got.body) + 1), IfMatch(got.info.etag))
                except PreconditionFailed:
                    continue
                except Unavailable:
                    unknown.append(name)
                    continue
                acknowledged.append(name)
                return

        self._race_swaps(increment)
        assert len(acknowledged) == self.swap_race_workers * self.swap_race_increments
        final = int(self.raw_get(store, key.text) or b"0")
        lost = len(acknowledged) - final
        assert lost <= 0, f"{lost} of {len(acknowledged)} acknowledged increments were lost"
        assert final <= len(acknowledged) + len(unknown)

    def _race_swaps(self, increment: Callable[[str, threading.Barrier], None]) -> None:
        # All workers read before any of them swaps, so that every step is a collision.
        together = threading.Barrier(self.swap_race_workers)

        def work(worker: int) -> None:
            try:
                for step in range(self.swap_race_increments):
                    increment(f"{worker}-{step}", together)
            except BaseException:
                together.abort()
                raise

        results = self.race(self.swap_race_workers, work)
        assert results == [None] * self.swap_race_workers, f"workers failed: {results}"

    def _increment(self, store: ObjectStore, nonce: str, together: threading.Barrier) -> None:
        key = key_of("counter")
        is_first = True
        while True:
            got = store.get(key)
            state = json.loads(got.body)
            if nonce in state["nonces"]:
                return  # an answer of `Unavailable` hid that it was done
            if is_first:
                together.wait(60)
                is_first = False
            state = {"count": (state["count"] + 1) % 3, "nonces": [*state["nonces"], nonce]}
            assert got.info.etag is not None
            try:
                store.put(key, json.dumps(state).encode(), IfMatch(got.info.etag))
            except (PreconditionFailed, Unavailable):
                continue
            return

    def test_swap_race_has_one_winner_a_round(self, store: ObjectStore) -> None:
        """Of many that swap the same state for different ones at once exactly one succeeds."""
        if not store.capabilities.compare_and_swap:
            etag = store.put(key_of("k"), b"", Create()).etag
            with pytest.raises(NotSupported):
                store.put(key_of("k"), b"x", IfMatch(etag))
            return
        for round_number in range(max(1, self.create_race_rounds // 5)):
            key = key_of(f"swap/{round_number:03d}")
            etag = store.put(key, b"start", Create()).etag
            bodies = [f"{round_number}-{n}".encode() for n in range(self.create_race_threads)]
            results = self.race(
                len(bodies),
                lambda n, k=key, b=bodies, e=etag: store.put(k, b[n], IfMatch(e)),  # type: ignore[misc]
            )
            winners = [n for n, result in enumerate(results) if isinstance(result, PutResult)]
            others = [r for r in results if not isinstance(r, PutResult | PreconditionFailed | Unavailable)]
            assert others == []
            assert len(winners) == 1, f"{len(winners)} winners in round {round_number}"
            assert self.raw_get(store, key.text) == bodies[winners[0]]

    def test_swap_race_of_equal_bodies_has_exactly_one_winner(self, store: ObjectStore) -> None:
        """Of many that swap the same state for the same new one at once exactly one is told that it did."""
        if not store.capabilities.compare_and_swap:
            etag = store.put(key_of("k"), b"start", Create()).etag
            with pytest.raises(NotSupported):
                store.put(key_of("k"), b"same", IfMatch(etag))
            return
        for round_number in range(max(1, self.create_race_rounds // 5)):
            key = key_of(f"swap/{round_number:03d}")
            etag = store.put(key, b"start", Create()).etag
            results = self.race(self.create_race_threads, lambda _, k=key, e=etag: store.put(k, b"same", IfMatch(e)))  # type: ignore[misc]
            others = [r for r in results if not isinstance(r, PutResult | PreconditionFailed | Unavailable)]
            assert others == []
            winners = sum(isinstance(result, PutResult) for result in results)
            assert winners == 1, f"{winners} winners in round {round_number}"
            assert self.raw_get(store, key.text) == b"same"

    def test_overwrite_race_leaves_one_of_the_bodies(self, store: ObjectStore) -> None:
        """Of many that overwrite at once one body stays, whole; readers meanwhile see only whole bodies."""
        bodies = [bytes([65 + n]) * 70_001 for n in range(8)]
        store.put(key_of("k"), bodies[0], Overwrite())

        def act(number: int) -> set[bytes]:
            if number < len(bodies):
                store.put(key_of("k"), bodies[number], Overwrite())
                return set()
            return {store.get(key_of("k")).body for _ in range(5)}

        results = self.race(2 * len(bodies), act)
        errors = [result for result in results if isinstance(result, BaseException)]
        assert errors == []
        seen = set().union(*[result for result in results if isinstance(result, set)])
        assert seen <= set(bodies)
        assert self.raw_get(store, "k") in bodies
        assert self.raw_keys(store) == {"k"}

    def test_put_and_delete_race_in_one_directory(self, store: ObjectStore) -> None:
        """Puts and deletes of neighbours do not disturb each other."""

        def act(number: int) -> None:
            key = key_of(f"dir/sub/{number}")
            for _ in range(10):
                store.put(key, b"x", Create())
                store.delete(key)

        assert self.race(8, act) == [None] * 8
        assert self.raw_keys(store) == set()
