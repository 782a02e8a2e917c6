"""The store in which things go wrong by plan."""

from __future__ import annotations

import random

import pytest

from swampsync.backends.base import Create, ObjectExists, Overwrite, Throttled
from swampsync.backends.memory import MemoryStore
from swampsync.errors import Unavailable
from swampsync.layout import ObjectKey
from swampsync.testing.faulty_store import Call, Fault, Faulty, RandomFaults, SimulatedCrash, fault_at
from swampsync.testing.manual_clock import ManualClock

KEY = ObjectKey("k")


def make(number: int, fault: Fault) -> tuple[MemoryStore, Faulty]:
    memory = MemoryStore(ManualClock())
    return memory, Faulty(memory, fault_at(number, fault))


@pytest.mark.parametrize(
    ("fault", "is_done", "error"),
    [
        (Fault.LOST_REQUEST, False, Unavailable),
        (Fault.THROTTLE, False, Throttled),
        (Fault.CRASH_BEFORE, False, SimulatedCrash),
        (Fault.LOST_ANSWER, True, Unavailable),
        (Fault.CUT, True, Unavailable),
        (Fault.CRASH_AFTER, True, SimulatedCrash),
    ],
)
def test_fault_strikes_before_or_after_the_store_acted(
    fault: Fault,
    is_done: bool,  # noqa: FBT001 a column of the table
    error: type[BaseException],
) -> None:
    """Each fault raises its error, and the put is done or not as its name says."""
    memory, faulty = make(0, fault)
    with pytest.raises(error):
        faulty.put(KEY, b"x", Create())
    assert [info.key for info in memory.list("")] == ([KEY] if is_done else [])
    assert faulty.faults == [(Call(0, "put", "k"), fault)]


def test_duplicate_gives_the_second_answer() -> None:
    """A repeated create is refused although it was done; a repeated overwrite is not."""
    memory, faulty = make(0, Fault.DUPLICATE)
    with pytest.raises(ObjectExists):
        faulty.put(KEY, b"x", Create())
    assert memory.get(KEY).body == b"x"
    memory, faulty = make(0, Fault.DUPLICATE)
    faulty.put(KEY, b"x", Overwrite())


def test_cut_ends_a_body_and_a_listing_in_the_middle() -> None:
    """A cut body gives some bytes and then an error, a cut listing some objects, a cut batch removes some."""
    memory = MemoryStore(ManualClock())
    for number in range(10):
        memory.put(ObjectKey(f"k{number}"), b"0123456789", Create())
    faulty = Faulty(memory, lambda _: Fault.CUT)
    with faulty.open(ObjectKey("k0")) as (_, chunks):
        assert next(chunks) == b"01234"
        with pytest.raises(Unavailable):
            next(chunks)
    listing = faulty.list("")
    assert [next(listing).key.text for _ in range(3)] == ["k0", "k1", "k2"]
    with pytest.raises(Unavailable):
        next(listing)
    assert list(faulty.delete_many([ObjectKey("k0"), ObjectKey("k1")])) == [ObjectKey("k1")]


def test_only_the_planned_call_fails() -> None:
    """A fault at call 2 leaves calls 0, 1 and 3 alone."""
    memory, faulty = make(2, Fault.LOST_REQUEST)
    faulty.put(KEY, b"0", Overwrite())
    faulty.put(KEY, b"1", Overwrite())
    with pytest.raises(Unavailable):
        faulty.put(KEY, b"2", Overwrite())
    faulty.put(KEY, b"3", Overwrite())
    assert memory.get(KEY).body == b"3"
    assert [call.number for call in faulty.calls] == [0, 1, 2, 3]


def test_random_faults_repeat_themselves() -> None:
    """The same seed gives the same faults, at about the asked rates, for the asked methods only."""
    rates = {Fault.LOST_REQUEST: 0.2, Fault.CUT: 0.1}
    calls = [Call(n, "put" if n % 2 else "get", "k") for n in range(4_000)]
    runs = [
        [plan(call) for call in calls]
        for plan in (RandomFaults(random.Random(5), rates=rates, methods=frozenset({"put"})) for _ in range(2))
    ]
    assert runs[0] == runs[1]
    assert {fault for call, fault in zip(calls, runs[0], strict=True) if call.method == "get"} == {None}
    assert 350 < runs[0].count(Fault.LOST_REQUEST) < 450
    assert 160 < runs[0].count(Fault.CUT) < 240
