"""Clones put, delete, push, pull, lose answers and crash over one bucket; nothing acknowledged is lost or doubled."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from swampsync.backends.base import ObjectStore, PutMode, PutResult
from swampsync.backends.memory import MemoryStore
from swampsync.backends.retrying import Retrying
from swampsync.clock import Clock
from swampsync.errors import Unavailable
from swampsync.layout import ObjectKey
from swampsync.log.catch_up import read_state
from swampsync.log.checkpointing import Checkpointer
from swampsync.log.log import Log
from swampsync.namespace import Namespace
from swampsync.sync.position import read_position
from swampsync.sync.push_plan import PushLimits
from swampsync.testing.faulty_store import Fault, Faulty, RandomFaults, SimulatedCrash, no_faults
from tests.stateful.interleaving import Interleaver, TurnClock, TurnStore
from tests.unit.sync.conftest import MODEL, Desk

RATES = {
    Fault.LOST_REQUEST: 0.03,
    Fault.LOST_ANSWER: 0.04,
    Fault.THROTTLE: 0.01,
    Fault.DUPLICATE: 0.03,
    Fault.CRASH_BEFORE: 0.02,
    Fault.CRASH_AFTER: 0.03,
}
NAMES = ["a", "b"]
FILES = ["files/x", "files/y"]
CLONES = 4
WHO = st.integers(0, CLONES - 1)
# Zeros let the same one go on: where it ends, nobody is interrupted any more.
ORDER = st.lists(st.integers(0, 2), min_size=10, max_size=60)
CONFIRMED = PushLimits(is_confirmed=True)


class Recording(MemoryStore):
    """A store that counts how often each key was written."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.written: Counter[str] = Counter()

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        result = super().put(key, body, mode)
        self.written[key.text] += 1
        return result


class SyncMachine(RuleBasedStateMachine):
    """Four clones; the last two share a repo id."""

    retries = False

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.turns = Interleaver()
        self.clock = TurnClock(self.turns)
        self.memory = Recording(self.clock)
        self.rng = random.Random(seed)
        self.faulty = Faulty(self.memory, RandomFaults(self.rng, rates=RATES))
        store: ObjectStore
        if self.retries:
            store = Retrying(TurnStore(self.faulty, self.turns), clock=self.clock, rng=self.rng)
        else:
            store = TurnStore(self.faulty, self.turns)
        self.desks = [Desk(f"c{min(n, 2)}", store, self.clock, Namespace("infra"), n + 1) for n in range(CLONES)]
        self.count = 0
        self.contents: dict[str, str] = {}
        self.deleted: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "desks"):
            self.converge()
            for desk in self.desks:
                desk.close()

    # --- what people do --------------------------------------------------------------------------

    @rule(at=WHO, name=st.sampled_from(NAMES))
    def put(self, at: int, name: str) -> None:
        self.count += 1
        metadata = self.desks[at].put(name, f"content {self.count}")
        self.contents[metadata.id] = f"content {self.count}"

    @rule(at=WHO, name=st.sampled_from(NAMES), which=st.integers(0, 5))
    def delete(self, at: int, name: str, which: int) -> None:
        desk = self.desks[at]
        rows = desk.state.metadata.of_artifact(desk.key(name))
        if rows:
            row = rows[which % len(rows)]
            self.deleted.add(desk.catalog.find_version(desk.key(name), row.version).id)  # type: ignore[union-attr]
            desk.delete(name, row.version)

    @rule(at=WHO, path=st.sampled_from(FILES))
    def write_file(self, at: int, path: str) -> None:
        self.count += 1
        self.desks[at].write_file(path, f"file {self.count}")

    @rule(at=WHO, path=st.sampled_from(FILES))
    def remove_file(self, at: int, path: str) -> None:
        self.desks[at].remove_file(path)

    @rule(at=WHO)
    def push(self, at: int) -> None:
        try:
            self.desks[at].push(CONFIRMED)
        except (Unavailable, SimulatedCrash):
            return

    @rule(at=WHO)
    def pull(self, at: int) -> None:
        try:
            self.desks[at].pull()
        except (Unavailable, SimulatedCrash):
            return

    @rule(at=WHO)
    def hydrate(self, at: int) -> None:
        try:
            self.desks[at].hydrate()
        except (Unavailable, SimulatedCrash):
            return

    @rule(
        jobs=st.lists(st.sampled_from(["push", "push", "pull", "hydrate"]), min_size=2, max_size=3),
        first=WHO,
        order=ORDER,
    )
    def together(self, jobs: list[str], first: int, order: list[int]) -> None:
        """Let clones work at the same time, their requests in an order that is drawn."""
        works = [partial(getattr(self, job), (first + n) % CLONES) for n, job in enumerate(jobs)]
        self.turns.run(works, order)

    @rule(hours=st.sampled_from([1, 30]))
    def wait(self, hours: int) -> None:
        self.clock.sleep(hours * 3600.0)

    @rule(at=WHO)
    def write_checkpoint(self, at: int) -> None:
        desk = self.desks[at]
        head = read_position(desk.clone)
        if head.seq:
            log = Log(self.memory, desk.layout)
            Checkpointer(log, self.clock, desk.ids, "test").write(head)

    @rule(at=WHO)
    def forget_position(self, at: int) -> None:
        """Fall so far behind that the newest checkpoint is begun from."""
        self.desks[at].state.positions.remove("infra")

    # --- what must be true -----------------------------------------------------------------------

    def converge(self) -> None:
        self.faulty.plan = no_faults
        for _ in range(2):
            for desk in self.desks:
                assert not desk.push(CONFIRMED).failures
        for desk in self.desks:
            desk.pull()
            assert not desk.hydrate().failures
        first = self.desks[0]
        state, head = read_state(Log(self.memory, first.layout))
        files = {path: file.sha256 for path, file in state.files.items()}
        for desk in self.desks:
            assert read_position(desk.clone).seq == head.seq
            assert desk.work.is_empty()
            assert desk.files() == files
            assert desk.rows() == first.rows()
            for path, sha in files.items():
                stat = desk.copy.stat(path)
                assert stat is not None, path
                assert desk.state.files.find("infra", path).sha256 == sha  # type: ignore[union-attr]
        ids = Counter(row.metadata["id"] for row in state.artifacts())
        assert not ids or max(ids.values()) == 1
        assert set(self.contents) - self.deleted <= set(ids)
        found = {row.id: first.versions(row.data_name)[row.version] for row in first.rows()}
        assert all(self.contents[identifier] == content for identifier, content in found.items())
        for name in NAMES:
            assert set(first.versions(name)) == {row.version for row in state.artifacts() if row.name == name}
        assert all(times == 1 for times in self.memory.written.values())
        assert all(record.path.startswith(("data/", "files/")) for record in first.state.files.all("infra"))
        assert MODEL.id


class RetryingSyncMachine(SyncMachine):
    """The same over a store that repeats requests."""

    retries = True


@pytest.mark.holds("I1")
@pytest.mark.holds("I3")
@pytest.mark.holds("I5")
@pytest.mark.holds("I12")
@pytest.mark.parametrize("machine", [SyncMachine, RetryingSyncMachine])
def test_clones_converge(machine: type[SyncMachine]) -> None:
    """Whatever clones do and whatever goes wrong, they end equal to the log, with nothing lost and nothing doubled."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
