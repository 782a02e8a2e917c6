from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from swampsync.backends.base import Create, ObjectExists, PutMode, PutResult
from swampsync.backends.memory import MemoryStore
from swampsync.clock import Clock
from swampsync.errors import DataError, InvalidInput, Unavailable
from swampsync.layout import ObjectKey
from swampsync.log.append import Appender, NamespaceEnded, UploadsExpired
from swampsync.log.commit import CommitDraft, PublishedCommit
from swampsync.log.log import Log
from swampsync.log.tail import BEGINNING, Position, tail
from swampsync.testing.faulty_store import Call, Fault, FaultPlan, Faulty, SimulatedCrash, fault_at, faults_at
from swampsync.testing.manual_clock import ManualClock
from tests.unit.log.conftest import Ids, World, Writer, artifact_path, draft, file_put, layout_of, version


def no_recheck(newer: Sequence[PublishedCommit], plan: CommitDraft) -> CommitDraft:
    raise AssertionError(f"{newer} came before {plan}")


def on_put(fault: Fault, *, times: int = 1) -> FaultPlan:
    left = [times]

    def plan(call: Call) -> Fault | None:
        if call.method == "put" and left[0]:
            left[0] -= 1
            return fault
        return None

    return plan


def test_append_publishes_at_the_next_number_in_one_request() -> None:
    """One writer alone needs one put, behind the position of its tail."""
    world = World()
    writer = world.writer()
    writer.push(draft(version("state", 1)))
    writer.pull()
    before = world.counter.snapshot()
    appended = writer.appender().append(
        draft(version("state", 2)), no_recheck, position=writer.position, tailed_at=world.clock.uptime()
    )
    assert (world.counter.snapshot() - before).requests == 1
    assert appended.published is not None
    assert (appended.published.commit.seq, appended.published.commit.parent) == (2, writer.position.id)
    assert appended.between == ()
    assert not appended.is_late
    assert world.log.read_commit(2).commit == appended.published.commit
    assert world.log.read_commit(2).etag == appended.published.etag


@pytest.mark.holds("I11")
def test_id_is_remembered_before_the_commit_is_sent() -> None:
    """A crash right before or after the create leaves a note by which the outcome can be told."""
    for fault, is_there in ((Fault.CRASH_BEFORE, False), (Fault.CRASH_AFTER, True)):
        world = World()
        writer = world.writer(store=Faulty(world.store, on_put(fault)))
        with pytest.raises(SimulatedCrash):
            writer.push(draft(version("state", 1)))
        ((seq, identifier),) = writer.remembered
        found = [p.commit for p in tail(world.log, BEGINNING).commits()]
        assert [(c.seq, c.id) for c in found] == ([(seq, identifier)] if is_there else [])


@pytest.mark.holds("I3")
@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.LOST_REQUEST, Fault.THROTTLE, Fault.DUPLICATE])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_doubtful_answers_are_settled_by_reading(fault: Fault, times: int) -> None:
    """Whatever became of the answer, the commit is published once and its writer knows."""
    world = World()
    writer = world.writer(store=Faulty(world.store, on_put(fault, times=times)))
    appended = writer.push(draft(version("state", 1)))
    assert appended.published is not None
    assert appended.published.commit.seq == 1
    assert len(list(tail(world.log, BEGINNING).commits())) == 1
    assert appended.published.commit.id == world.log.read_commit(1).commit.id


@pytest.mark.holds("I3")
def test_lost_answer_is_not_taken_for_a_lost_race() -> None:
    """A 412 for our own first try is a success: nothing is renumbered, nothing published twice."""
    world = World()
    writer = world.writer(store=Faulty(world.store, on_put(Fault.DUPLICATE)))
    appended = writer.push(draft(version("state", 1)))
    assert appended.between == ()
    assert [p.commit.counts.put for p in tail(world.log, BEGINNING).commits()] == [1]


def test_store_that_never_tells_is_an_error_and_the_next_run_finds_out() -> None:
    """If nobody can say whether it was published, nothing is claimed; what was remembered decides later."""
    world = World()
    is_down = [True]

    def plan(call: Call) -> Fault | None:
        if call.method == "put":
            return Fault.LOST_ANSWER
        return Fault.LOST_REQUEST if call.method == "get" and is_down[0] else None

    writer = world.writer(store=Faulty(world.store, plan))
    with pytest.raises(Unavailable, match="does not tell whether") as caught:
        writer.push(draft(version("state", 1)))
    assert caught.value.key == world.log.layout.log_key(1).text
    is_down[0] = False
    found = world.log.read_commit(1).commit
    assert (found.seq, found.id) in writer.remembered


@pytest.mark.holds("I3")
def test_request_that_lands_late_cannot_publish_twice() -> None:
    """A create that was given up and arrives after the next run's own one is refused by the store."""
    world = World()
    writer = world.writer(store=Faulty(world.store, fault_at(1, Fault.CRASH_BEFORE)))
    with pytest.raises(SimulatedCrash):
        writer.push(draft(version("state", 1)))
    again = world.writer(seed=5)
    again.push(draft(version("state", 1)))
    with pytest.raises(ObjectExists):
        world.memory.put(world.log.layout.log_key(1), b"the late request", Create())


@pytest.mark.holds("I3")
def test_request_that_lands_late_but_first_is_recognised() -> None:
    """If the given-up create arrives before the next run's, the plan is found published and nothing is doubled."""
    world = World()
    late: list[bytes] = []

    class Delaying(MemoryStore):
        def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
            if not late:
                late.append(body)
                raise SimulatedCrash
            return super().put(key, body, mode)

    store = Delaying(world.clock)
    log = Log(store, layout_of())
    with pytest.raises(SimulatedCrash):
        Writer(log, world.clock, 1).push(draft(version("state", 1)))
    second = Writer(log, world.clock, 2)
    second.pull()
    store.put(log.layout.log_key(1), late[0], Create())
    appended = second.push(draft(version("state", 1)), pull=False)
    assert appended.published is None
    assert len(appended.between) == 1
    assert len(list(tail(log, BEGINNING).commits())) == 1


def test_loser_takes_in_what_came_between_and_goes_on() -> None:
    """A writer that lost applies the winners' commits, decides again and publishes behind them."""
    world = World()
    slow, fast = world.writer(1), world.writer(2)
    for writer in (slow, fast):
        writer.pull()
    for number in range(1, 6):
        fast.push(draft(version("state", number)))
    appended = slow.push(draft(put=[file_put("files/a")]), pull=False)
    assert appended.published is not None
    assert appended.published.commit.seq == 6
    assert [p.commit.seq for p in appended.between] == [1, 2, 3, 4, 5]
    assert slow.state.highest == {artifact_path("state"): 5}


def test_losers_pause_after_the_third_time() -> None:
    """The first three losses are followed at once by the next try, later ones by a random pause."""
    world = World()
    rival = world.writer(2)

    class Busy(MemoryStore):
        def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
            if len(rival.remembered) < 6:
                rival.push(draft(put=[file_put(f"files/{len(rival.remembered)}")]))
            return world.memory.put(key, body, mode)

    busy = Busy(world.clock)
    busy.get, busy.list = world.memory.get, world.memory.list  # type: ignore[method-assign]
    writer = world.writer(1, store=busy)
    appended = writer.push(draft(put=[file_put("files/a")]))
    assert appended.published is not None
    assert appended.published.commit.seq == 7
    assert len(appended.between) == 6
    assert len(world.clock.slept) == 3


def test_plan_that_others_have_done_needs_no_commit() -> None:
    """If nothing is left of the plan, nothing is published."""
    world = World()
    one, two = world.writer(1), world.writer(2)
    two.pull()
    one.push(draft(put=[file_put("files/a", "same")]))
    appended = two.push(draft(put=[file_put("files/a", "same")]), pull=False)
    assert appended.published is None
    assert [p.commit.seq for p in appended.between] == [1]
    assert len(tail(world.log, BEGINNING).entries) == 1


def test_large_commit_lies_in_segments() -> None:
    """Above 1,000 entries the rows are uploaded before the commit that names them."""
    world = World()
    writer = world.writer()
    plan = draft(put=[file_put(f"files/{n:05d}", str(n)) for n in range(1_001)])
    appended = writer.push(plan)
    assert appended.published is not None
    commit = world.log.read_commit(1).commit
    assert (commit.put, commit.counts.put, len(commit.segments)) == ((), 1_001, 1)
    assert tuple(world.log.rows(commit)) == plan.put
    other = world.writer(2)
    other.pull()
    assert len(other.state.files) == 1_001


def test_large_plan_that_is_no_commit_is_refused_before_anything_is_written() -> None:
    """A path twice, or put and removed, is refused whether rows are in the commit or in segments."""
    world = World()
    rows = [file_put(f"files/{n:05d}") for n in range(1_001)]
    for plan, told in (
        (draft(put=[*rows, rows[0]]), "twice"),
        (draft(put=rows, remove=["files/00007"]), "puts and removes"),
    ):
        with pytest.raises(InvalidInput, match=told):
            world.writer().push(plan)
    assert world.keys() == []


@pytest.mark.holds("I2")
def test_crash_before_the_commit_shows_nothing() -> None:
    """Segments without their commit are invisible."""
    world = World()
    writer = world.writer(store=Faulty(world.store, faults_at({2: Fault.CRASH_BEFORE})))
    with pytest.raises(SimulatedCrash):
        writer.push(draft(put=[file_put(f"files/{n}") for n in range(1_001)]))
    assert len(world.keys("infra/_segments/")) == 1
    assert tail(world.log, BEGINNING).entries == ()


@pytest.mark.parametrize("damage", ["missing", "exchanged"])
def test_missing_or_exchanged_segment_of_a_commit_is_damage(damage: str) -> None:
    """A commit whose rows cannot be read is damage that names the segment."""
    world = World()
    world.writer().push(draft(put=[file_put(f"files/{n}") for n in range(1_001)]))
    (key,) = map(ObjectKey, world.keys("infra/_segments/"))
    world.memory.delete(key)
    if damage == "exchanged":
        world.memory.put(key, b"other", Create())
    with pytest.raises(DataError) as caught:
        list(world.log.rows(world.log.read_commit(1).commit))
    assert caught.value.key == key.text


def test_uploads_older_than_a_day_are_not_named() -> None:
    """A plan whose objects are older than 24 hours is refused before anything is sent."""
    world = World()
    writer = world.writer()
    began = world.clock.uptime()
    world.clock.suspend(24 * 3600 + 1)
    with pytest.raises(UploadsExpired):
        writer.appender().append(
            draft(put=[file_put("files/a")]), no_recheck, position=BEGINNING, tailed_at=began, uploaded_at=began
        )
    assert world.keys() == []
    assert writer.remembered == []


class Pausing(MemoryStore):
    """A store during whose commits the machine is suspended."""

    def __init__(self, clock: ManualClock, seconds: float) -> None:
        super().__init__(clock)
        self._pause = seconds
        self._suspend = clock.suspend
        self.meanwhile: list[CommitDraft] = []

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        result = super().put(key, body, mode)
        self._suspend(self._pause)
        return result


@pytest.mark.parametrize(("seconds", "lists"), [(59, 0), (61, 1)])
def test_log_is_looked_at_once_more_after_a_minute(seconds: float, lists: int) -> None:
    """If more than a minute passed since the tail, the answer is not believed without another look."""
    clock = ManualClock()
    store = Faulty(Pausing(clock, seconds))
    writer = Writer(Log(store, layout_of()), clock)
    appended = writer.appender().append(
        draft(put=[file_put("files/a")]), no_recheck, position=BEGINNING, tailed_at=clock.uptime()
    )
    assert appended.published is not None
    assert [call.method for call in store.calls].count("list") == lists


def test_pause_of_days_is_reported() -> None:
    """A writer that was suspended for days while its commit was sent is told to look after its objects."""
    clock = ManualClock()
    writer = Writer(Log(Pausing(clock, 4 * 24 * 3600), layout_of()), clock)
    appended = writer.appender().append(
        draft(put=[file_put("files/a")]), no_recheck, position=BEGINNING, tailed_at=clock.uptime()
    )
    assert appended.is_late


def test_log_that_was_replaced_meanwhile_is_noticed() -> None:
    """A commit that landed in a log that is not the one we tailed is not acknowledged."""
    clock = ManualClock()
    store = Pausing(clock, 61)
    writer = Writer(Log(store, layout_of()), clock)
    writer.push(draft(put=[file_put("files/a")]))
    position = writer.position
    store.delete(writer.log.layout.log_key(1))
    with pytest.raises(DataError, match="was replaced"):
        writer.appender().append(
            draft(put=[file_put("files/b")]), no_recheck, position=position, tailed_at=clock.uptime()
        )


def test_deleted_namespace_takes_no_commit_that_was_planned_before() -> None:
    """A tombstone that came first ends the push."""
    world = World()
    one, two = world.writer(1), world.writer(2)
    one.push(draft(put=[file_put("files/a")]))
    two.pull()
    one.push(draft(kind="tombstone"))
    with pytest.raises(NamespaceEnded):
        two.push(draft(put=[file_put("files/b")]), pull=False)


def test_caller_may_give_up_on_what_came_between() -> None:
    """An error of the caller's own check ends the append, and nothing is published."""
    world = World()
    one, two = world.writer(1), world.writer(2)
    two.pull()
    one.push(draft(put=[file_put("files/a")]))

    def refuse(_newer: Sequence[PublishedCommit], _plan: CommitDraft) -> CommitDraft:
        raise DataError("no")

    with pytest.raises(DataError, match="no"):
        two.appender().append(
            draft(put=[file_put("files/b")]), refuse, position=BEGINNING, tailed_at=world.clock.uptime()
        )
    assert len(tail(world.log, BEGINNING).entries) == 1


class _RealWaits(ManualClock):
    """Losers of a real race need no pause to make progress."""

    def sleep(self, seconds: float) -> None:
        threading.Event().wait(min(seconds, 0.002))


@pytest.mark.holds("I3")
@pytest.mark.holds("I12")
def test_eight_threads_at_once_leave_no_gap() -> None:
    """Of 8 writers with 25 commits each every acknowledged id stands at its own number, once."""
    clock: Clock = _RealWaits()
    memory = MemoryStore(clock)
    record = Faulty(memory)
    acknowledged: dict[int, str] = {}
    lock = threading.Lock()

    def work(who: int) -> None:
        log = Log(record, layout_of())
        appender = Appender(log, clock, random.Random(who), Ids(who), lambda *, seq, commit_id: None)
        position = BEGINNING
        for number in range(1, 26):
            appended = appender.append(
                draft(version(f"artifact-{who}", number)),
                lambda _newer, plan: plan,
                position=position,
                tailed_at=clock.uptime(),
            )
            assert appended.published is not None
            position = Position.of(appended.published)
            with lock:
                assert position.seq not in acknowledged
                acknowledged[position.seq] = position.id

    with ThreadPoolExecutor(8) as executor:
        for future in [executor.submit(work, who) for who in range(8)]:
            future.result()
    found = [p.commit for p in tail(Log(memory, layout_of()), BEGINNING).commits()]
    assert {c.seq: c.id for c in found} == acknowledged
    assert sorted(acknowledged) == list(range(1, 201))
