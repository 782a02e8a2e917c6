from __future__ import annotations

from pathlib import Path

import pytest

from swampsync.testing.faulty_store import Fault
from tests.faults.setup_kills import at_first_commit, counting, fail_requests, kill_on_disk
from tests.unit.repo.moving_yard import trusted

__all__ = ["trusted"]
pytestmark = pytest.mark.usefixtures("trusted")


@pytest.mark.holds("I11")
@pytest.mark.parametrize(
    ("source", "target", "first"),
    [("local", "s3:other/app", 3), ("s3:team/app", "new", 5), ("s3:team", "s3:other", 7), ("old", "new/app", 9)],
)
def test_a_set_up_killed_on_the_disk_loses_nothing_and_goes_on(
    tmp_path: Path, source: str, target: str, first: int
) -> None:
    """Before and after the kill everything is read where the configuration says, and the second run ends clean."""
    assert kill_on_disk(tmp_path, source, target, first=first, stride=19, puts=first == 7) > 40


@pytest.mark.holds("I11")
@pytest.mark.parametrize("fault", [Fault.CRASH_AFTER, Fault.LOST_ANSWER], ids=lambda f: f.name.lower())
def test_a_set_up_survives_faults_of_its_requests(tmp_path: Path, fault: Fault) -> None:
    """Whichever request dies, or loses its answer: everything is there once in the end."""
    assert fail_requests(tmp_path, "local", "s3:other/app", fault, is_hit=counting(stride=6)) > 3


@pytest.mark.holds("I11")
@pytest.mark.parametrize("fault", [Fault.CRASH_AFTER, Fault.LOST_ANSWER, Fault.DUPLICATE], ids=lambda f: f.name.lower())
def test_a_commit_whose_answer_was_lost_is_recognised(tmp_path: Path, fault: Fault) -> None:
    """The commit that publishes the data wins although nobody hears of it: the second run finds it and adds nothing."""
    assert fail_requests(tmp_path, "local", "s3:other/app", fault, is_hit=at_first_commit) == 1
