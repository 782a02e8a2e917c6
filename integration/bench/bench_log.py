"""What a log of 100,000 versions costs: to clone it, to add to it, to keep its checkpoints.

Run it with `python -m integration.bench.bench_log [VERSIONS]`. Over a store in memory, so that requests and bytes are
exact and seconds are ours alone; each part runs in a process of its own, whose peak memory is told (the objects in the
store are taken off).
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from swampsync.backends.counting import Counting, RequestCounter
from swampsync.backends.memory import MemoryStore
from swampsync.layout import Layout
from swampsync.log.append import Appended, Appender
from swampsync.log.catch_up import catch_up
from swampsync.log.checkpoint import read_checkpoint
from swampsync.log.checkpointing import Checkpointer
from swampsync.log.commit import CommitDraft
from swampsync.log.log import Log
from swampsync.log.rows import ArtifactRow, FilePut, StateRow
from swampsync.log.segments import row_to_line
from swampsync.log.tail import BEGINNING, Position, tail
from swampsync.namespace import Namespace
from swampsync.testing.manual_clock import ManualClock

AFTERWARDS = 2_000


def make_version(number: int, rng: random.Random) -> tuple[ArtifactRow, FilePut]:
    """Make a version as shell models write them: ids, digests and times do not compress."""
    model = str(uuid.UUID(int=random.Random(number // 100).getrandbits(128)))
    name, version = f"artifact-{number // 10:05d}", number % 10 + 1
    digest, size = f"{rng.getrandbits(256):064x}", rng.randrange(100, 5_000)
    metadata: dict[str, Any] = {
        "id": str(uuid.UUID(int=rng.getrandbits(128))),
        "name": name,
        "version": version,
        "contentType": "application/json",
        "lifetime": "infinite",
        "garbageCollection": 10,
        "streaming": False,
        "tags": {"type": "resource", "specName": "result", "modelName": f"m-{number // 100}", "env": "prod"},
        "ownerDefinition": {"ownerType": "model-method", "ownerRef": model},
        "createdAt": f"2026-11-21T{rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d}.123Z",
        "size": size,
        "checksum": digest,
    }
    row = ArtifactRow("command/shell", model, metadata)
    return row, FilePut(f"{row.artifact}/{version}/raw", size, digest)


class Bench:
    """A log whose newest checkpoint holds so many versions."""

    def __init__(self, versions: int) -> None:
        self.versions = versions
        self.clock = ManualClock()
        self.memory = MemoryStore(self.clock)
        self.counter = RequestCounter()
        self.log = Log(Counting(self.memory, self.counter), Layout("/r", "/r/c", Namespace.parse("infra")))
        self.rng = random.Random(7)
        self.position = BEGINNING
        self.appended = 0
        self.append(draft(make_version(10**7, self.rng)))
        self.checkpointer = Checkpointer(self.log, self.clock, self.new_id, "bench")
        base = self.log.put_segments(self.lines(versions), new_id=self.new_id)
        self.checkpointer.put(self.position, base=base, deltas=())
        self.appended = 0  # since that checkpoint

    def lines(self, versions: int) -> Iterator[bytes]:
        for start in range(0, versions, 1_000):
            made = [make_version(number, self.rng) for number in range(start, min(start + 1_000, versions))]
            for row, raw in sorted(made, key=lambda rows: rows[0].path):
                yield row_to_line(row)
                yield row_to_line(raw)

    def new_id(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128)))

    def append(self, plan: CommitDraft) -> None:
        appender = Appender(self.log, self.clock, self.rng, self.new_id, lambda *, seq, commit_id: None)
        appended: Appended = appender.append(
            plan, lambda _newer, same: same, position=self.position, tailed_at=self.clock.uptime()
        )
        assert appended.published is not None
        self.position = Position.of(appended.published)
        self.appended += len(plan.artifacts)


def draft(*versions: tuple[ArtifactRow, FilePut]) -> CommitDraft:
    return CommitDraft(
        "push", "repo", "me@host", "bench", put=[raw for _, raw in versions], artifacts=[row for row, _ in versions]
    )


def clone(bench: Bench, versions: int) -> None:
    """Read a whole state row by row, as a lazy clone does."""
    before, began = bench.counter.snapshot(), time.perf_counter()
    way = catch_up(bench.log, BEGINNING)
    assert way.checkpoint is not None
    rows: Iterator[StateRow] = way.checkpoint.rows()
    found = sum(isinstance(row, ArtifactRow) for row in rows)
    assert list(way.commits()) == []
    seconds, spent = time.perf_counter() - began, bench.counter.snapshot() - before
    assert found == versions
    speed = found / seconds
    print(f"clone of {versions}: {spent.requests} requests, {spent.bytes_down / 1e6:.1f} MB, {speed:.0f} versions/s")


def idle(bench: Bench, versions: int) -> None:
    """Find that nothing is new."""
    before, began = bench.counter.snapshot(), time.perf_counter()
    tail(bench.log, bench.position)
    seconds, spent = time.perf_counter() - began, bench.counter.snapshot() - before
    print(f"nothing new among {versions}: {spent.requests} request, {seconds * 1e6:.0f} us")


def grow(bench: Bench, versions: int) -> None:
    """Publish one version at a time, with every checkpoint that falls due."""
    newest, written = 1, 0
    before, began = bench.counter.snapshot(), time.perf_counter()
    largest = 0
    for number in range(AFTERWARDS):
        one = bench.counter.snapshot()
        bench.append(draft(make_version(10**6 + number, bench.rng)))
        spent = bench.counter.snapshot() - one
        largest = max(largest, spent.bytes_up + spent.bytes_down)
        outcome = bench.checkpointer.write_if_due(bench.position, newest_known=newest)
        assert outcome.problem is None
        newest, written = outcome.newest, written + outcome.is_written
    seconds, total = time.perf_counter() - began, bench.counter.snapshot() - before
    checkpoint = read_checkpoint(bench.log, newest)
    a_commit = (total.bytes_up + total.bytes_down) / AFTERWARDS
    print(
        f"{AFTERWARDS} commits onto {versions}: at most {largest} bytes each, {written} checkpoints,"
        f" {a_commit / 1024:.1f} KiB and {total.requests / AFTERWARDS:.2f} requests a commit in all,"
        f" {seconds / AFTERWARDS * 1e3:.2f} ms; {len(checkpoint.base)} base and {len(checkpoint.deltas)} delta segments"
    )


PARTS: dict[str, Callable[[Bench, int], None]] = {"clone": clone, "idle": idle, "grow": grow}


def main() -> None:
    versions = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    if len(sys.argv) < 3:
        for part in PARTS:
            subprocess.run([sys.executable, "-m", __spec__.name, str(versions), part], check=True)
        return
    bench = Bench(versions)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    PARTS[sys.argv[2]](bench, versions)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"    peak memory {after / 1024:.0f} MiB, of which {before / 1024:.0f} before it began (the store among it)")


if __name__ == "__main__":
    main()
