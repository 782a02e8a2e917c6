"""Push: what is pending becomes one commit.

The order is what makes it safe: claims and contents first, each under a key that nobody used; then the id of the commit
into the state; then the commit. A process that dies leaves objects that no commit names, or a commit that the next pull
recognises by its id and content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from swampsync.artifacts.tree import no_check
from swampsync.backends.transfer import Done
from swampsync.errors import DataError, InvalidInput, SwampsyncError, SyncIncomplete, Unavailable
from swampsync.log.append import Appended, Appender, UploadsExpired
from swampsync.log.commit import CommitDraft, PublishedCommit
from swampsync.sync.applying import Applied, Applier, finish_resolving, was_used
from swampsync.sync.cataloguing import catalogue_artifacts
from swampsync.sync.checkpoints import write_checkpoint_if_due
from swampsync.sync.clone import Clone, artifact_key_of
from swampsync.sync.drafting import EntryContent, contents_of, make_draft, missing_content
from swampsync.sync.letters import forget_settled
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.pending import Op, PendingEntry, PendingWork
from swampsync.sync.position import read_position
from swampsync.sync.progress import Progress, silent
from swampsync.sync.pull import Pulled
from swampsync.sync.push_plan import PushLimits, PushPlan, check_limits, kind_of, plan_push, sizes_of
from swampsync.sync.resolving import Resolver
from swampsync.sync.uploading import (
    STREAM_BYTES,
    KeyTaken,
    Upload,
    age_of,
    is_abandoned,
    side_by_side,
    upload,
)

_MAX_ROUNDS = 100
_MARKED_AT_ONCE = 500


@dataclass(slots=True)
class Pushed:
    """What a push did.

    Attributes:
        seq: The number of our commit; 0 if there was nothing to publish.
        put: Versions and files that were published.
        removed: Versions and files whose removal was published.
        size: Bytes of their content.
        sent: The paths of what was published: of files, and of versions their directories.
        withdrawn: The paths whose removal was published.
        failures: Path and reason of what could not be published; it stays pending.
        applied: Others' commits that were applied meanwhile, and our own.
        wrote_checkpoint: Whether a checkpoint was written after it.
    """

    seq: int = 0
    put: int = 0
    removed: int = 0
    size: int = 0
    sent: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    applied: list[Applied] = field(default_factory=list)
    wrote_checkpoint: bool = False


class Pusher:
    """Publishes what is pending in one clone, whose lock the caller holds; `pushed` tells of a failed push too."""

    def __init__(
        self, clone: Clone, copy: LocalCopy, *, check: Callable[[], None] = no_check, progress: Progress = silent
    ) -> None:
        self._clone = clone
        self._copy = copy
        self._check = check
        self._progress = progress
        self._uploaded = (0, 0, 0)  # how many, of how many, and their bytes
        self._work = PendingWork(clone.state, clone.namespace, clock=clone.clock)
        self._applier = Applier(clone, copy)
        self._chosen: set[int] = set()
        self._seen_whole: set[int] = set()
        self.pushed = Pushed()
        self._draft: CommitDraft | None = None

    def plan(self) -> PushPlan:
        """Plan a push of everything that is pending; makes no request."""
        entries = self._work.entries()
        return plan_push(entries, sizes_of(self._clone, entries))

    def push(self, pulled: Pulled, limits: PushLimits | None = None) -> Pushed:
        """Publish everything that is pending.

        Args:
            pulled: What the pull before it found.
            limits: See `PushLimits`.

        Raises:
            Refused: The plan goes beyond the limits; nothing was written.
            SyncIncomplete: Some of it could not be published; the rest was, and the error carries the reasons.
            Unavailable: The store cannot be reached; everything stays pending.
        """
        plan = self.plan()
        check_limits(self._clone, plan, limits or PushLimits())
        self.pushed = Pushed()
        self._uploaded = (0, plan.puts, 0)
        self._chosen = {entry.id for entry in plan.entries}
        if plan.entries:
            try:
                self._publish(pulled)
            except UploadsExpired:
                # What was uploaded is abandoned; a second try takes new numbers and keys.
                self._publish(pulled)
        return self.pushed

    def _publish(self, pulled: Pulled) -> None:
        clone = self._clone
        self._upload_all()
        entries = self._entries()
        self._draft = make_draft(clone, entries, kind=kind_of(entries))
        ages = [age for age in (age_of(clone, entry) for entry in entries) if age is not None]
        now = clone.clock.uptime()
        appender = Appender(clone.log, clone.clock, clone.rng, clone.new_id, self._remember)
        appended = appender.append(
            self._draft,
            self._recheck,
            position=read_position(clone),
            tailed_at=pulled.tailed_at,
            uploaded_at=now - max([0.0, *ages]),
        )
        self._take_in(appended)

    def _remember(self, *, seq: int, commit_id: str) -> None:
        self._check()  # the last look whether the commit may be put
        self._work.remember_sent(seq=seq, commit_id=commit_id)

    def _entries(self) -> list[PendingEntry]:
        return [entry for entry in self._work.entries() if entry.id in self._chosen]

    def _recheck(self, newer: Sequence[PublishedCommit], draft: CommitDraft) -> CommitDraft:
        self.pushed.applied.append(self._applier.apply([(p, list(self._clone.log.rows(p.commit))) for p in newer]))
        self._upload_all()
        entries = self._entries()  # fewer, if something could not be uploaded again
        self._draft = make_draft(self._clone, entries, kind=kind_of(entries) if entries else draft.kind)
        return self._draft

    def _take_in(self, appended: Appended) -> None:
        clone, pushed = self._clone, self.pushed
        ours, draft = appended.published, self._draft
        if ours is not None and draft is not None:
            pushed.seq = ours.commit.seq
            entries = self._entries()
            pushed.withdrawn = [entry.path for entry in entries if entry.op is Op.REMOVE]
            pushed.sent = [entry.path for entry in entries if entry.op is Op.PUT]
            pushed.removed, pushed.put = len(pushed.withdrawn), len(pushed.sent)
            pushed.size = sum(row.size for row in draft.put)
            self._applier.apply([(ours, list(draft.rows()))])
            forget_settled(clone)
        if appended.later:
            later = [(p, list(clone.log.rows(p.commit))) for p in appended.later]
            pushed.applied.append(self._applier.apply(later))
        if appended.is_late:
            raise SyncIncomplete(
                "the push took longer than a day, so what it uploaded may have been removed",
                hint="swamp datastore verify",
            )
        pushed.wrote_checkpoint = write_checkpoint_if_due(clone)

    # --- uploads -----------------------------------------------------------------------------------

    def _upload_all(self) -> None:
        """Upload what is not there yet; what cannot be is left out of the push, and numbers that are taken change."""
        for _ in range(_MAX_ROUNDS):
            waiting = self._claim_all()
            if not waiting or not self._upload_round(waiting):
                return
        raise Unavailable("others take every number that this push tries to claim", hint="swamp datastore sync")

    def _claim_all(self) -> list[Upload]:
        """Note what is about to be uploaded, in one transaction."""
        clone = self._clone
        fresh: list[PendingEntry] = []
        resumed: list[PendingEntry] = []
        with self._renumbering() as resolver:
            for entry in self._entries():
                if entry.op is not Op.PUT:
                    continue
                if entry.claimed_at is None:
                    fresh.append(entry)
                elif not is_abandoned(clone, entry):
                    if not entry.is_uploaded or entry.id not in self._seen_whole:
                        resumed.append(entry)
                else:
                    try:
                        fresh.append(self._abandon(entry, resolver))
                    except (DataError, OSError) as error:
                        self._fail(entry, error)
            unclaimed = [(entry, self._choose_key(entry)) for entry in fresh if entry.claimed_at is None]
            claimed = [entry for entry in fresh if entry.claimed_at is not None] + self._work.claim_many(unclaimed)
            contents = contents_of(clone, [*claimed, *resumed])
            return [
                Upload(entry, content.record, content.metadata, is_resumed)
                for entries, is_resumed in ((claimed, False), (resumed, True))
                for entry in entries
                if (content := self._content_of(entry, contents)) is not None
            ]

    def _content_of(self, entry: PendingEntry, contents: dict[int, EntryContent]) -> EntryContent | None:
        content = contents.get(entry.id)
        if content is None:
            self._fail(entry, missing_content(entry))
        return content

    def _upload_round(self, waiting: list[Upload]) -> bool:
        """Upload; say whether some took another number or key and must be uploaded again."""
        clone = self._clone
        done: list[int] = []
        taken: list[PendingEntry] = []
        stop: SwampsyncError | None = None
        outcomes = side_by_side(clone, waiting, lambda item: upload(clone, self._copy, item))
        try:
            for outcome in outcomes:
                self._check()
                entry = outcome.item.entry
                if isinstance(outcome, Done):
                    done.append(entry.id)
                    self._tell(outcome.item.record.size)
                    self._seen_whole.add(entry.id)
                    if len(done) >= _MARKED_AT_ONCE:
                        self._work.mark_uploaded(done)
                        done.clear()
                elif isinstance(outcome.error, KeyTaken):
                    taken.append(entry)
                elif isinstance(outcome.error, OSError | DataError | InvalidInput):
                    self._fail(entry, outcome.error)
                else:
                    stop = outcome.error
                    break
        finally:
            outcomes.close()
            self._work.mark_uploaded(done)
        if stop is not None:
            raise stop
        with self._renumbering() as resolver:
            for entry in taken:
                self._abandon(entry, resolver)
        return bool(taken)

    def _tell(self, size: int) -> None:
        done, total, uploaded = self._uploaded
        self._uploaded = (done + 1, total, uploaded + size)
        self._progress(*self._uploaded)

    @contextmanager
    def _renumbering(self) -> Iterator[Resolver]:
        """Make one transaction of what is renumbered inside the block; what that replaces is removed after it."""
        clone = self._clone
        resolver = Resolver(clone, self._copy, self._work)
        with clone.state.atomic():
            yield resolver
            catalogue_artifacts(clone.catalog, clone.state, resolver.resolved.touched)
        finish_resolving(clone, self._copy, resolver.resolved)
        if resolver.resolved.renumbered:
            self.pushed.applied.append(Applied(resolved=resolver.resolved))

    def _abandon(self, entry: PendingEntry, resolver: Resolver) -> PendingEntry:
        """Give up an upload: another number for a version, another key for a file; return the entry as it is now."""
        clone = self._clone
        if not entry.is_version:
            return self._work.claim(entry, key=f"{entry.path}~{clone.new_id().replace('-', '')[:8]}")
        artifact = entry.path.rpartition("/")[0]
        number = clone.state.highest.find(artifact_key_of(clone.namespace, artifact)) + 1
        resolver.renumber(entry, number)
        return self._work.claim(self._work.get(entry.id), key=None)

    def _choose_key(self, entry: PendingEntry) -> str | None:
        """Choose where a file goes: its path the first time that it is used, a key of its own afterwards."""
        if entry.is_version:
            return None
        clone = self._clone
        record = clone.state.files.find(clone.namespace, entry.path)
        is_large = record is not None and record.size > STREAM_BYTES
        if entry.base is None and not is_large and not was_used(clone, entry.path):
            return None
        return f"{entry.path}~{clone.new_id().replace('-', '')[:8]}"

    def _fail(self, entry: PendingEntry, error: Exception) -> None:
        if isinstance(error, FileNotFoundError):
            reason = "its content is missing from the local copy"
        else:
            reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        self._chosen.discard(entry.id)
        self.pushed.failures.append((entry.path, reason))
        self._clone.state.dead_letters.record(self._clone.namespace, entry.path, error=reason)
