"""A set-up that was killed: the next one finishes it, goes on with it, or gives it up."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from swampsync.artifacts.tree import Tree, no_check
from swampsync.locks.directory_guard import DirectoryGuard
from swampsync.maintenance.relocate import is_directory
from swampsync.repo.parts import Parts
from swampsync.repo.setup_journal import Journals, name_place
from swampsync.repo.setup_move import COMMAND
from swampsync.repo.setup_settle import settle


def finish_interrupted(written: Parts, asked: Parts) -> bool:
    """Finish a set-up that was killed after it had written the configuration, or give up one that is not asked again.

    Args:
        written: The repo as `.swamp.yaml` says.
        asked: The repo as it is to be.

    Returns:
        Whether one was finished.
    """
    disk = written.world.disk
    journals = Journals(disk, written.layout)
    journal = journals.read()
    if journal is None:
        return False
    if journal.target == name_place(written.config):
        with ExitStack() as stack:
            check: Callable[[], None] = no_check
            layout = journal.layout(written.layout.repo_dir)
            if not journal.is_remote and is_directory(disk, layout.base):
                guard = DirectoryGuard(layout, disk, written.keeper_parts)
                check = stack.enter_context(guard.structural_lock(command=COMMAND)).check
            settle(written, journal, check=check)
        return True
    if journal.target != name_place(asked.config):
        tree = Tree(disk, written.world.clock, written.layout, written.world.new_id)
        tree.remove(journals.directory)
    return False


def is_begun(written: Parts, asked: Parts) -> bool:
    """Say whether a killed set-up has begun to move data to the place that is asked for."""
    journal = Journals(written.world.disk, written.layout).read()
    return journal is not None and journal.target == name_place(asked.config)
