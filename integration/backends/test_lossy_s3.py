"""Over a wire that loses answers, what is acknowledged is there, and every claim has one owner."""

from __future__ import annotations

import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from swampsync.backends.base import Create, IfMatch, ObjectExists, ObjectStore, PreconditionFailed
from swampsync.backends.patience import RetryPolicy
from swampsync.backends.retrying import Retrying
from swampsync.backends.s3 import S3Store
from swampsync.clock import SystemClock
from swampsync.errors import Unavailable
from swampsync.layout import ObjectKey
from swampsync.testing.lossy_wire import Fault, LossyWire, SeededPlan
from swampsync.testing.s3_side_channel import S3Server

WRITERS = 4
CLAIMS = 12
INCREMENTS = 8
SEEDS = [11, 12]
FAULTS = {
    Fault.DROP_ANSWER: 0.08,
    Fault.DROP_REQUEST: 0.04,
    Fault.BUSY: 0.04,
    Fault.BUSY_AFTER: 0.04,
    Fault.DUPLICATE: 0.08,
    Fault.CUT: 0.04,
    Fault.DELAY: 0.08,
}


def lossy_store(wire: LossyWire, server: S3Server, bucket: str, prefix: str, seed: int) -> ObjectStore:
    store: S3Store = replace(server, endpoint=wire.endpoint).store(bucket, prefix)
    policy = RetryPolicy(deadline_seconds=30, first_delay_seconds=0.01, longest_delay_seconds=0.2)
    return Retrying(store, clock=SystemClock(), rng=random.Random(seed), policy=policy)


@pytest.mark.holds("I3")
@pytest.mark.parametrize("seed", SEEDS)
def test_every_number_is_claimed_by_one_writer(seed: int, s3_server: S3Server, s3_bucket: str) -> None:
    """Writers that claim one number after the other, as commits are, share them without gap, loss or double."""
    prefix = f"lossy/claims-{seed}"
    with LossyWire.before(s3_server.endpoint, SeededPlan(random.Random(seed), FAULTS)) as wire:

        def write(writer: int) -> dict[int, str]:
            store = lossy_store(wire, s3_server, s3_bucket, prefix, seed + writer)
            mine: dict[int, str] = {}
            number = 1
            while len(mine) < CLAIMS:
                nonce = f"{writer}-{len(mine)}-{number}"
                try:
                    store.put(ObjectKey(f"{number:05d}"), nonce.encode(), Create())
                except ObjectExists:
                    number += 1
                    continue
                except Unavailable:
                    continue
                mine[number] = nonce
                number += 1
            return mine

        with ThreadPoolExecutor(WRITERS) as pool:
            claims = list(pool.map(write, range(WRITERS)))
        faults = Counter(sent.fault for sent in wire.sent)
    found = {o.key.text: s3_server.store(s3_bucket, prefix).get(o.key).body.decode() for o in
             s3_server.store(s3_bucket, prefix).list("")}  # fmt: skip
    owned = [number for mine in claims for number in mine]
    assert len(owned) == len(set(owned)) == WRITERS * CLAIMS, f"seed {seed}: a number has two owners"
    assert {f"{n:05d}": nonce for mine in claims for n, nonce in mine.items()} == found
    assert sorted(found) == [f"{n:05d}" for n in range(1, WRITERS * CLAIMS + 1)]
    assert all(faults[fault] for fault in FAULTS), f"the wire was too good: {faults}"


@pytest.mark.parametrize("seed", SEEDS)
def test_counter_loses_no_acknowledged_increment(seed: int, s3_server: S3Server, s3_bucket: str) -> None:
    """Increments by compare-and-swap are each there once, whatever became of their answers."""
    prefix = f"lossy/counter-{seed}"
    key = ObjectKey("counter")
    s3_server.store(s3_bucket, prefix).put(key, b"[]", Create())
    with LossyWire.before(s3_server.endpoint, SeededPlan(random.Random(seed), FAULTS)) as wire:

        def increment(writer: int) -> None:
            store = lossy_store(wire, s3_server, s3_bucket, prefix, seed + writer)
            for step in range(INCREMENTS):
                nonce = f"{writer}-{step}"
                while True:
                    got = store.get(key)
                    nonces = json.loads(got.body)
                    if nonce in nonces:
                        break
                    assert got.info.etag is not None
                    try:
                        store.put(key, json.dumps([*nonces, nonce]).encode(), IfMatch(got.info.etag))
                    except (PreconditionFailed, Unavailable):
                        continue

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(increment, range(4)))
    final = json.loads(s3_server.store(s3_bucket, prefix).get(key).body)
    assert sorted(final) == sorted(f"{w}-{s}" for w in range(4) for s in range(INCREMENTS))
