from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from swampsync.backends.base import Create, ObjectExists, Overwrite, PreconditionFailed
from swampsync.errors import DataError, Refused
from swampsync.log.catch_up import read_state
from swampsync.log.checkpoint import list_checkpoints, read_checkpoint
from swampsync.log.checkpointing import Checkpointer
from swampsync.log.commit import CommitDraft
from swampsync.log.history import read_state_at
from swampsync.log.log import Log
from swampsync.log.repair import RepairPlan, Signature, apply_repair_plan, make_repair_plan
from swampsync.log.rows import ArtifactRow, FilePut
from swampsync.log.state import NamespaceState
from swampsync.log.tail import BEGINNING, Freshness, Position, tail
from swampsync.log.verify import ProblemKind, Verification, verify
from swampsync.testing.swapless import Swapless
from tests.unit.log.conftest import TYPE, Ids, World, Writer, artifact_path, draft, file_put, remove_version, version

SIGNATURE = Signature("repo-1", "user@host", "swampsync/0.1.0")
MINUTE = 60.0


def read_artifact(path: str, body: bytes) -> ArtifactRow | None:
    """Stand in for the room that knows YAML: JSON is YAML too."""
    try:
        metadata = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return ArtifactRow(TYPE, path.split("/")[-4], metadata)


def push(world: World, writer: Writer, plan: CommitDraft, contents: dict[str, str] | None = None) -> None:
    """Upload objects as a push does, publish, and let a minute pass."""
    for row in plan.rows():
        if isinstance(row, ArtifactRow):
            world.memory.put(world.log.layout.key(row.object_path), orjson.dumps(row.metadata), Create())
        elif isinstance(row, FilePut):
            content = (contents or {}).get(row.path, row.path)
            world.memory.put(world.log.layout.key(row.object_path), content.encode(), Create())
    writer.push(plan)
    world.clock.advance(MINUTE)


def build(world: World | None = None) -> tuple[World, Writer, list[NamespaceState]]:
    """A history of eight commits: versions, files, replacements, removals."""
    world = world or World()
    writer = world.writer()
    states = []

    def step(plan: CommitDraft) -> None:
        contents = {row.path: "x" * row.size for row in plan.put}
        push(world, writer, plan, contents)
        states.append(writer.state.copy())

    step(draft(version("a", 1, "x"), put=[file_put("files/1", "xx")]))
    step(draft(version("a", 2, "xx"), version("b", 1, "x")))
    step(draft(put=[file_put("files/2", "xxx")]))
    step(
        draft(
            version("c", 1, "xxxx"),
            put=[file_put("files/1", "x", base="xx", key="files/1~11111111")],
            remove=["files/2"],
        )
    )
    step(draft(version("a", 3, "xxx"), remove=remove_version("a", 1)))
    step(draft(put=[file_put("files/3", "xxxx")]))
    step(draft(version("d", 1, "x"), remove=remove_version("b", 1)))
    step(draft(version("a", 4, "x")))
    return world, writer, states


def kinds(found: Verification) -> list[ProblemKind]:
    return [problem.kind for problem in found.problems]


def plan_of(world: World, *, log: Log | None = None) -> RepairPlan:
    return make_repair_plan(log or world.log, read_artifact, signature=SIGNATURE, new_id=Ids(77))


def repair(world: World) -> RepairPlan:
    plan = plan_of(world)
    apply_repair_plan(world.log, plan, clock=world.clock, new_id=Ids(78))
    return plan


def checkpoint_at(world: World, seq: int) -> None:
    Checkpointer(world.log, world.clock, Ids(seq), "t").write(Position.of(world.log.read_commit(seq)))


def damage(world: World, seq: int) -> None:
    world.memory.put(world.log.layout.log_key(seq), b'{"format":1', Overwrite())


def lose(world: World, seq: int) -> None:
    world.memory.delete(world.log.layout.log_key(seq))


# --- verify --------------------------------------------------------------------------------------------------


def test_sound_namespace_has_no_problems() -> None:
    """A log, its checkpoints and its objects agree; what is unreferenced is counted."""
    world, writer, _ = build()
    checkpoint_at(world, 5)
    found = verify(world.log)
    assert found.problems == ()
    assert found.commits == 8
    assert found.head == writer.state
    assert found.objects == len(set(writer.state.object_paths()))
    assert found.unreferenced == 6  # two removed versions, files/2, and the first object of files/1
    assert plan_of(world).rebuilt == ()


def test_empty_namespace_is_sound() -> None:
    """Nothing is wrong with nothing."""
    assert verify(World().log).problems == ()


def test_missing_and_damaged_objects_are_named() -> None:
    """An object that is gone or has another size is a problem with its key."""
    world, _, _ = build()
    world.memory.delete(world.log.layout.key("files/3"))
    world.memory.put(world.log.layout.key("files/1~11111111"), b"much too long", Overwrite())
    found = verify(world.log)
    assert [(p.kind, p.key) for p in found.problems] == [
        (ProblemKind.OBJECT_SIZE, "infra/files/1~11111111"),
        (ProblemKind.OBJECT_MISSING, "infra/files/3"),
    ]


def test_missing_and_damaged_commits_are_named() -> None:
    """Every number that cannot be read is a problem, and the head is not guessed."""
    world, _, _ = build()
    damage(world, 3)
    lose(world, 5)
    found = verify(world.log)
    assert [(p.kind, p.key) for p in found.problems] == [
        (ProblemKind.COMMIT_DAMAGED, world.log.layout.log_key(3).text),
        (ProblemKind.COMMIT_MISSING, world.log.layout.log_key(5).text),
    ]
    assert found.head is None


def test_head_is_known_behind_a_checkpoint() -> None:
    """Damage before a checkpoint is a problem of the history, not of the state."""
    world, writer, _ = build()
    checkpoint_at(world, 6)
    damage(world, 3)
    found = verify(world.log)
    assert kinds(found) == [ProblemKind.COMMIT_DAMAGED]
    assert found.head == writer.state


def test_unreadable_and_wrong_checkpoints_are_named() -> None:
    """A checkpoint that cannot be read, or says something else than the log, is a problem."""
    world, writer, _ = build()
    checkpoint_at(world, 4)
    checkpoint_at(world, 6)
    layout = world.log.layout
    world.memory.delete(layout.segment_key(read_checkpoint(world.log, 4).base[0].id))
    document = orjson.loads(world.memory.get(layout.checkpoint_key(6)).body)
    world.memory.put(layout.checkpoint_key(6), orjson.dumps({**document, "base": []}), Overwrite())
    found = verify(world.log)
    assert [(p.kind, p.key) for p in found.problems] == [
        (ProblemKind.CHECKPOINT_UNREADABLE, layout.checkpoint_key(4).text),
        (ProblemKind.CHECKPOINT_DIFFERS, layout.checkpoint_key(6).text),
    ]
    assert found.head == writer.state


def test_unreadable_checkpoints_are_removed_by_a_repair() -> None:
    """What nobody can read is in the way of a new one, and nothing else is touched."""
    world, writer, _ = build()
    checkpoint_at(world, 4)
    checkpoint_at(world, 6)
    world.memory.put(world.log.layout.checkpoint_key(6), b"damaged", Overwrite())
    plan = repair(world)
    assert plan.rebuilt == ()
    assert plan.checkpoints == (world.log.layout.checkpoint_key(6),)
    assert verify(world.log).problems == ()
    assert [entry.seq for entry in list_checkpoints(world.log)] == [4]
    assert read_state(world.log)[0] == writer.state


def test_two_mixed_logs_are_named_and_not_repaired() -> None:
    """A commit that does not follow the one before it means that two logs were mixed: nobody can decide that."""
    world, _, _ = build()
    key = world.log.layout.log_key(5)
    document = orjson.loads(world.memory.get(key).body)
    world.memory.put(key, orjson.dumps({**document, "parent": "another"}), Overwrite())
    assert kinds(verify(world.log)) == [ProblemKind.CHAIN_BROKEN]
    with pytest.raises(Refused, match="two logs were mixed"):
        plan_of(world)


def test_newer_format_is_no_damage() -> None:
    """A commit that only a newer version reads is neither reported as damaged nor repaired."""
    world, _, _ = build()
    world.memory.put(world.log.layout.log_key(5), b'{"format":2,"tool":"swampsync/9"}', Overwrite())
    with pytest.raises(DataError, match="swampsync/9"):
        verify(world.log)
    with pytest.raises(DataError, match="swampsync/9"):
        plan_of(world)


# --- repair --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("harm", [damage, lose], ids=["damaged", "missing"])
@pytest.mark.parametrize("seq", range(1, 7))
def test_commit_before_a_checkpoint_is_rebuilt_exactly(seq: int, harm) -> None:
    """What a later checkpoint knows and the other commits do not explain is what the lost one did."""
    world, writer, states = build()
    checkpoint_at(world, 6)
    original = world.log.read_commit(seq).commit
    harm(world, seq)
    plan = repair(world)
    assert [(r.seq, r.source) for r in plan.rebuilt] == [(seq, "checkpoint of commit 6")]
    assert plan.notes == ()
    rebuilt = world.log.read_commit(seq).commit
    assert (rebuilt.id, rebuilt.parent, rebuilt.seq) == (original.id, original.parent, original.seq)
    found = verify(world.log)
    assert found.problems == ()
    assert found.head == writer.state
    assert [read_state_at(world.log, n) for n in range(6, 9)] == states[5:]
    world.memory.delete(world.log.layout.checkpoint_key(6))
    assert read_state(world.log)[0] == writer.state


def test_many_lost_commits_before_a_checkpoint_give_the_same_state() -> None:
    """Which of several lost commits did what cannot be known; what they did together can."""
    world, writer, states = build()
    checkpoint_at(world, 6)
    for seq in (2, 3, 5, 6):
        lose(world, seq)
    plan = repair(world)
    assert len({p.commit.id for p in tail(world.log, BEGINNING).commits()}) == 8
    assert [(r.seq, r.draft.is_empty) for r in plan.rebuilt] == [(2, True), (3, True), (5, True), (6, False)]
    assert verify(world.log).problems == ()
    world.memory.delete(world.log.layout.checkpoint_key(6))
    assert read_state_at(world.log, 6) == states[5].__class__.from_rows(
        states[5].rows(), seq=6, commit_id=world.log.read_commit(6).commit.id
    )
    assert read_state(world.log)[0] == writer.state


@pytest.mark.holds("I1")
@pytest.mark.parametrize("seq", [1, 2, 3, 6])
def test_commit_after_every_checkpoint_is_rebuilt_from_the_objects(seq: int) -> None:
    """Whole versions and files that no commit names are what the lost commit published."""
    world, writer, _ = build()
    expected = dict(writer.state.files)
    lose(world, seq)
    plan = repair(world)
    assert [r.source for r in plan.rebuilt] == ["objects that no commit names"]
    assert verify(world.log).problems == ()
    state, head = read_state(world.log)
    assert head.seq == 8
    assert {path: (f.size, f.key) for path, f in state.files.items()} == {
        path: (f.size, f.key) for path, f in expected.items()
    }
    assert sorted(state.artifact_paths) == sorted(writer.state.artifact_paths)


@pytest.mark.parametrize("seq", [7, 8])
def test_newest_commit_can_be_rebuilt_too_if_it_is_damaged(seq: int) -> None:
    """Without a follower the damaged commit gets a fresh id; what it removed is said to come back."""
    world, writer, _ = build()
    damage(world, seq)
    plan = repair(world)
    assert plan.notes == (f"what commit {seq} removed cannot be known and exists again",)
    state, _ = read_state(world.log)
    assert set(writer.state.files) <= set(state.files)
    assert set(state.files) - set(writer.state.files) == ({version("b", 1)[1].path} if seq == 7 else set())
    assert verify(world.log).problems == ()


def test_reader_that_applied_the_original_notices_nothing() -> None:
    """A rebuilt commit has the id of the original, so nobody starts over because of it."""
    world, _, _ = build()
    checkpoint_at(world, 8)
    applied = Position.of(world.log.read_commit(5))
    damage(world, 5)
    repair(world)
    seen = tail(world.log, applied)
    assert seen.freshness is Freshness.NEWER
    assert [p.commit.seq for p in seen.commits()] == [6, 7, 8]


def test_log_that_lost_its_newest_commits_is_continued_from_the_checkpoint() -> None:
    """A checkpoint knows of commits that the log has lost altogether."""
    world, writer, _ = build()
    checkpoint_at(world, 8)
    head = writer.position
    for seq in (7, 8):
        lose(world, seq)
    plan = repair(world)
    assert [r.seq for r in plan.rebuilt] == [7, 8]
    state, position = read_state(world.log)
    assert state == writer.state
    assert (position.seq, position.id) == (head.seq, head.id)
    writer.push(draft(put=[file_put("files/next")]))
    assert verify(world.log).commits == 9


def test_rows_of_a_large_commit_are_rebuilt() -> None:
    """A commit whose segment is lost keeps its header and gets new segments."""
    world = World()
    writer = world.writer()
    plan = draft(put=[file_put(f"files/{n:04d}", "x") for n in range(1_001)])
    push(world, writer, plan, {row.path: "x" for row in plan.put})
    world.memory.delete(world.log.layout.segment_key(world.log.read_commit(1).commit.segments[0].id))
    assert kinds(verify(world.log)) == [ProblemKind.ROWS_DAMAGED]
    repair(world)
    assert verify(world.log).problems == ()
    assert read_state(world.log)[0] == writer.state
    assert world.log.read_commit(1).commit.kind == "push"


def test_objects_that_are_not_whole_are_left_and_told() -> None:
    """A version without its content, with other content, or with strange metadata is not published."""
    world = World()
    writer = world.writer()
    push(world, writer, draft(put=[file_put("files/first")]))
    key = world.log.layout.key
    (half, _), (wrong, wrong_raw), (strange, strange_raw) = (
        version("half", 1),
        version("wrong", 1),
        version("strange", 1),
    )
    world.memory.put(key(half.path), orjson.dumps(half.metadata), Create())
    world.memory.put(key(wrong.path), orjson.dumps(wrong.metadata), Create())
    world.memory.put(key(wrong_raw.path), b"not x", Create())
    world.memory.put(key(strange.path), b"not metadata", Create())
    world.memory.put(key(strange_raw.path), b"x", Create())
    world.memory.put(key("files/a~12345678"), b"x", Create())
    world.clock.advance(MINUTE)
    push(world, writer, draft(put=[file_put("files/second")]))
    push(world, writer, draft(put=[file_put("files/third")]))
    lose(world, 2)
    plan = plan_of(world)
    assert [row.path for row in plan.rebuilt[0].draft.put] == ["files/second"]
    assert plan.rebuilt[0].draft.artifacts == ()
    told = "\n".join(plan.notes)
    for part in (f"{artifact_path('wrong')}/1/raw", f"{artifact_path('strange')}/1/metadata.yaml", "files/a~12345678"):
        assert part in told


def test_objects_of_other_times_are_not_published() -> None:
    """What was uploaded after the lost commit's follower, or days before it, was not in it."""
    world = World()
    writer = world.writer()
    key = world.log.layout.key
    world.memory.put(key("files/long-ago"), b"x", Create())
    world.clock.advance(3 * 24 * 60 * MINUTE)
    for name in ("1", "2", "3"):
        push(world, writer, draft(put=[file_put(f"files/{name}")]))
    world.memory.put(key("files/later"), b"x", Create())
    lose(world, 2)
    assert [row.path for row in plan_of(world).rebuilt[0].draft.put] == ["files/2"]


def test_removed_versions_do_not_come_back_with_a_repair() -> None:
    """What a readable commit put or removed is known, and no candidate."""
    world, _, _ = build()
    lose(world, 6)
    (rebuilt,) = plan_of(world).rebuilt
    assert [row.path for row in rebuilt.draft.put] == ["files/3"]


def test_incomplete_listing_is_refused() -> None:
    """A listing that hides an object which exists cannot say what a lost commit published."""
    world, _, _ = build()
    lose(world, 3)
    hidden = world.log.layout.key("files/3")

    class Hiding:
        def __getattr__(self, name: str) -> object:
            return getattr(world.memory, name)

        def list(self, prefix: str, *, start: str | None = None):
            return (info for info in world.memory.list(prefix, start=start) if info.key != hidden)

    log = Log(Hiding(), world.log.layout)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="not listed"):
        plan_of(world, log=log)


@pytest.mark.parametrize("is_declared", [True, False])
def test_damaged_commit_is_replaced_where_the_store_cannot_swap(*, is_declared: bool) -> None:
    """It is looked at before it is replaced, so that a second repair still finds that somebody else was first."""

    class SwaplessWorld(World):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.memory = Swapless(self.clock, is_declared=is_declared)
            self.log = replace(self.log, store=self.memory)

    world, _, _ = build(SwaplessWorld())
    checkpoint_at(world, 8)
    damage(world, 3)
    plan = plan_of(world)
    apply_repair_plan(world.log, plan, clock=world.clock, new_id=Ids(1))
    assert verify(world.log).problems == ()
    world.clock.advance(MINUTE)
    with pytest.raises(PreconditionFailed):
        apply_repair_plan(world.log, plan, clock=world.clock, new_id=Ids(2))


def test_repair_yields_to_somebody_elses() -> None:
    """Of two repairs at once the second is refused by the store, missing commit or damaged one."""
    for harm, refused in ((lose, ObjectExists), (damage, PreconditionFailed)):
        world, _, _ = build()
        checkpoint_at(world, 8)
        harm(world, 3)
        plan = plan_of(world)
        apply_repair_plan(world.log, plan, clock=world.clock, new_id=Ids(1))
        world.clock.advance(MINUTE)
        with pytest.raises(refused):
            apply_repair_plan(world.log, plan, clock=world.clock, new_id=Ids(2))


def test_lost_undelete_is_found_by_its_keys() -> None:
    """What was brought back by a commit that is lost lies under keys with a common ending, and is named there again."""
    world, writer, _ = build()
    row, raw = version("b", 1, "x")
    row, raw = row._replace(key=f"{row.path}~1a2b3c4d"), raw._replace(key=f"{raw.path}~1a2b3c4d")
    push(world, writer, draft((row, raw), kind="undelete"), {raw.path: "x"})
    push(world, writer, draft(put=[file_put("files/9", "x")]), {"files/9": "x"})
    lose(world, 9)
    repair(world)
    assert verify(world.log).problems == ()
    state = read_state_at(world.log, 10)
    assert state.artifact(row.path) == row
    assert state.files[raw.path].key == raw.key
