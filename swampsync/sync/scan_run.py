"""One scan from beginning to end: look without a lock, take in under locks, remember what was hashed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from swampsync.artifacts.tree import no_check
from swampsync.errors import LockError, SwampsyncError
from swampsync.log.paths import RAW_FILE, parse_version_path
from swampsync.sync.clone import Clone, artifact_key_of
from swampsync.sync.leftovers import noted_leftovers, sweep_leftovers
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.scan_plan import Finding, Scanned, ScanPlan
from swampsync.sync.scanning import Progress, Scanner
from swampsync.sync.taking_in import Intake


class Locks(Protocol):
    """What must be held while something is taken in; a model's lock comes before the clone's."""

    def clone(self) -> AbstractContextManager[object]:
        """Hold the clone's lock."""
        ...

    def model(self, model_type: str, model_id: str) -> AbstractContextManager[object]:
        """Hold a model's lock; raises `LockError` at once if somebody is writing to it."""
        ...


def _ignore(_done: int, _total: int | None) -> None:
    pass


def run_scan(
    clone: Clone,
    copy: LocalCopy,
    locks: Locks,
    *,
    is_dry_run: bool = False,
    takes_removals: bool = False,
    progress: Progress = _ignore,
    check: Callable[[], None] = no_check,
) -> Scanned:
    """Find what changed in the copy behind our back, and take it in.

    Args:
        clone: Which; its log was looked at before.
        copy: Its local copy.
        locks: What must be held.
        is_dry_run: Whether to say only what would be taken in.
        takes_removals: Whether content that was fetched and is gone was removed on purpose.
        progress: Told how many versions and files were looked at.
        check: Called between steps; raises to stop there, what was taken in stays.
    """
    if is_dry_run:
        left = {leftover.path for leftover in noted_leftovers(clone)}
    else:
        left = set()
        with locks.clone():
            sweep_leftovers(clone, copy)
    scanner = Scanner(clone, copy)
    began_at = None if is_dry_run else scanner.read_clock()
    plan = scanner.scan(progress=progress)
    plan.findings = [finding for finding in plan.findings if finding.path not in left]
    scanned = Scanned(plan, is_dry_run=is_dry_run)
    if is_dry_run or began_at is None:
        return scanned
    intake = Intake(clone, copy, scanner)
    _take_versions(intake, plan, locks, scanned, check)
    with locks.clone():
        clone.state.files.put(plan.touched)
        for finding in plan.findings:
            if parse_version_path(f"{finding.path}/{RAW_FILE}") is None:
                check()
                _take(intake.take_file, finding.path, scanned)
        if takes_removals and not scanned.failures:
            scanned.adopted += intake.take_removals(plan.missing)
        if not scanned.failures:
            scanner.remember(began_at)
    return scanned


def _take_versions(intake: Intake, plan: ScanPlan, locks: Locks, scanned: Scanned, check: Callable[[], None]) -> None:
    for (model_type, model_id), paths in _versions(plan.findings).items():
        check()
        try:
            with locks.model(model_type, model_id):
                for path in paths:
                    with locks.clone():
                        _take(intake.take_version, path, scanned)
        except LockError as error:
            scanned.left += [(path, error.message) for path in paths]


def _versions(findings: Iterable[Finding]) -> dict[tuple[str, str], list[str]]:
    """Name the versions of each model, numbers in their order."""
    found = []
    for finding in findings:
        version = parse_version_path(f"{finding.path}/{RAW_FILE}")
        if version is not None:
            key = artifact_key_of("", version.artifact)
            found.append(((key.type_normalized, key.model_id), key.data_name, version.number, finding.path))
    models: dict[tuple[str, str], list[str]] = {}
    for model, _, _, path in sorted(found):
        models.setdefault(model, []).append(path)
    return models


def _take(take: Callable[[str], Finding | None], path: str, scanned: Scanned) -> None:
    try:
        taken = take(path)
    except (SwampsyncError, OSError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        scanned.left.append((path, reason))
        return
    if taken is not None:
        scanned.adopted.append(taken)
