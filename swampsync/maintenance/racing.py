"""Doing the same thing many times at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from swampsync.clock import Spawner

T = TypeVar("T")

_START_SECONDS = 60.0


def race(count: int, act: Callable[[int], T], *, spawner: Spawner) -> list[T | BaseException]:
    """Call `act(0)` to `act(count - 1)` at once, each in a thread of its own; return results or errors by number.

    Args:
        count: How many.
        act: What each of them does with its number.
        spawner: Starts the threads.
    """
    results: list[T | BaseException] = [RuntimeError("did not run")] * count
    start = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            start.wait(_START_SECONDS)
            results[number] = act(number)
        except BaseException as error:  # noqa: BLE001 the caller judges it
            results[number] = error

    def starter(number: int) -> Callable[[], None]:
        return lambda: run(number)

    threads = [spawner(starter(number), name=f"race-{number}") for number in range(count)]
    for thread in threads:
        thread.join()
    return results
