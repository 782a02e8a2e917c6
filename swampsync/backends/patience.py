"""How long and how often to try again: jittered exponential back-off under a total deadline."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from typing import Final

from swampsync.backends.base import NotConnected
from swampsync.clock import Clock
from swampsync.errors import SwampsyncError

_log: Final = logging.getLogger("swampsync.backends.retrying")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How to try again.

    Args:
        deadline_seconds: No new try begins later than this after the first one, or after the last progress (`renew`).
        first_delay_seconds: The longest wait before the second try; it doubles from try to try.
        longest_delay_seconds: Where the doubling ends.
        connect_seconds: No new try to connect begins later than this after the first one, as long as the store has
            never answered: an address that is wrong, or a network that is down, is told soon.
    """

    deadline_seconds: float = 60.0
    first_delay_seconds: float = 0.2
    longest_delay_seconds: float = 10.0
    connect_seconds: float = 4.0


class Reach:
    """Whether a store has ever answered; what all its callers share, so that many of them give up together.

    A store that has answered and cannot be connected to any more is probably being started again, and is waited for as
    for any other failure.
    """

    def __init__(self) -> None:
        self.has_answered = False
        self.began_at: float | None = None  # uptime of the first try; `None` before it

    def note(self, error: SwampsyncError | None) -> None:
        """Take note of how a request ended."""
        if not isinstance(error, NotConnected):
            self.has_answered = True


class Patience:
    """What is left of a policy in one call.

    Args:
        policy: How to try again.
        clock: Tells the time and waits.
        rng: Spreads the waits of many clients that failed at the same moment.
        reach: Whether the store has ever answered; one that was made for this call if left out.
    """

    def __init__(self, policy: RetryPolicy, *, clock: Clock, rng: random.Random, reach: Reach | None = None) -> None:
        self._policy = policy
        self._clock = clock
        self._rng = rng
        self._reach = reach or Reach()
        if self._reach.began_at is None:
            self._reach.began_at = clock.uptime()
        self.renew()

    def renew(self) -> None:
        """Begin afresh: there was progress."""
        self._tries = 0
        self._deadline = self._clock.uptime() + self._policy.deadline_seconds

    def wait(self, error: SwampsyncError) -> bool:
        """Wait before the next try; `False`, at once, where the deadline leaves no time for one."""
        self._reach.note(error)
        longest = min(self._policy.longest_delay_seconds, self._policy.first_delay_seconds * 2.0**self._tries)
        delay = longest * self._rng.uniform(0.5, 1.0)
        self._tries += 1
        if self._clock.uptime() + delay > self._find_deadline():
            return False
        _log.info("try %d failed, the next in %.1f s", self._tries, delay)
        self._clock.sleep(delay)
        return True

    def wait_after(self, error: SwampsyncError) -> None:
        """Wait before the next try.

        Raises:
            SwampsyncError: `error` itself, where the deadline leaves no time for another try.
        """
        if not self.wait(error):
            raise error

    def _find_deadline(self) -> float:
        reach = self._reach
        if reach.has_answered or reach.began_at is None:
            return self._deadline
        return min(self._deadline, reach.began_at + self._policy.connect_seconds)
