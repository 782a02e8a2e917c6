"""A push, a pull and a hydration that die, or lose an answer, at every single request."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import pytest

from swampsync.backends.base import PutMode, PutResult
from swampsync.backends.memory import MemoryStore
from swampsync.clock import Clock
from swampsync.errors import Unavailable
from swampsync.layout import ObjectKey
from swampsync.namespace import Namespace
from swampsync.sync.push_plan import PushLimits
from swampsync.testing.dying_disk import DyingDisk, Killed
from swampsync.testing.faulty_store import Fault, Faulty, SimulatedCrash, fault_at, no_faults
from swampsync.testing.manual_clock import ManualClock
from tests.unit.sync.conftest import Desk

NAMESPACE = Namespace("infra")
CONFIRMED = PushLimits(is_confirmed=True)
FAULTS = [Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.DUPLICATE]


class Recording(MemoryStore):
    """Counts how often each key was written."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.written: Counter[str] = Counter()

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        result = super().put(key, body, mode)
        self.written[key.text] += 1
        return result


class Scene:
    """Ann publishes over a store that fails; bob has published before, unseen by ann, so that she must renumber."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.memory = Recording(self.clock)
        self.faulty = Faulty(self.memory)
        self.bob = Desk("bob", self.memory, self.clock, NAMESPACE, 1)
        self.ann = Desk("ann", self.faulty, self.clock, NAMESPACE, 2)
        self.bob.put("old", "old")
        self.bob.write_file("files/x", "base")
        self.bob.push()
        self.ann.pull()
        self.ann.hydrate()
        self.ann.put("state", "ann 1")
        self.ann.put("state", "ann 2")
        self.ann.write_file("files/x", "ann")
        self.ann.delete("old", 1)
        self.bob.put("state", "bob")
        self.bob.write_file("files/x", "bob")
        self.bob.push()

    def close(self) -> None:
        self.ann.close()
        self.bob.close()

    def check(self) -> None:
        """Everything is there once, in both clones, and no key was written twice."""
        self.faulty.plan = no_faults
        self.ann.push(CONFIRMED)
        self.bob.pull()
        for desk in (self.ann, self.bob):
            # Numbers that were claimed on the way may be gaps; the order stays.
            assert [content for _, content in sorted(desk.versions("state").items())] == ["bob", "ann 1", "ann 2"]
            assert desk.versions("old") == {}
            assert desk.hydrate().failures == []
            files = sorted(path for path in desk.files() if path.startswith("files/"))
            assert [desk.copy.read(path) for path in files] == [b"bob", b"ann"]
        assert self.ann.rows() == self.bob.rows()
        assert self.ann.work.is_empty()
        assert set(self.memory.written.values()) == {1}


@pytest.mark.holds("I11")
@pytest.mark.holds("I12")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.name.lower())
def test_push_survives_a_fault_at_every_request(fault: Fault) -> None:
    """Whatever happens at any request of a push, the next one ends with everything published, once."""
    number = 0
    while True:
        scene = Scene()
        before = len(scene.faulty.calls)
        scene.faulty.plan = fault_at(before + number, fault)
        with suppress(Unavailable, SimulatedCrash):
            scene.ann.push(CONFIRMED)
        is_hit = bool(scene.faulty.faults)
        scene.check()
        scene.close()
        if not is_hit:
            break
        number += 1
    assert number >= 8


@pytest.mark.holds("I1")
@pytest.mark.holds("I11")
def test_push_survives_a_kill_at_every_step_on_the_disk() -> None:
    """A process that is killed at any writing step in its copy, renumbering included, loses nothing."""
    lives = 0
    while True:
        scene = Scene()
        dying = DyingDisk(scene.ann.disk, lives=lives)
        scene.ann.use(scene.faulty, disk=dying)
        with suppress(Killed):
            scene.ann.push(CONFIRMED)
        scene.ann.use(scene.faulty)
        scene.check()
        scene.close()
        if not dying.is_dead:
            break
        lives += 1
    assert lives > 20


@pytest.mark.holds("I11")
@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CUT, Fault.THROTTLE], ids=lambda f: f.name.lower())
def test_pull_and_hydration_survive_a_fault_at_every_request(fault: Fault) -> None:
    """A pull that fails at any request leaves what was, and the next one takes in the rest."""
    number = 0
    while True:
        clock = ManualClock()
        faulty = Faulty(MemoryStore(clock))
        bob, ann = Desk("bob", faulty, clock, NAMESPACE, 1), Desk("ann", faulty, clock, NAMESPACE, 2)
        for content in ("1", "2"):
            bob.put("state", content)
            bob.push()
        faulty.plan = fault_at(len(faulty.calls) + number, fault)
        try:
            ann.pull()
            ann.hydrate()
        except (Unavailable, SimulatedCrash):
            assert {row.version for row in ann.rows()} in (set(), {1, 2})
        is_hit = bool(faulty.faults)
        faulty.plan = no_faults
        ann.pull()
        assert ann.hydrate().failures == []
        assert ann.versions("state") == {1: "1", 2: "2"}
        ann.close()
        bob.close()
        if not is_hit:
            break
        number += 1
    assert number >= 5
