"""Several clones push, pull, crash and lose answers over one log; what was acknowledged must be there, once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from swampsync.backends.base import Create, ObjectExists, ObjectNotFound, ObjectStore, PutMode, PutResult
from swampsync.backends.memory import MemoryStore
from swampsync.clock import Clock
from swampsync.errors import Unavailable
from swampsync.layout import ObjectKey
from swampsync.log.append import Appender, UploadsExpired
from swampsync.log.catch_up import read_state
from swampsync.log.checkpointing import Checkpointer
from swampsync.log.commit import CommitDraft, PublishedCommit
from swampsync.log.conflict_copies import is_json_lines, merge_lines
from swampsync.log.conflicts import Decision, NewerChanges, check_plan
from swampsync.log.log import Log
from swampsync.log.paths import version_files
from swampsync.log.rows import ArtifactRow, FilePut, Removal, Row
from swampsync.log.settling import keep_beside, settle
from swampsync.log.state import NamespaceState
from swampsync.log.tail import BEGINNING, Position, tail
from swampsync.log.vacuum import apply_vacuum_plan, make_vacuum_plan, read_vacuum_input
from swampsync.testing.faulty_store import Fault, Faulty, RandomFaults, SimulatedCrash
from swampsync.testing.manual_clock import ManualClock
from tests.unit.log.conftest import TYPE, Ids, StateAsView, artifact_path, digest, layout_of

HOUR = 3600.0
RATES = {
    Fault.LOST_REQUEST: 0.02,
    Fault.LOST_ANSWER: 0.03,
    Fault.THROTTLE: 0.01,
    Fault.DUPLICATE: 0.03,
    Fault.CRASH_BEFORE: 0.005,
    Fault.CRASH_AFTER: 0.01,
}
NAMES = ["a", "b"]
FILES = ["files/x", "files/y", "audit/log.jsonl"]


class Recording(MemoryStore):
    """A store that remembers what was ever written, removed objects too."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.written: Counter[str] = Counter()
        self.modes: set[type[PutMode]] = set()

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        self.modes.add(type(mode))
        result = super().put(key, body, mode)
        self.written[key.text] += 1
        return result


@dataclass(eq=False)
class Intent:
    """Something a clone wants published; it outlives a crash, as it would in a database.

    `identifier` and `key` are of the upload, which is abandoned when it is a day old.
    """

    path: str
    content: str | None
    base: str | None = None
    identifier: str = ""
    number: int = 0
    key: str = ""
    uploaded_at: float = 0.0


@dataclass
class Prepared:
    draft: CommitDraft
    intents: list[Intent]
    tailed_at: float
    uploaded_at: float


@dataclass
class Clone:
    """A small sync: what it keeps would be in the databases, but for `prepared`, which dies with the process.

    `disk` is the store without faults, for reading into the local copy, which is not what is tested here.
    """

    store: ObjectStore
    disk: ObjectStore
    clock: ManualClock
    seed: int
    state: NamespaceState = field(default_factory=NamespaceState)
    position: Position = BEGINNING
    pending: list[Intent] = field(default_factory=list)
    remembered: dict[str, list[Intent]] = field(default_factory=dict)
    prepared: Prepared | None = None
    acknowledged: dict[int, str] = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.log = Log(self.store, layout_of())
        self.ids = Ids(self.seed)
        self.rng = random.Random(self.seed)

    # --- pull ----------------------------------------------------------------------------------------

    def take(self, commits: Iterable[PublishedCommit]) -> NewerChanges:
        newer = NewerChanges()
        for published in commits:
            rows = list(self.log.rows(published.commit))
            newer.add(rows)
            self.state.apply(published.commit, rows)
            self.position = Position.of(published)
            self.settle_intents(published)
            self.hydrate(rows)
        return newer

    def hydrate(self, rows: Iterable[Row]) -> None:
        """Read what came; content that was replaced since may be vacuumed, and nobody will need it."""
        for row in rows:
            if isinstance(row, FilePut) and row.sha256 not in self.contents:
                with suppress(ObjectNotFound):
                    self.contents[row.sha256] = self.disk.get(self.log.layout.key(row.object_path)).body.decode()

    def settle_intents(self, published: PublishedCommit) -> None:
        done = self.remembered.pop(published.commit.id, None)
        if done is not None:
            self.acknowledged[published.commit.seq] = published.commit.id
            self.pending = [intent for intent in self.pending if intent not in done]

    def pull(self) -> None:
        # All or nothing, as in one transaction: what an intermediate state names may be vacuumed.
        self.take(list(tail(self.log, self.position, limit=None).commits()))

    # --- push ----------------------------------------------------------------------------------------

    def create(self, path: str, body: bytes) -> bool:
        """Create an object; say whether it holds our bytes now."""
        key = self.log.layout.key(path)
        for _ in range(6):
            try:
                self.store.put(key, body, Create())
            except (ObjectExists, Unavailable):
                try:
                    return self.store.get(key).body == body
                except (ObjectNotFound, Unavailable):
                    continue
            return True
        raise Unavailable("gave up")

    def metadata(self, intent: Intent) -> dict[str, Any]:
        name = intent.path.rpartition("/")[2]
        assert intent.content is not None
        return {
            "id": intent.identifier,
            "name": name,
            "version": intent.number,
            "size": len(intent.content),
            "checksum": digest(intent.content),
        }

    def upload_version(self, intent: Intent, taken: dict[str, int]) -> tuple[ArtifactRow, FilePut]:
        model = intent.path.split("/")[-2]
        if not intent.identifier:
            intent.identifier = self.ids()
            intent.number = max(self.state.highest.get(intent.path, 0), taken.get(intent.path, 0)) + 1
        while not self.create(version_files(f"{intent.path}/{intent.number}")[0], orjson.dumps(self.metadata(intent))):
            intent.number += 1
        taken[intent.path] = max(taken.get(intent.path, 0), intent.number)
        raw = version_files(f"{intent.path}/{intent.number}")[1]
        assert intent.content is not None
        assert self.create(raw, intent.content.encode())
        row = ArtifactRow(TYPE, model, self.metadata(intent))
        return row, FilePut(raw, len(intent.content), digest(intent.content))

    def upload_file(self, path: str, content: str, *, base: str | None, key: str = "") -> FilePut:
        body = content.encode()
        if not key:
            key = f"{path}~{self.rng.getrandbits(32):08x}" if self.state.is_used(path) else path
        while not self.create(key, body):
            key = f"{path}~{self.rng.getrandbits(32):08x}"
        return FilePut(path, len(body), digest(content), key if key != path else None, base)

    def prepare(self) -> None:
        """Pull and upload, up to the commit."""
        self.prepared = None
        self.pull()
        now = self.clock.uptime()
        began = now
        put: dict[str, FilePut] = {}
        rows: list[ArtifactRow] = []
        remove: list[str] = []
        taken: dict[str, int] = {}
        intents: list[Intent] = []
        for intent in list(self.pending):
            if intent.uploaded_at and now - intent.uploaded_at > 23 * HOUR:
                intent.identifier, intent.key, intent.uploaded_at = "", "", 0.0
            intent.uploaded_at = intent.uploaded_at or now
            if intent.path.startswith("data/") and intent.content is not None:
                row, raw = self.upload_version(intent, taken)
                rows.append(row)
                put[raw.path] = raw
            elif intent.content is not None:
                found = self.upload_file(intent.path, intent.content, base=intent.base, key=intent.key)
                intent.key = found.object_path
                put[found.path] = found
            else:
                remove.extend(path for path in self.paths_of(intent) if self.state.exists(path))
            began = min(began, intent.uploaded_at)
            intents.append(intent)
        remove = [path for path in dict.fromkeys(remove) if path not in put]
        draft = CommitDraft(
            "push", "r", "u@h", "t", put=tuple(put.values()), remove=tuple(remove), artifacts=tuple(rows)
        )
        self.prepared = Prepared(draft, intents, now, began)

    def paths_of(self, intent: Intent) -> tuple[str, ...]:
        return version_files(intent.path) if intent.path.startswith("data/") else (intent.path,)

    def publish(self) -> None:
        prepared, self.prepared = self.prepared, None
        assert prepared is not None
        intents = list(prepared.intents)

        def remember(*, seq: int, commit_id: str) -> None:
            self.remembered[commit_id] = intents

        def recheck(newer: Sequence[PublishedCommit], draft: CommitDraft) -> CommitDraft:
            changes = self.take(newer)
            settled = settle(draft, check_plan(draft, changes, state=StateAsView(self.state)))
            assert not settled.renumber, "a number is claimed before it is published"
            merged = [self.merge(row, decision) for decision, row in settled.merge]
            return replace(settled.draft, put=(*settled.draft.put, *merged))

        appender = Appender(self.log, self.clock, self.rng, self.ids, remember)
        appended = appender.append(
            prepared.draft,
            recheck,
            position=self.position,
            tailed_at=prepared.tailed_at,
            uploaded_at=prepared.uploaded_at,
        )
        if appended.published is not None:
            self.take([appended.published])
        self.pending = [intent for intent in self.pending if intent not in intents]

    def merge(self, row: FilePut, decision: Decision) -> FilePut:
        assert decision.theirs is not None
        ours, theirs = self.read(row), self.read(decision.theirs)
        base = b"" if row.base is None else self.contents[row.base].encode()
        merged = merge_lines(base, theirs=theirs, ours=ours)
        if merged is None:
            return keep_beside(row, decision)
        return self.upload_file(row.path, merged.decode(), base=decision.theirs.sha256)

    def read(self, row: FilePut) -> bytes:
        return self.disk.get(self.log.layout.key(row.object_path)).body


class LogMachine(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**32), trouble=st.sampled_from([0.0, 0.5, 2.0]))
    def begin(self, seed: int, trouble: float) -> None:
        self.clock = ManualClock()
        self.memory = Recording(self.clock)
        self.log = Log(self.memory, layout_of())
        rates = {fault: rate * trouble for fault, rate in RATES.items()}
        self.faults = RandomFaults(random.Random(seed), rates=rates)
        self.all = [Clone(Faulty(self.memory, self.faults), self.memory, self.clock, who + 1) for who in range(3)]
        self.counter = 0
        self.versions: set[str] = set()

    def content(self, path: str, before: str | None) -> str:
        self.counter += 1
        line = f"{path} {self.counter}\n"
        return (before or "") + line if is_json_lines(path) else line

    def edit(self, clone: Clone, what: str) -> None:
        """Let a user change, create or remove something in a clone."""
        if what in NAMES:
            content = self.content(what, None)
            self.versions.add(content)
            clone.pending.append(Intent(artifact_path(what), content))
            return
        known = [path for path in clone.state.files if path.startswith("files/")]
        known += [path.rpartition("/")[0] for path in clone.state.artifact_paths]
        path = what if what != "remove" else known[self.counter % len(known)] if known else ""
        if not path or any(intent.path == path for intent in clone.pending):
            return
        if what == "remove":
            clone.pending.append(Intent(path, None))
            return
        file = clone.state.files.get(path)
        before = None if file is None else clone.contents[file.sha256]
        clone.pending.append(Intent(path, self.content(path, before), base=None if file is None else file.sha256))

    @rule(who=st.integers(0, 2), edits=st.lists(st.sampled_from([*NAMES, *FILES, "remove"]), min_size=1, max_size=3))
    def work_and_push(self, who: int, edits: list[str]) -> None:
        clone = self.all[who]
        for what in edits:
            self.edit(clone, what)
        self.run(clone, clone.prepare)
        if clone.prepared is not None:
            self.run(clone, clone.publish)

    @rule(who=st.integers(0, 2), edits=st.lists(st.sampled_from([*NAMES, *FILES, "remove"]), min_size=1, max_size=3))
    def work_and_upload(self, who: int, edits: list[str]) -> None:
        clone = self.all[who]
        for what in edits:
            self.edit(clone, what)
        self.run(clone, clone.prepare)

    @rule(who=st.integers(0, 2))
    def publish(self, who: int) -> None:
        clone = self.all[who]
        if clone.prepared is not None:
            self.run(clone, clone.publish)

    @rule(who=st.integers(0, 2), checkpoints=st.booleans())
    def pull(self, who: int, checkpoints: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        clone = self.all[who]
        if clone.prepared is None:
            self.run(clone, clone.pull)
        if checkpoints and clone.position.seq:
            self.run(clone, lambda: Checkpointer(clone.log, self.clock, clone.ids, "t").write(clone.position))

    @rule(who=st.integers(0, 2), hours=st.sampled_from([0.1, 10.0, 25.0, 100.0]))
    def wait_and_vacuum(self, who: int, hours: float) -> None:
        clone = self.all[who]
        self.clock.suspend(hours * HOUR)

        def vacuum() -> None:
            known = read_vacuum_input(clone.log, horizon=timedelta(days=3), server_now=self.clock.now())
            apply_vacuum_plan(clone.log, make_vacuum_plan(clone.log, known))

        self.run(clone, vacuum)

    def run(self, clone: Clone, work: Any) -> None:
        """Run a command of a clone; it may fail for the moment, or die."""
        try:
            work()
        except (Unavailable, UploadsExpired):
            clone.prepared = None
        except SimulatedCrash:
            clone.prepared = None

    # --- what must hold --------------------------------------------------------------------------------

    @invariant()
    def log_is_whole_and_every_acknowledged_commit_stands_in_it(self) -> None:
        commits = {p.commit.seq: p.commit.id for p in tail(self.log, BEGINNING, limit=None).commits()}
        for clone in self.all:
            for seq, identifier in clone.acknowledged.items():
                assert commits[seq] == identifier
            assert clone.position.seq == 0 or commits[clone.position.seq] == clone.position.id

    @invariant()
    def every_object_of_the_state_is_there_with_its_content(self) -> None:
        state, _ = read_state(self.log)
        for path, file in state.files.items():
            body = self.memory.get(self.log.layout.key(file.key or path)).body
            assert digest(body.decode()) == file.sha256
        for row in state.artifacts():
            body = self.memory.get(self.log.layout.key(row.object_path)).body
            assert orjson.loads(body) == row.metadata

    @invariant()
    def no_key_is_ever_written_twice(self) -> None:
        assert self.memory.modes <= {Create}
        assert not [key for key, times in self.memory.written.items() if times > 1]

    def teardown(self) -> None:
        """Let everybody finish without faults: all converge, and nothing is lost or doubled."""
        if not hasattr(self, "all"):
            return
        self.faults._rates = {}
        for clone in self.all:
            clone.prepare()
            clone.publish()
            assert not clone.pending
        for clone in self.all:
            clone.pull()
        head, position = read_state(self.log)
        for clone in self.all:
            assert clone.position.seq == position.seq
            assert clone.state == head
        self.check_nothing_lost()

    def check_nothing_lost(self) -> None:
        published: Counter[str] = Counter()
        for found in tail(self.log, BEGINNING, limit=None).commits():
            for row in self.log.rows(found.commit):
                if isinstance(row, FilePut):
                    published[row.sha256] += 1
                assert not isinstance(row, Removal) or not row.path.startswith("audit/")
        for content in self.versions:
            assert published[digest(content)] == 1, f"{content!r} was published {published[digest(content)]} times"
        state, _ = read_state(self.log)
        for path, file in state.files.items():
            if is_json_lines(path):
                lines = self.memory.get(self.log.layout.key(file.key or path)).body.decode().splitlines()
                assert len(set(lines)) == len(lines)


@pytest.mark.holds("I2")
@pytest.mark.holds("I3")
@pytest.mark.holds("I11")
@pytest.mark.holds("I12")
def test_clones_lose_and_double_nothing() -> None:
    """Whatever clones, faults, crashes, pauses and vacuums do, nothing is lost, doubled or written twice."""
    slow = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        LogMachine,
        settings=settings(max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=slow),
    )
