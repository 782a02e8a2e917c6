"""`datastore vacuum`: objects of a bucket's namespace that nobody can need any more go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from swampsync.backends.base import ObjectNotFound
from swampsync.errors import DataError, Refused
from swampsync.layout import ObjectKey
from swampsync.log.commit_json import UnknownFormat
from swampsync.log.vacuum import VacuumPlan, apply_vacuum_plan, make_vacuum_plan, read_vacuum_input
from swampsync.maintenance.doctor_report import Result
from swampsync.repo.history import log_of, require_log
from swampsync.repo.parts import Parts
from swampsync.repo.undeleting import format_days, read_horizon
from swampsync.sync.progress import silent

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class VacuumResult:
    """What a vacuum removed, or would.

    Args:
        namespace: Whose.
        horizon: For how long removed content is kept.
        plan: What was planned.
        failed: Key and reason of what could not be removed.
        is_dry_run: Whether nothing was done.
        keeps_room: Whether the bucket is known to keep what is removed, as former versions.
    """

    namespace: str
    horizon: timedelta
    plan: VacuumPlan
    failed: tuple[tuple[str, str], ...]
    is_dry_run: bool
    keeps_room: bool

    @property
    def removed(self) -> int:
        """How many objects went, or would."""
        return len(self.plan.keys) - len(self.failed)

    def to_json(self) -> dict[str, Any]:
        """Make the document that `datastore vacuum` prints."""
        return {
            "namespace": self.namespace,
            "dryRun": self.is_dry_run,
            "horizonDays": self.horizon / timedelta(days=1),
            "objectsRemoved": self.removed,
            "contents": self.plan.contents,
            "segments": self.plan.segments,
            "checkpoints": self.plan.checkpoints,
            "bytesFreed": 0 if self.keeps_room else self.plan.size,
            "objectsKept": self.plan.kept,
            "failed": [{"key": key, "error": reason} for key, reason in self.failed],
        }


class Vacuumer:
    """Plans a vacuum of the namespace that the repo acts in, and carries it out.

    Args:
        parts: Of the repo.
        older_than: For how long removed content is kept; as the namespace's record says by default.
    """

    def __init__(self, parts: Parts, *, older_than: timedelta | None = None) -> None:
        require_log(parts, "what is deleted from it is gone at once", hint="swamp data gc")
        self._parts = parts
        self._older_than = older_than

    def _horizon(self) -> timedelta:
        if self._older_than is None:
            return read_horizon(self._parts, self._parts.namespace)
        promised = self._parts.registry.read_members(self._parts.namespace).vacuum_horizon
        if promised is not None and self._older_than < timedelta(days=promised):
            raise Refused(
                f"the namespace keeps what was removed for {format_days(timedelta(days=promised))}",
                hint=f"--older-than {promised}d, or leave it out",
            )
        return self._older_than

    def preview(self) -> VacuumResult:
        """Say what would go, by this machine's clock; takes no lock, writes nothing.

        Raises:
            DataError: The log is damaged: what is needed cannot be known.
            InvalidInput: So short a time is not safe.
            Refused: The listing is not complete, or the namespace promises more.
        """
        horizon = self._horizon()
        plan = self._plan(horizon, self._parts.world.clock.now())
        return self._result(horizon, plan, (), is_dry_run=True)

    def vacuum(self, *, progress: Progress = silent) -> VacuumResult:
        """Remove what nobody can need any more, planned under the structural lock and by the store's own clock.

        Raises:
            DataError: The log is damaged: what is needed cannot be known.
            InvalidInput: So short a time is not safe.
            LockTimeout: Somebody else held the namespace for too long.
            Refused: The listing is not complete, or the namespace promises more.
        """
        parts = self._parts
        horizon = self._horizon()
        parts.require_repo_id()
        parts.require_member(parts.namespace)
        with parts.guard.structural_lock(command="datastore vacuum") as held:
            plan = self._plan(horizon, self._server_now())
            failures = apply_vacuum_plan(log_of(parts, parts.namespace), plan, check=held.check, progress=progress)
        failed = tuple((key.text, error.message) for key, error in failures.items())
        return self._result(horizon, plan, failed, is_dry_run=False)

    def _result(
        self, horizon: timedelta, plan: VacuumPlan, failed: tuple[tuple[str, str], ...], *, is_dry_run: bool
    ) -> VacuumResult:
        namespace = self._parts.namespace
        promises = self._parts.registry.read_members(namespace).store_promises.get("promises", {})
        return VacuumResult(
            namespace=namespace.name,
            horizon=horizon,
            plan=plan,
            failed=failed,
            is_dry_run=is_dry_run,
            keeps_room=promises.get("removal") == Result.ABSENT.value,
        )

    def _plan(self, horizon: timedelta, server_now: datetime | None) -> VacuumPlan:
        log = log_of(self._parts, self._parts.namespace)
        try:
            return make_vacuum_plan(log, read_vacuum_input(log, horizon=horizon, server_now=server_now))
        except UnknownFormat:
            raise
        except DataError as error:
            raise DataError(
                f"nothing is removed while the log is damaged: {error.message}",
                hint="swamp datastore verify",
                key=error.key,
            ) from error

    def _server_now(self) -> datetime | None:
        """Tell the store's time by the lock that was just written there."""
        parts = self._parts
        try:
            return parts.remote.unguarded.head(ObjectKey(parts.layout.structural_lock_key())).modified_at
        except ObjectNotFound:  # broken meanwhile: the newest object's time then, which errs on keeping
            return None
