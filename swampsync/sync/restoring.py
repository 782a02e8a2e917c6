"""Restoring: what was removed comes back under its own path and number, as one commit.

A commit names only objects that its push put itself, since the old ones may be vacuumed at any moment: each content is
read, compared with the digest that the log names, and put again under a key of its own. A version keeps its number and
its identity, because it is the same version; nobody else can have taken the number, which stays used.

The order is that of a push: contents, then the id of the commit into the state, then the commit. Whoever dies before
that leaves objects for vacuum; whoever dies after it finds the commit with the next pull.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

from swampsync.artifacts.tree import no_check
from swampsync.backends.base import Create, ObjectExists, ObjectNotFound
from swampsync.backends.transfer import Done, run_many
from swampsync.errors import DataError, Refused, SyncIncomplete
from swampsync.log.append import Appender
from swampsync.log.commit import CommitDraft, PublishedCommit
from swampsync.log.history import read_state_at
from swampsync.log.paths import METADATA_FILE, parse_version_path
from swampsync.log.rows import ArtifactRow, FilePut
from swampsync.log.state import NamespaceState
from swampsync.log.undelete import Undelete, look_for_objects, require_room, require_whole
from swampsync.sync.applying import Applier
from swampsync.sync.cataloguing import metadata_row_of, metadata_text_of
from swampsync.sync.checkpoints import write_checkpoint_if_due
from swampsync.sync.clone import Clone
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.pending import PendingWork
from swampsync.sync.pull import Pulled

KIND: Final = "undelete"
STREAM_BYTES: Final = 4 * 1024 * 1024
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back.

    Args:
        seq: The number of our commit; 0 if others had brought everything back already.
        items: What it put.
    """

    seq: int
    items: tuple[Undelete, ...]

    @property
    def size(self) -> int:
        """Bytes of their content."""
        return sum(item.content.size for item in self.items)


class Restorer:
    """Brings back what was removed in one clone's namespace; the caller holds the clone's lock.

    Args:
        clone: Which.
        copy: Its local copy.
        check: Called before each write to the bucket; raises to stop there.
    """

    def __init__(self, clone: Clone, copy: LocalCopy, *, check: Callable[[], None] = no_check) -> None:
        self._clone = clone
        self._applier = Applier(clone, copy)
        self._work = PendingWork(clone.state, clone.namespace, clock=clone.clock)
        self._check = check
        self._now = NamespaceState()

    def restore(self, wanted: Iterable[Undelete], pulled: Pulled) -> Restored:
        """Publish what was removed as one commit; what exists again meanwhile is left out.

        Args:
            wanted: From `find_missing` or `find_removed`.
            pulled: What the pull before it found.

        Raises:
            DataError: A content is gone or damaged; nothing was published, and mostly nothing written.
            Refused: Something is in the way: a directory, or work that is not published yet.
        """
        clone = self._clone
        self._now = read_state_at(clone.log, pulled.position.seq)
        items = look_for_objects(clone.log, self._still_missing(wanted))
        require_whole(items)
        require_room(items, now=self._now)
        self._require_nothing_pending(items)
        if not items:
            return Restored(0, ())
        began = clone.clock.uptime()
        rows = list(self._put_again(items))
        appender = Appender(clone.log, clone.clock, clone.rng, clone.new_id, self._remember)
        appended = appender.append(
            self._draft(rows),
            self._recheck,
            position=pulled.position,
            tailed_at=pulled.tailed_at,
            uploaded_at=began,
        )
        ours = appended.published
        if ours is None:
            return Restored(0, ())
        self._applier.apply([(ours, list(clone.log.rows(ours.commit)))])
        if appended.later:
            self._applier.apply([(p, list(clone.log.rows(p.commit))) for p in appended.later])
        if appended.is_late:
            raise SyncIncomplete(
                "this took longer than a day, so what was put may have been removed", hint="swamp datastore verify"
            )
        write_checkpoint_if_due(clone)
        paths = {row.path for row in clone.log.rows(ours.commit)}
        return Restored(ours.commit.seq, tuple(item for item in items if item.content.path in paths))

    def _remember(self, *, seq: int, commit_id: str) -> None:
        """Note a commit that is about to be put, after a last look whether it may be."""
        self._check()
        self._work.remember_sent(seq=seq, commit_id=commit_id)

    def _still_missing(self, wanted: Iterable[Undelete]) -> list[Undelete]:
        return [item for item in wanted if not self._now.exists(item.content.path)]

    def _require_nothing_pending(self, items: Iterable[Undelete]) -> None:
        for item in items:
            if self._work.find(item.path) is not None:
                raise Refused(
                    f"what this clone did to `{item.path}` is not published yet",
                    hint="swamp datastore sync",
                    key=item.path,
                )

    def _draft(self, rows: Sequence[FilePut | ArtifactRow]) -> CommitDraft:
        clone = self._clone
        return CommitDraft(
            KIND,
            clone.repo_id,
            clone.author,
            clone.tool,
            put=tuple(row for row in rows if isinstance(row, FilePut)),
            artifacts=tuple(row for row in rows if isinstance(row, ArtifactRow)),
        )

    def _recheck(self, newer: Sequence[PublishedCommit], draft: CommitDraft) -> CommitDraft:
        """Take in what came first; what others brought back, or put there, is no longer missing."""
        with_rows = [(published, list(self._clone.log.rows(published.commit))) for published in newer]
        self._applier.apply(with_rows)
        for published, rows in with_rows:
            self._now.apply(published.commit, rows)
        left = [row for row in draft.published_rows() if not self._now.exists(row.path)]
        require_room((Undelete(row.path, row, None) for row in left if isinstance(row, FilePut)), now=self._now)
        return self._draft(left)

    # --- objects -----------------------------------------------------------------------------------

    def _put_again(self, items: Sequence[Undelete]) -> Iterator[FilePut | ArtifactRow]:
        """Copy contents side by side; yield the rows that name them."""
        clone = self._clone
        if clone.pool is None:
            for item in items:
                yield from self._put_one(item)
            return
        for outcome in run_many(items, self._put_one, pool=clone.pool, concurrency=clone.concurrency):
            if not isinstance(outcome, Done):
                raise outcome.error
            yield from outcome.result

    def _put_one(self, item: Undelete) -> list[FilePut | ArtifactRow]:
        """Put one version or file under a key that nobody used; called from many threads."""
        clone = self._clone
        self._check()
        suffix = f"~{clone.new_id().replace('-', '')[:8]}"
        content = item.content._replace(key=f"{item.content.path}{suffix}", base=None)
        try:
            self._copy_object(item.content, content)
        except ObjectNotFound as error:
            raise DataError(f"the content of `{item.path}` was vacuumed meanwhile", key=error.key) from error
        if item.artifact is None:
            return [content]
        version = parse_version_path(content.path)
        assert version is not None
        row = item.artifact._replace(key=f"{version.directory}/{METADATA_FILE}{suffix}")
        self._create(row.object_path, metadata_text_of(metadata_row_of(clone.namespace, row)))
        return [row, content]

    def _copy_object(self, source: FilePut, target: FilePut) -> None:
        store, layout = self._clone.log.store, self._clone.layout
        key = layout.key(source.object_path)
        if source.size <= STREAM_BYTES:
            body = store.get(key).body
            _compare(source, hashlib.sha256(body).hexdigest())
            self._create(target.object_path, body)
            return
        with store.open(key) as (_, chunks):
            stream = _Digested(chunks)
            store.put_stream(layout.key(target.object_path), cast("BinaryIO", stream))
        _compare(source, stream.digest.hexdigest())

    def _create(self, path: str, body: bytes) -> None:
        key = self._clone.layout.key(path)
        try:
            self._clone.log.store.put(key, body, Create())
        except ObjectExists:
            # A repeated request finds what the first one wrote; the key is random, so nobody else can have it.
            if self._clone.log.store.get(key).body != body:
                raise


def _compare(content: FilePut, sha256: str) -> None:
    if sha256 != content.sha256:
        raise DataError(
            f"the object of `{content.path}` does not hold the content that the log names",
            hint="swamp datastore verify --content",
            key=content.object_path,
        )


class _Digested:
    """Chunks as a file, hashed as they are read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""
        self.digest = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        wanted = _CHUNK if size < 0 else size
        parts, have = [self._rest], len(self._rest)
        while have < wanted and (chunk := next(self._chunks, b"")):
            parts.append(chunk)
            have += len(chunk)
        whole = b"".join(parts)
        data, self._rest = whole[:wanted], whole[wanted:]
        self.digest.update(data)
        return data

    def seekable(self) -> bool:
        """Say that it cannot be rewound, so that it is tried once."""
        return False
