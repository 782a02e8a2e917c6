"""Many calls at a time."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from swampsync.backends.transfer import Done, Failed, run_many
from swampsync.errors import NotFound


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


def test_every_item_has_one_outcome(pool: ThreadPoolExecutor) -> None:
    """Each item is done once, and what failed is told with its reason."""

    def act(n: int) -> int:
        if n % 10 == 3:
            raise NotFound(f"no {n}")
        if n % 10 == 4:
            raise FileNotFoundError(str(n))
        return n * n

    outcomes = list(run_many(range(1000), act, pool=pool, concurrency=8))
    done = {o.item: o.result for o in outcomes if isinstance(o, Done)}
    failed = {o.item: type(o.error) for o in outcomes if isinstance(o, Failed)}
    assert done == {n: n * n for n in range(1000) if n % 10 not in {3, 4}}
    assert failed == {n: NotFound if n % 10 == 3 else FileNotFoundError for n in range(1000) if n % 10 in {3, 4}}


def test_no_items_are_no_outcomes(pool: ThreadPoolExecutor) -> None:
    """Nothing to do is done at once."""
    assert list(run_many([], lambda n: n, pool=pool, concurrency=4)) == []


def test_as_many_run_at_a_time_as_asked(pool: ThreadPoolExecutor) -> None:
    """Exactly `concurrency` calls are under way at once."""
    together = threading.Barrier(4)
    outcomes = list(run_many(range(8), lambda _: together.wait(10), pool=pool, concurrency=4))
    assert len(outcomes) == 8
    assert all(isinstance(o, Done) for o in outcomes)


def test_endless_items_are_taken_as_needed(pool: ThreadPoolExecutor) -> None:
    """Items are not read far ahead of the outcomes that were taken."""
    taken = itertools.count()
    highest = 0

    def items() -> Iterator[int]:
        nonlocal highest
        for n in taken:
            highest = n
            yield n

    outcomes = run_many(items(), lambda n: n, pool=pool, concurrency=2)
    for _ in range(100):
        next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert highest <= 100 + 2 * 4 + 2


def test_closing_waits_for_what_is_under_way(pool: ThreadPoolExecutor) -> None:
    """After closing, no call is running or begun."""
    running = 0
    lock = threading.Lock()

    def act(_: int) -> None:
        nonlocal running
        with lock:
            running += 1
        threading.Event().wait(0.001)
        with lock:
            running -= 1

    outcomes = run_many(itertools.count(), act, pool=pool, concurrency=4)
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert running == 0


@pytest.mark.parametrize("where", ["act", "items"])
def test_mistake_is_raised(pool: ThreadPoolExecutor, where: str) -> None:
    """What is no outcome but a mistake of ours stops the run and is raised."""

    def items() -> Iterator[int]:
        yield from range(10)
        if where == "items":
            raise ZeroDivisionError
        yield from itertools.count()

    def act(n: int) -> float:
        return 1 / (n - 5) if where == "act" else 1.0

    with pytest.raises(ZeroDivisionError):
        list(run_many(items(), act, pool=pool, concurrency=3))


def test_pool_with_fewer_threads_does_it_all_the_same() -> None:
    """If the pool has fewer threads than asked for, it only takes longer."""
    with ThreadPoolExecutor(1) as one:
        assert {o.item for o in run_many(range(50), lambda n: n, pool=one, concurrency=8)} == set(range(50))
