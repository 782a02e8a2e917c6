"""Hydration: content comes into the local copy when it is asked for, and only with the digest that the log names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from swampsync.artifacts.tree import no_check
from swampsync.backends.base import ObjectNotFound
from swampsync.backends.transfer import Done, Failed, run_many
from swampsync.catalog.files import FileRecord, FileState
from swampsync.disk import DiskStat
from swampsync.errors import SwampsyncError
from swampsync.log.paths import METADATA_FILE, RAW_FILE, parse_version_path
from swampsync.sync.cataloguing import metadata_text_of
from swampsync.sync.clone import Clone, artifact_key_of
from swampsync.sync.local_copy import LocalCopy, WrongContent
from swampsync.sync.pull import pull

STREAM_BYTES: Final = 4 * 1024 * 1024
_BATCH: Final = 500


@dataclass(slots=True)
class Hydrated:
    """What came.

    Attributes:
        files: How many files.
        size: Their bytes.
        failures: Path and reason of what did not.
    """

    files: int = 0
    size: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)


Progress = Callable[[int, int | None], None]
_Outcomes = Generator[Done[FileRecord, DiskStat] | Failed[FileRecord], None, None]


def _ignore(_done: int, _total: int | None) -> None:
    pass


class Hydrator:
    """Fetches content of one clone; the caller holds the clone's lock."""

    def __init__(self, clone: Clone, copy: LocalCopy, *, check: Callable[[], None] = no_check) -> None:
        self._clone = clone
        self._copy = copy
        self._check = check

    def hydrate_all(self, *, progress: Progress = _ignore) -> Hydrated:
        """Fetch everything of the namespace that is not here."""
        return self.hydrate(self._remote_records(), progress=progress)

    def hydrate(self, records: Iterable[FileRecord], *, progress: Progress = _ignore) -> Hydrated:
        """Fetch files; what is missing or wrong is asked of the log once more, and then tried again.

        Raises:
            Unavailable: The store cannot be reached; what came stays.
        """
        result = Hydrated()
        failed = self._fetch(records, result, progress)
        if failed:
            pull(self._clone, self._copy, check=self._check)
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
        return record if stat is not None and stat.signature == record.signature else None

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
        failed = self._fetch([record], Hydrated(), _ignore)
        if failed:
            pull(clone, self._copy, check=self._check)
            record = clone.state.files.find(clone.namespace, path)
            if record is None:
                return None
            for _, error in self._fetch([record], Hydrated(), _ignore):
                raise error
        return clone.state.files.find(clone.namespace, path)

    def _is_here(self, record: FileRecord) -> bool:
        if record.state is not FileState.SYNCED:
            return False
        stat = self._copy.stat(record.path)
        if stat is None or stat.size != record.size:
            return False
        if stat.signature == record.signature:
            return True
        digest = hashlib.sha256()
        with self._copy.open(record.path) as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
        if digest.hexdigest() != record.sha256:
            return False
        self._note([(record, stat)])
        return True

    # --- fetching ----------------------------------------------------------------------------------

    def _fetch(
        self, records: Iterable[FileRecord], result: Hydrated, progress: Progress
    ) -> list[tuple[FileRecord, SwampsyncError]]:
        failed: list[tuple[FileRecord, SwampsyncError]] = []
        fetched: list[tuple[FileRecord, DiskStat]] = []
        outcomes = self._side_by_side(records)
        try:
            for outcome in outcomes:
                self._check()
                if isinstance(outcome, Done):
                    fetched.append((outcome.item, outcome.result))
                    result.files += 1
                    result.size += outcome.item.size
                    progress(result.files, None)
                elif isinstance(outcome.error, ObjectNotFound | WrongContent):
                    failed.append((outcome.item, outcome.error))
                else:
                    raise outcome.error
                if len(fetched) >= _BATCH:
                    self._note(fetched)
                    fetched = []
        finally:
            outcomes.close()
            self._note(fetched)
        return failed

    def _side_by_side(
        self, records: Iterable[FileRecord]
    ) -> Generator[Done[FileRecord, DiskStat] | Failed[FileRecord], None, None]:
        clone = self._clone
        if clone.pool is not None:
            yield from run_many(records, self._fetch_one, pool=clone.pool, concurrency=clone.concurrency)
            return
        for record in records:
            try:
                yield Done(record, self._fetch_one(record))
            except (ObjectNotFound, WrongContent) as error:
                yield Failed(record, error)

    def _fetch_one(self, record: FileRecord) -> DiskStat:
        store = self._clone.log.store
        key = self._clone.layout.key(record.key or record.path)
        if record.size <= STREAM_BYTES:
            body = store.get(key).body
            return self._copy.write(record.path, (body,), size=record.size, sha256=record.sha256)
        with store.open(key) as (_, chunks):
            return self._copy.write(record.path, chunks, size=record.size, sha256=record.sha256)

    def _note(self, fetched: list[tuple[FileRecord, DiskStat]]) -> None:
        """Write beside what came what belongs to it, then note that it is here."""
        state = self._clone.state
        artifacts: set[str] = set()
        for record, _ in fetched:
            version = parse_version_path(record.path)
            if version is None or version.file != RAW_FILE:
                continue
            row = state.metadata.find(artifact_key_of(record.namespace, version.artifact), version.number)
            if row is not None:
                self._copy.write_bytes(f"{version.directory}/{METADATA_FILE}", metadata_text_of(row))
                artifacts.add(version.artifact)
        for artifact in artifacts:
            self._copy.settle_latest(artifact)
        state.files.put(
            record._replace(state=FileState.SYNCED, mtime_ns=stat.mtime_ns, ctime_ns=stat.ctime_ns, inode=stat.inode)
            for record, stat in fetched
        )
        state.dead_letters.remove(self._clone.namespace, [record.path for record, _ in fetched])

    def _fail(self, record: FileRecord, error: SwampsyncError, result: Hydrated) -> None:
        result.failures.append((record.path, str(error)))
        self._clone.state.dead_letters.record(record.namespace, record.path, error=str(error))

    def _remote_records(self) -> Iterator[FileRecord]:
        """Go through what is not here by path, some at a time: what came meanwhile is not seen again."""
        namespace = self._clone.namespace
        for record in self._clone.state.files.all(namespace):
            if record.state is FileState.REMOTE:
                yield record
