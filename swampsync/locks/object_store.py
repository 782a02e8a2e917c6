"""Locks as objects in a bucket: courtesy, because the log refuses what must not be.

A record is put with create-only, or swapped in over a released or stale one, and every body differs from every other
one by its nonce and beat: an ETag is a digest, and equal bodies would let a second swap through. A conditional put
that did not succeed says nothing by itself: clients and proxies repeat requests, and stores answer 500 to losers. So
after any of them the object is read and the nonce compared. Released records stay where they are: deleting
conditionally is something that stores ignore.

A store without compare-and-swap gets a weaker mode, and each `Lease` of it says `is_weak`: a lock is created
exclusively and deleted on release, and a step that would be a swap looks at the whole record first. Nothing holds
what was seen until the step is done: of two that take a stale lock over at the same moment both may believe that they
have it, until the next heartbeat tells one of them; a holder that renews at that very moment is told likewise.
Whether a store can swap is known at once, or found out by the first swap that it refuses.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Final

from swampsync.backends.base import (
    Create,
    IfMatch,
    NotSupported,
    ObjectExists,
    ObjectNotFound,
    ObjectStore,
    Overwrite,
    PreconditionFailed,
    PutMode,
)
from swampsync.errors import LeaseLost, Unavailable
from swampsync.layout import ObjectKey
from swampsync.locks.lease import Lease, LockRecord, Sight, TornRecord, parse_record, renew_record

_ATTEMPTS: Final = 4


class ObjectLeaseStore:
    """A `LeaseStore` whose keys are keys of objects (`Layout.structural_lock_key`).

    Args:
        store: The bucket.

    Raises:
        NotSupported: The store cannot even create exclusively.
    """

    def __init__(self, store: ObjectStore) -> None:
        if not store.capabilities.create_only:
            raise NotSupported(
                "the store cannot create an object exclusively, so nothing can be locked in it",
                hint="swamp doctor backend",
            )
        self._store = store
        self._has_refused_a_swap = False
        self._lost_races = 0

    @property
    def is_weak(self) -> bool:
        """Whether the store is known to lack compare-and-swap."""
        return self._has_refused_a_swap or not self._store.capabilities.compare_and_swap

    def try_acquire(self, key: str, record: LockRecord) -> Lease | Sight:
        """Take the lock if nobody has it; else return what was in the way."""
        record = replace(record, beat=0)
        for _ in range(_ATTEMPTS):
            sight = self.inspect_all(key)
            lease: Lease | None
            if sight is None:
                lease = self._put(key, record, Create())
            elif sight.nonce == record.nonce and not _is_released(sight):
                return self._own(sight)
            elif _is_released(sight):
                lease = self.take_over(sight, record)
            else:
                return sight
            if lease is not None:
                return lease
        # Others are at work here. Without a mark of its own each time, the lock would seem to stand still and expire.
        self._lost_races += 1
        return Sight(key, TornRecord(b""), (self._lost_races, b""))

    def glance(self, key: str) -> Hashable:  # noqa: ARG002 -- every look is a request
        """Do not look: there is no look that is cheaper than another."""
        return None

    def take_over(self, sight: Sight, record: LockRecord) -> Lease | None:
        """Swap the record in over the one that was judged; `None` if it has changed, or somebody else won."""
        record = replace(record, beat=0)
        assert sight.etag is not None, "an object that was seen has an ETag"
        if not self.is_weak:
            with self._finding_out():
                return self._put(sight.key, record, IfMatch(sight.etag))
        current = self.inspect_all(sight.key)
        # The whole record: a heartbeat since it was judged keeps the nonce, and saves the holder.
        if current is None or current.mark != sight.mark:
            return None
        self._store.delete(ObjectKey.parse(sight.key))
        return self._put(sight.key, record, Create())

    def renew(self, lease: Lease, acquired_at: str) -> Lease:
        """Swap in the record with a newer time."""
        record = renew_record(lease.record, acquired_at)
        if not self.is_weak:
            with self._finding_out():
                return self._renew_by_swap(lease, record)
        self._compare(lease)
        return self._put(lease.key, record, Overwrite()) or self._compare(lease)

    def _renew_by_swap(self, lease: Lease, record: LockRecord) -> Lease:
        renewed = self._put(lease.key, record, _if_match(lease))
        if renewed is not None:
            return renewed
        # Lost, or an earlier try of ours arrived late and changed the ETag under us: go on from what is there.
        current = self._compare(lease)
        renewed = self._put(lease.key, replace(record, beat=(current.record.beat or 0) + 1), _if_match(current))
        if renewed is None:
            self._compare(lease)
            raise Unavailable(f"could not renew the lock `{lease.key}`", key=lease.key)
        return renewed

    def verify(self, lease: Lease) -> None:
        """Ask nobody: in a bucket, the commit is what is refused."""

    def release(self, lease: Lease, *, is_valid: bool) -> bool:  # noqa: ARG002 -- a swap is safe at any time
        """Swap in a released record; without compare-and-swap, delete."""
        try:
            if not self.is_weak:
                with self._finding_out():
                    return self._release_by_swap(lease)
            self._compare(lease)
            self._store.delete(ObjectKey.parse(lease.key))
        except LeaseLost:
            return False
        return True

    def _release_by_swap(self, lease: Lease) -> bool:
        if self._put(lease.key, _release(lease.record), _if_match(lease)) is not None:
            return True
        # An earlier put of ours may have arrived late: try once more from what is there.
        current = self._compare(lease)
        return self._put(lease.key, _release(current.record), _if_match(current)) is not None

    def abandon(self, key: str, nonce: str) -> None:
        """Release whatever an interrupted acquisition has left."""
        sight = self.inspect(key)
        if sight is not None and sight.nonce == nonce:
            self.release(self._own(sight), is_valid=True)

    def inspect(self, key: str) -> Sight | None:
        """Look at the lock; `None` if nobody has it."""
        sight = self.inspect_all(key)
        return None if sight is None or _is_released(sight) else sight

    def inspect_all(self, key: str) -> Sight | None:
        """Look at the lock's object, also where it says that the lock was released."""
        try:
            found = self._store.get(ObjectKey.parse(key))
        except ObjectNotFound:
            return None
        return Sight(key, parse_record(found.body), (0, found.body), found.info.etag)

    def remove(self, sight: Sight) -> bool:
        """Break the lock if it still has the holder that was seen."""
        current = self.inspect(sight.key)
        if current is None or current.nonce != sight.nonce or (not sight.nonce and current.mark != sight.mark):
            return False
        if not self.is_weak:
            with self._finding_out():
                return self._remove_by_swap(current)
        self._store.delete(ObjectKey.parse(sight.key))
        return True

    def _remove_by_swap(self, current: Sight) -> bool:
        assert current.etag is not None, "an object that was seen has an ETag"
        if not isinstance(current.record, LockRecord):
            # Nothing to keep of it; a record that says so takes its place.
            blank = LockRecord("", "", 0, "", 0, current.identifier)
            return self._put(current.key, _release(blank), IfMatch(current.etag)) is not None
        # Not the same words as the holder's own release: each of the two must know which of them it was.
        broken = _release(replace(current.record, command="lock release"))
        return self._put(current.key, broken, IfMatch(current.etag)) is not None

    @contextmanager
    def _finding_out(self) -> Iterator[None]:
        """Go on in the weaker mode, now and from now on, if the store says that it cannot swap."""
        try:
            yield
        except NotSupported:
            self._has_refused_a_swap = True

    def _put(self, key: str, record: LockRecord, mode: PutMode) -> Lease | None:
        """Put a record; `None` if it is not there afterwards.

        Raises:
            Unavailable: The store did not answer, and what was there before still is.
        """
        body = record.format()
        problem: Unavailable | None = None
        try:
            return Lease(key, record, etag=self._store.put(ObjectKey.parse(key), body, mode).etag, is_weak=self.is_weak)
        except (ObjectExists, PreconditionFailed):
            pass
        except Unavailable as error:
            problem = error
        sight = self.inspect_all(key)
        if sight is not None and sight.mark[1] == body:
            return Lease(key, record, etag=sight.etag, is_weak=self.is_weak)
        is_unchanged = sight is None or not isinstance(mode, IfMatch) or sight.etag == mode.etag
        if problem is not None and is_unchanged:
            raise problem
        return None

    def _own(self, sight: Sight) -> Lease:
        assert isinstance(sight.record, LockRecord), "a lock that carries our nonce can be read"
        return Lease(sight.key, sight.record, etag=sight.etag, is_weak=self.is_weak)

    def _compare(self, lease: Lease) -> Lease:
        """Read the lock and return our lease as it is there.

        Raises:
            LeaseLost: It is not there.
        """
        sight: Sight | None = None
        with suppress(ObjectNotFound):
            sight = self.inspect(lease.key)
        if sight is None or sight.nonce != lease.nonce:
            raise LeaseLost(
                f"lock `{lease.key}` was taken over or removed while `{lease.record.command or 'we'}` held it",
                hint="run the command again",
                key=lease.key,
            )
        return self._own(sight)


def _is_released(sight: Sight) -> bool:
    return isinstance(sight.record, LockRecord) and sight.record.is_released


def _release(record: LockRecord) -> LockRecord:
    return replace(record, is_released=True, ttl_ms=0, beat=(record.beat or 0) + 1)


def _if_match(lease: Lease) -> IfMatch:
    assert lease.etag is not None, "a lease in a bucket has an ETag"
    return IfMatch(lease.etag)
