"""`sync --scan`: finding what changed in the local copy although no command of ours recorded it.

Content decides: everything is hashed, except what was hashed by the last scan and has not changed since, which a stat
signature with the time of change tells where that time is older than that scan by more than a tick of the file
system's clock. A file that is missing is content that was not fetched, unless the caller asks for removals.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.scan import LATEST_NAME, METADATA_NAME, RAW_NAME, Problem, parse_version, walk_models
from swampsync.artifacts.scan import read_version as read_from_disk
from swampsync.catalog.files import FileRecord, FileState
from swampsync.catalog.metadata_rows import MetadataRow
from swampsync.catalog.rows import ArtifactKey
from swampsync.disk import DiskEntry, Kind, WriteMode
from swampsync.layout import Layout
from swampsync.log.paths import SHARED_SUBDIRS, find_path_problem, parse_version_path
from swampsync.sync.cataloguing import make_metadata_row, metadata_of
from swampsync.sync.clone import Clone, artifact_key_of
from swampsync.sync.copied_content import Content, hash_file, here
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.not_data import is_data
from swampsync.sync.scan_plan import Change, Finding, ScanPlan

# Coarser than any file system's times of change.
_TICK_NS: Final = 2_000_000_000
_SETTING: Final = "scanned:"
_LINK: Final = "is a symbolic link, which is not followed"

Progress = Callable[[int, int | None], None]


def _ignore(_done: int, _total: int | None) -> None:
    pass


class Scanner:
    """Looks at the local copy of one clone, and changes nothing but a mark of when it did.

    Args:
        clone: Which.
        copy: Its local copy.
    """

    def __init__(self, clone: Clone, copy: LocalCopy) -> None:
        self._clone = clone
        self._copy = copy
        self._setting = f"{_SETTING}{clone.namespace}"
        self._since = int(clone.state.settings.find(self._setting) or 0)
        self._plan = ScanPlan()
        self._seen: set[str] = set()

    # --- what was hashed before ----------------------------------------------------------------------

    def read_clock(self) -> int:
        """Read the clock of the file system that the copy lies on, in nanoseconds."""
        root = self._clone.layout.root
        self._clone.disk.makedirs(root)
        path = f"{root}/.scan.{self._clone.new_id()}.tmp"
        try:
            with self._clone.disk.open_write(path, WriteMode.CREATE) as file:
                return file.stat().ctime_ns
        finally:
            with contextlib.suppress(OSError):
                self._clone.disk.unlink(path)

    def remember(self, began_at: int) -> None:
        """Note that everything was hashed whose time of change is older than a scan's beginning."""
        self._clone.state.settings.put(self._setting, str(began_at - _TICK_NS))

    def scan(self, *, progress: Progress = _ignore) -> ScanPlan:
        """Look at every version and file of the copy.

        Args:
            progress: Told how many were looked at.
        """
        self._plan, self._seen = ScanPlan(), set()
        plan = self._plan
        layout = self._clone.layout
        if not layout.is_local("data"):
            for directory in self._version_directories():
                plan.seen += 1
                progress(plan.seen, None)
                self._add(self.examine_version(directory))
        for subdir in SHARED_SUBDIRS:
            if subdir != "data" and not layout.is_local(subdir):
                for path in self._walk(layout.datastore_path(subdir), subdir):
                    plan.seen += 1
                    progress(plan.seen, None)
                    self._add(self.examine_file(path))
        for record in self._clone.state.files.all(self._clone.namespace):
            if record.state is FileState.SYNCED and record.path not in self._seen and self._is_gone(record.path):
                plan.missing.append(record.path)
        plan.findings.sort(key=lambda finding: finding.path)
        self._plan = ScanPlan()  # what is looked at again does not count
        return plan

    def _is_gone(self, path: str) -> bool:
        try:
            return self._copy.stat(path) is None
        except OSError:
            return False  # it cannot be told, and is no removal then

    def _add(self, finding: Finding | None) -> None:
        if finding is not None:
            self._plan.findings.append(finding)

    def _version_directories(self) -> Iterator[str]:
        layout, disk = self._clone.layout, self._clone.disk
        root = layout.datastore_path("data")
        for model_type, model_id, path in walk_models(disk, root, on_problem=self._note):
            for entry in self._list(path):
                if entry.kind is Kind.FILE and is_data(entry.name):
                    self._plan.notes.append((f"{path}/{entry.name}", "lies among versions, and is none"))
                if entry.kind is not Kind.DIRECTORY or entry.name.startswith("."):
                    continue
                artifact = Layout.artifact_path(model_type, model_id, entry.name)
                if not layout.is_local(artifact):
                    yield from self._numbers(f"{path}/{entry.name}", artifact)

    def _numbers(self, path: str, artifact: str) -> Iterator[str]:
        for entry in self._list(path):
            number = parse_version(entry.name)
            if number is not None and entry.kind is Kind.DIRECTORY:
                yield f"{artifact}/{number}"
            elif entry.kind is not Kind.LINK and entry.name != LATEST_NAME and is_data(entry.name):
                self._plan.notes.append((f"{artifact}/{entry.name}", "lies among versions, and is none"))

    def _walk(self, directory: str, relative: str) -> Iterator[str]:
        layout = self._clone.layout
        for entry in self._list(directory):
            path = f"{relative}/{entry.name}"
            if entry.kind is Kind.DIRECTORY:
                # Directories that begin with a dot hold locks of whoever creates definitions, and the like.
                if not entry.name.startswith(".") and not layout.is_local(path):
                    yield from self._walk(f"{directory}/{entry.name}", path)
            elif not is_data(entry.name) or layout.is_local(path):
                continue
            elif entry.kind is Kind.FILE:
                yield path
            elif entry.kind is Kind.OTHER:
                self._plan.notes.append((path, "is neither a file nor a directory"))

    def _list(self, path: str) -> list[DiskEntry]:
        try:
            entries = sorted(self._clone.disk.scandir(path), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self._plan.failures.append((self._relative(path), error.strerror or str(error)))
            return []
        for entry in entries:
            if entry.kind is Kind.LINK and entry.name != LATEST_NAME:
                self._plan.notes.append((self._relative(f"{path}/{entry.name}"), _LINK))
        return entries

    def _relative(self, path: str) -> str:
        return path.removeprefix(f"{self._clone.layout.root}/")

    def _note(self, problem: Problem) -> None:
        self._plan.notes.append((self._relative(problem.path), problem.reason))

    # --- versions ------------------------------------------------------------------------------------

    def examine_version(self, directory: str) -> Finding | None:
        """Compare one version's directory with what is known of it; what cannot be compared goes into the plan."""
        clone, raw = self._clone, f"{directory}/{RAW_NAME}"
        self._seen.add(raw)
        problem = find_path_problem(raw)
        if problem is not None:
            self._plan.notes.append((directory, problem))
            return None
        record = clone.state.files.find(clone.namespace, raw)
        try:
            if record is not None and self._is_unchanged(record, f"{directory}/{METADATA_NAME}"):
                return None
            return self._compare_version(directory, record)
        except FileNotFoundError:
            if record is not None:
                self._seen.discard(raw)
            return None
        except OSError as error:
            self._plan.failures.append((raw, error.strerror or str(error)))
            return None

    def _compare_version(self, directory: str, record: FileRecord | None) -> Finding | None:
        metadata, known = self.read_version(directory)
        if isinstance(metadata, Problem):
            self._note(metadata)
            return None
        if metadata is None:
            self._seen.discard(f"{directory}/{RAW_NAME}")
            return None  # a number that somebody is writing to, or died over
        content = self.read_content(f"{directory}/{RAW_NAME}", head=record.size if record is not None else 0)
        if record is None or known is None:
            return self._judge_unknown(directory, metadata, content)
        version = parse_version_path(f"{directory}/{RAW_NAME}")
        assert version is not None
        key = artifact_key_of(self._clone.namespace, version.artifact)
        if content.sha256 == record.sha256 and make_metadata_row(key, metadata).json == known.json:
            return self._judge_same(directory, record, content)
        if metadata.streaming and metadata.checksum == record.sha256 == content.head_sha256:
            return None  # what an append that was killed has left behind the content
        if metadata_of(known).id != metadata.id:
            return self._judge_unknown(directory, metadata, content)
        return Finding(Change.EDITED_VERSION, directory, content.size)

    def _judge_unknown(self, directory: str, metadata: Metadata, content: Content) -> Finding:
        version = parse_version_path(f"{directory}/{RAW_NAME}")
        assert version is not None
        key = artifact_key_of(self._clone.namespace, version.artifact)
        change = Change.NEW_VERSION if self.find_id(key, metadata) is None else Change.COPY
        return Finding(change, directory, content.size)

    def _judge_same(self, directory: str, record: FileRecord, content: Content) -> Finding | None:
        if record.state is FileState.REMOTE:
            return Finding(Change.FOUND, directory, content.size)
        if record.signature != content.stat.signature:
            self._plan.touched.append(here(record, content.stat))
        return None

    def find_id(self, key: ArtifactKey, metadata: Metadata) -> MetadataRow | None:
        """Find a version of the artifact with the same id: a copy that was left behind when ours got another number."""
        for row in self._clone.state.metadata.of_artifact(key):
            if metadata.id in row.json and row.version != metadata.version and metadata_of(row).id == metadata.id:
                return row
        return None

    def read_version(self, directory: str) -> tuple[Metadata | Problem | None, MetadataRow | None]:
        """Read what a version's directory says, and find what is known of it.

        Where the directory says nothing but its content was here, what is known stands for it. Where it was not, a scan
        that was killed has left content behind.
        """
        artifact, _, number = directory.rpartition("/")
        key = artifact_key_of(self._clone.namespace, artifact)
        known = self._clone.state.metadata.find(key, int(number))
        path = self._copy.path(artifact)
        found = read_from_disk(self._clone.disk, path, key.data_name, int(number))
        is_damaged = isinstance(found, Problem) and found.path.endswith(f"/{METADATA_NAME}")
        record = self._clone.state.files.find(self._clone.namespace, f"{directory}/{RAW_NAME}")
        was_here = record is not None and record.state is not FileState.REMOTE
        if known is not None and was_here and not is_damaged and not isinstance(found, Metadata):
            # The content is missing, or shorter than its metadata says: it is compared with what is known.
            found = self._as_known(path, int(number), metadata_of(known))
        return found, known

    def _as_known(self, path: str, number: int, metadata: Metadata) -> Metadata | None:
        try:
            kind = self._clone.disk.stat(f"{path}/{number}/{RAW_NAME}").kind
        except FileNotFoundError:
            return None
        return metadata if kind is Kind.FILE else None

    # --- other files ---------------------------------------------------------------------------------

    def examine_file(self, path: str) -> Finding | None:
        """Compare one other file with what is known of it; see `examine_version`."""
        clone = self._clone
        self._seen.add(path)
        problem = find_path_problem(path)
        if problem is not None:
            self._plan.notes.append((path, problem))
            return None
        record = clone.state.files.find(clone.namespace, path)
        try:
            if record is not None and self._is_unchanged(record):
                return None
            content = self.read_content(path)
        except FileNotFoundError:
            self._seen.discard(path)
            return None
        except OSError as error:
            self._plan.failures.append((path, error.strerror or str(error)))
            return None
        if record is None:
            return Finding(Change.NEW_FILE, path, content.size)
        if content.sha256 == record.sha256:
            return self._judge_same(path, record, content)
        return Finding(Change.EDITED_FILE, path, content.size)

    def _is_unchanged(self, record: FileRecord, beside: str | None = None) -> bool:
        """Say whether a file was hashed before and not changed since, and what lies beside it neither."""
        if not self._since or record.state is FileState.REMOTE:
            return False
        stat = self._copy.stat(record.path)
        if stat is None or stat.signature != record.signature or stat.ctime_ns >= self._since:
            return False
        other = self._copy.stat(beside) if beside is not None else stat
        return other is not None and other.ctime_ns < self._since

    def read_content(self, path: str, *, head: int = 0) -> Content:
        """Hash a file of the copy; see `hash_file`."""
        self._plan.hashed += 1
        return hash_file(self._copy, path, head=head)
