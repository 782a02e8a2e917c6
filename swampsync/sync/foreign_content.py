"""Content of another namespace: read from the cache, or fetched into it; the local copy holds what is pending.

The state of a file stays `remote`: whether the cache has it is seen when it is read.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Final

from swampsync.artifacts.tree import no_check
from swampsync.backends.base import ObjectNotFound
from swampsync.backends.transfer import Done, Failed, run_many
from swampsync.catalog.files import FileRecord, FileState
from swampsync.catalog.metadata_rows import MetadataRow
from swampsync.errors import AccessDenied, Refused, SwampsyncError
from swampsync.log.paths import RAW_FILE, parse_version_path
from swampsync.sync.clone import artifact_key_of
from swampsync.sync.digest_cache import DigestCache
from swampsync.sync.hydrate import STREAM_BYTES, Hydrated, Hydrator
from swampsync.sync.kept_aside import KeptAside
from swampsync.sync.local_copy import WrongContent
from swampsync.sync.progress import Progress, silent
from swampsync.sync.syncer import Syncer

# Content that is read although it cannot be kept is held in memory up to this.
_MEMORY_BYTES: Final = 64 * 1024 * 1024


class ForeignContent:
    """Reads content of one namespace that is not the repo's own.

    Args:
        syncer: Of the namespace.
        cache: Of the user, shared by all repos.
    """

    def __init__(self, syncer: Syncer, cache: DigestCache) -> None:
        self._syncer = syncer
        self._clone = syncer.clone
        self._cache = cache

    def find(self, path: str) -> FileRecord | None:
        """Return what the log says of a file."""
        return self._clone.state.files.find(self._clone.namespace, path)

    def path_of(self, path: str) -> str | None:
        """Return where a file's content is or would be kept; `None` if the local copy has it."""
        record = self.find(path)
        if record is None or record.state is not FileState.REMOTE:
            return None
        return self._cache.path_of(record.sha256)

    def open_here(self, path: str) -> BinaryIO | None:
        """Open what is pending, in an old copy, or in the cache; makes no request."""
        record = Hydrator(self._clone, self._syncer.copy).find_here(path) or self.find(path)
        if record is None:
            return None
        if record.state is FileState.PENDING or (
            record.state is FileState.SYNCED and Hydrator(self._clone, self._syncer.copy).find_here(path) is not None
        ):
            return self._syncer.copy.open(path)
        try:
            return self._cache.find(record.sha256, size=record.size)
        except OSError:  # a cache that cannot be read is as good as an empty one
            return None

    def open(self, path: str) -> BinaryIO | None:
        """Open a file's content, fetched first if it is not here; `None` if the log knows no such file.

        What is missing or wrong is asked of the log once more, and then tried again.

        Raises:
            SwampsyncError: It could not be fetched.
        """
        here = self.open_here(path)
        record = self.find(path)
        if here is not None or record is None:
            return here
        try:
            return self._fetch(record)
        except (ObjectNotFound, WrongContent):
            self._syncer.pull()
        record = self.find(path)
        return None if record is None else self.open_here(path) or self._fetch(record)

    def fetch(
        self, records: Sequence[FileRecord], *, progress: Progress = silent, check: Callable[[], None] = no_check
    ) -> Hydrated:
        """Fetch files that the cache lacks, side by side.

        Raises:
            Refused: They are more than the cache may hold.
            Unavailable: The store cannot be reached; what came stays.
        """
        missing = self.find_missing(records)
        result = Hydrated()
        for outcome in self._side_by_side(missing):
            check()
            if isinstance(outcome, Done):
                result.files += 1
                result.size += outcome.item.size
                progress(result.files, len(missing), result.size)
            elif isinstance(outcome.error, ObjectNotFound | WrongContent):
                result.failures.append((outcome.item.path, str(outcome.error)))
            else:
                raise outcome.error
        return result

    def find_missing(self, records: Sequence[FileRecord]) -> list[FileRecord]:
        """Find the files that the cache lacks.

        Raises:
            Refused: They are more than the cache may hold.
        """
        missing = [r for r in records if r.state is FileState.REMOTE and not self._cache.has(r.sha256, size=r.size)]
        size = sum(record.size for record in missing)
        if size > self._cache.limit:
            raise Refused(
                f"{size:,} bytes of other namespaces' content do not fit into the cache of {self._cache.limit:,} bytes",
                hint="fetch less, or enlarge it: swamp config set datastore.cacheLimit 10GiB",
            )
        return missing

    def _side_by_side(self, records: Sequence[FileRecord]) -> Iterator[Done[FileRecord, None] | Failed[FileRecord]]:
        def keep(record: FileRecord) -> None:
            self._fetch(record).close()

        clone = self._clone
        if clone.pool is not None and records:
            yield from run_many(records, keep, pool=clone.pool, concurrency=clone.concurrency)
            return
        for record in records:
            try:
                keep(record)
            except SwampsyncError as error:
                yield Failed(record, error)
            else:
                yield Done(record, None)

    def _fetch(self, record: FileRecord) -> BinaryIO:
        store, key = self._clone.log.store, self._clone.layout.key(record.key or record.path)
        if record.size <= STREAM_BYTES:
            return self._keep(record, (store.get(key).body,))
        with store.open(key) as (_, chunks):
            return self._keep(record, chunks)

    def _keep(self, record: FileRecord, chunks: Sequence[bytes] | Iterator[bytes]) -> BinaryIO:
        body = chunks if record.size > _MEMORY_BYTES else (b"".join(chunks),)
        try:
            return self._cache.put(record.sha256, body, size=record.size)
        except OSError as error:
            if isinstance(body, tuple):  # it is here: that it cannot be kept is no reason not to show it
                return _verified(body[0], record)
            path = self._cache.path_of(record.sha256)
            raise AccessDenied(
                f"content of {record.size:,} bytes cannot be kept at `{path}`: {error}",
                hint="make room or another place: export SWAMP_HOME=DIRECTORY",
                key=record.path,
            ) from error

    # --- what older versions kept in the local copy ------------------------------------------------

    def clear_copy(self) -> int:
        """Move content that is published from the local copy into the cache; return how many files.

        The state is changed last: a process that dies before leaves a record of a file that is gone, which is then
        looked for in the cache.
        """
        if not self._published():
            return 0
        copy, moved = self._syncer.copy, []
        kept = KeptAside(self._clone.disk, self._clone.layout, copy)
        with self._syncer.locked():
            for record, directory in self._published():
                if copy.stat(record.path) is not None:
                    try:
                        self._move(record)
                    except OSError:  # what cannot be kept elsewhere stays where it is
                        continue
                    kept.keep_version(record, self._said_of(record))
                    copy.remove_version(directory)
                moved.append(record._replace(state=FileState.REMOTE, mtime_ns=0, ctime_ns=0, inode=0))
            self._clone.state.files.put(moved)
        return len(moved)

    def _said_of(self, record: FileRecord) -> MetadataRow | None:
        version = parse_version_path(record.path)
        assert version is not None
        return self._clone.state.metadata.find(artifact_key_of(record.namespace, version.artifact), version.number)

    def _published(self) -> list[tuple[FileRecord, str]]:
        """List content of versions that the copy holds and the log has; definitions are looked up where they lie."""
        found = []
        for record in self._clone.state.files.of_state(self._clone.namespace, FileState.SYNCED):
            version = parse_version_path(record.path)
            if version is not None and version.file == RAW_FILE:
                found.append((record, version.directory))
        return found

    def _move(self, record: FileRecord) -> None:
        """Keep a file of the copy, unless it is not what the log names: then it is fetched when it is read."""
        with contextlib.suppress(WrongContent), self._syncer.copy.open(record.path) as stream:
            self._cache.put(record.sha256, iter(lambda: stream.read(1 << 20), b""), size=record.size).close()


def _verified(body: bytes, record: FileRecord) -> BinaryIO:
    import hashlib  # noqa: PLC0415 - for what cannot be kept

    if len(body) != record.size or hashlib.sha256(body).hexdigest() != record.sha256:
        raise WrongContent(f"the object of `{record.path}` does not hold the content that the log names")
    return io.BytesIO(body)
