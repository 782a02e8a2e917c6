"""The store that tries again."""

from __future__ import annotations

import io
import itertools
import random
from collections.abc import Callable, Iterator

import pytest

from swampsync.backends.base import (
    Create,
    ETag,
    IfMatch,
    NotConnected,
    ObjectExists,
    ObjectInfo,
    ObjectNotFound,
    ObjectStore,
    Overwrite,
    PreconditionFailed,
    PutMode,
    PutResult,
    Throttled,
)
from swampsync.backends.checks import digest_etag
from swampsync.backends.memory import MemoryStore
from swampsync.backends.patience import Patience, RetryPolicy
from swampsync.backends.retrying import Retrying
from swampsync.errors import AccessDenied, SwampsyncError, Unavailable
from swampsync.layout import ObjectKey
from swampsync.testing.faulty_store import Call, Fault, FaultPlan, Faulty, RandomFaults, fault_at, faults_at, no_faults
from swampsync.testing.manual_clock import ManualClock

KEY = ObjectKey("infra/k")
PASSING = [Fault.LOST_REQUEST, Fault.NO_CONNECTION, Fault.LOST_ANSWER, Fault.THROTTLE, Fault.DUPLICATE, Fault.CUT]


class Rig:
    """A memory store behind faults behind the wrapper, on a clock of its own."""

    def __init__(self, plan: FaultPlan = no_faults, policy: RetryPolicy | None = None) -> None:
        self.clock = ManualClock()
        self.memory = MemoryStore(self.clock)
        self.faulty = Faulty(self.memory, plan)
        self.store = Retrying(self.faulty, clock=self.clock, rng=random.Random(1), policy=policy)

    def methods(self) -> list[str]:
        return [call.method for call in self.faulty.calls]


def _read(store: ObjectStore) -> bytes:
    with store.open(KEY) as (_, chunks):
        return b"".join(chunks)


USES: dict[str, tuple[Callable[[ObjectStore], object], object]] = {
    "get": (lambda s: s.get(KEY, start=1, length=2).body, b"bc"),
    "head": (lambda s: s.head(KEY).size, 6),
    "open": (_read, b"abcdef"),
    "put overwrite": (lambda s: s.put(KEY, b"new", Overwrite()), PutResult(digest_etag(b"new"))),
    "put create": (lambda s: s.put(ObjectKey("infra/new"), b"n-1", Create()), PutResult(digest_etag(b"n-1"))),
    "put if-match": (lambda s: s.put(KEY, b"n-2", IfMatch(digest_etag(b"abcdef"))), PutResult(digest_etag(b"n-2"))),
    "put_stream": (lambda s: s.put_stream(KEY, io.BytesIO(b"new")), PutResult(digest_etag(b"new"))),
    "delete": (lambda s: s.delete(KEY), None),
    "delete_many": (lambda s: s.delete_many([KEY, ObjectKey("infra/l1"), ObjectKey("absent")]), {}),
    "list": (lambda s: [i.key.text for i in s.list("infra/l")], [f"infra/l{n}" for n in range(9)]),
    "list_dirs": (lambda s: list(s.list_dirs("")), ["infra"]),
}


def fill(store: ObjectStore) -> None:
    store.put(KEY, b"abcdef", Create())
    for number in range(9):
        store.put(ObjectKey(f"infra/l{number}"), b"x", Create())


@pytest.mark.holds("I1")
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("faults", list(itertools.product(PASSING, PASSING)), ids=lambda f: f"{f[0].name}-{f[1].name}")
def test_two_faults_in_a_row_change_nothing(use: str, faults: tuple[Fault, Fault]) -> None:
    """Every call gives the result, and leaves the state, that it has without faults."""
    act, expected = USES[use]
    rig, plain = Rig(faults_at(dict(enumerate(faults)))), Rig()
    fill(rig.memory)
    fill(plain.memory)
    assert act(rig.store) == act(plain.store) == expected
    states = [{i.key.text: i.etag for i in r.memory.list("")} for r in (rig, plain)]
    assert states[0] == states[1]


@pytest.mark.parametrize("use", USES)
def test_call_without_fault_costs_one_request(use: str) -> None:
    """Nothing is asked twice when nothing went wrong, and nobody waits."""
    rig = Rig()
    fill(rig.memory)
    USES[use][0](rig.store)
    assert len(rig.faulty.calls) == 1
    assert rig.clock.slept == []


@pytest.mark.parametrize("use", [u for u in USES if u != "delete_many"])
def test_giving_up_raises_the_last_error(use: str) -> None:
    """A store that stays down is `Unavailable` before the deadline is over, after more than one try."""
    rig = Rig(lambda _: Fault.LOST_REQUEST, RetryPolicy(deadline_seconds=30))
    fill(rig.memory)
    begin = rig.clock.uptime()
    with pytest.raises(Unavailable):
        USES[use][0](rig.store)
    assert len(rig.faulty.calls) > 4
    assert 10 < rig.clock.uptime() - begin <= 30


@pytest.mark.parametrize("use", USES)
def test_address_where_nobody_ever_answered_is_given_up_soon(use: str) -> None:
    """Without one answer ever, a few tries within seconds are all, and what is asked next is tried once."""
    rig = Rig(lambda _: Fault.NO_CONNECTION)
    begin = rig.clock.uptime()
    with pytest.raises(NotConnected):
        USES[use][0](rig.store)
    assert 3 <= len(rig.faulty.calls) <= 7
    assert 1 < rig.clock.uptime() - begin <= 4
    rig.faulty.calls.clear()
    rig.clock.advance(4)
    with pytest.raises(NotConnected):
        USES[use][0](rig.store)
    assert len(rig.faulty.calls) == 1


@pytest.mark.parametrize("answer", [None, Fault.LOST_ANSWER, Fault.THROTTLE, "not found"], ids=str)
def test_server_that_is_started_again_is_waited_for(answer: Fault | str | None) -> None:
    """Once the store has answered anything at all, a refused connection is waited out like any other failure."""
    rig = Rig()
    fill(rig.memory)
    rig.faulty.plan = lambda call: answer if call.number == 0 and isinstance(answer, Fault) else None
    if answer == "not found":
        with pytest.raises(ObjectNotFound):
            rig.store.get(ObjectKey("infra/absent"))
    else:
        rig.store.get(KEY)
    back_at = rig.clock.uptime() + 30
    rig.faulty.plan = lambda _: Fault.NO_CONNECTION if rig.clock.uptime() < back_at else None
    assert rig.store.get(KEY).body == b"abcdef"
    assert rig.clock.uptime() >= back_at


def test_server_that_comes_up_in_time_is_used() -> None:
    """A server that begins to listen within the first seconds is no failure."""
    rig = Rig(faults_at({0: Fault.NO_CONNECTION, 1: Fault.NO_CONNECTION}))
    assert rig.store.put(KEY, b"ours", Create()) == PutResult(digest_etag(b"ours"))
    assert rig.methods() == ["put", "put", "put"]


def test_delete_many_reports_what_stays_undone() -> None:
    """Keys that fail until the deadline are returned with their errors, the others are removed."""
    rig = Rig(lambda call: Fault.CUT if call.method == "delete_many" else None)
    fill(rig.memory)
    keys = [ObjectKey("infra/l0"), ObjectKey("infra/l1"), KEY]
    failures = rig.store.delete_many(keys)
    assert list(failures) == [KEY]
    assert isinstance(failures[KEY], Unavailable)
    assert {i.key.text for i in rig.memory.list("")} == {"infra/k", *(f"infra/l{n}" for n in range(2, 9))}


@pytest.mark.parametrize(
    "error", [AccessDenied("no"), ObjectNotFound("no"), SwampsyncError("no")], ids=lambda e: type(e).__name__
)
def test_lasting_error_is_not_repeated(error: SwampsyncError) -> None:
    """What trying again cannot help is raised at once."""

    class Refusing(MemoryStore):
        calls = 0

        def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
            type(self).calls += 1
            raise error

    clock = ManualClock()
    store = Retrying(Refusing(clock), clock=clock, rng=random.Random(1))
    for mode in (Overwrite(), Create(), IfMatch(ETag("x"))):
        with pytest.raises(type(error)):
            store.put(KEY, b"x", mode)
    assert (Refusing.calls, clock.slept) == (3, [])


# --- conditional puts --------------------------------------------------------------------------------


@pytest.mark.holds("I3")
@pytest.mark.parametrize("mode", [Create(), IfMatch(digest_etag(b"before"))])
def test_conflict_is_raised_after_looking(mode: Create | IfMatch) -> None:
    """A refusal is somebody else's state, seen by reading it once; nobody waits."""
    rig = Rig()
    rig.memory.put(KEY, b"theirs", Create())
    with pytest.raises((ObjectExists, PreconditionFailed)) as caught:
        rig.store.put(KEY, b"ours", mode)
    assert caught.value.key == KEY.text
    assert rig.methods() == ["put", "get"]
    assert rig.clock.slept == []
    assert rig.memory.get(KEY).body == b"theirs"


@pytest.mark.holds("I3")
@pytest.mark.parametrize("mode", [Create(), IfMatch(digest_etag(b"before"))])
@pytest.mark.parametrize("is_throttled", [False, True])
def test_lost_request_and_a_faster_rival_is_a_conflict(mode: Create | IfMatch, is_throttled: bool) -> None:  # noqa: FBT001
    """Where our put never arrived and somebody else came in between, it is a conflict and not a time-out."""
    rig = Rig()

    def plan(call: Call) -> Fault | None:
        if call.number:
            return None
        rig.memory.put(KEY, b"theirs", Overwrite())
        return Fault.THROTTLE if is_throttled else Fault.LOST_REQUEST

    if isinstance(mode, IfMatch):
        rig.memory.put(KEY, b"before", Create())
    rig.faulty.plan = plan
    with pytest.raises((ObjectExists, PreconditionFailed)) as caught:
        rig.store.put(KEY, b"ours", mode)
    assert isinstance(caught.value.__cause__, Throttled if is_throttled else Unavailable)
    assert rig.memory.get(KEY).body == b"theirs"


@pytest.mark.holds("I3")
def test_swap_over_a_removed_object_is_a_conflict() -> None:
    """`IfMatch` whose object is gone never creates one."""
    rig = Rig()
    with pytest.raises(PreconditionFailed):
        rig.store.put(KEY, b"ours", IfMatch(digest_etag(b"before")))
    assert list(rig.memory.list("")) == []


@pytest.mark.parametrize("mode", [Create(), IfMatch(digest_etag(b"before"))])
def test_collision_without_a_winner_is_tried_again(mode: Create | IfMatch) -> None:
    """A refusal although the condition still holds (409: two tries collided) is tried again, and then done."""

    class Colliding(MemoryStore):
        refusals = 2

        def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
            if not isinstance(mode, Overwrite) and self.refusals:
                self.refusals -= 1
                raise ObjectExists("409") if isinstance(mode, Create) else PreconditionFailed("409")
            return super().put(key, body, mode)

    clock = ManualClock()
    store = Colliding(clock)
    if isinstance(mode, IfMatch):
        store.put(KEY, b"before", Overwrite())
    Retrying(store, clock=clock, rng=random.Random(1)).put(KEY, b"ours", mode)
    assert store.get(KEY).body == b"ours"
    assert len(clock.slept) == 2


def test_store_that_refuses_the_right_etag_is_given_up_soon() -> None:
    """A store that is wrong about its own ETags gives a conflict after three refusals, not after the deadline."""

    class Stubborn(MemoryStore):
        def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
            if isinstance(mode, IfMatch):
                raise PreconditionFailed("quoted, and so it never matches")
            return super().put(key, body, mode)

    clock = ManualClock()
    store = Stubborn(clock)
    etag = store.put(KEY, b"before", Overwrite()).etag
    with pytest.raises(PreconditionFailed):
        Retrying(store, clock=clock, rng=random.Random(1)).put(KEY, b"ours", IfMatch(etag))
    assert len(clock.slept) == 2


def test_last_look_is_taken_without_patience() -> None:
    """A put whose answer was lost when no time is left is still looked at, and found done."""
    rig = Rig(fault_at(0, Fault.LOST_ANSWER), RetryPolicy(deadline_seconds=0))
    assert rig.store.put(KEY, b"ours", Create()) == PutResult(digest_etag(b"ours"))
    rig = Rig(fault_at(0, Fault.LOST_REQUEST), RetryPolicy(deadline_seconds=0))
    with pytest.raises(Unavailable):
        rig.store.put(KEY, b"ours", Create())
    assert rig.methods() == ["put", "get"]


def test_refusal_that_cannot_be_looked_at_is_unavailable() -> None:
    """Where nobody can read what refused us, nobody knows whether it was ourselves: `Unavailable`, not a conflict."""
    rig = Rig(lambda call: Fault.LOST_REQUEST if call.method == "get" else None, RetryPolicy(deadline_seconds=5))
    rig.memory.put(KEY, b"theirs", Create())
    with pytest.raises(Unavailable):
        rig.store.put(KEY, b"ours", Create())


@pytest.mark.holds("I3")
@pytest.mark.parametrize("seed", range(20))
def test_many_writers_over_a_lossy_store_each_get_their_own_number(seed: int) -> None:
    """Whatever is lost, an acknowledged create is the object's author, and a refused one is not."""
    rng = random.Random(seed)
    rates = {Fault.LOST_REQUEST: 0.15, Fault.LOST_ANSWER: 0.15, Fault.DUPLICATE: 0.15, Fault.THROTTLE: 0.1}
    rig = Rig(RandomFaults(rng, rates=rates))
    for number in range(20):
        key = ObjectKey(f"infra/_log/{number:020d}.json")
        outcomes = []
        for writer in range(3):
            body = f"{writer}-{number}".encode()
            try:
                rig.store.put(key, body, Create())
            except ObjectExists:
                outcomes.append((False, body))
            else:
                outcomes.append((True, body))
        stays = rig.memory.get(key).body
        assert [body for is_acknowledged, body in outcomes if is_acknowledged] == [stays]


# --- bodies and listings -----------------------------------------------------------------------------


def test_broken_body_is_resumed_where_it_broke() -> None:
    """A large object whose body breaks is fetched from there on by ranges."""
    rig = Rig(fault_at(0, Fault.CUT))
    body = random.Random(7).randbytes(5_000_000)
    rig.memory.put(KEY, body, Create())
    assert _read(rig.store) == body
    assert rig.methods() == ["open", "get"]


def test_body_of_a_replaced_object_is_not_resumed() -> None:
    """Where the object was replaced after its body broke, the reader gets an error and not a mixture."""
    rig = Rig(fault_at(0, Fault.CUT))
    rig.memory.put(KEY, b"o" * 3_000_000, Create())
    with rig.store.open(KEY) as (_, chunks):
        parts = iter(chunks)
        assert set(next(parts)) == {ord("o")}
        rig.memory.put(KEY, b"n" * 3_000_000, Overwrite())
        with pytest.raises(Unavailable, match="was replaced"):
            next(parts)
    assert len(rig.clock.slept) == 1


def test_broken_listing_goes_on_behind_its_last_object() -> None:
    """A listing that breaks again and again names every object exactly once."""
    rig = Rig(lambda call: Fault.CUT if call.number < 6 else None)
    fill(rig.memory)
    expected = [i.key.text for i in rig.memory.list("")]
    assert [i.key.text for i in rig.store.list("")] == expected
    assert [i.key.text for i in rig.store.list("", start="infra/l5")] == expected[6:]


def test_listing_that_fails_before_its_first_object_is_begun_again() -> None:
    """A store that asks for the first page when it is called, not when it is taken from, is repeated as well."""

    class Eager(MemoryStore):
        failures = 2

        def list(self, prefix: str, *, start: str | None = None) -> Iterator[ObjectInfo]:
            if self.failures:
                self.failures -= 1
                raise Unavailable("at once")
            return super().list(prefix, start=start)

    clock = ManualClock()
    store = Eager(clock)
    store.put(KEY, b"x", Create())
    assert [i.key for i in Retrying(store, clock=clock, rng=random.Random(1)).list("")] == [KEY]


def test_stream_that_cannot_be_rewound_is_tried_once() -> None:
    """A body that was read and cannot be read again is not repeated with its rest."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    rig = Rig(fault_at(0, Fault.LOST_REQUEST))
    with pytest.raises(Unavailable):
        rig.store.put_stream(KEY, Pipe(b"x"))
    assert rig.methods() == ["put_stream"]


def test_stream_is_rewound_to_where_it_began() -> None:
    """A repeated stream begins where the first try began, not at the file's begin."""
    rig = Rig(fault_at(0, Fault.LOST_ANSWER))
    body = io.BytesIO(b"headbody")
    body.seek(4)
    rig.store.put_stream(KEY, body)
    assert rig.memory.get(KEY).body == b"body"


# --- back-off ----------------------------------------------------------------------------------------


def test_waits_double_up_to_the_longest() -> None:
    """Waits grow from the first delay to the longest, each between half and all of it."""
    clock = ManualClock()
    policy = RetryPolicy(deadline_seconds=100, first_delay_seconds=1, longest_delay_seconds=8)
    patience = Patience(policy, clock=clock, rng=random.Random(3))
    for _ in range(6):
        assert patience.wait(Unavailable("down"))
    for slept, longest in zip(clock.slept, (1, 2, 4, 8, 8, 8), strict=True):
        assert longest / 2 <= slept <= longest


def test_clients_that_failed_together_do_not_come_back_together() -> None:
    """Two clients of different seeds wait differently."""
    waits = []
    for seed in (1, 2):
        clock = ManualClock()
        Patience(RetryPolicy(), clock=clock, rng=random.Random(seed)).wait(Unavailable("down"))
        waits.append(clock.slept[0])
    assert waits[0] != waits[1]


def test_progress_renews_patience() -> None:
    """After progress the deadline and the waits begin afresh."""
    clock = ManualClock()
    patience = Patience(RetryPolicy(deadline_seconds=3, first_delay_seconds=1), clock=clock, rng=random.Random(1))
    while patience.wait(Unavailable("down")):
        pass
    patience.renew()
    assert patience.wait(Unavailable("down"))
    assert clock.slept[-1] <= 1
