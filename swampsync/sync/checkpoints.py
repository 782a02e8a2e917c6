"""When a clone writes a checkpoint: after its own commit, if there was none for long."""

from __future__ import annotations

from swampsync.log.checkpointing import Checkpointer
from swampsync.log.log import Log
from swampsync.sync.clone import Clone
from swampsync.sync.position import read_position


def newest_checkpoint_known(clone: Clone) -> int:
    """Return the number of the newest checkpoint that this clone has heard of; 0 for none."""
    return int(clone.state.settings.find(_setting(clone)) or 0)


def write_checkpoint_if_due(clone: Clone) -> bool:
    """Write a checkpoint if there was none for long; no failure of it is a failure of the push."""
    head = read_position(clone)
    newest = newest_checkpoint_known(clone)
    log = Log(clone.log.store, clone.layout, clone.pool)
    outcome = Checkpointer(log, clone.clock, clone.new_id, clone.tool).write_if_due(head, newest_known=newest)
    if outcome.newest != newest:
        clone.state.settings.put(_setting(clone), str(outcome.newest))
    return outcome.is_written


def _setting(clone: Clone) -> str:
    return f"checkpoint:{clone.namespace}"
