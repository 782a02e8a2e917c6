"""Every command that writes to a bucket, killed between any two things that it does to its disk or the bucket.

SWAMPSYNC_KILL_STRIDE=1 kills at each of them; by default at every few.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.bucket_scenarios import SCENARIOS, Scenario, kill_everywhere

STRIDE = int(os.environ.get("SWAMPSYNC_KILL_STRIDE", "23"))


@pytest.mark.holds("I1")
@pytest.mark.holds("I2")
@pytest.mark.holds("I5")
@pytest.mark.holds("I11")
@pytest.mark.holds("I12")
@pytest.mark.parametrize("is_shared", [False, True], ids=["solo", "namespaced"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_a_kill_anywhere_loses_nothing_and_is_healed_by_the_next_command(
    tmp_path: Path, scenario: Scenario, *, is_shared: bool
) -> None:
    """What was acknowledged is there, nobody sees half of anything, and both clones agree after the next sync."""
    first = SCENARIOS.index(scenario) + (3 if is_shared else 0)
    operations = kill_everywhere(tmp_path, scenario, is_shared=is_shared, first=first % STRIDE, stride=STRIDE)
    assert operations > 5
