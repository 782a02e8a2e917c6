"""How long a holder may be silent, how often it tells that it lives, and how long others wait."""

from __future__ import annotations

from dataclasses import dataclass, replace

from swampsync.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class LockTiming:
    """Durations of locking, in seconds; the defaults are swamp's where swamp has them.

    Args:
        ttl_seconds: For how long a holder may be silent before others take its lock over.
        heartbeat_seconds: How often a holder tells that it lives.
        wait_seconds: For how long a lock is waited for; 0 for not at all.
        retry_base_seconds: The first pause between two tries.
        glance_base_seconds: The same where a look that costs next to nothing shows that a try would be in vain.
        retry_max_seconds: The longest pause between two tries.
    """

    ttl_seconds: float = 30.0
    heartbeat_seconds: float = 10.0
    wait_seconds: float = 60.0
    retry_base_seconds: float = 0.01
    glance_base_seconds: float = 0.005
    retry_max_seconds: float = 0.25

    def __post_init__(self) -> None:
        if self.heartbeat_seconds <= 0 or self.lost_after_seconds <= self.heartbeat_seconds:
            raise InvalidInput(
                f"a heartbeat of {self.heartbeat_seconds:g} s does not fit a lock's TTL of {self.ttl_seconds:g} s",
                hint="the TTL must be more than two and a half heartbeats",
            )

    @property
    def lost_after_seconds(self) -> float:
        """After so much silence a holder declares itself lost: one and a half heartbeats before others may act."""
        return self.ttl_seconds - 1.5 * self.heartbeat_seconds

    def in_bucket(self) -> LockTiming:
        """Return the same with pauses in which a look is a request."""
        return replace(
            self,
            retry_base_seconds=max(self.retry_base_seconds, BUCKET_RETRY_BASE_SECONDS),
            retry_max_seconds=max(self.retry_max_seconds, BUCKET_RETRY_MAX_SECONDS),
        )

    def find_wait_problem(self) -> str | None:
        """Say what is wrong with the time to wait, for a warning; `None` if it is fine."""
        if 0 < self.wait_seconds < self.ttl_seconds:
            return (
                f"a wait of {self.wait_seconds:g} s for locks (SWAMP_LOCK_TIMEOUT_MS) is shorter than their TTL of "
                f"{self.ttl_seconds:g} s: the lock of a crashed process on another machine cannot be outwaited"
            )
        return None


# In a bucket each look is a request. What a holder did last is seen a pause late at most, and a TTL after that its lock
# is taken, to the moment: so the longest pause is what healing may take beyond the TTL.
BUCKET_RETRY_BASE_SECONDS = 0.1
BUCKET_RETRY_MAX_SECONDS = 0.75
