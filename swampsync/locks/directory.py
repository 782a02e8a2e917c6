"""Locks as files on a shared directory, compatible with swamp's.

Here the lock is what safety rests on: there is no commit that could be refused. The holder keeps the file open since
its creation, so that its inode cannot be used again; its heartbeat rewrites the time in place, and then looks whether
the name still leads to that inode.
"""

from __future__ import annotations

import errno
import posixpath
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from swampsync.clock import Clock, format_timestamp
from swampsync.disk import Disk, DiskFile, WriteMode
from swampsync.errors import LeaseLost
from swampsync.locks.identity import ProcessState, ProcessTable, find_process_state
from swampsync.locks.lease import (
    Holder,
    Lease,
    LockRecord,
    Sight,
    TornRecord,
    find_time_offset,
    make_record,
    renew_record,
)
from swampsync.locks.sighting import look_at
from swampsync.locks.takeover import TEMPORARY_PREFIX, Takeover
from swampsync.locks.whole_file import create_whole, is_seen_at_once

_ATTEMPTS: Final = 8


class DirectoryLeaseStore:
    """A `LeaseStore` whose keys are paths of lock files (`Layout.lock_path`).

    Args:
        disk: Where the locks are.
        clock: Tells for how long claims were watched.
        new_id: Makes names that nobody else uses.
        claim_ttl_seconds: After which a claim for a takeover is passed.
        holder: Who claims; without it, others cannot tell at once that we are gone.
        processes: Tells which claimants of our own machine still run.
    """

    def __init__(
        self,
        disk: Disk,
        *,
        clock: Clock,
        new_id: Callable[[], str],
        claim_ttl_seconds: float = 30.0,
        holder: Holder | None = None,
        processes: ProcessTable | None = None,
    ) -> None:
        self._disk = disk
        self._takeover = Takeover(
            disk,
            clock=clock,
            new_id=new_id,
            ttl_seconds=claim_ttl_seconds,
            claimant=b"" if holder is None else _format_claim(holder, clock, claim_ttl_seconds),
            is_gone=lambda r: processes is not None and find_process_state(r, processes) is ProcessState.GONE,
        )
        self._must_flush: bool | None = None

    def try_acquire(self, key: str, record: LockRecord) -> Lease | Sight:
        """Take the lock if nobody has it; else return what was in the way."""
        for _ in range(_ATTEMPTS):
            sight = self.inspect(key)
            if sight is None:
                lease = self._create(key, record)
            elif sight.nonce == record.nonce:
                lease = self._adopt(sight)
            else:
                return sight
            if lease is not None:
                return lease
        return Sight(key, TornRecord(b""), (0, b""))

    def glance(self, key: str) -> Hashable:
        """Look at the lock file's inode and times; not where that would ask a server, or tell what was true earlier."""
        if self._is_flush_needed(key):
            return None
        try:
            stat = self._disk.stat(key)
        except OSError:
            return None
        return stat.signature

    def take_over(self, sight: Sight, record: LockRecord) -> Lease | None:
        """Take the lock from the holder that was judged; `None` if it has changed since, or somebody else won."""
        with self._takeover.clear(sight, is_judged=lambda now: now.mark == sight.mark) as is_cleared:
            return self._create(sight.key, record) if is_cleared else None

    def renew(self, lease: Lease, acquired_at: str) -> Lease:
        """Rewrite the time in place, then look whether the name still leads to our file."""
        body = lease.record.format()
        record = renew_record(lease.record, acquired_at)
        time = acquired_at.encode("ascii")
        assert len(time) == len(lease.record.acquired_at), "the time's text has a fixed length"
        file = _file_of(lease)
        try:
            file.write_at(find_time_offset(body), time)
            if self._is_flush_needed(lease.key):
                file.sync()
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
            raise _lost(lease) from error
        self.verify(lease)
        return replace(lease, record=record)

    def verify(self, lease: Lease) -> None:
        """Compare inode and nonce of what lies at the lock's path with ours."""
        try:
            is_ours = self._disk.stat(lease.key).inode == _file_of(lease).stat().inode
            # Opened anew, because a network file system asks the server again only then.
            is_ours = is_ours and lease.nonce.encode("ascii") in self._disk.read_bytes(lease.key)
        except FileNotFoundError as error:
            raise _lost(lease) from error
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
            raise _lost(lease) from error
        if not is_ours:
            raise _lost(lease)

    def release(self, lease: Lease, *, is_valid: bool) -> bool:
        """Unlink the lock if it is ours; an expired one only under a claim, because it may be taken over now."""
        try:
            if not is_valid:
                sight = self.inspect(lease.key)
                return sight is not None and sight.nonce == lease.nonce and self.remove(sight)
            self.verify(lease)
            self._disk.unlink(lease.key)
        except (LeaseLost, FileNotFoundError):
            return False
        finally:
            _file_of(lease).close()
        return True

    def abandon(self, key: str, nonce: str) -> None:
        """Remove whatever an interrupted acquisition has left."""
        with suppress(FileNotFoundError):
            self._disk.unlink(_temporary(key, nonce))
        sight = self.inspect(key)
        if sight is not None and sight.nonce == nonce:
            with suppress(FileNotFoundError):
                self._disk.unlink(key)

    def inspect(self, key: str) -> Sight | None:
        """Look at the lock; `None` if nobody has it."""
        return look_at(self._disk, key)

    def remove(self, sight: Sight) -> bool:
        """Break the lock if it still has the holder that was seen; without a nonce, if it has not changed at all."""
        nonce = sight.nonce

        def is_judged(now: Sight) -> bool:
            return now.nonce == nonce if nonce else now.mark == sight.mark

        with self._takeover.clear(sight, is_judged=is_judged) as is_cleared:
            return is_cleared

    def sweep(self, directory: str) -> int:
        """Remove what processes that died in the middle of taking a lock have left in `directory` days ago."""
        return self._takeover.sweep(directory)

    def _create(self, key: str, record: LockRecord) -> Lease | None:
        file = create_whole(
            self._disk,
            key,
            record.format(),
            temporary=_temporary(key, record.nonce),
            is_flushed=self._is_flush_needed(key),
        )
        return None if file is None else Lease(key, record, file=file)

    def _adopt(self, sight: Sight) -> Lease | None:
        try:
            file = self._disk.open_write(sight.key, WriteMode.UPDATE)
        except FileNotFoundError:
            return None
        if file.stat().inode != sight.mark[0] or not isinstance(sight.record, LockRecord):
            file.close()
            return None
        return Lease(sight.key, sight.record, file=file)

    def _is_flush_needed(self, key: str) -> bool:
        # All locks of a datastore lie on one file system; asking is slow.
        if self._must_flush is None:
            self._must_flush = not is_seen_at_once(self._disk, posixpath.dirname(key))
        return self._must_flush


def _format_claim(holder: Holder, clock: Clock, ttl_seconds: float) -> bytes:
    now = format_timestamp(clock.now())
    return make_record(holder, nonce="", command="takeover", acquired_at=now, ttl_seconds=ttl_seconds).format()


def _temporary(key: str, nonce: str) -> str:
    return f"{posixpath.dirname(key)}/{TEMPORARY_PREFIX}{nonce}"


def _file_of(lease: Lease) -> DiskFile:
    assert lease.file is not None, "a lease on a directory has its file"
    return lease.file


def _lost(lease: Lease) -> LeaseLost:
    return LeaseLost(
        f"lock `{lease.key}` was taken over or removed while `{lease.record.command or 'we'}` held it",
        hint="nothing was written after that; run the command again",
        key=lease.key,
    )
