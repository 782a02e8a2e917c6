"""The commit: one push as one object of the log.

`CommitDraft` is what a caller wants published; `Commit` is what stands in the log, with number, identity and parent;
`PublishedCommit` is a commit together with what the store says of its object.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from typing import Final

from swampsync.backends.base import MAX_CONDITIONAL_BYTES, ETag
from swampsync.log.rows import ArtifactRow, FilePut, Removal, Row

FORMAT: Final = 1
MAX_INLINE_ENTRIES: Final = 1_000
MAX_COMMIT_BYTES: Final = MAX_CONDITIONAL_BYTES
MAX_SEGMENT_BYTES: Final = MAX_CONDITIONAL_BYTES
MAX_SEQ: Final = 2**63 - 1  # what a database can hold
TOMBSTONE: Final = "tombstone"


@dataclass(frozen=True, slots=True)
class SegmentRef:
    """A segment as a commit or checkpoint names it; the digest makes a damaged or exchanged one visible.

    Args:
        id: Its key is `_segments/{id}.jsonl.gz`.
        rows: How many.
        size: Of the object, in bytes.
        sha256: Of the object.
    """

    id: str
    rows: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows of each kind a commit holds."""

    put: int
    remove: int
    artifacts: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.put + self.remove + self.artifacts


@dataclass(frozen=True, slots=True)
class CommitDraft:
    """What a caller wants published as one commit.

    Args:
        kind: The command, for people: `push`, `gc`, `rename`.
        repo_id: Whose clone.
        author: `user@host`.
        tool: `swampsync/{version}`.
        put: Files, a path at most once; in the order of their paths they compress best.
        remove: Paths; a version's removal names both its files (`version_files`).
        artifacts: The metadata of the versions among `put`.
    """

    kind: str
    repo_id: str
    author: str
    tool: str
    put: Collection[FilePut] = ()
    remove: Collection[str] = ()
    artifacts: Collection[ArtifactRow] = ()

    @property
    def counts(self) -> Counts:
        """How many rows of each kind."""
        return Counts(len(self.put), len(self.remove), len(self.artifacts))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to publish."""
        return self.counts.total == 0

    def rows(self) -> Iterator[Row]:
        """Iterate all rows: removals first, then every version's metadata beside its content."""
        for path in self.remove:
            yield Removal(path)
        sides: tuple[Iterable[ArtifactRow | FilePut], ...] = (self.artifacts, self.put)
        yield from merge(*sides, key=lambda row: row.path)

    def published_rows(self) -> Iterator[ArtifactRow | FilePut]:
        """Iterate what the draft publishes, metadata first."""
        yield from self.artifacts
        yield from self.put


@dataclass(frozen=True, slots=True)
class Commit:
    """What stands in the log at one number.

    Args:
        seq: Its number, from 1.
        id: Fresh for every body that was ever sent, so that equal id means equal commit.
        parent: The id of the commit before; `None` for the first.
        namespace: Empty for solo.
        kind: See `CommitDraft`; `tombstone` ends a namespace.
        repo_id: See `CommitDraft`.
        author: See `CommitDraft`.
        tool: See `CommitDraft`.
        at: ISO time by the writer's clock, for people.
        put: Empty if `segments` hold the rows; so are `remove` and `artifacts`.
        remove: See `CommitDraft`.
        artifacts: See `CommitDraft`.
        segments: Where the rows of a commit of more than 1,000 entries are.
        counts: How many rows, wherever they are.
    """

    seq: int
    id: str
    parent: str | None
    namespace: str
    kind: str
    repo_id: str
    author: str
    tool: str
    at: str
    put: tuple[FilePut, ...]
    remove: tuple[str, ...]
    artifacts: tuple[ArtifactRow, ...]
    segments: tuple[SegmentRef, ...]
    counts: Counts
    format: int = FORMAT

    @property
    def is_tombstone(self) -> bool:
        """Whether the namespace ended here."""
        return self.kind == TOMBSTONE

    def inline_rows(self) -> Iterator[Row]:
        """Iterate the rows that the commit itself holds."""
        for path in self.remove:
            yield Removal(path)
        yield from self.artifacts
        yield from self.put


@dataclass(frozen=True, slots=True)
class PublishedCommit:
    """A commit in the log, with what the store says of its object.

    Args:
        commit: The commit.
        etag: Of its object; `None` where the store did not tell.
        published_at: By the store's clock; `None` for one that we have just created.
    """

    commit: Commit
    etag: ETag | None
    published_at: datetime | None = None


def make_commit(
    draft: CommitDraft,
    *,
    seq: int,
    commit_id: str,
    parent: str | None,
    namespace: str,
    at: str,
    segments: tuple[SegmentRef, ...] = (),
) -> Commit:
    """Make the commit of a draft; its rows stand in `segments` if there are any."""
    inline = not segments
    return Commit(
        seq=seq,
        id=commit_id,
        parent=parent,
        namespace=namespace,
        kind=draft.kind,
        repo_id=draft.repo_id,
        author=draft.author,
        tool=draft.tool,
        at=at,
        put=tuple(draft.put) if inline else (),
        remove=tuple(draft.remove) if inline else (),
        artifacts=tuple(draft.artifacts) if inline else (),
        segments=segments,
        counts=draft.counts,
    )
