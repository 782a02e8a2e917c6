"""A store that tries again, but only what is safe to repeat.

Reads, listings, unconditional puts and deletes are: done twice they are the same as done once. A conditional put is
not: after a failure the object is read, and what it holds decides (`swampsync.backends.conditional_put`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import BinaryIO, Final, TypeVar

from swampsync.backends.base import (
    Capabilities,
    Create,
    GetResult,
    IfMatch,
    NotConnected,
    ObjectExists,
    ObjectInfo,
    ObjectNotFound,
    ObjectStore,
    Overwrite,
    PreconditionFailed,
    PutMode,
    PutResult,
)
from swampsync.backends.checks import check_conditional_size
from swampsync.backends.conditional_put import Verdict, judge_conditional_put, look_at
from swampsync.backends.patience import Patience, Reach, RetryPolicy
from swampsync.backends.places import Places, place_chunks
from swampsync.clock import Clock
from swampsync.errors import SwampsyncError, Unavailable
from swampsync.layout import ObjectKey

T = TypeVar("T")

_RESUME_BYTES: Final = 8 * 1024 * 1024
# A store that refuses this often although the condition holds is wrong about its own ETags.
_MAX_REFUSALS: Final = 3


class _Replaced(Unavailable):
    """The rest of a broken body belongs to another state: resuming is over, beginning again may help."""


class Retrying:
    """A store over another one that repeats what failed for the moment.

    A conditional put whose object turns out to hold exactly our bytes counts as done. So a body that claims something
    (a commit, a lock, a manifest) must carry an id or nonce: two writers of equal bytes would both be told that they
    won. `ObjectExists` and `PreconditionFailed` from here mean that somebody else's bytes were read; `Unavailable` from
    a conditional put means that nobody could find out.

    Args:
        store: What to ask.
        clock: Tells the time and waits.
        rng: Spreads the waits.
        policy: How long and how often to try.
    """

    def __init__(
        self, store: ObjectStore, *, clock: Clock, rng: random.Random, policy: RetryPolicy | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._rng = rng
        self._policy = policy or RetryPolicy()
        self._reach = Reach()

    @property
    def capabilities(self) -> Capabilities:
        """What the store declares it can do."""
        return self._store.capabilities

    def get(self, key: ObjectKey, *, start: int = 0, length: int | None = None) -> GetResult:
        """Read an object or a range of it."""
        return self._repeat(lambda: self._store.get(key, start=start, length=length))

    @contextmanager
    def open(self, key: ObjectKey) -> Iterator[tuple[ObjectInfo, Iterator[bytes]]]:
        """Read an object as chunks; a broken body is resumed where it broke, if the object is still the same."""
        with ExitStack() as stack:
            info, chunks = self._repeat(lambda: stack.enter_context(self._store.open(key)))
            yield info, self._resumed(info, chunks)

    @contextmanager
    def download(self, key: ObjectKey, target: Places) -> Iterator[tuple[ObjectInfo, Iterator[int]]]:
        """Read an object to its places; what broke is resumed in order, if the object is still the same."""
        with ExitStack() as stack:
            info, extents = self._repeat(lambda: stack.enter_context(self._store.download(key, target)))
            yield info, stack.enter_context(closing(self._placed(info, extents, target)))

    def head(self, key: ObjectKey) -> ObjectInfo:
        """Describe an object."""
        return self._repeat(lambda: self._store.head(key))

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        """Write an object; after a conditional put that failed, find out what it did."""
        # What can never be written is not asked for, so that no trouble on the way hides the reason.
        check_conditional_size(key, len(body), mode)
        if isinstance(mode, Overwrite):
            return self._repeat(lambda: self._store.put(key, body, mode))
        return self._put_conditional(key, body, mode)

    def put_stream(self, key: ObjectKey, body: BinaryIO) -> PutResult:
        """Write a large object; a body that cannot be rewound is tried once."""
        if not body.seekable():
            return self._store.put_stream(key, body)
        begin = body.tell()

        def put_from_begin() -> PutResult:
            body.seek(begin)
            return self._store.put_stream(key, body)

        return self._repeat(put_from_begin)

    def delete(self, key: ObjectKey) -> None:
        """Remove an object."""
        self._repeat(lambda: self._store.delete(key))

    def delete_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SwampsyncError]:
        """Remove many objects; those that failed for the moment are tried again."""
        patience = self._patience()
        failures: dict[ObjectKey, SwampsyncError] = {}
        pending = keys
        while True:
            found = self._repeat(lambda: self._store.delete_many(pending))  # noqa: B023 called at once
            passing = {key: error for key, error in found.items() if error.is_retryable}
            failures.update({key: error for key, error in found.items() if key not in passing})
            if not passing:
                return failures
            try:
                patience.wait_after(next(iter(passing.values())))
            except SwampsyncError:
                return failures | passing
            pending = list(passing)

    def list(self, prefix: str, *, start: str | None = None) -> Iterator[ObjectInfo]:
        """List objects; a listing that broke goes on behind the last object it gave."""
        patience = self._patience()
        last: str | None = None
        while True:
            listing = self._begin_list(prefix, start if last is None else last)
            while True:
                try:
                    info = self._ask(lambda: next(listing, None))  # noqa: B023 called at once
                except Unavailable as error:
                    patience.wait_after(error)
                    break
                if info is None:
                    return
                if info.key.text != last:
                    last = info.key.text
                    patience.renew()
                    yield info

    def _begin_list(self, prefix: str, start: str | None) -> Iterator[ObjectInfo]:
        # A generator, so that a store that asks for its first page at once fails where it is caught.
        yield from self._store.list(prefix, start=start)

    def list_dirs(self, prefix: str) -> Iterable[str]:
        """Name directories."""
        return self._repeat(lambda: list(self._store.list_dirs(prefix)))

    def _patience(self) -> Patience:
        return Patience(self._policy, clock=self._clock, rng=self._rng, reach=self._reach)

    def _ask(self, ask: Callable[[], T]) -> T:
        """Ask once, and take note of whether there was an answer; a failure that is repeated is noted with the wait."""
        try:
            answer = ask()
        except Unavailable:
            raise
        except SwampsyncError as error:
            self._reach.note(error)
            raise
        self._reach.note(None)
        return answer

    def _repeat(self, ask: Callable[[], T]) -> T:
        patience = self._patience()
        while True:
            try:
                return self._ask(ask)
            except Unavailable as error:
                patience.wait_after(error)

    def _resumed(self, info: ObjectInfo, chunks: Iterator[bytes]) -> Iterator[bytes]:
        patience = self._patience()
        done = 0
        parts = chunks
        while True:
            try:
                chunk = next(parts, None)
            except _Replaced:
                raise
            except Unavailable as error:
                patience.wait_after(error)
                parts = self._ranges(info, done)
                continue
            if chunk is None:
                return
            if chunk:
                done += len(chunk)
                patience.renew()
                yield chunk

    def _placed(self, info: ObjectInfo, extents: Iterator[int], target: Places) -> Generator[int]:
        patience = self._patience()
        done = 0
        parts = extents
        while True:
            try:
                now = next(parts, None)
            except _Replaced:
                raise
            except Unavailable as error:
                patience.wait_after(error)
                # From the last that was told: of what lies behind it, nobody knows which places are filled.
                parts = place_chunks(self._ranges(info, done), target, start=done)
                continue
            if now is None:
                return
            done = now
            patience.renew()
            yield done

    def _ranges(self, info: ObjectInfo, done: int) -> Iterator[bytes]:
        while done < info.size:
            part = self._store.get(info.key, start=done, length=_RESUME_BYTES)
            if part.info.etag != info.etag:
                raise _Replaced(f"object `{info.key}` was replaced while it was read", key=info.key.text)
            done += len(part.body)
            yield part.body

    def _put_conditional(self, key: ObjectKey, body: bytes, mode: Create | IfMatch) -> PutResult:
        patience = self._patience()
        refusals = 0
        while True:
            failure: ObjectExists | PreconditionFailed | Unavailable
            may_repeat = True
            try:
                return self._ask(lambda: self._store.put(key, body, mode))
            except (ObjectExists, PreconditionFailed) as error:
                failure = error
                refusals += 1
                may_repeat = refusals < _MAX_REFUSALS
            except NotConnected as error:
                patience.wait_after(error)
                continue  # nothing was sent: there is nothing to look for
            except Unavailable as error:
                failure = error
                may_repeat = patience.wait(error)  # out of patience or not, we look what became of it
            found = self._look(key, max(len(body), 1), patience)
            verdict = judge_conditional_put(mode, look_at(mode, body, found))
            if verdict is Verdict.DONE and found is not None and found.info.etag is not None:
                return PutResult(found.info.etag)
            if verdict is Verdict.CONFLICT and isinstance(failure, Unavailable):
                raise _conflict(key, mode) from failure
            if verdict is Verdict.CONFLICT or not may_repeat:
                raise failure
            if not isinstance(failure, Unavailable):
                patience.wait_after(failure)

    def _look(self, key: ObjectKey, length: int, patience: Patience) -> GetResult | None:
        while True:
            try:
                return self._ask(lambda: self._store.get(key, length=length))
            except ObjectNotFound:
                return None
            except Unavailable as error:
                patience.wait_after(error)


def _conflict(key: ObjectKey, mode: Create | IfMatch) -> ObjectExists | PreconditionFailed:
    if isinstance(mode, Create):
        return ObjectExists(f"object `{key}` exists already", key=key.text)
    return PreconditionFailed(f"object `{key}` is not what it was", key=key.text)
