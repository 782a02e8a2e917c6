"""Append: how a plan becomes the next commit of a log.

The one conditional create of `_log/{S+1}.json` is all that safety rests on. Everything here is about not being wrong
on who won it: a store's answer can be lost, and clients and proxies repeat requests, so after any doubtful answer the
commit is read and its id compared. An id is made for each body that is sent and never for another, so that equal id
means that exactly our bytes are in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from swampsync.backends.base import Create, ObjectExists, ObjectNotFound, PreconditionFailed
from swampsync.clock import Clock, format_timestamp
from swampsync.errors import Conflict, DataError, InvalidInput, Unavailable
from swampsync.log.commit import (
    MAX_INLINE_ENTRIES,
    TOMBSTONE,
    Commit,
    CommitDraft,
    PublishedCommit,
    SegmentRef,
    make_commit,
)
from swampsync.log.commit_json import encode_commit, find_rows_problem
from swampsync.log.log import Log
from swampsync.log.segments import row_to_line
from swampsync.log.tail import Freshness, Position, tail

if TYPE_CHECKING:
    import random

MAX_UPLOAD_AGE_SECONDS: Final = 24 * 3600.0
LOOK_AGAIN_SECONDS: Final = 60.0
MAX_DOUBTS: Final = 6
LOSSES_WITHOUT_PAUSE: Final = 3
LOSSES_BEFORE_LISTING: Final = 2
_PAUSE_SECONDS: Final = 0.05
_MAX_PAUSE_SECONDS: Final = 2.0


class UploadsExpired(Conflict):
    """The plan's objects were uploaded too long ago to be named: put them again, under new numbers and keys."""

    code = "uploads_expired"


class NamespaceEnded(Conflict):
    """The namespace was deleted after the plan was made; nothing of it was published."""

    code = "namespace_ended"


class PendingSink(Protocol):
    """Where a commit's id is written, durably, before the commit is sent."""

    def __call__(self, *, seq: int, commit_id: str) -> None:
        """Remember that commit `seq`, if it turns out to have this id, is ours and published the plan."""
        ...


class Recheck(Protocol):
    """How the caller takes in commits that came between."""

    def __call__(self, newer: Sequence[PublishedCommit], draft: CommitDraft, /) -> CommitDraft:
        """Apply `newer`, decide again on what it touches of `draft`, upload what that needs, return the new plan."""
        ...


@dataclass(frozen=True, slots=True)
class Appended:
    """How an append ended.

    Args:
        published: Our commit; `None` if the others left nothing of the plan to do.
        between: The commits that came before ours since the position, in order.
        later: Commits that were seen after ours when the log was looked at once more.
        is_late: The answer came more than a day after the uploads began: the objects must be looked at.
    """

    published: PublishedCommit | None
    between: tuple[PublishedCommit, ...]
    later: tuple[PublishedCommit, ...] = ()
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Appender:
    """Appends to one log.

    Args:
        log: Which.
        clock: Measures the ages; tells the commit's time.
        rng: Spreads the pauses of losers.
        new_id: Makes ids of commits and segments, never the same twice.
        remember: See `PendingSink`.
    """

    log: Log
    clock: Clock
    rng: random.Random
    new_id: Callable[[], str]
    remember: PendingSink

    def append(
        self,
        draft: CommitDraft,
        recheck: Recheck,
        *,
        position: Position,
        tailed_at: float,
        uploaded_at: float | None = None,
    ) -> Appended:
        """Publish a plan behind a position.

        Args:
            draft: The plan, checked against everything up to `position`, its objects uploaded.
            recheck: Called with commits that came first; it may raise to give up, and nothing is published then.
            position: Where the last tail ended.
            tailed_at: When that was, in seconds of `clock.uptime()`.
            uploaded_at: When the first upload of the plan began, in the same seconds; now if there was none.

        Raises:
            NamespaceEnded: A tombstone came first.
            InvalidInput: The plan cannot be a commit: a path twice, or one that no commit may name.
            UploadsExpired: The uploads are older than 24 hours; nothing was published.
            Unavailable: It cannot be told whether the commit was published; what `remember` was told decides later.
            DataError: The log is damaged, or was replaced while we wrote to it.
        """
        between: list[PublishedCommit] = []
        began = self.clock.uptime() if uploaded_at is None else uploaded_at
        losses = 0
        while True:
            if draft.is_empty and draft.kind != TOMBSTONE:
                return Appended(None, tuple(between))
            if self.clock.uptime() - began > MAX_UPLOAD_AGE_SECONDS:
                raise UploadsExpired(
                    "the uploads of this push are older than 24 hours and cannot be published any more"
                )
            commit, body = self._prepare(draft, position)
            self.remember(seq=commit.seq, commit_id=commit.id)
            found = self._create(commit, body)
            if found.commit.id == commit.id:
                break
            losses += 1
            newer = self._take_in(found, position, losses)
            between.extend(newer)
            position = Position.of(newer[-1])
            if any(published.commit.is_tombstone for published in newer):
                raise NamespaceEnded(f"namespace `{self.log.namespace}` was deleted while this command was working")
            draft = recheck(newer, draft)
            if losses > LOSSES_WITHOUT_PAUSE:
                self._pause(losses - LOSSES_WITHOUT_PAUSE)
        now = self.clock.uptime()
        later: tuple[PublishedCommit, ...] = ()
        if now - tailed_at > LOOK_AGAIN_SECONDS:
            later = self._look_again(found, position)
        return Appended(found, tuple(between), later, is_late=now - began > MAX_UPLOAD_AGE_SECONDS)

    def _prepare(self, draft: CommitDraft, position: Position) -> tuple[Commit, bytes]:
        """Make the commit and its bytes; the rows of a large one go into segments first."""
        segments: tuple[SegmentRef, ...] = ()
        if draft.counts.total > MAX_INLINE_ENTRIES:
            problem = find_rows_problem(draft.put, draft.remove, draft.artifacts)
            if problem is not None:
                raise InvalidInput(f"the commit {problem}")
            segments = self.log.put_segments(map(row_to_line, draft.rows()), new_id=self.new_id)
        commit = make_commit(
            draft,
            seq=position.seq + 1,
            commit_id=self.new_id(),
            parent=position.id or None,
            namespace=self.log.namespace,
            at=format_timestamp(self.clock.now()),
            segments=segments,
        )
        return commit, encode_commit(commit)

    def _create(self, commit: Commit, body: bytes) -> PublishedCommit:
        """Create the commit's object and return whichever commit has the number now."""
        key = self.log.layout.log_key(commit.seq)
        doubts = 0
        while True:
            try:
                return PublishedCommit(commit, self.log.store.put(key, body, Create()).etag)
            except (ObjectExists, PreconditionFailed, Unavailable) as error:
                doubt = error
            try:
                return self.log.read_commit(commit.seq)
            except (ObjectNotFound, Unavailable):
                doubts += 1
            if doubts >= MAX_DOUBTS:
                raise Unavailable(
                    f"the store does not tell whether commit `{key}` was published: {doubt}",
                    hint="swamp datastore sync",
                    key=key.text,
                ) from doubt
            # A request that was given up may still be on its way; the same bytes under the same key are safe to repeat.
            self._pause(doubts)

    def _take_in(self, found: PublishedCommit, position: Position, losses: int) -> list[PublishedCommit]:
        """Return what came between, verified: the commit that has our number, and after repeated losses all newer."""
        if losses < LOSSES_BEFORE_LISTING and found.commit.parent == (position.id or None):
            return [found]
        # Also if the chain is broken: the listing tells whether that is damage or another log.
        seen = tail(self.log, position, limit=None)
        newer = [] if seen.freshness is Freshness.REPLACED else list(seen.commits())
        if not newer:
            raise self._replaced(found)
        return newer

    def _look_again(self, ours: PublishedCommit, position: Position) -> tuple[PublishedCommit, ...]:
        """Make sure, after a pause, that the log we appended to is still the one that everybody reads."""
        seen = tail(self.log, position, limit=None)
        if seen.freshness is Freshness.REPLACED:
            raise self._replaced(ours)
        commits = list(seen.commits())
        if all(published.commit.id != ours.commit.id for published in commits):
            raise self._replaced(ours)
        return tuple(published for published in commits if published.commit.seq > ours.commit.seq)

    def _replaced(self, published: PublishedCommit) -> DataError:
        key = self.log.layout.log_key(published.commit.seq).text
        return DataError(f"the log was replaced while commit `{key}` was written", hint="swamp datastore sync", key=key)

    def _pause(self, times: int) -> None:
        longest = min(_MAX_PAUSE_SECONDS, _PAUSE_SECONDS * 2**times)
        self.clock.sleep(self.rng.uniform(0.0, longest))
