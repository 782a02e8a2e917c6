from __future__ import annotations

from pathlib import Path

import pytest

from swampsync.testing.faulty_store import Fault
from tests.faults.setup_kills import fail_requests, kill_on_disk
from tests.unit.repo.moving_yard import trusted

__all__ = ["trusted"]
pytestmark = pytest.mark.usefixtures("trusted")


@pytest.mark.holds("I11")
@pytest.mark.parametrize(("source", "target"), [("local", "s3:other/app"), ("s3:team/app", "new"), ("old", "new/app")])
def test_a_set_up_killed_on_the_disk_loses_nothing_and_goes_on(tmp_path: Path, source: str, target: str) -> None:
    """Before and after the kill everything is read where the configuration says, and the second run ends clean."""
    assert kill_on_disk(tmp_path, source, target, first=3, stride=17) > 40


@pytest.mark.holds("I11")
@pytest.mark.parametrize("fault", [Fault.CRASH_AFTER, Fault.LOST_ANSWER], ids=lambda f: f.name.lower())
def test_a_set_up_survives_a_fault_at_every_request(tmp_path: Path, fault: Fault) -> None:
    """Whichever request dies, or loses its answer, the commit's among them: everything is there once in the end."""
    assert fail_requests(tmp_path, "local", "s3:other/app", fault) > 15
