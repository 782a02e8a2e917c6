"""Dead letters: what could not be transferred, as long as it still has to be."""

from __future__ import annotations

from swampsync.catalog.files import FileState
from swampsync.catalog.records import DeadLetter
from swampsync.sync.clone import Clone
from swampsync.sync.pending import Op, PendingWork


def find_letters(clone: Clone) -> tuple[list[DeadLetter], list[DeadLetter]]:
    """Tell the letters of what is still to be published or fetched from those that nothing waits for any more."""
    work = PendingWork(clone.state, clone.namespace, clock=clone.clock)
    valid: list[DeadLetter] = []
    settled: list[DeadLetter] = []
    for letter in clone.state.dead_letters.of_namespace(clone.namespace):
        record = clone.state.files.find(clone.namespace, letter.path)
        entry = work.find(letter.path)
        is_waited_for = entry is not None and entry.op is Op.PUT
        is_waited_for = is_waited_for or (record is not None and record.state is FileState.REMOTE)
        (valid if is_waited_for else settled).append(letter)
    return valid, settled


def forget_settled(clone: Clone) -> None:
    """Forget what was published or removed since, or got another number or path."""
    _, settled = find_letters(clone)
    clone.state.dead_letters.remove(clone.namespace, [letter.path for letter in settled])
