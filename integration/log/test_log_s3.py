"""The log on real servers: writers of several processes at once, requests as they go over the wire, a whole life."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from swampsync.backends.base import Create, Overwrite, RequestKind
from swampsync.backends.counting import RequestCounter
from swampsync.backends.s3 import S3Store
from swampsync.backends.s3_keys import StaticCredentials
from swampsync.log.catch_up import catch_up, read_state
from swampsync.log.checkpoint import read_checkpoint
from swampsync.log.checkpointing import Checkpointer
from swampsync.log.history import iterate_history, read_state_at
from swampsync.log.log import Log
from swampsync.log.repair import Signature, apply_repair_plan, make_repair_plan
from swampsync.log.rows import ArtifactRow, FilePut
from swampsync.log.tail import BEGINNING, Freshness, tail
from swampsync.log.vacuum import apply_vacuum_plan, make_vacuum_plan, read_vacuum_input
from swampsync.log.verify import ProblemKind, verify
from swampsync.testing.manual_clock import ManualClock
from swampsync.testing.s3_side_channel import S3Server
from tests.unit.log.conftest import Ids, Writer, draft, file_put, layout_of, remove_version, version

WORKER = Path(__file__).with_name("log_worker.py")
PROCESSES = 8
COMMITS = 25

StoreMaker = Callable[..., S3Store]


def counted(server: S3Server, store: S3Store) -> tuple[S3Store, RequestCounter]:
    counter = RequestCounter()
    keys = StaticCredentials(server.keys)
    return S3Store(store.options, keys, on_request=counter, read_file=lambda _path: b""), counter


def upload(writer: Writer, *rows: tuple[ArtifactRow, FilePut]) -> None:
    for row, raw in rows:
        writer.log.store.put(writer.log.layout.key(row.path), b"metadata", Create())
        writer.log.store.put(writer.log.layout.key(raw.path), b"x" * raw.size, Create())


@pytest.mark.holds("I3")
@pytest.mark.holds("I12")
def test_processes_at_once_leave_no_gap(s3_server: S3Server, s3_store: StoreMaker) -> None:
    """Of 8 processes with 25 commits each every acknowledged id stands at its own number, once."""
    store = s3_store()
    asked = {
        "commits": COMMITS,
        "bucket": store.options.bucket,
        "prefix": store.options.prefix,
        "endpoint": s3_server.endpoint,
        "region": s3_server.region,
        "key": s3_server.keys.access_key_id,
        "secret": s3_server.keys.secret_access_key,
    }
    began = time.monotonic()
    workers = [
        subprocess.Popen(
            [sys.executable, str(WORKER), json.dumps({**asked, "number": number})], stdout=subprocess.PIPE, text=True
        )
        for number in range(PROCESSES)
    ]
    told = [json.loads(worker.communicate()[0]) for worker in workers]
    seconds = time.monotonic() - began
    assert [worker.returncode for worker in workers] == [0] * PROCESSES
    acknowledged: dict[int, str] = {}
    for one in told:
        for seq, identifier in one["acknowledged"].items():
            assert int(seq) not in acknowledged
            acknowledged[int(seq)] = identifier
    found = [p.commit for p in tail(Log(store, layout_of()), BEGINNING).commits()]
    assert {commit.seq: commit.id for commit in found} == acknowledged
    assert sorted(acknowledged) == list(range(1, PROCESSES * COMMITS + 1))
    assert len({row.path for commit in found for row in commit.put}) == PROCESSES * COMMITS
    requests = sum(one["requests"] for one in told)
    print(f"{s3_server.name}: {len(acknowledged)} commits in {seconds:.1f} s, {requests} requests")


def test_requests_on_the_wire(s3_server: S3Server, s3_store: StoreMaker) -> None:
    """Nothing new is one request, an append one, a new clone two listings, a checkpoint, its segments and the tail."""
    store, counter = counted(s3_server, s3_store())
    clock = ManualClock()
    writer = Writer(Log(store, layout_of()), clock)
    writer.push(draft(put=[file_put(f"files/{number}", str(number)) for number in range(1_500)]))
    before = counter.snapshot()
    assert tail(writer.log, writer.position).freshness is Freshness.NOTHING_NEW
    assert (counter.snapshot() - before).requests == 1
    before = counter.snapshot()
    writer.push(draft(version("state", 1)), pull=False)
    assert (counter.snapshot() - before).requests == 1
    Checkpointer(writer.log, clock, Ids(5), "t").write(writer.position)
    writer.push(draft(version("state", 2)))
    segments = len(read_checkpoint(writer.log, 2).segments)
    before = counter.snapshot()
    state, position = read_state(writer.log)
    spent = counter.snapshot() - before
    assert spent.requests == 2 + 1 + segments + 1
    assert spent[RequestKind.LIST].requests == 2
    assert (state, position) == (writer.state, writer.position)


def test_far_behind_takes_one_page(s3_server: S3Server, s3_store: StoreMaker) -> None:
    """A page full of newer keys is one request, and the checkpoint is taken instead of the commits."""
    store, counter = counted(s3_server, s3_store())
    clock = ManualClock()
    writer = Writer(Log(store, layout_of()), clock)
    writer.push(draft(put=[file_put("files/first")]))
    first = writer.position
    for number in range(12):
        writer.push(draft(put=[file_put(f"files/{number}")]), pull=False)
    Checkpointer(writer.log, clock, Ids(5), "t").write(writer.position)
    before = counter.snapshot()
    way = catch_up(writer.log, first, page_keys=10)
    assert way.starts_over
    assert way.checkpoint is not None
    assert (counter.snapshot() - before)[RequestKind.LIST].requests == 3
    assert list(way.commits()) == []


def test_whole_life_of_a_log(s3_store: StoreMaker) -> None:
    """Large commits, removals, checkpoints, history, vacuum, damage and repair, on a real server."""
    with ThreadPoolExecutor(8) as executor:
        log = Log(s3_store(), layout_of(), executor)
        clock = ManualClock()
        one, two = Writer(log, clock, 1), Writer(log, clock, 2)
        versions = [version(f"artifact-{number:03d}", 1, "content") for number in range(40)]
        upload(one, *versions)
        one.push(draft(*versions))
        two.pull()
        assert two.state == one.state
        two.push(draft(remove=[path for number in range(10) for path in remove_version(f"artifact-{number:03d}", 1)]))
        upload(one, version("late", 1))
        one.push(draft(version("late", 1)), pull=False)
        assert Checkpointer(log, clock, Ids(3), "t").write(one.position).is_written
        two.push(draft(put=[]))
        upload(two, version("later", 1))
        two.push(draft(version("later", 1)))
        assert [p.commit.seq for p in iterate_history(log, head=4, path="data")] == [4, 3, 2, 1]
        assert len(read_state_at(log, 1).files) == 40
        assert verify(log).problems == ()

        published = log.read_commit(4).published_at
        assert isinstance(published, datetime)
        known = read_vacuum_input(log, horizon=timedelta(days=7), server_now=published + timedelta(days=30))
        plan = make_vacuum_plan(log, known)
        assert len(plan.keys) == 20
        assert apply_vacuum_plan(log, plan) == {}
        assert verify(log).problems == ()

        log.store.put(log.layout.log_key(2), b"damaged", Overwrite())
        assert [problem.kind for problem in verify(log).problems] == [ProblemKind.COMMIT_DAMAGED]
        signature = Signature("r", "me@host", "test")
        repair = make_repair_plan(log, lambda _path, _body: None, signature=signature, new_id=Ids(9))
        apply_repair_plan(log, repair, clock=clock, new_id=Ids(10))
        assert verify(log).problems == ()
        two.pull()
        assert read_state(replace(log, executor=None))[0] == two.state
