"""What becomes of pending entries when commits come first: the verdicts of the log, carried out in this clone.

Nothing is dropped: an entry is published already, or gets another number or path, or gives way to a change that
somebody else made of what it would have removed. Copies in the local copy are made before the databases change, and
what they replace is removed after, so that a process that dies in between leaves too much and never too little.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from swampsync.artifacts.metadata_yaml import format_metadata, parse_metadata
from swampsync.catalog.files import FileRecord, FileState
from swampsync.catalog.rows import ArtifactKey
from swampsync.disk import DiskStat
from swampsync.errors import DataError
from swampsync.log.conflict_copies import ancestors
from swampsync.log.conflicts import Decision, NewerChanges, Verdict, check_plan
from swampsync.log.paths import METADATA_FILE, RAW_FILE, parse_version_path
from swampsync.log.rows import FilePut, Row
from swampsync.sync.cataloguing import make_metadata_row, metadata_of
from swampsync.sync.clone import Clone, artifact_key_of
from swampsync.sync.drafting import StateOfClone, make_draft, unit_path
from swampsync.sync.leftovers import Leftover, note_leftovers
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.pending import Op, PendingEntry, PendingWork


@dataclass(slots=True)
class Resolved:
    """What was decided, for the report, and what is left to do once the databases are written.

    Attributes:
        published: Entries that the log turned out to hold.
        renumbered: Versions that got another number: the old directory and the new one.
        kept_beside: Files that lie beside somebody else's content now: the old path and the new one.
        given_way: Removals that were dropped because somebody changed what they would have removed.
        merged: Files of JSON lines that hold somebody else's lines and ours now.
        touched: Artifacts whose rows changed.
        leftovers: Versions' directories and files of the copy that are to be removed.
        kept_aside: What somebody changed in the copy and a sync would have replaced: its path, and where it is now.
    """

    published: list[str] = field(default_factory=list)
    renumbered: list[tuple[str, str]] = field(default_factory=list)
    kept_beside: list[tuple[str, str]] = field(default_factory=list)
    given_way: list[str] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    touched: set[ArtifactKey] = field(default_factory=set)
    leftovers: list[Leftover] = field(default_factory=list)
    kept_aside: list[tuple[str, str]] = field(default_factory=list)


class Resolver:
    """Resolves the pending entries of a clone against commits, inside the caller's transaction."""

    def __init__(self, clone: Clone, copy: LocalCopy, work: PendingWork) -> None:
        self._clone = clone
        self._copy = copy
        self._work = work
        self.resolved = Resolved()

    def resolve(self, rows: Sequence[Row], *, is_ours: bool = False, taken: Collection[str] = ()) -> None:
        """Decide on the entries that rows of the log touch; their numbers must be known to the state already.

        Args:
            rows: Of one commit, or of a whole state.
            is_ours: Whether the commit is one that this clone sent.
            taken: Directories of versions that were once used although no row says so.
        """
        touched = _Touched(rows, taken)
        entries = [entry for entry in self._work.entries() if touched.concern(entry)]
        if not entries:
            return
        newer = NewerChanges()
        newer.add(rows)
        for directory in taken:
            newer.version_ids.setdefault(directory, set())
        if is_ours:
            entries = [self._follow_ours(entry, newer) for entry in entries]
        decided: list[PendingEntry] = []
        for entry in entries:
            if entry.op is Op.REMOVE and entry.is_version:
                self._resolve_version_removal(entry, newer)
            else:
                decided.append(entry)
        by_path = {entry.path: entry for entry in decided}
        draft = make_draft(self._clone, decided, kind="push")
        published: list[PendingEntry] = []
        for decision in check_plan(draft, newer, state=StateOfClone(self._clone)):
            entry = by_path[unit_path(decision.path)]
            if decision.verdict in {Verdict.ALREADY_PUBLISHED, Verdict.ALREADY_REMOVED}:
                published.append(entry)
                if decision.new_path is not None:  # our content lies there already
                    known = self._clone.state.files.find(self._clone.namespace, entry.path)
                    self._leave(Leftover(entry.path, known))
            else:
                self._carry_out(entry, decision)
        self._work.drop(entry.id for entry in published)
        self.resolved.published += [entry.path for entry in published]

    def _follow_ours(self, entry: PendingEntry, newer: NewerChanges) -> PendingEntry:
        """Let a file that was changed again after its former content was sent replace that content."""
        theirs = newer.puts.get(entry.path)
        if entry.is_version or theirs is None:
            return entry
        if entry.op is Op.PUT:
            record = self._clone.state.files.find(self._clone.namespace, entry.path)
            if record is not None and record.sha256 == theirs.sha256:
                return entry
        self._work.rebase(entry, theirs.sha256)
        return entry._replace(base=theirs.sha256)

    def _resolve_version_removal(self, entry: PendingEntry, newer: NewerChanges) -> None:
        content = newer.puts.get(f"{entry.path}/{RAW_FILE}")
        if f"{entry.path}/{RAW_FILE}" in newer.removed:
            self._work.drop([entry.id])
            self.resolved.published.append(entry.path)
        elif content is not None and content.sha256 != entry.base:
            self._give_way(entry)

    def _give_way(self, entry: PendingEntry) -> None:
        self._work.drop([entry.id])
        self.resolved.given_way.append(entry.path)

    def _carry_out(self, entry: PendingEntry, decision: Decision) -> None:
        match decision.verdict:
            case Verdict.THEIRS_STAYS:
                # The very content that was removed here may be published late; then the removal stands.
                if decision.theirs is None or decision.theirs.sha256 != entry.base:
                    self._give_way(entry)
            case Verdict.OURS_STAYS:
                self._work.rebase(entry, None)
            case Verdict.RENUMBER:
                assert decision.number is not None
                self.renumber(entry, decision.number)
            case Verdict.KEEP_BOTH | Verdict.MERGE_LINES:
                assert decision.new_path is not None
                if decision.verdict is Verdict.KEEP_BOTH or not self._merge(entry, decision.theirs):
                    self._keep_beside(entry, decision.new_path)

    # --- versions ----------------------------------------------------------------------------------

    def renumber(self, entry: PendingEntry, number: int) -> str:
        """Give a pending version a number that is free here, at least `number`; return its new directory."""
        clone = self._clone
        old = parse_version_path(f"{entry.path}/{RAW_FILE}")
        assert old is not None
        key = artifact_key_of(clone.namespace, old.artifact)
        row = clone.state.metadata.find(key, old.number)
        record = clone.state.files.find(clone.namespace, f"{entry.path}/{RAW_FILE}")
        if row is None or record is None:
            raise DataError(f"nothing is known of the content of `{entry.path}`", key=entry.path)
        metadata = metadata_of(row)
        while clone.state.metadata.find(key, number) is not None or not self._claim(old.artifact, number, metadata.id):
            number += 1
        metadata = replace(metadata, version=number)
        directory = f"{old.artifact}/{number}"
        before = record
        record = self._copy_content(record, f"{directory}/{RAW_FILE}")
        self._copy.write_bytes(f"{directory}/{METADATA_FILE}", format_metadata(metadata), is_only_one=True)
        clone.state.metadata.remove([(key, old.number)])
        clone.state.metadata.put([make_metadata_row(key, metadata)])
        clone.state.files.remove(clone.namespace, [f"{entry.path}/{RAW_FILE}"])
        clone.state.files.put([record])
        clone.state.highest.raise_to([(key, number)])
        self._work.move(entry, directory, base=None)
        self.resolved.touched.add(key)
        self.resolved.renumbered.append((entry.path, directory))
        self._leave(Leftover(entry.path, before, row))
        return directory

    def _claim(self, artifact: str, number: int, identifier: str) -> bool:
        """Take a directory in the copy: a free one, or the one that an earlier try of this has left."""
        directory = f"{artifact}/{number}"
        if self._copy.claim_directory(directory):
            return True
        path = f"{directory}/{METADATA_FILE}"
        with contextlib.suppress(OSError, DataError):
            return parse_metadata(self._copy.read(path), path=path).id == identifier
        return False

    def _copy_content(self, record: FileRecord, path: str) -> FileRecord:
        """Copy content to another path of the copy.

        What cannot be copied is moved as it is, never left where others' content comes: why it cannot be read, or is
        not what was recorded, is found out when it is published.
        """
        stat: DiskStat | None
        try:
            stat = self._copy.copy(record.path, path, size=record.size, sha256=record.sha256)
        except (OSError, DataError):
            self._copy.move(record.path, path)
            stat = self._copy.stat(path)
        mtime, ctime, inode = (0, 0, 0) if stat is None else stat.signature
        return record._replace(
            path=path, state=FileState.PENDING, mtime_ns=mtime, ctime_ns=ctime, inode=inode, key=None, etag=None
        )

    # --- other files -------------------------------------------------------------------------------

    def _find_place_beside(self, wanted: str, sha256: str) -> tuple[str, bool]:
        """Find where a conflict copy can lie, and whether our content is pending there already.

        An earlier try that was killed may have left its copy, and a scan have taken that in.
        """
        path, number = wanted, 1
        while (other := self._work.find(path)) is not None:
            known = self._clone.state.files.find(self._clone.namespace, path)
            if other.op is Op.PUT and known is not None and known.sha256 == sha256:
                return path, True
            number += 1
            path = f"{wanted}-{number}"
        return path, False

    def _leave(self, left: Leftover) -> None:
        """Leave something in the copy until the databases are written."""
        self.resolved.leftovers.append(left)
        note_leftovers(self._clone, [left])

    def _merge(self, entry: PendingEntry, theirs: FilePut | None) -> bool:
        """Put our lines behind theirs, as far as both extend the same; say whether that could be done."""
        from swampsync.sync.merging import merge_file  # noqa: PLC0415 - few files are merged

        clone = self._clone
        record = clone.state.files.find(clone.namespace, entry.path)
        assert record is not None  # the draft was made of it
        assert theirs is not None  # lines are merged with something
        try:
            merged = merge_file(clone, self._copy, record=record, base=entry.base, theirs=theirs)
        except LookupError:
            return False
        clone.state.files.put([merged])
        self._work.move(entry, entry.path, base=theirs.sha256)
        self.resolved.merged.append(entry.path)
        return True

    def _keep_beside(self, entry: PendingEntry, path: str) -> None:
        clone = self._clone
        record = clone.state.files.find(clone.namespace, entry.path)
        assert record is not None  # the draft was made of it
        path, is_there = self._find_place_beside(path, record.sha256)
        if is_there:
            self._work.drop([entry.id])
        else:
            clone.state.files.put([self._copy_content(record, path)])
            self._work.move(entry, path, base=None, is_upload_kept=True)
        clone.state.files.remove(clone.namespace, [entry.path])
        self.resolved.kept_beside.append((entry.path, path))
        self._leave(Leftover(entry.path, record))


class _Touched:
    """Which artifacts and paths rows concern; asked once for each entry."""

    def __init__(self, rows: Iterable[Row], taken: Iterable[str]) -> None:
        self._artifacts = {directory.rpartition("/")[0] for directory in taken}
        self._paths: set[str] = set()
        self._put: set[str] = set()
        self._above: set[str] = set()
        for row in rows:
            version = parse_version_path(row.path)
            if version is not None:
                self._artifacts.add(version.artifact)
                continue
            self._paths.add(row.path)
            if isinstance(row, FilePut):
                self._put.add(row.path)
                self._above.update(ancestors(row.path))

    def concern(self, entry: PendingEntry) -> bool:
        if entry.is_version:
            return entry.path.rpartition("/")[0] in self._artifacts
        if entry.path in self._paths or entry.path in self._above:
            return True
        return not self._put.isdisjoint(ancestors(entry.path))
