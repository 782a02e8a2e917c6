"""A file that is hashed while it goes up."""

from __future__ import annotations

import hashlib
import io
import random

import pytest

from swampsync.backends.memory import MemoryStore
from swampsync.backends.retrying import Retrying
from swampsync.backends.s3_upload import read_parts
from swampsync.clock import SystemClock
from swampsync.layout import ObjectKey
from swampsync.sync.digested import Digested
from swampsync.testing.faulty_store import Fault, Faulty, fault_at
from swampsync.testing.manual_clock import ManualClock

BODY = bytes(range(256)) * 1_000
DIGEST = hashlib.sha256(BODY).hexdigest()


def test_what_is_read_is_hashed_and_ends_where_it_is_said_to_end() -> None:
    """What an append that was killed left behind the recorded bytes is neither sent nor hashed."""
    digested = Digested(io.BytesIO(BODY + b"killed append"), len(BODY))
    read = b"".join(iter(lambda: digested.read(1_000), b""))
    assert (read, digested.hexdigest) == (BODY, DIGEST)


def test_measuring_it_hashes_nothing() -> None:
    """A store that goes to the end and back, to learn the size, changes nothing."""
    digested = Digested(io.BytesIO(BODY + b"more"), len(BODY))
    assert digested.read(10) == BODY[:10]
    assert digested.seek(0, io.SEEK_END) == len(BODY)
    assert digested.seek(10) == digested.tell() == 10
    assert digested.read(len(BODY)) == BODY[10:]
    assert digested.hexdigest == DIGEST


def test_read_again_it_is_hashed_again() -> None:
    """A second try hashes what the second try has sent."""
    digested = Digested(io.BytesIO(BODY), len(BODY))
    digested.read(1_000)
    digested.seek(0)
    whole, parts = read_parts(digested)  # type: ignore[arg-type]
    assert (whole, parts, digested.hexdigest) == (BODY, None, DIGEST)


@pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.LOST_ANSWER])
def test_store_may_try_twice(fault: Fault) -> None:
    """Through the wrapper that repeats, a large file arrives whole and has its digest."""
    memory = MemoryStore(SystemClock())
    store = Retrying(Faulty(memory, fault_at(0, fault)), clock=ManualClock(), rng=random.Random(0))
    digested = Digested(io.BytesIO(BODY), len(BODY))
    store.put_stream(ObjectKey("k"), digested)  # type: ignore[arg-type]
    assert (memory.get(ObjectKey("k")).body, digested.hexdigest) == (BODY, DIGEST)
