"""What sync costs does not grow with the namespace."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from swampsync.backends.base import RequestKind
from swampsync.log.append import Appender
from swampsync.log.checkpointing import Checkpointer
from swampsync.log.commit import CommitDraft, SegmentRef
from swampsync.log.rows import ArtifactRow, FilePut
from swampsync.log.segments import row_to_line
from swampsync.log.tail import BEGINNING, Position
from swampsync.namespace import Namespace
from tests.unit.sync.conftest import MODEL, Desk, Team

CONTENT = b"x" * 100
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def make_rows(count: int) -> Iterator[ArtifactRow | FilePut]:
    for number in range(count):
        metadata = {
            "id": f"00000000-0000-4000-8000-{number:012x}",
            "name": f"item-{number:06d}",
            "version": 1,
            "contentType": "text/plain",
            "lifetime": "infinite",
            "garbageCollection": 10,
            "streaming": False,
            "tags": {"type": "file", "modelName": MODEL.name},
            "ownerDefinition": {"ownerType": "manual", "ownerRef": MODEL.id},
            "createdAt": "2026-11-21T09:15:37.969Z",
            "size": len(CONTENT),
            "checksum": DIGEST,
        }
        row = ArtifactRow(MODEL.type, MODEL.id, metadata)
        yield row
        yield FilePut(f"{row.artifact}/1/raw", len(CONTENT), DIGEST)


def fill(desk: Desk, count: int, *, parts: int = 1) -> None:
    """Give a namespace many versions without uploading their objects: one commit, and a checkpoint of it."""
    log = desk.clone.log
    draft = CommitDraft("push", "repo", "a@b", "test", put=(FilePut("files/x", 1, DIGEST),))
    appender = Appender(log, desk.clock, desk.rng, desk.ids, lambda **_: None)
    done = appender.append(draft, lambda _newer, plan: plan, position=BEGINNING, tailed_at=desk.clock.uptime())
    assert done.published is not None
    lines = [row_to_line(row) for row in make_rows(count)]
    base: tuple[SegmentRef, ...] = ()
    for part in range(parts):
        base += log.put_segments(lines[part::parts], new_id=desk.ids)
    Checkpointer(log, desk.clock, desk.ids, "test").put(Position.of(done.published), base=base, deltas=())


def measure(count: int) -> dict[str, tuple[int, int]]:
    team = Team(Namespace("infra"))
    try:
        fill(team.desk("filler"), count)
        ann = team.desk("ann")
        spent = {}

        def step(name: str, work: object) -> None:
            before = team.counter.snapshot()
            work()  # type: ignore[operator]
            counts = team.counter.snapshot() - before
            spent[name] = (counts.requests, counts.bytes_up + counts.bytes_down)

        step("clone", ann.pull)
        assert ann.catalog.count("infra") == count
        step("nothing", ann.pull)
        ann.put("item-000007", "changed")
        step("one", ann.push)
        return spent
    finally:
        team.close()


def test_costs_do_not_grow_with_the_namespace() -> None:
    """Nothing new is one request, one changed artifact at most six and 64 KiB, whatever the namespace holds."""
    small, large = measure(100), measure(3_000)
    for spent in (small, large):
        assert spent["nothing"] == (1, 0)
        assert spent["one"][0] <= 6
        assert spent["one"][1] < 64 * 1024
        assert spent["clone"][0] <= 12
    assert small["one"] == large["one"]


@pytest.mark.holds("I5")
def test_lazy_clone_writes_no_file_but_knows_everything(team: Team) -> None:
    """A new clone from a checkpoint has every row in the catalog and the state, and no file in its copy."""
    fill(team.desk("filler"), 500)
    ann = team.desk("ann")
    ann.pull()
    rows = ann.rows()
    assert len(rows) == 500
    assert all(row.is_latest == 1 and row.size == len(CONTENT) for row in rows)
    assert len(ann.files()) == 500
    assert not ann.disk_has("item-000001")
    assert replace(ann.clone).state.highest.find(ann.key("item-000499")) == 1


def test_cold_push_and_pull_ask_once_for_each_object(team: Team, pair: tuple[Desk, Desk]) -> None:
    """A push makes two requests an artifact and one commit, a pull one an artifact, and nothing is asked twice."""
    ann, bob = pair
    for number in range(20):
        ann.put(f"item-{number}", f"content {number}")
    before = team.counter.snapshot()
    ann.push()
    pushed = team.counter.snapshot() - before
    assert (pushed[RequestKind.PUT].requests, pushed[RequestKind.GET].requests) == (41, 0)
    before = team.counter.snapshot()
    bob.pull()
    assert bob.hydrate().files == 20
    pulled = team.counter.snapshot() - before
    assert pulled[RequestKind.GET].requests == 21
    assert pulled[RequestKind.LIST].requests <= 2
    assert pulled.requests == pulled[RequestKind.GET].requests + pulled[RequestKind.LIST].requests
    before = team.counter.snapshot()
    bob.pull()
    assert bob.hydrate().files == 0
    assert (team.counter.snapshot() - before).requests == 1
