"""What `datastore verify` found, and what a repair would do, or did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from swampsync.log.repair import RepairPlan
from swampsync.log.verify import Problem, ProblemKind
from swampsync.sync.mending import PutBack

# What a repair can mend; objects that are gone only where their bytes are known.
MENDABLE = frozenset(
    {
        ProblemKind.COMMIT_MISSING,
        ProblemKind.COMMIT_DAMAGED,
        ProblemKind.ROWS_DAMAGED,
        ProblemKind.CHECKPOINT_UNREADABLE,
        ProblemKind.CHECKPOINT_DIFFERS,
        ProblemKind.STATE_DIFFERS,
        ProblemKind.CATALOG_DIFFERS,
    }
)
LOG_PROBLEMS = frozenset(
    {
        ProblemKind.COMMIT_MISSING,
        ProblemKind.COMMIT_DAMAGED,
        ProblemKind.ROWS_DAMAGED,
        ProblemKind.CHAIN_BROKEN,
        ProblemKind.CHECKPOINT_UNREADABLE,
        ProblemKind.CHECKPOINT_DIFFERS,
    }
)


@dataclass(slots=True, kw_only=True)
class VerifyReport:
    """What was found.

    Attributes:
        namespace: Whose; empty in solo mode.
        is_remote: Whether the datastore is a bucket.
        problems: Everything that is wrong.
        notes: What could not be looked at, and why.
        commits: How many commits were read.
        checkpoints: How many checkpoints there are.
        objects: How many objects the newest state names.
        unreferenced: How many objects no commit needs now: removed content, and what dead uploads left.
        versions: How many versions of a directory were read.
        size: Bytes of content.
        is_content_read: Whether every content was read and its digest compared.
        is_state_known: Whether the log tells what there is; nothing is said of objects where it does not.
        here: How many versions and files of the local copy were looked at; `None` where that was left out.
    """

    namespace: str
    is_remote: bool
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    commits: int = 0
    checkpoints: int = 0
    objects: int = 0
    unreferenced: int = 0
    versions: int = 0
    size: int = 0
    is_content_read: bool = False
    is_state_known: bool = True
    here: int | None = None

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def has(self, kind: ProblemKind) -> bool:
        """Say whether there is a problem of a kind."""
        return any(problem.kind is kind for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        """Make the document that `datastore verify` prints."""
        counts: dict[str, Any] = {"versions": self.versions}
        if self.is_remote:
            counts = {
                "commits": self.commits,
                "checkpoints": self.checkpoints,
                "objects": self.objects,
                "unreferenced": self.unreferenced,
                "copyFiles": self.here,
            }
        return {
            "namespace": self.namespace,
            "sound": self.is_sound,
            **counts,
            "bytes": self.size,
            "contentRead": self.is_content_read,
            "problems": [{"kind": p.kind.value, "key": p.key, "detail": p.detail} for p in self.problems],
            "notes": self.notes,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What a repair would do, or did.

    Args:
        log: Commits to rebuild and checkpoints to remove; `None` for a directory.
        put_back: Objects to put back.
        rebuilds_state: Whether this clone's state is taken anew from the log.
        rebuilds_catalog: Whether the catalog's rows are made anew.
    """

    log: RepairPlan | None = None
    put_back: tuple[PutBack, ...] = ()
    rebuilds_state: bool = False
    rebuilds_catalog: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that can be done."""
        has_log = self.log is not None and bool(self.log.rebuilt or self.log.checkpoints)
        return not (has_log or self.put_back or self.rebuilds_state or self.rebuilds_catalog)

    def to_json(self) -> dict[str, Any]:
        """Make a document of it."""
        rebuilt = () if self.log is None else self.log.rebuilt
        checkpoints = () if self.log is None else self.log.checkpoints
        return {
            "commits": [
                {
                    "seq": commit.seq,
                    "key": commit.key.text,
                    "source": commit.source,
                    "put": len(commit.draft.put),
                    "removed": len(commit.draft.remove),
                }
                for commit in rebuilt
            ],
            "checkpointsRemoved": [key.text for key in checkpoints],
            "objectsPutBack": [item.object_path for item in self.put_back],
            "stateRebuilt": self.rebuilds_state,
            "catalogRebuilt": self.rebuilds_catalog,
            "notes": [] if self.log is None else list(self.log.notes),
        }

    def lines(self) -> list[str]:
        """Say it for people, a line for each step."""
        found: list[str] = []
        if self.log is not None:
            found += [
                f"rebuild commit {c.seq} from the {c.source}: {len(c.draft.put)} put, {len(c.draft.remove)} removed"
                if c.source.startswith(("checkpoint", "objects"))
                else f"put an empty commit {c.seq}: {c.source}"
                for c in self.log.rebuilt
            ]
            found += [f"remove checkpoint {key}, which the log makes again" for key in self.log.checkpoints]
        found += [
            f"put {item.object_path} back from {'the log' if item.source is None else 'the local copy'}"
            for item in self.put_back
        ]
        if self.rebuilds_state:
            found.append("take this clone's state anew from the log; what is pending stays")
        if self.rebuilds_catalog:
            found.append("make the catalog's rows anew")
        if self.log is not None:
            found += [f"note: {note}" for note in self.log.notes]
        return found
