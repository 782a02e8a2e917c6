"""What a sync still has to send, for `--max-requests`: counted after all logs were read, before content moves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from swampsync.log.checkpointing import INTERVAL
from swampsync.repo.membership import membership_requests
from swampsync.repo.parts import Parts
from swampsync.repo.sync_report import SyncOptions
from swampsync.sync.checkpoints import newest_checkpoint_known
from swampsync.sync.hydrate import STREAM_BYTES
from swampsync.sync.push_plan import too_many_requests

if TYPE_CHECKING:
    from swampsync.catalog.files import FileRecord

# A look at the checkpoints, twice, one of them, and the segments; the tail; a segment and the checkpoint are written.
_CHECKPOINT_REQUESTS = 7


def count_fetches(parts: Parts, records: Iterable[FileRecord]) -> int:
    """Count the requests that fetching files takes."""
    costs = parts.remote.bucket.costs
    return sum(1 if record.size <= STREAM_BYTES else costs.of_stream_down(record.size) for record in records)


def require_requests(parts: Parts, options: SyncOptions, *, sent: int, fetches: Iterable[FileRecord]) -> None:
    """Refuse to fetch anything for a sync that needs more requests than it may send.

    Args:
        parts: Of the repo.
        options: Of the sync.
        sent: How many it has sent already.
        fetches: What it would fetch now.

    Raises:
        Refused: It needs more; nothing was fetched or published.
    """
    allowed = options.limits.max_requests
    if allowed is None:
        return
    plan = parts.syncing.syncer_of(parts.namespace).plan() if options.is_pushing else None
    is_pushing = plan is not None and bool(plan.entries)
    needed = count_fetches(parts, fetches) + requests_besides(parts, sent=sent, is_pushing=is_pushing)
    if plan is not None:
        needed += plan.requests
    if needed > allowed:
        raise too_many_requests(needed, allowed)


def requests_besides(parts: Parts, *, sent: int, is_pushing: bool) -> int:
    """Count the requests of a sync that move no content any more.

    Args:
        parts: Of the repo.
        sent: How many it has sent already; the looks at other namespaces are among them.
        is_pushing: Whether something is to be published.
    """
    if is_pushing:
        if not parts.namespace.is_solo:
            sent += membership_requests(parts, parts.namespace)
        position = parts.state.positions.find(parts.namespace.name)
        head = 1 if position is None else position.seq + 1
        behind = head - newest_checkpoint_known(parts.syncing.syncer_of(parts.namespace).clone)
        # About: whether it is due is only known by a look.
        sent += _CHECKPOINT_REQUESTS + behind if behind > INTERVAL else 0
    return sent
