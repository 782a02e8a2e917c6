"""Reindexing one clone: catalog, state and local copy agree again with the log as far as it was applied.

The state is what the log said; where it contradicts itself, the log is read again. From it follow the catalog's rows,
and of the copy what is a matter of fact: content that is gone is fetched again when it is read, content that the log
names is here. What is pending is never touched. What somebody has edited or added is theirs to decide about, and only
reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from swampsync.artifacts.tree import no_check
from swampsync.catalog.catalog import RowChange
from swampsync.catalog.files import FileRecord, FileState
from swampsync.disk import DiskStat
from swampsync.log.paths import METADATA_FILE, RAW_FILE, parse_version_path
from swampsync.log.tail import BEGINNING
from swampsync.sync.cataloguing import catalog_rows_of, catalogue_namespace, iterate_artifacts
from swampsync.sync.clone import Clone, artifact_path_of
from swampsync.sync.copied_content import hash_file, here
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.position import write_position
from swampsync.sync.pull import pull
from swampsync.sync.scan_plan import Change, Finding, ScanPlan
from swampsync.sync.scanning import Progress, Scanner

_UNDECIDED: Final = {
    Change.NEW_VERSION: "is a version that nobody recorded; to publish it: swamp datastore sync --scan",
    Change.EDITED_VERSION: "was edited in place; to publish that as the next version: swamp datastore sync --scan",
    Change.NEW_FILE: "is a file that nobody recorded; to publish it: swamp datastore sync --scan",
    Change.EDITED_FILE: "was edited; to publish that: swamp datastore sync --scan",
    Change.COPY: "is a copy of a version that has another number; to tidy up: swamp datastore sync --scan",
}


@dataclass(frozen=True, slots=True)
class ReindexPlan:
    """How the catalog and the copy differ from the state.

    Args:
        rows: What has to change in the catalog.
        total: Rows that it should have.
        lost: Files that are recorded as here and are not.
        found: Files that are here as the log has them, which is not recorded.
        halves: Directories of versions of which the state has the metadata or the content only.
        problems: Path and reason of what cannot be decided, and stays.
    """

    rows: RowChange
    total: int
    lost: tuple[FileRecord, ...]
    found: tuple[FileRecord, ...]
    halves: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]


def plan_reindex(clone: Clone, copy: LocalCopy, *, progress: Progress) -> ReindexPlan:
    """Compare everything; writes nothing, makes no request.

    Args:
        clone: Which.
        copy: Its local copy.
        progress: Told how many versions and files were looked at.
    """
    rows, total = _compare_rows(clone)
    scan = Scanner(clone, copy).scan(progress=progress)
    files = clone.state.files
    missing = [r for path in scan.missing if (r := files.find(clone.namespace, path)) is not None]
    found = [r for f in scan.findings if f.change is Change.FOUND and (r := _record_of(clone, f)) is not None]
    halves = tuple(sorted(_find_halves(clone)))
    # What is known by half is no ground to judge by.
    problems = [found for found in _undecided(scan) if found[0] not in halves]
    problems += [*scan.notes, *scan.failures, *_find_lost_pending(clone, copy)]
    return ReindexPlan(rows, total, tuple(missing), (*found, *scan.touched), halves, tuple(sorted(problems)))


def apply_reindex(clone: Clone, copy: LocalCopy, plan: ReindexPlan) -> RowChange:
    """Do what was planned; the caller holds the clone's lock. What has changed since is left as it is.

    Returns:
        What changed in the catalog.
    """
    state, namespace = clone.state, clone.namespace
    with state.atomic():
        for record in plan.lost:
            if state.files.find(namespace, record.path) == record and copy.stat(record.path) is None:
                state.files.put([_elsewhere(record)])
        for record in plan.found:
            known = state.files.find(namespace, record.path)
            if known is not None and known.sha256 == record.sha256:
                stat = _find_same(copy, record)
                state.files.put([here(known, stat)] if stat is not None else [])
        change, _ = _compare_rows(clone)
        if not change.is_empty:
            with clone.catalog.atomic():
                catalogue_namespace(clone.catalog, state, namespace)
                clone.catalog.mark_populated()
    return change


def read_log_again(clone: Clone, copy: LocalCopy, *, check: Callable[[], None] = no_check) -> None:
    """Make the state what the log says, whatever it says now; what is pending stays. The caller holds the clone's lock.

    Raises:
        Unavailable: The store cannot be reached; the next pull does it.
    """
    write_position(clone, BEGINNING)
    pull(clone, copy, check=check)


def _find_same(copy: LocalCopy, record: FileRecord) -> DiskStat | None:
    """Describe a file that has the content of a record, `None` if it has another one by now."""
    stat = copy.stat(record.path)
    if stat is None or stat.signature == record.signature:
        return stat
    try:
        content = hash_file(copy, record.path)
    except OSError:
        return None
    return content.stat if content.sha256 == record.sha256 else None


def _compare_rows(clone: Clone) -> tuple[RowChange, int]:
    added = changed = total = 0
    for key, versions in iterate_artifacts(clone.state, clone.namespace):
        known = {row.version: row for row in clone.catalog.versions(key)}
        for row in catalog_rows_of(versions):
            total += 1
            if row.version not in known:
                added += 1
            elif known[row.version] != row:
                changed += 1
    # What is in the catalog and neither right nor to be corrected is a ghost.
    return RowChange(added, changed, clone.catalog.count(clone.namespace) - (total - added)), total


def _record_of(clone: Clone, finding: Finding) -> FileRecord | None:
    raw = f"{finding.path}/{RAW_FILE}"
    path = raw if parse_version_path(raw) is not None else finding.path
    return clone.state.files.find(clone.namespace, path)


def _undecided(scan: ScanPlan) -> Iterable[tuple[str, str]]:
    return [(f.path, _UNDECIDED[f.change]) for f in scan.findings if f.change in _UNDECIDED]


def _find_lost_pending(clone: Clone, copy: LocalCopy) -> Iterable[tuple[str, str]]:
    """Find what is to be published and is no longer here: nothing can bring it back, and only people can give it up."""
    for record in clone.state.files.of_state(clone.namespace, FileState.PENDING):
        if copy.stat(record.path) is None:
            yield record.path, "is to be published, but its content is gone; put it again, or delete it"


def _find_halves(clone: Clone) -> Iterable[str]:
    """Find versions of which the state has the metadata or the content only; the log always has both."""
    whole = set()
    for key, versions in iterate_artifacts(clone.state, clone.namespace):
        for row in versions:
            directory = f"{artifact_path_of(key)}/{row.version}"
            whole.add(directory)
            if clone.state.files.find(clone.namespace, f"{directory}/{RAW_FILE}") is None:
                yield directory
    for record in clone.state.files.under(clone.namespace, "data"):
        version = parse_version_path(record.path)
        if version is not None and version.file != METADATA_FILE and version.directory not in whole:
            yield version.directory


def _elsewhere(record: FileRecord) -> FileRecord:
    return record._replace(state=FileState.REMOTE, mtime_ns=0, ctime_ns=0, inode=0)
