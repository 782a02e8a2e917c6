"""Repos work over a real server while answers are lost and processes die: they converge, nothing is lost or doubled.

By hand, longer, and over other stores:

    SWAMPSYNC_EXAMPLES=500 SWAMPSYNC_STEPS=60 python -m pytest integration/sync/test_team_machine.py -k rgw
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from swampsync.backends.base import ObjectStore
from swampsync.backends.memory import MemoryStore
from swampsync.backends.s3 import S3Store
from swampsync.clock import SystemClock
from tests.stateful.team_machine import TeamMachine

EXAMPLES = int(os.environ.get("SWAMPSYNC_EXAMPLES", "5"))
STEPS = int(os.environ.get("SWAMPSYNC_STEPS", "20"))


def run_machine(make_store: Callable[[], ObjectStore], *, examples: int = EXAMPLES) -> None:
    """Run the machine over stores of one kind; each example gets one of its own."""

    class Machine(TeamMachine):
        pass

    Machine.make_store = staticmethod(make_store)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # A failing example over a server takes long to shrink: what it printed is run over memory.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            print_blob=True,
        ),
    )


@pytest.mark.holds("I1")
@pytest.mark.holds("I2")
@pytest.mark.holds("I3")
@pytest.mark.holds("I4")
@pytest.mark.holds("I5")
@pytest.mark.holds("I6")
@pytest.mark.holds("I11")
@pytest.mark.holds("I12")
def test_repos_and_clones_converge_over_a_server(s3_store: Callable[..., S3Store]) -> None:
    """Puts, appends, deletions, renames, gc, vacuum, kills and lost answers end in equal trees and catalogs."""
    run_machine(s3_store)


@pytest.mark.soak  # tests/stateful has machines over memory
@pytest.mark.holds("I1")
@pytest.mark.holds("I5")
@pytest.mark.holds("I12")
def test_repos_and_clones_converge_over_memory() -> None:
    """The same over a store in memory, where an example that failed over a server is run again."""
    run_machine(lambda: MemoryStore(SystemClock()), examples=3 * EXAMPLES)
