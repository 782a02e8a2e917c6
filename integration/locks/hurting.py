"""Hurting a worker at a chosen place: it kills or stops itself there, so that the place is certain.

Whoever is hurt from outside holds the lock only by chance, and in a bucket hardly ever: most of the time goes by
between holds. A worker that is to be hurt is told when it starts, does it with the same signals, and says in the
history first what it is about to do.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from integration.locks.lock_history import KILLED, RELEASED, STOPPED, TAKEN, WRITTEN, HistoryFile

ENTERING: Final = "entering"  # has the lock, and has not written yet


@dataclass(frozen=True, slots=True)
class Hurt:
    """What a worker does to itself.

    Args:
        acquisition: The number of the acquisition during which it happens.
        step: After which step: `ENTERING`, or one of the lines of a hold.
        signal: `SIGKILL` or `SIGSTOP`.
    """

    acquisition: int
    step: str
    signal: int


# Who, where and how; nobody twice. Workers with an odd number are strangers to all others, so that nobody sees that
# they have died and a whole TTL has to pass; the death of an even one is seen at once by three of the others.
HOLDERS_HURT: Final = (
    (0, TAKEN, signal.SIGKILL),
    (1, TAKEN, signal.SIGKILL),
    (2, ENTERING, signal.SIGKILL),
    (4, RELEASED, signal.SIGKILL),
    (5, WRITTEN, signal.SIGKILL),
    (6, TAKEN, signal.SIGSTOP),
    (7, RELEASED, signal.SIGSTOP),
)


def plan_hurts(rng: random.Random, *, acquisitions: int) -> dict[int, Hurt]:
    """Decide during which acquisition each holder of `HOLDERS_HURT` is hurt; not in the first nor in the last tenth."""
    first, last = acquisitions // 10, acquisitions * 9 // 10
    return {worker: Hurt(rng.randrange(first, last), step, number) for worker, step, number in HOLDERS_HURT}


class Hurting:
    """Hurts this process where it was told to.

    Args:
        hurts: What to do.
    """

    def __init__(self, hurts: Iterable[Sequence[int | str]]) -> None:
        self._hurts = [Hurt(int(acquisition), str(step), int(number)) for acquisition, step, number in hurts]

    def pass_by(self, step: str, nonce: str, history: HistoryFile, *, acquisition: int, at: float) -> None:
        """Do what was planned for this place, once; the lock's history is told first."""
        for hurt in self._hurts:
            if (hurt.acquisition, hurt.step) == (acquisition, step):
                self._hurts.remove(hurt)
                history.append(KILLED if hurt.signal == signal.SIGKILL else STOPPED, nonce, -1, at=at)
                os.kill(os.getpid(), hurt.signal)
                return
