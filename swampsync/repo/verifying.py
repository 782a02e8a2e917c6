"""`datastore verify` on a bucket: the log, what it names, and this clone; and the repair of what can be mended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from swampsync.errors import SwampsyncError
from swampsync.log.repair import RepairPlan, apply_repair_plan, make_repair_plan
from swampsync.log.state import NamespaceState
from swampsync.log.tail import Freshness, tail
from swampsync.log.verify import Problem, ProblemKind, verify
from swampsync.repo.parts import Parts
from swampsync.repo.verify_report import LOG_PROBLEMS, Repair, VerifyReport
from swampsync.sync.mending import (
    MetadataReader,
    make_signature,
    plan_put_back,
    put_back,
    rebuild_catalog,
    rebuild_state,
)
from swampsync.sync.position import read_position
from swampsync.sync.progress import silent
from swampsync.sync.syncer import Syncer
from swampsync.sync.verifying import compare_catalog, compare_contents, compare_copy, compare_state, go_on_to

Progress = Callable[[int, int | None], None]


class Verifier(Protocol):
    """Verifies a datastore, and repairs what is certain."""

    def verify(self, *, reads_content: bool = False, progress: Progress = silent) -> VerifyReport:
        """Look at everything; changes nothing but this repo's own databases."""
        ...

    def plan_repair(self, *, reads_content: bool = False, progress: Progress = silent) -> tuple[Repair, VerifyReport]:
        """Say what a repair would do, and what is wrong."""
        ...

    def repair(self, *, reads_content: bool = False, progress: Progress = silent) -> tuple[Repair, VerifyReport]:
        """Mend what can be mended, and look again; return what was done and what is left."""
        ...


class BucketVerifier:
    """Verifies the namespace that the repo acts in, and this clone of it.

    Args:
        parts: Of the repo.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @property
    def _syncer(self) -> Syncer:
        return self._parts.syncing.syncer_of(self._parts.namespace)

    def verify(self, *, reads_content: bool = False, progress: Progress = silent) -> VerifyReport:
        """Read the whole log, look for every object that it names, and compare this clone with it.

        Args:
            reads_content: Whether to read every object too, and compare its digest.
            progress: Told how many objects, or files of the copy, were looked at.

        Raises:
            UnknownFormat: Part of the log can be read by a newer version only.
            Unavailable: The bucket cannot be reached, or a listing broke off.
        """
        return self._verify(reads_content=reads_content, progress=progress)[0]

    def _verify(
        self, *, reads_content: bool = False, progress: Progress = silent
    ) -> tuple[VerifyReport, NamespaceState | None]:
        clone = self._syncer.clone
        found = verify(clone.log)
        report = VerifyReport(
            namespace=self._parts.namespace.name,
            is_remote=True,
            problems=list(found.problems),
            commits=found.commits,
            checkpoints=found.checkpoints,
            objects=found.objects,
            unreferenced=found.unreferenced,
            size=found.size,
            is_state_known=found.head is not None,
        )
        if found.head is None:
            report.notes.append("what the newest commit left cannot be known, so no object was looked for")
        elif reads_content:
            report.problems += compare_contents(clone, found.head, progress=progress)
            report.is_content_read = True
        if found.head is not None:
            self._compare_clone(report, found.head, progress)
        return report, found.head

    def _compare_clone(self, report: VerifyReport, head: NamespaceState, progress: Progress) -> None:
        syncer = self._syncer
        try:
            if self._is_replaced():
                report.problems.append(self._describe_replaced())
                return
            syncer.pull(check=self._parts.syncing.deadline())
        except SwampsyncError as error:
            report.notes.append(f"this clone was not compared: {error.message}")
            return
        with syncer.locked():
            now = go_on_to(syncer.clone, head, read_position(syncer.clone))
            report.problems += compare_state(syncer.clone, now)
            report.problems += compare_catalog(syncer.clone)
            problems, report.here = compare_copy(syncer.clone, syncer.copy, progress=progress)
            report.problems += problems

    def _is_replaced(self) -> bool:
        """Look whether the log still has what this clone has applied; a pull would take it as it is."""
        clone = self._syncer.clone
        position = read_position(clone)
        return position.seq > 0 and tail(clone.log, position).freshness is Freshness.REPLACED

    def _describe_replaced(self) -> Problem:
        clone = self._syncer.clone
        position = read_position(clone)
        key = clone.layout.log_key(position.seq).text
        detail = f"this clone had applied commit `{key}` with the id `{position.id}`, which the log does not have"
        return Problem(ProblemKind.LOG_REPLACED, key, detail)

    # --- repair ------------------------------------------------------------------------------------

    def plan_repair(self, *, reads_content: bool = False, progress: Progress = silent) -> tuple[Repair, VerifyReport]:
        """Say what a repair would do, and what is wrong; writes nothing to the bucket.

        Where commits must be rebuilt, objects and this clone can be compared only after that.

        Args:
            reads_content: Whether to read every object too; other bytes than named are told, and cannot be mended.
            progress: Told how many objects, or files of the copy, were looked at.

        Raises:
            Refused: The listing is not complete, or two readable commits contradict each other.
            UnknownFormat: Part of the log can be read by a newer version only.
        """
        report, head = self._verify(reads_content=reads_content, progress=progress)
        return self._plan_repair(report, head), report

    def _plan_repair(self, report: VerifyReport, head: NamespaceState | None) -> Repair:
        syncer = self._syncer
        is_log_damaged = any(problem.kind in LOG_PROBLEMS for problem in report.problems)
        return Repair(
            log=self._plan_log() if is_log_damaged else None,
            put_back=() if head is None else plan_put_back(syncer.clone, syncer.copy, head, report.problems),
            rebuilds_state=report.has(ProblemKind.STATE_DIFFERS),
            rebuilds_catalog=report.has(ProblemKind.CATALOG_DIFFERS) or report.has(ProblemKind.STATE_DIFFERS),
        )

    def _plan_log(self) -> RepairPlan:
        clone = self._syncer.clone
        reader = MetadataReader(clone.namespace)
        return make_repair_plan(
            clone.log,
            reader,
            signature=make_signature(clone),
            new_id=clone.new_id,
            known=read_position(clone),
        )

    def repair(self, *, reads_content: bool = False, progress: Progress = silent) -> tuple[Repair, VerifyReport]:
        """Rebuild commits, then put objects back and mend this clone, under the structural lock; then verify again.

        Args:
            reads_content: Whether the last look reads every object too; other bytes than named cannot be mended.
            progress: Told how many objects, or files of the copy, the last look has done.

        Raises:
            Conflict: This repo is no member of the namespace.
            LockTimeout: Somebody else held the namespace for too long.
            Refused: The listing is not complete, or two readable commits contradict each other.
            UnknownFormat: Part of the log can be read by a newer version only.
        """
        parts = self._parts
        parts.require_repo_id()
        parts.require_member(parts.namespace)
        with parts.guard.structural_lock(command="datastore verify --repair") as held:
            report, head = self._verify()
            first = self._plan_repair(report, head)
            if first.log is not None and not first.is_empty:
                clone = self._syncer.clone
                apply_repair_plan(clone.log, first.log, clock=clone.clock, new_id=clone.new_id, check=held.check)
                report, head = self._verify()
            second = self._plan_repair(report, head)
            self._mend(second, head, check=held.check)
        done = Repair(
            log=first.log,
            put_back=second.put_back,
            rebuilds_state=second.rebuilds_state,
            rebuilds_catalog=second.rebuilds_catalog,
        )
        return done, self.verify(reads_content=reads_content, progress=progress)

    def _mend(self, plan: Repair, head: NamespaceState | None, *, check: Callable[[], None]) -> None:
        syncer = self._syncer
        if head is not None and plan.put_back:
            put_back(syncer.clone, syncer.copy, head, plan.put_back, check=check)
        with syncer.locked():
            if plan.rebuilds_state or plan.rebuilds_catalog:
                check()
            if head is not None and plan.rebuilds_state:
                now = go_on_to(syncer.clone, head, read_position(syncer.clone))
                rebuild_state(syncer.clone, syncer.copy, now)
            elif plan.rebuilds_catalog:
                rebuild_catalog(syncer.clone)
