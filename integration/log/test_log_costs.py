"""What a log costs does not grow with what it holds: requests and bytes at 1,000 and at 100,000 versions."""

from __future__ import annotations

import random

import pytest

from integration.bench.bench_log import Bench, draft, make_version
from swampsync.log.catch_up import catch_up
from swampsync.log.checkpoint import MAX_DELTAS, read_checkpoint
from swampsync.log.rows import ArtifactRow
from swampsync.log.tail import BEGINNING, Freshness, tail


@pytest.fixture(scope="module", params=[1_000, 100_000])
def bench(request: pytest.FixtureRequest) -> Bench:
    """A log with so many versions; the tests below add to it."""
    return Bench(request.param)


def test_nothing_new_is_one_request(bench: Bench) -> None:
    """Finding that nothing is new takes exactly one request and reads no object."""
    before = bench.counter.snapshot()
    assert tail(bench.log, bench.position).freshness is Freshness.NOTHING_NEW
    spent = bench.counter.snapshot() - before
    assert (spent.requests, spent.bytes_down) == (1, 0)


def test_one_change_is_small(bench: Bench) -> None:
    """Tail and append of one changed version are two requests and a few KiB."""
    rng = random.Random(1)
    before = bench.counter.snapshot()
    tail(bench.log, bench.position)
    bench.append(draft(make_version(10**8, rng)))
    spent = bench.counter.snapshot() - before
    assert spent.requests == 2
    assert spent.bytes_up + spent.bytes_down < 4 * 1024


def test_checkpoints_cost_little_a_commit(bench: Bench) -> None:
    """A thousand commits of one version each, with all the checkpoints they need, stay far below 64 KiB each."""
    rng = random.Random(2)
    before = bench.counter.snapshot()
    newest = 1
    for number in range(1_000):
        bench.append(draft(make_version(10**6 + number, rng)))
        newest = bench.checkpointer.write_if_due(bench.position, newest_known=newest).newest
    spent = bench.counter.snapshot() - before
    assert newest > 900
    assert (spent.bytes_up + spent.bytes_down) / 1_000 < 16 * 1024
    assert spent.requests / 1_000 < 3


def test_clone_is_at_most_twelve_requests_and_the_tail(bench: Bench) -> None:
    """A new clone needs two listings, a checkpoint, at most nine segments, and one request for each later commit."""
    before = bench.counter.snapshot()
    way = catch_up(bench.log, BEGINNING)
    assert way.checkpoint is not None
    assert len(read_checkpoint(bench.log, way.checkpoint.position.seq).deltas) <= MAX_DELTAS
    versions = sum(isinstance(row, ArtifactRow) for row in way.checkpoint.rows())
    later = len(list(way.commits()))
    assert (bench.counter.snapshot() - before).requests <= 12 + later
    assert versions + later == bench.versions + bench.appended
