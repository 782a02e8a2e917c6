"""What a set-up would do, for `--dry-run`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from swampsync.maintenance.moving import MovePlan
from swampsync.maintenance.moving_into_clone import ENTRIES_AT_ONCE
from swampsync.repo.parts import Parts

# Of a push besides its objects: who may write, the log, a segment of rows, the commit; and of the whole set-up the
# proof of the store's promises, about.
_REQUESTS_OF_A_PUSH = 5
_REQUESTS_OF_A_SETUP = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupPreview:
    """What would move, from where to where.

    Args:
        type: Of the new place, as `.swamp.yaml` calls it.
        path: The new place.
        source: The old place.
        namespace: That would be used; empty in solo mode.
        plan: What would move; `None` if nothing is to.
        requests: About how many it takes; 0 on a directory.
        warnings: As the set-up would print them.
    """

    type: str
    path: str
    source: str
    namespace: str
    plan: MovePlan | None
    requests: int
    warnings: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, written: Parts, target: Parts, plan: MovePlan | None, warnings: tuple[dict[str, Any], ...]) -> Self:
        """Make a preview of both ends and a plan."""
        requests = 0
        if target.config.is_remote:
            items, objects = (0, 0) if plan is None else (plan.items, plan.requests)
            requests = _REQUESTS_OF_A_SETUP + objects + _REQUESTS_OF_A_PUSH * -(-items // ENTRIES_AT_ONCE)
        if written.config.is_remote and plan is not None:
            requests += plan.versions + plan.others  # content that may have to be fetched first
        is_remote = target.config.is_remote
        return cls(
            type=target.config.datastore.type,
            path=target.datastore_place if is_remote else target.layout.base,
            source=written.datastore_place if written.config.is_remote else written.layout.base,
            namespace=target.namespace.name,
            plan=plan,
            requests=requests,
            warnings=warnings,
        )

    def to_json(self) -> dict[str, Any]:
        """Make the document that `--dry-run` prints."""
        plan = self.plan or MovePlan()
        document: dict[str, Any] = {
            "type": self.type,
            "path": self.path,
            "dryRun": True,
            "artifacts": plan.artifacts,
            "versions": plan.versions,
            "otherFiles": plan.others,
            "bytes": plan.size,
            "requests": self.requests,
            "directories": list(plan.directories),
            "errors": [f"{path}: {reason}" for path, reason in plan.problems],
        }
        if self.namespace:
            document["namespace"] = self.namespace
        return document | {
            "sourcePath": self.source,
            "destinationPath": self.path,
            "warnings": [dict(warning) for warning in self.warnings],
        }
