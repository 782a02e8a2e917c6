"""A namespace's log in a store: where its objects lie and how one of them is read or written.

Nothing here decides; `tail`, `append` and `checkpoints` do. What reads commits and segments is imported when the first
is read: most looks at a log find nothing new.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from swampsync.backends.base import (
    MAX_CONDITIONAL_BYTES,
    Create,
    ETag,
    ObjectExists,
    ObjectInfo,
    ObjectNotFound,
    ObjectStore,
)
from swampsync.errors import DataError
from swampsync.layout import SEQUENCE_DIGITS, Layout

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from swampsync.log.commit import Commit, PublishedCommit, SegmentRef
    from swampsync.log.rows import Row

PAGE_KEYS: Final = 1_000
READ_AHEAD: Final = 16

_NAME: Final = re.compile(rf"([0-9]{{{SEQUENCE_DIGITS}}})\.json")

_T = TypeVar("_T")
_A = TypeVar("_A")


class SegmentMissing(DataError):
    """A segment that a commit or checkpoint names is not there: vacuum took it with its time, or it was lost."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A commit as a listing shows it.

    Args:
        seq: Its number.
        etag: `None` where the listing does not tell.
        size: In bytes.
        published_at: By the store's clock.
    """

    seq: int
    etag: ETag | None
    size: int
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Log:
    """The log of one namespace.

    Args:
        store: Where the datastore's objects are.
        layout: Of the namespace.
        executor: Reads side by side; one after the other without it.
    """

    store: ObjectStore
    layout: Layout
    executor: Executor | None = None

    @property
    def namespace(self) -> str:
        """The namespace's name, empty in solo mode."""
        return self.layout.namespace.name

    def read_commit(self, seq: int) -> PublishedCommit:
        """Read the commit of a number.

        Raises:
            ObjectNotFound: There is none.
            DataError: It is damaged, or of an unknown format.
        """
        from swampsync.log.commit import PublishedCommit
        from swampsync.log.commit_json import decode_commit

        key = self.layout.log_key(seq)
        found = self.store.get(key)
        commit = decode_commit(found.body, key=key.text, seq=seq, namespace=self.namespace)
        return PublishedCommit(commit, found.info.etag, found.info.modified_at)

    def read_commits(self, seqs: Iterable[int]) -> Iterator[PublishedCommit]:
        """Read commits side by side, in the order asked for; a missing one is damage.

        Raises:
            DataError: One is missing, damaged, or of an unknown format; the key is named.
        """
        return self.side_by_side(self._read_expected, seqs)

    def _read_expected(self, seq: int) -> PublishedCommit:
        try:
            return self.read_commit(seq)
        except ObjectNotFound as error:
            raise missing_commit(self.layout, seq) from error

    def list_commits(self, first: int, *, limit: int | None = None) -> list[LogEntry]:
        """List commits from number `first` on, at most `limit` of them."""
        start = self.layout.log_key(first).text if first > 0 else None
        prefix = self.layout.prefix_of("_log")
        entries: list[LogEntry] = []
        for info in islice(self.store.list(prefix, start=start), limit):
            match = _NAME.fullmatch(info.key.text[len(prefix) :])
            if match is None:  # nobody of ours puts anything else there, and it harms nothing
                continue
            if info.size > MAX_CONDITIONAL_BYTES:
                raise DataError(f"commit `{info.key}` has {info.size} bytes", key=info.key.text)
            entries.append(LogEntry(int(match[1]), info.etag, info.size, info.modified_at))
        return entries

    def rows(self, commit: Commit) -> Iterator[Row]:
        """Iterate a commit's rows, wherever they are.

        Raises:
            DataError: A segment is missing or damaged; its key is named.
        """
        from swampsync.log.rows import ArtifactRow, FilePut, Removal
        from swampsync.log.segments import unpack_segment

        if not commit.segments:
            yield from commit.inline_rows()
            return
        counted = [0, 0, 0]
        for ref, body in self.read_segments(commit.segments):
            key = self.layout.segment_key(ref.id).text
            for row in unpack_segment(body, ref, key=key):
                if isinstance(row, FilePut):
                    counted[0] += 1
                elif isinstance(row, Removal):
                    counted[1] += 1
                elif isinstance(row, ArtifactRow):
                    counted[2] += 1
                else:
                    raise DataError(f"segment `{key}` of a commit holds a row of a checkpoint", key=key)
                yield row
        if counted != [commit.counts.put, commit.counts.remove, commit.counts.artifacts]:
            key = self.layout.log_key(commit.seq).text
            raise DataError(f"commit `{key}` counts other rows than its segments hold", key=key)

    def read_segments(self, refs: Iterable[SegmentRef]) -> Iterator[tuple[SegmentRef, bytes]]:
        """Read and check segments side by side, in order.

        Raises:
            DataError: One is missing, or not the one that was written; its key is named.
        """
        return self.side_by_side(self._read_segment, refs)

    def _read_segment(self, ref: SegmentRef) -> tuple[SegmentRef, bytes]:
        from swampsync.log.segments import check_segment

        key = self.layout.segment_key(ref.id)
        try:
            body = self.store.get(key).body
        except ObjectNotFound as error:
            raise SegmentMissing(f"segment `{key}` is missing", hint="swamp datastore verify", key=key.text) from error
        check_segment(body, ref, key=key.text)
        return ref, body

    def put_segments(
        self, lines: Iterable[bytes], *, new_id: Callable[[], str], target_bytes: int | None = None
    ) -> tuple[SegmentRef, ...]:
        """Pack lines (`row_to_line`) into segments and upload each under a key that was never used.

        Raises:
            Conflict: A key was used although `new_id` made it.
        """
        from swampsync.log.segments import TARGET_BYTES, pack_segments

        packed = pack_segments(lines, new_id=new_id, target_bytes=target_bytes or TARGET_BYTES)
        return tuple(self.put_segment(ref, body) for ref, body in packed)

    def put_segment(self, ref: SegmentRef, body: bytes) -> SegmentRef:
        """Upload one segment under its key.

        Raises:
            Conflict: Another object has the key.
        """
        key = self.layout.segment_key(ref.id)
        try:
            self.store.put(key, body, Create())
        except ObjectExists:
            # A repeated request finds what the first one wrote.
            if self.store.get(key).body != body:
                raise
        return ref

    def list_objects(self, directory: str) -> Iterator[ObjectInfo]:
        """List the objects below a directory of the namespace (`data`)."""
        return self.store.list(self.layout.prefix_of(directory))

    def side_by_side(self, read: Callable[[_A], _T], arguments: Iterable[_A]) -> Iterator[_T]:
        """Call `read` for each argument, some ahead of the consumer; yield the results in order."""
        if self.executor is None:
            yield from map(read, arguments)
            return
        pending: list[Any] = []
        iterator = iter(arguments)
        try:
            pending.extend(self.executor.submit(read, argument) for argument in islice(iterator, READ_AHEAD))
            while pending:
                result: _T = pending.pop(0).result()
                pending.extend(self.executor.submit(read, argument) for argument in islice(iterator, 1))
                yield result
        finally:
            for future in pending:
                future.cancel()


def missing_commit(layout: Layout, seq: int) -> DataError:
    """Make the error for a gap in the log."""
    key = layout.log_key(seq).text
    return DataError(f"commit `{key}` is missing from the log", hint="swamp datastore verify --repair", key=key)
