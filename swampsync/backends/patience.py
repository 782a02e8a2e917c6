"""How long and how often to try again: jittered exponential back-off under a total deadline."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from typing import Final

from swampsync.clock import Clock
from swampsync.errors import SwampsyncError

_log: Final = logging.getLogger("swampsync.backends.retrying")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How to try again.

    Args:
        deadline_seconds: No new try begins later than this after the first one, or after the last progress.
        first_delay_seconds: The longest wait before the second try; it doubles from try to try.
        longest_delay_seconds: Where the doubling ends.
    """

    deadline_seconds: float = 60.0
    first_delay_seconds: float = 0.2
    longest_delay_seconds: float = 10.0


class Patience:
    """What is left of a policy in one call.

    Args:
        policy: How to try again.
        clock: Tells the time and waits.
        rng: Spreads the waits of many clients that failed at the same moment.
    """

    def __init__(self, policy: RetryPolicy, *, clock: Clock, rng: random.Random) -> None:
        self._policy = policy
        self._clock = clock
        self._rng = rng
        self.renew()

    def renew(self) -> None:
        """Begin afresh: there was progress."""
        self._tries = 0
        self._deadline = self._clock.uptime() + self._policy.deadline_seconds

    def wait(self) -> bool:
        """Wait before the next try; `False`, at once, where the deadline leaves no time for one."""
        longest = min(self._policy.longest_delay_seconds, self._policy.first_delay_seconds * 2.0**self._tries)
        delay = longest * self._rng.uniform(0.5, 1.0)
        self._tries += 1
        if self._clock.uptime() + delay > self._deadline:
            return False
        _log.info("try %d failed, the next in %.1f s", self._tries, delay)
        self._clock.sleep(delay)
        return True

    def wait_after(self, error: SwampsyncError) -> None:
        """Wait before the next try.

        Raises:
            SwampsyncError: `error` itself, where the deadline leaves no time for another try.
        """
        if not self.wait():
            raise error
