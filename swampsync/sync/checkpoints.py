"""When a clone writes a checkpoint: after its own commit, if there was none for long."""

from __future__ import annotations

from swampsync.log.checkpointing import Checkpointer
from swampsync.log.log import Log
from swampsync.sync.clone import Clone
from swampsync.sync.position import read_position


def write_checkpoint_if_due(clone: Clone) -> bool:
    """Write a checkpoint if there was none for long; no failure of it is a failure of the push."""
    head = read_position(clone)
    setting = f"checkpoint:{clone.namespace}"
    newest = int(clone.state.settings.find(setting) or 0)
    log = Log(clone.log.store, clone.layout, clone.pool)
    outcome = Checkpointer(log, clone.clock, clone.new_id, clone.tool).write_if_due(head, newest_known=newest)
    if outcome.newest != newest:
        clone.state.settings.put(setting, str(outcome.newest))
    return outcome.is_written
