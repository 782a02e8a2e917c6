"""What a sync would do, from what this clone knows: no request is made."""

from __future__ import annotations

from dataclasses import replace

from swampsync.catalog.files import FileState
from swampsync.config.datastore import Hydration
from swampsync.repo.membership import membership_requests
from swampsync.repo.parts import Parts
from swampsync.repo.sync_report import SyncOptions
from swampsync.sync.following import read_following
from swampsync.sync.push_plan import PushPlan


def plan_sync(parts: Parts, options: SyncOptions) -> PushPlan:
    """Plan a sync that finds nothing new in the log.

    Args:
        parts: Of the repo.
        options: Of the sync.
    """
    syncer = parts.syncing.syncer_of(parts.namespace)
    plan = syncer.plan() if options.is_pushing else PushPlan((), 0, 0, 0, 0)
    fetches, size = _count_fetches(parts, options)
    requests = plan.requests + fetches + requests_besides(parts, options, is_pushing=bool(plan.entries))
    return replace(plan, requests=requests, fetches=fetches, fetch_size=size)


def requests_besides(parts: Parts, options: SyncOptions, *, is_pushing: bool) -> int:
    """Count the requests of a sync that move no content: looking at logs, and at who may write.

    Args:
        parts: Of the repo.
        options: Of the sync.
        is_pushing: Whether something is to be published.
    """
    position = parts.state.positions.find(parts.namespace.name)
    # An empty log is looked at twice: there may be a checkpoint of a log whose commits are gone.
    count = 0
    if options.is_pulling or is_pushing:
        count += 1 if position is not None and position.seq else 2
    if is_pushing and not parts.namespace.is_solo:
        count += membership_requests(parts, parts.namespace)
    if options.is_pulling:
        following = read_following(parts.state)
        count += len(following.names) + (1 if following.is_all or options.all_namespaces else 0)
    return count


def _count_fetches(parts: Parts, options: SyncOptions) -> tuple[int, int]:
    wants_all = options.hydrate if options.hydrate is not None else parts.config.hydration is Hydration.FULL
    if not options.is_pulling or not wants_all or options.predicate:
        return 0, 0
    return parts.state.files.count(parts.namespace.name).get(FileState.REMOTE, (0, 0))
