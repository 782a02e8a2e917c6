"""A machine that works with several repos over one bucket, as people do, while everything goes wrong.

It acts through `Repo`, one process a command, and remembers what was acknowledged; what a killed or failed command did
is unknown until the end. `integration/sync/test_team_machine.py` runs it over real servers.
"""

from __future__ import annotations

import hashlib
import io
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from swampsync.artifacts.metadata import Metadata
from swampsync.backends.base import ObjectStore
from swampsync.errors import LockError, NotFound, SyncIncomplete, Unavailable
from swampsync.log.catch_up import read_state
from swampsync.log.checkpointing import Checkpointer
from swampsync.log.rows import ArtifactRow
from swampsync.log.state import NamespaceState
from swampsync.log.tail import BEGINNING, Position, tail
from swampsync.log.verify import verify
from swampsync.namespace import Namespace
from swampsync.repo import Repo
from swampsync.repo.sync_report import SyncOptions
from swampsync.sync.push_plan import PushLimits
from swampsync.testing.faulty_store import Fault, RandomFaults, no_faults
from tests.stateful.readers import Readers
from tests.stateful.team import IMMORTAL, Member, Office

RATES = {
    Fault.LOST_REQUEST: 0.03,
    Fault.LOST_ANSWER: 0.04,
    Fault.DUPLICATE: 0.03,
    Fault.CRASH_BEFORE: 0.01,
    Fault.CRASH_AFTER: 0.02,
}
INFRA = Namespace("infra")
NAMES = ["a", "b"]
CAPPED = "capped"
STREAM = "stream"
FILES = ["files/x", "files/y"]
CONFIRMED = PushLimits(is_confirmed=True)
WHO = st.integers(0, 4)
# Mostly a process lives; else it dies after so many things that it did to disk or bucket.
LIVES = st.one_of(st.just(IMMORTAL), st.just(IMMORTAL), st.integers(0, 120))
# Names of rules with what they take; who acts is said by `together`.
JOBS = st.one_of(
    st.tuples(st.just("put"), st.fixed_dictionaries({"name": st.sampled_from(NAMES), "lives": LIVES})),
    st.tuples(st.just("put_offline"), st.fixed_dictionaries({"name": st.sampled_from(NAMES), "lives": LIVES})),
    st.tuples(st.just("rename"), st.fixed_dictionaries({"name": st.sampled_from(NAMES), "lives": LIVES})),
    st.tuples(st.just("append"), st.fixed_dictionaries({"lives": LIVES, "is_sent": st.booleans()})),
    st.tuples(st.just("edit_by_hand"), st.fixed_dictionaries({"path": st.sampled_from(FILES)})),
    st.tuples(st.just("write_file"), st.fixed_dictionaries({"path": st.sampled_from(FILES), "lives": LIVES})),
    st.tuples(
        st.just("delete"),
        st.fixed_dictionaries(
            {"name": st.sampled_from(NAMES), "which": st.integers(0, 5), "lives": LIVES, "is_sent": st.booleans()}
        ),
    ),
    st.tuples(
        st.sampled_from(["sync", "sync", "put_capped", "gc", "hydrate", "scan", "vacuum", "write_checkpoint"]),
        st.fixed_dictionaries({"lives": LIVES}),
    ),
)
# Zeros let the same one go on: where it ends, nobody is interrupted any more.
ORDER = st.lists(st.integers(0, 2), min_size=20, max_size=120)


@dataclass
class Told:
    """What was acknowledged, and what may have happened.

    Attributes:
        kept: Contents of versions that must be there in the end.
        possible: Contents that may be there, because their command failed or was killed.
        gone: Contents whose deletion was acknowledged; a rename may have copied them before.
        copies: How often a content may be there: a rename makes another one.
        lines: Appended pieces; `True` if acknowledged.
        doomed: Contents that somebody set out to delete: perhaps before their own command was told that they are there.
        collections: How often gc was begun or ended: what was put meanwhile may be gone when its command is told.
        files: Contents of other files that somebody wrote.
        replaced: Contents of other files that their writers, or removers, had before them.
    """

    kept: set[str] = field(default_factory=set)
    possible: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    copies: Counter[str] = field(default_factory=Counter)
    lines: dict[str, bool] = field(default_factory=dict)
    doomed: set[str] = field(default_factory=set)
    collections: int = 0
    files: set[str] = field(default_factory=set)
    replaced: set[str] = field(default_factory=set)

    def doubt(self, contents: set[str]) -> None:
        """Take it that these may be there or not."""
        self.possible |= contents & self.kept
        self.kept -= contents


class TeamMachine(RuleBasedStateMachine):
    """Repos of one namespace, two of them clones of one repo, and a repo of another namespace."""

    make_store: ClassVar[Callable[[], ObjectStore]]

    @initialize(seed=st.integers(0, 2**32), others=st.sampled_from([0, 2]), trouble=st.sampled_from([0.0, 1.0]))
    def begin(self, seed: int, others: int, trouble: float) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="swampsync-team-"))
        self.rng = random.Random(seed)
        self.office = Office(self.root, type(self).make_store(), self.rng)
        self.told = Told()
        self.count = 0
        names = ["ann", *(f"other{n}" for n in range(others)), "bob"]
        self.team = [self.office.member(name) for name in names]
        self.team.append(self.office.member("bob2", repo_id="repo-bob"))
        self.stranger = self.office.member("stranger", namespace="app")
        self.strange: set[str] = set()
        self.readers = Readers(self.office)
        self.is_calm = True  # no process was killed
        # One definition of the model that all mean; whoever defines it twice has two (see sync.md).
        self.put_version(self.team[0], "a", IMMORTAL)
        for member in self.team[1:]:
            with member.process() as repo:
                repo.synchroniser.sync(SyncOptions())
        self.trouble = RandomFaults(self.rng, rates={fault: rate * trouble for fault, rate in RATES.items()})
        self.office.faulty.plan = self.trouble
        if trouble:
            self.is_calm = False

    def teardown(self) -> None:
        if hasattr(self, "root"):
            try:
                self.converge()
            finally:
                shutil.rmtree(self.root)

    # --- running -----------------------------------------------------------------------------------

    def member(self, who: int) -> Member:
        return self.team[who % len(self.team)]

    def new(self, what: str) -> str:
        self.count += 1
        return f"{what} {self.count}"

    def run(self, member: Member, command: Callable[[Repo], Any], lives: int) -> bool:
        """Run a command; say whether it was acknowledged: it ended well, or said that its work is safe."""
        ended = []

        def act(repo: Repo) -> None:
            with suppress(SyncIncomplete):  # it says that its work is safe and pending
                command(repo)
            ended.append(True)

        try:
            member.run(act, lives=lives)
        except (Unavailable, LockError):
            return False
        if not ended:
            self.is_calm = False
        return bool(ended)

    def contents(self, repo: Repo, name: str) -> dict[int, Metadata]:
        try:
            return {m.version: m for m in repo.data.versions("m", name)[1] if not m.is_deleted}
        except NotFound:
            return {}

    # --- what people do ----------------------------------------------------------------------------

    def put_version(self, member: Member, name: str, lives: int, *, is_sent: bool = True, **more: Any) -> None:
        content = self.new(name)

        def put(repo: Repo) -> None:
            if not is_sent:
                repo.leave_pending()
            # The tag tells which content it is without fetching it.
            tags = {"content": content}
            repo.data.put("m", name, io.BytesIO(content.encode()), tags=tags, **more)

        told = self.told
        told.copies[content] = 1
        before = told.collections
        is_kept = self.run(member, put, lives) and content not in told.doomed
        if name == CAPPED and told.collections != before:
            is_kept = False
        (told.kept if is_kept else told.possible).add(content)

    @rule(who=WHO, name=st.sampled_from(NAMES), lives=LIVES)
    def put(self, who: int, name: str, lives: int) -> None:
        self.put_version(self.member(who), name, lives)

    @rule(who=WHO, name=st.sampled_from(NAMES), lives=LIVES)
    def put_offline(self, who: int, name: str, lives: int) -> None:
        self.put_version(self.member(who), name, lives, is_sent=False)

    @rule(who=WHO, lives=LIVES)
    def put_capped(self, who: int, lives: int) -> None:
        self.put_version(self.member(who), CAPPED, lives, garbage_collection=2)

    @rule(who=WHO, lives=LIVES, is_sent=st.booleans())
    def append(self, who: int, lives: int, is_sent: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        piece = f"<{self.new('piece')}>"

        def append(repo: Repo) -> None:
            if not is_sent:
                repo.leave_pending()
            try:
                repo.data.append("m", STREAM, io.BytesIO(piece.encode()))
            except NotFound:
                repo.data.put("m", STREAM, io.BytesIO(piece.encode()), is_streaming=True)

        self.told.lines[piece] = self.run(self.member(who), append, lives)

    @rule(who=WHO, name=st.sampled_from(NAMES), which=st.integers(0, 5), lives=LIVES, is_sent=st.booleans())
    def delete(self, who: int, name: str, which: int, lives: int, is_sent: bool) -> None:  # noqa: FBT001 - drawn
        doomed: set[str] = set()

        def delete(repo: Repo) -> None:
            if not is_sent:
                repo.leave_pending()
            found = self.contents(repo, name)
            if not found:
                return
            number = sorted(found)[which % len(found)]
            try:
                plan = repo.data.plan_delete("m", name=name, version=number)
            except NotFound:  # somebody else was faster
                return
            # The plan looked at the log: the number may be another version's by now, or a tombstone's.
            found = self.contents(repo, name)
            if number in found:
                doomed.add(found[number].tags["content"])
                self.told.doomed |= doomed
                repo.data.apply_delete(plan)

        is_told = self.run(self.member(who), delete, lives)
        self.told.doubt(doomed)
        if is_told:
            self.told.gone |= doomed

    @rule(who=WHO, name=st.sampled_from(NAMES), lives=LIVES)
    def rename(self, who: int, name: str, lives: int) -> None:
        new = self.new("renamed").replace(" ", "-")
        mine: set[str] = set()

        def rename(repo: Repo) -> None:
            found = self.contents(repo, name)
            for metadata in found.values():
                # Whichever is the latest after the pull.
                mine.add(metadata.tags["content"])
            try:
                repo.data.rename("m", name, new)
            except NotFound:
                return

        were_gone = set(self.told.gone)
        self.run(self.member(who), rename, lives)
        # Others may have come with the pull of the rename, also such whose own commands are not told of them yet.
        mine |= {content for content in self.told.copies if content.startswith(f"{name} ")} - were_gone
        for content in mine:
            self.told.copies[content] += 1

    @rule(who=WHO, lives=LIVES)
    def gc(self, who: int, lives: int) -> None:
        self.told.collections += 1
        self.run(self.member(who), lambda repo: repo.structural.gc(), lives)
        self.told.collections += 1
        self.told.doubt({content for content in self.told.kept if content.startswith(CAPPED)})

    @rule(who=WHO, path=st.sampled_from(FILES), lives=LIVES)
    def write_file(self, who: int, path: str, lives: int) -> None:
        content = self.new(path)

        def write(repo: Repo) -> None:
            syncing = repo._parts.syncing
            syncer = syncing.syncer_of(INFRA)
            known = syncer.clone.state.files.find("infra", path)
            if known is not None:
                self.told.replaced.add(known.sha256)
            self.note_replaced(self.member(who), path)
            syncer.copy.write_bytes(path, content.encode())
            syncer.record_file(path, kind="put")

        if self.run(self.member(who), write, lives):
            self.told.files.add(content)

    def note_replaced(self, member: Member, path: str) -> None:
        """Note what lies at a path of the copy: whoever writes there has seen it."""
        there = member.copy_of(path)
        if there.is_file():
            self.told.replaced.add(hashlib.sha256(there.read_bytes()).hexdigest())

    @rule(who=WHO, path=st.sampled_from(FILES))
    def edit_by_hand(self, who: int, path: str) -> None:
        """Change a file of the copy as an editor does, or make one: no command knows of it."""
        member, content = self.member(who), self.new("by hand")
        self.note_replaced(member, path)
        there = member.copy_of(path)
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(content)
        self.told.files.add(content)

    @rule(who=WHO, path=st.sampled_from(FILES), lives=LIVES, hydrate=st.booleans())
    def meet_an_edit(self, who: int, path: str, lives: int, hydrate: bool) -> None:  # noqa: FBT001 - drawn
        """Publish another content of a file that somebody edits meanwhile, who then syncs."""
        self.sync(who, IMMORTAL)
        if hydrate:
            self.hydrate(who, IMMORTAL)
        self.edit_by_hand(who, path)
        self.write_file(who + 1, path, IMMORTAL)
        self.sync(who + 1, IMMORTAL)
        self.sync(who, lives)
        self.hydrate(who, lives)

    @rule(who=WHO, lives=LIVES)
    def sync(self, who: int, lives: int) -> None:
        self.run(self.member(who), lambda repo: repo.synchroniser.sync(SyncOptions(limits=CONFIRMED)), lives)

    @rule(who=WHO, lives=LIVES)
    def hydrate(self, who: int, lives: int) -> None:
        options = SyncOptions(is_pushing=False, hydrate=True)
        self.run(self.member(who), lambda repo: repo.synchroniser.sync(options), lives)

    @rule(who=WHO)
    def lose_the_catalog(self, who: int) -> None:
        for path in self.member(who).databases.glob("_catalog.db*"):
            path.unlink()

    @rule(hours=st.sampled_from([1, 30, 100]))
    def wait(self, hours: int) -> None:
        self.office.clock.suspend(hours * 3600.0)

    @rule(who=WHO, lives=LIVES)
    def write_checkpoint(self, who: int, lives: int) -> None:
        def write(repo: Repo) -> None:
            clone = repo._parts.syncing.syncer_of(INFRA).clone
            kept = clone.state.positions.find("infra")
            if kept is not None and kept.seq:
                Checkpointer(clone.log, clone.clock, clone.new_id, "t").write(Position(kept.seq, kept.commit_id))

        self.run(self.member(who), write, lives)

    @rule(who=WHO, lives=LIVES)
    def vacuum(self, who: int, lives: int) -> None:
        self.run(self.member(who), lambda repo: repo.vacuumer(older_than=timedelta(days=3)).vacuum(), lives)

    @rule(who=WHO, lives=LIVES)
    def scan(self, who: int, lives: int) -> None:
        """Nothing but our commands wrote into the copy, but what a kill left there is found too."""
        options = SyncOptions(is_scanning=True, limits=CONFIRMED)
        self.run(self.member(who), lambda repo: repo.synchroniser.sync(options), lives)

    @rule(jobs=st.lists(JOBS, min_size=2, max_size=3), first=WHO, order=ORDER)
    def together(self, jobs: list[tuple[str, dict[str, Any]]], first: int, order: list[int]) -> None:
        """Let commands of different clones run at the same time, their requests in an order that is drawn."""
        works = [
            # An editor works in the clone whose command runs.
            partial(getattr(self, name), first + (max(n - 1, 0) if name == "edit_by_hand" else n), **more)
            for n, (name, more) in enumerate(jobs)
        ]
        self.office.turns.run(works[: len(self.team)], order)

    @rule(job=JOBS, how_many=st.integers(2, 3), first=WHO, order=ORDER)
    def race(self, job: tuple[str, dict[str, Any]], how_many: int, first: int, order: list[int]) -> None:
        """Let clones run the same command at the same time."""
        name, more = job
        works = [partial(getattr(self, name), first + n, **more) for n in range(how_many)]
        self.office.turns.run(works[: len(self.team)], order)

    @rule()
    def stranger_works(self) -> None:
        content = self.new("strange")

        def work(repo: Repo) -> None:
            repo.data.put("own", "state", io.BytesIO(content.encode()))

        if self.run(self.stranger, work, IMMORTAL):
            self.strange.add(content)

    @rule()
    def stranger_looks(self) -> None:
        with suppress(NotFound):  # all of it may be deleted
            self.run(self.stranger, lambda repo: repo.data.versions("infra:m", "a"), IMMORTAL)

    @rule(lives=LIVES)
    def look_at_the_stranger(self, lives: int) -> None:
        """One clone reads the other namespace too; the others never do."""
        with suppress(NotFound):  # it may have nothing yet
            self.run(self.team[-1], lambda repo: repo.data.versions("app:own", "state"), lives)

    # --- what must be true -------------------------------------------------------------------------

    @invariant()
    def nobody_writes_elsewhere(self) -> None:
        """I4: a process writes in its own namespace and to its own lock only."""
        assert self.office.strange_writes() == []

    @invariant()
    def everybody_sees_whole_commits(self) -> None:
        """I2, I6: what a clone has of a namespace is the log's up to its position, and nothing of others is its own."""
        if hasattr(self, "readers"):
            assert sum(self.readers.check(member) for member in [*self.team, self.stranger]) >= len(self.team)

    def converge(self) -> None:
        """Let everybody finish in peace; then all must be equal to the log, and nothing lost or doubled."""
        self.office.faulty.plan = no_faults
        everyone = [*self.team, self.stranger]
        for _ in range(2):
            for member in everyone:
                with member.process() as repo:
                    report = repo.synchroniser.sync(SyncOptions(limits=CONFIRMED, is_scanning=True))
                    assert report.failures == [], member.directory.name
        log = self.office.log()
        assert verify(log).problems == ()
        state, head = read_state(log)
        bodies = {path: self.office.dated.get(log.layout.key(f.key or path)).body for path, f in state.files.items()}
        replayed = _visible_rows(state)
        first: tuple[Any, dict[str, bytes]] | None = None
        for member in self.team:
            with member.process() as repo:
                report = repo.synchroniser.sync(SyncOptions(hydrate=True))
                assert report.failures == []
                assert report.seq == head.seq
                status = repo.synchroniser.status()
                assert (status.pending_puts, status.pending_removals, status.dead_letters) == (0, 0, ())
                rows = list(repo._parts.catalog.rows("infra"))
                assert _catalogued(repo, "infra") == replayed
                strange: set[tuple[str, str, str, int, str]] = set()
                if member is self.team[-1]:  # who reads the other namespace
                    with suppress(NotFound):
                        repo.data.versions("app:own", "state")
                    strange = _visible_rows(read_state(self.office.log("app"))[0])
                assert _catalogued(repo, "app") == strange
            tree = member.tree()
            for path, body in bodies.items():
                assert tree[f"infra/{path}"] == body, path
            known = {path: tree[path] for path in tree if self.is_calm or path.removeprefix("infra/") in bodies}
            if first is None:
                first = (rows, known)
            assert first == (rows, known), member.directory.name
        self.check_contents(state, bodies)
        self.check_files(bodies)
        self.check_stranger()
        assert self.office.rewritten_keys() == []
        seqs = [found.commit.seq for found in tail(log, BEGINNING, limit=None).commits()]
        assert seqs == list(range(1, len(seqs) + 1))

    def check_contents(self, state: NamespaceState, bodies: dict[str, bytes]) -> None:
        told = self.told
        found: Counter[str] = Counter()
        streamed = ""
        ids: Counter[str] = Counter()
        for row in state.artifacts():
            if row.metadata.get("lifecycle") == "deleted":
                continue
            ids[f"{row.artifact} {row.metadata['id']}"] += 1
            body = bodies[row.path.replace("metadata.yaml", "raw")].decode()
            if row.name == STREAM:
                streamed += body
            else:
                assert row.metadata["tags"]["content"] == body
                found[body] += 1
        assert not ids or max(ids.values()) == 1, "a version is there twice"
        assert told.kept <= found.keys(), f"lost: {told.kept - found.keys()}"
        assert found.keys() <= told.kept | told.possible, "nobody wrote this"
        back = {content for content in told.gone & found.keys() if told.copies[content] == 1}
        assert not back, f"came back: {back}"
        doubled = {content for content, times in found.items() if times > told.copies[content]}
        assert not doubled, f"doubled: {doubled}"
        for piece, is_acknowledged in told.lines.items():
            times = streamed.count(piece)
            assert times <= 1, f"{piece} is there {times} times"
            assert times == 1 or not is_acknowledged, f"{piece} is lost"

    def check_files(self, bodies: dict[str, bytes]) -> None:
        there = set(bodies.values())
        for member in self.team:
            there |= member.kept_aside()
        for content in self.told.files:
            is_replaced = hashlib.sha256(content.encode()).hexdigest() in self.told.replaced
            assert content.encode() in there or is_replaced, f"{content} is lost"

    def check_stranger(self) -> None:
        state, _ = read_state(self.office.log("app"))
        found = {self.office.dated.get(self.office.log("app").layout.key(f.key or path)).body.decode()
                 for path, f in state.files.items() if path.startswith("data/")}  # fmt: skip
        assert self.strange <= found
        assert all(content.startswith("strange") for content in found)
        with self.stranger.process() as repo:
            rows = list(repo._parts.catalog.rows("app"))
            assert {row.data_name for row in rows} <= {"state"}
            assert len(rows) == len(found)


def _catalogued(repo: Repo, namespace: str) -> set[tuple[str, str, str, int, str]]:
    rows = repo._parts.catalog.rows(namespace)
    return {(r.type_normalized, r.model_id, r.data_name, r.version, r.id) for r in rows}


def _visible_rows(state: NamespaceState) -> set[tuple[str, str, str, int, str]]:
    """Say which rows a catalog has of a state; an artifact whose latest version is a tombstone has none."""
    latest: dict[str, ArtifactRow] = {}
    for row in state.artifacts():
        if row.version >= latest.get(row.artifact, row).version:
            latest[row.artifact] = row
    hidden = {artifact for artifact, row in latest.items() if row.metadata.get("lifecycle") == "deleted"}
    shown = [row for row in state.artifacts() if row.artifact not in hidden]
    return {(row.model_type, row.model_id, row.name, row.version, row.metadata["id"]) for row in shown}
