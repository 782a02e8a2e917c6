"""Threads that are made when the first call is submitted to them: a look at a log needs none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future


class _LatePool:
    def __init__(self, make: Callable[[], Executor]) -> None:
        self._make = make

    def submit(self, act: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        return self._make().submit(act, *arguments)


def late_pool(make: Callable[[], Executor]) -> Executor:
    """Make an executor that takes calls, and nothing else, for one that is made by the first of them.

    Args:
        make: Makes the executor, or returns the one that it made; whoever gave it ends its threads.
    """
    # Not a subclass: `concurrent.futures` is what is not to be imported yet.
    return cast("Executor", _LatePool(make))
