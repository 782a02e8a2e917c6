"""Removing a lock file that was judged, without ever removing another one.

Looking at a file and then unlinking its name are two steps; whoever is slow in between removes what somebody faster
has just put there. So there is a claim, linked under a name made of the judged lock's nonce: only the claim's owner
may move the lock aside. It then reads what it has moved, and puts it back if that is not what was judged. An owner
that dies leaves its claim behind; the claim of a process that ran here and is gone, or one that was watched for a
whole TTL, is passed by the next attempt's number.
"""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from swampsync.clock import Clock
from swampsync.disk import Disk, Kind
from swampsync.locks.lease import LockRecord, Sight
from swampsync.locks.sighting import look_at
from swampsync.locks.whole_file import create_whole

TEMPORARY_PREFIX: Final = ".acquire-"
CLAIM_PREFIX: Final = ".takeover-"
ASIDE_PREFIX: Final = ".stale-"
_MAX_CLAIMS: Final = 100
_LEFTOVER_AGE_NS: Final = 86_400 * 10**9

_log = logging.getLogger("swampsync.locks")


class Takeover:
    """Moves judged lock files out of the way.

    Args:
        disk: Where the locks are.
        clock: Tells for how long a claim was watched.
        new_id: Makes names that nobody else uses.
        ttl_seconds: After which a claim is taken for abandoned.
        claimant: What a claim of ours says, in the form of a lock's record.
        is_gone: Whether a claimant's process is known to have ended.
    """

    def __init__(
        self,
        disk: Disk,
        *,
        clock: Clock,
        new_id: Callable[[], str],
        ttl_seconds: float,
        claimant: bytes,
        is_gone: Callable[[LockRecord], bool],
    ) -> None:
        self._disk = disk
        self._claimant = claimant
        self._is_gone = is_gone
        self._clock = clock
        self._new_id = new_id
        self._ttl_seconds = ttl_seconds
        self._claims: dict[tuple[str, int], float] = {}

    @contextmanager
    def clear(self, sight: Sight, *, is_judged: Callable[[Sight], bool]) -> Iterator[bool]:
        """Move the lock aside and remove it; the claim lasts as long as the block.

        Args:
            sight: The lock as it was judged.
            is_judged: Whether what lies there now still is what was judged.

        Yields:
            Whether the lock is out of the way now: not so if it has changed, or somebody else has the claim.
        """
        directory = posixpath.dirname(sight.key)
        number = self._claim(directory, sight.identifier)
        if number == 0:
            yield False
            return
        claimed_at = self._clock.uptime()
        try:
            yield self._move_aside(sight, directory, claimed_at=claimed_at, is_judged=is_judged)
        finally:
            for n in range(1, number + 1):
                with suppress(FileNotFoundError):
                    self._disk.unlink(f"{directory}/{CLAIM_PREFIX}{sight.identifier}-{n}")

    def sweep(self, directory: str) -> int:
        """Remove what died in the middle of taking a lock has left in `directory` more than a day ago.

        The day is counted by the file system's own clock. A wrong guess does no harm: whoever misses its temporary
        file or its claim starts again.
        """
        try:
            names = [e.name for e in self._disk.scandir(directory) if e.kind is Kind.FILE]
        except FileNotFoundError:
            return 0
        leftovers = [n for n in names if n.startswith((TEMPORARY_PREFIX, CLAIM_PREFIX, ASIDE_PREFIX))]
        if not leftovers:
            return 0
        probe = f"{directory}/{TEMPORARY_PREFIX}{self._new_id()}"
        file = create_whole(self._disk, probe, b"", temporary=f"{probe}-new", is_flushed=False)
        if file is None:
            return 0
        now_ns = file.stat().mtime_ns
        file.close()
        self._disk.unlink(probe)
        swept = 0
        for name in leftovers:
            with suppress(FileNotFoundError):
                if now_ns - self._disk.stat(f"{directory}/{name}").mtime_ns > _LEFTOVER_AGE_NS:
                    self._disk.unlink(f"{directory}/{name}")
                    swept += 1
        return swept

    def _claim(self, directory: str, identifier: str) -> int:
        number = 1
        while number <= _MAX_CLAIMS:
            path = f"{directory}/{CLAIM_PREFIX}{identifier}-{number}"
            temporary = f"{directory}/{TEMPORARY_PREFIX}{self._new_id()}"
            try:
                file = create_whole(self._disk, path, self._claimant, temporary=temporary, is_flushed=False)
            except FileNotFoundError:
                return 0  # the directory went away: there is no lock in it any more
            if file is not None:
                file.close()
                return number
            claim = look_at(self._disk, path)
            if claim is None:
                return 0  # it went away between two looks: somebody is at work
            now = self._clock.uptime()
            is_abandoned = isinstance(claim.record, LockRecord) and self._is_gone(claim.record)
            if not is_abandoned and now - self._claims.setdefault((path, claim.mark[0]), now) < self._ttl_seconds:
                return 0
            number += 1
        return 0

    def _move_aside(
        self, sight: Sight, directory: str, *, claimed_at: float, is_judged: Callable[[Sight], bool]
    ) -> bool:
        path = sight.key
        aside = f"{directory}/{ASIDE_PREFIX}{sight.identifier}-{self._new_id()}"
        current = look_at(self._disk, path)
        if current is None or not is_judged(current):
            return False
        if self._clock.uptime() - claimed_at > self._ttl_seconds / 2:
            return False  # we were stopped; somebody may have passed our claim, or is about to
        # A network file system may do the work and lose the answer: what counts is whether the file moved.
        with suppress(FileNotFoundError):
            self._disk.rename(path, aside)
        moved = look_at(self._disk, aside)
        if moved is None:
            return False
        is_right = is_judged(moved)
        if not is_right:
            _log.info("put back lock `%s`: it had changed hands", path)
            self._put_back(aside, path)
        with suppress(FileNotFoundError):
            self._disk.unlink(aside)
        return is_right

    def _put_back(self, aside: str, path: str) -> None:
        try:
            self._disk.link(aside, path)
        except FileExistsError:
            return  # a newcomer has the lock; the holder we have disturbed sees that before its next write
        except OSError:
            # No hard links here. The name was free a moment ago.
            if look_at(self._disk, path) is None:
                self._disk.rename(aside, path)
