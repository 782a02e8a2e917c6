"""Hydration: content comes into the local copy when it is asked for, and only with the digest that the log names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from swampsync.artifacts.tree import no_check
from swampsync.backends.base import ObjectNotFound
from swampsync.backends.transfer import Done, Failed, run_many
from swampsync.catalog.files import FileRecord, FileState
from swampsync.catalog.metadata_rows import MetadataRow
from swampsync.catalog.rows import ArtifactKey
from swampsync.disk import DiskStat
from swampsync.errors import DataError, SwampsyncError
from swampsync.log.paths import RAW_FILE, parse_version_path
from swampsync.sync.cataloguing import metadata_text_of
from swampsync.sync.clone import Clone, artifact_key_of
from swampsync.sync.fetched_files import FetchedFiles, Written
from swampsync.sync.kept_aside import KeptAside
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.progress import Progress, silent
from swampsync.sync.pull import pull, tell_nobody

if TYPE_CHECKING:
    from swampsync.sync.applying import Applied

STREAM_BYTES: Final = 4 * 1024 * 1024
_BATCH: Final = 500


@dataclass(slots=True)
class Hydrated:
    """What came.

    Attributes:
        files: How many files.
        size: Their bytes.
        failures: Path and reason of what did not.
        kept_aside: What lay in the way and nobody knows: its path, and where it is now.
    """

    files: int = 0
    size: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    kept_aside: list[tuple[str, str]] = field(default_factory=list)


class _Wanted(NamedTuple):
    """A file that is to be fetched, and the metadata that belongs beside it."""

    record: FileRecord
    metadata: MetadataRow | None


_Outcomes = Generator[Done[_Wanted, Written] | Failed[_Wanted], None, None]


class Hydrator:
    """Fetches content of one clone; the caller holds the clone's lock.

    Args:
        clone: Which.
        copy: Its local copy.
        check: Called between files; raises to stop there.
        on_applied: Told what a look at the log applied, should one be needed.

    Attributes:
        kept: What lay in the way and was kept aside.
    """

    def __init__(
        self,
        clone: Clone,
        copy: LocalCopy,
        *,
        check: Callable[[], None] = no_check,
        on_applied: Callable[[Applied], None] = tell_nobody,
    ) -> None:
        self._clone = clone
        self._copy = copy
        self._check = check
        self._on_applied = on_applied
        self._total: int | None = None
        self.kept = KeptAside(clone.disk, clone.layout, copy)

    def hydrate_all(self, *, progress: Progress = silent) -> Hydrated:
        """Fetch everything of the namespace that is not here."""
        files, namespace = self._clone.state.files, self._clone.namespace
        total, _ = files.count(namespace).get(FileState.REMOTE, (0, 0))
        return self.hydrate(files.all(namespace, state=FileState.REMOTE), total=total, progress=progress)

    def hydrate(
        self, records: Iterable[FileRecord], *, total: int | None = None, progress: Progress = silent
    ) -> Hydrated:
        """Fetch files; what is missing or wrong is asked of the log once more, and then tried again.

        Args:
            records: Of the files.
            total: How many they are, if that is known.
            progress: Told how many came.

        Raises:
            Unavailable: The store cannot be reached; what came stays.
        """
        result = Hydrated(kept_aside=self.kept.moved)
        self._total = total
        failed = self._fetch(records, result, progress)
        if failed:
            pull(self._clone, self._copy, check=self._check, on_applied=self._on_applied)
            again: list[FileRecord] = []
            for record, reason in failed:
                now = self._clone.state.files.find(record.namespace, record.path)
                if now is None or now.state is not FileState.REMOTE:
                    continue  # removed meanwhile
                if (now.sha256, now.key) == (record.sha256, record.key):
                    self._fail(now, reason, result)
                else:
                    again.append(now)
            for record, reason in self._fetch(again, result, progress):
                self._fail(record, reason, result)
        return result

    def find_here(self, path: str) -> FileRecord | None:
        """Return the record of a file whose content is here as it was recorded, without reading it; else `None`."""
        record = self._clone.state.files.find(self._clone.namespace, path)
        if record is None or record.state is FileState.REMOTE:
            return None
        stat = self._copy.stat(path)
        return record if stat is not None and _is_as_noted(stat, record) else None

    def require(self, path: str) -> FileRecord | None:
        """Make sure that a file is here with the content that the log names; `None` if the log knows no such file.

        A file whose signature is not the one that was recorded is read and compared.

        Raises:
            SwampsyncError: It could not be fetched.
        """
        clone = self._clone
        record = clone.state.files.find(clone.namespace, path)
        if record is None or record.state is FileState.PENDING or self._is_here(record):
            return record
        failed = self._fetch([record], Hydrated(), silent)
        if failed:
            pull(clone, self._copy, check=self._check, on_applied=self._on_applied)
            record = clone.state.files.find(clone.namespace, path)
            if record is None:
                return None
            for _, error in self._fetch([record], Hydrated(), silent):
                raise error
        return clone.state.files.find(clone.namespace, path)

    def _is_here(self, record: FileRecord) -> bool:
        if record.state is not FileState.SYNCED:
            return False
        stat = self._copy.stat(record.path)
        if stat is None or stat.size != record.size:
            return False
        if _is_as_noted(stat, record):
            return True
        digest = hashlib.sha256()
        with self._copy.open(record.path) as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
        if digest.hexdigest() != record.sha256:
            return False
        self._note_here([(record, stat)])
        return True

    # --- fetching ----------------------------------------------------------------------------------

    def _fetch(
        self, records: Iterable[FileRecord], result: Hydrated, progress: Progress
    ) -> list[tuple[FileRecord, SwampsyncError]]:
        failed: list[tuple[FileRecord, SwampsyncError]] = []
        fetched: list[tuple[FileRecord, Written]] = []
        outcomes = self._side_by_side(self._with_metadata(records))
        try:
            for outcome in outcomes:
                self._check()
                record = outcome.item.record
                if isinstance(outcome, Done):
                    fetched.append((record, outcome.result))
                    result.files += 1
                    result.size += record.size
                    progress(result.files, self._total, result.size)
                elif isinstance(outcome.error, ObjectNotFound | DataError):
                    failed.append((record, outcome.error))
                else:
                    raise outcome.error
                if len(fetched) >= _BATCH:
                    self._note(fetched)
                    fetched = []
        finally:
            outcomes.close()
            self._note(fetched)
        return failed

    def _with_metadata(self, records: Iterable[FileRecord]) -> Iterator[_Wanted]:
        """Put to each `raw` the metadata that belongs beside it, looked up some at a time."""
        remaining = iter(records)
        while batch := list(islice(remaining, _BATCH)):
            versions: dict[str, tuple[ArtifactKey, int]] = {}
            for record in batch:
                version = parse_version_path(record.path)
                if version is not None and version.file == RAW_FILE:
                    key = artifact_key_of(record.namespace, version.artifact)
                    versions[record.path] = (key, version.number)
            rows = self._clone.state.metadata.find_many(versions.values())
            for record in batch:
                found = versions.get(record.path)
                yield _Wanted(record, None if found is None else rows.get(found))

    def _side_by_side(self, wanted: Iterable[_Wanted]) -> _Outcomes:
        clone = self._clone
        files = FetchedFiles(clone.disk, self._copy, self.kept)
        if clone.pool is not None:
            act = partial(self._fetch_one, files)
            yield from run_many(wanted, act, pool=clone.pool, concurrency=clone.concurrency)
            return
        for item in wanted:
            try:
                yield Done(item, self._fetch_one(files, item))
            except (ObjectNotFound, DataError) as error:  # also metadata that cannot be used
                yield Failed(item, error)

    def _fetch_one(self, files: FetchedFiles, wanted: _Wanted) -> Written:
        record = wanted.record
        store = self._clone.log.store
        key = self._clone.layout.key(record.key or record.path)
        metadata = None if wanted.metadata is None else metadata_text_of(wanted.metadata)
        if record.size <= STREAM_BYTES:
            return files.write_body(record, store.get(key).body, metadata)
        return files.write_download(record, partial(store.download, key), metadata)

    def _note(self, fetched: list[tuple[FileRecord, Written]]) -> None:
        """Note that files are here, once every `latest` is as it should be."""
        if not fetched:
            return
        for artifact in sorted({written.unsettled for _, written in fetched if written.unsettled is not None}):
            self._copy.settle_latest(artifact)
        self._note_here((record, written.stat) for record, written in fetched)
        self._clone.state.dead_letters.remove(self._clone.namespace, [record.path for record, _ in fetched])

    def _note_here(self, found: Iterable[tuple[FileRecord, DiskStat]]) -> None:
        self._clone.state.files.put(
            record._replace(state=FileState.SYNCED, mtime_ns=stat.mtime_ns, ctime_ns=stat.ctime_ns, inode=stat.inode)
            for record, stat in found
        )

    def _fail(self, record: FileRecord, error: SwampsyncError, result: Hydrated) -> None:
        result.failures.append((record.path, str(error)))
        self._clone.state.dead_letters.record(record.namespace, record.path, error=str(error))


def _is_as_noted(stat: DiskStat, record: FileRecord) -> bool:
    # The size too: after a crash of the machine a file may be there with its times and without its content.
    return stat.signature == record.signature and stat.size == record.size
