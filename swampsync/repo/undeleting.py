"""`datastore undelete`: what was removed from a bucket's namespace comes back, as one commit."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from swampsync.log.history import find_commit_as_of, read_state_at
from swampsync.log.undelete import Undelete, find_missing, find_removed, look_for_objects, require_whole
from swampsync.log.vacuum import DEFAULT_HORIZON, MIN_HORIZON
from swampsync.log.vacuumed import read_past_state
from swampsync.namespace import Namespace
from swampsync.repo.history import AsOf, log_of, require_head, require_log
from swampsync.repo.nothing_removed import explain_nothing, gather_names
from swampsync.repo.parts import Parts
from swampsync.repo.selecting import Selection, model_name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeletePlan:
    """What comes back.

    Args:
        namespace: Where.
        at: The commit as of which it is brought back; `None` for each as its newest removal found it.
        items: What comes back.
        missing: Paths of what was asked for and cannot, since its content is gone.
    """

    namespace: Namespace
    at: int | None
    items: tuple[Undelete, ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeleteResult:
    """What came back, or would.

    Args:
        plan: What was planned.
        items: What came back; others may have been faster with the rest.
        seq: The number of the commit; `None` for a dry run, 0 if nothing was left to do.
    """

    plan: UndeletePlan
    items: tuple[Undelete, ...]
    seq: int | None

    @property
    def is_dry_run(self) -> bool:
        """Whether nothing was done."""
        return self.seq is None

    @property
    def versions(self) -> int:
        """How many versions."""
        return sum(1 for item in self.items if item.artifact is not None)

    @property
    def size(self) -> int:
        """Bytes of content."""
        return sum(item.content.size for item in self.items)

    def to_json(self) -> dict[str, Any]:
        """Make the document that `datastore undelete` prints."""
        return {
            "namespace": self.plan.namespace.name,
            "dryRun": self.is_dry_run,
            "at": self.plan.at,
            "seq": self.seq or None,
            "restored": [_item_to_json(item) for item in self.items],
            "missing": list(self.plan.missing),
            "total": len(self.items),
            "bytes": self.size,
        }


def describe_model(item: Undelete) -> str:
    """Name the model of a version as people call it."""
    assert item.artifact is not None
    return model_name_of(item.artifact) or item.artifact.model_id


def _item_to_json(item: Undelete) -> dict[str, Any]:
    document: dict[str, Any] = {"path": item.path}
    if item.artifact is not None:
        document |= {
            "modelId": item.artifact.model_id,
            "modelName": describe_model(item),
            "modelType": item.artifact.model_type,
            "dataName": item.artifact.name,
            "version": item.artifact.version,
        }
    document["size"] = item.content.size
    if item.removed_by is not None:
        commit = item.removed_by
        document["removedBy"] = {"seq": commit.seq, "kind": commit.kind, "author": commit.author, "at": commit.at}
    return document


class Undeleter:
    """Finds what was removed, and brings it back.

    Args:
        parts: Of the repo.
    """

    def __init__(self, parts: Parts) -> None:
        require_log(parts, "what was removed is gone")
        self._parts = parts

    def plan(self, selection: Selection, *, at: AsOf | None = None, skips_missing: bool = False) -> UndeletePlan:
        """Find what is asked for, as it was at a commit or time, or before its newest removal within the horizon.

        Asks the bucket, and writes nothing.

        Args:
            selection: What is asked for.
            at: The number of a commit, or a time by the store's clock.
            skips_missing: Whether content that is gone is left out, instead of being an error.

        Raises:
            NotFound: Nothing that is asked for was removed; or nobody knows what is asked for.
            DataError: Content of some of it is gone; or the log of then cannot be read any more.
        """
        namespace = selection.namespace or self._parts.namespace
        log, head = log_of(self._parts, namespace), require_head(self._parts, namespace)
        seq = None if at is None else find_commit_as_of(log, at, head=head)
        now = read_state_at(log, head)
        horizon, gone = timedelta(0), [0]
        if seq is not None:
            found = find_missing(then=read_past_state(log, seq), now=now, wants=selection.wants)
        else:
            horizon = read_horizon(self._parts, namespace)
            since = self._parts.world.clock.now() - horizon
            found = find_removed(log, now=now, since=since, wants=selection.wants, on_gone=gone.append)
        ids = self._model_ids(namespace, selection)
        chosen = [item for item in found if selection.takes(item, model_ids=ids)]
        if not chosen:
            removed = (item.artifact for item in found if item.artifact is not None)
            raise explain_nothing(
                selection,
                gather_names(now, removed, self._parts.list_definitions(namespace)),
                pending=self._parts.syncing.pending_removals(namespace),
                seq=seq,
                horizon=format_days(horizon),
                gone=max(gone),
            )
        looked = look_for_objects(log, chosen)
        missing: tuple[str, ...] = ()
        if skips_missing and any(item.is_whole for item in looked):
            missing = tuple(item.path for item in looked if not item.is_whole)
            looked = [item for item in looked if item.is_whole]
        require_whole(looked)
        return UndeletePlan(namespace=namespace, at=seq, items=tuple(looked), missing=missing)

    def _model_ids(self, namespace: Namespace, selection: Selection) -> frozenset[str]:
        if selection.model is None:
            return frozenset()
        defined = self._parts.find_definition(namespace, selection.model)
        return frozenset() if defined is None else frozenset({defined.id})

    def preview(self, plan: UndeletePlan) -> UndeleteResult:
        """Say what would come back."""
        return UndeleteResult(plan=plan, items=plan.items, seq=None)

    def apply(self, plan: UndeletePlan) -> UndeleteResult:
        """Bring back what was planned, under the locks of its models; what exists again meanwhile is left out.

        Raises:
            Conflict: This repo is no member of the namespace.
            DataError: Content was vacuumed since; nothing was published.
            LockTimeout: Somebody of this clone is writing one of the models.
            Refused: Something is in the way.
        """
        parts = self._parts
        parts.require_repo_id()
        parts.require_member(plan.namespace)
        models = sorted({(i.artifact.model_type, i.artifact.model_id) for i in plan.items if i.artifact is not None})
        with ExitStack() as stack:
            check = parts.syncing.deadline()
            if models:
                guard = parts.guard_of(plan.namespace)
                held = stack.enter_context(guard.model_lock(models, command="datastore undelete"))
                check = held.check
            restored = parts.syncing.syncer_of(plan.namespace).restore(plan.items, check=check)
        removed_by = {item.path: item.removed_by for item in plan.items}
        items = tuple(replace(item, removed_by=removed_by[item.path]) for item in restored.items)
        return UndeleteResult(plan=plan, items=items, seq=restored.seq)


def read_horizon(parts: Parts, namespace: Namespace) -> timedelta:
    """Read for how long what was removed from a namespace is kept, as its record says."""
    days = parts.registry.read_members(namespace).vacuum_horizon
    return DEFAULT_HORIZON if days is None else max(timedelta(days=days), MIN_HORIZON)


def format_days(span: timedelta) -> str:
    """Format a span of time as people would: `7 days`, `3.5 days`."""
    days = span / timedelta(days=1)
    return f"{days:g} day" + ("" if days == 1 else "s")
