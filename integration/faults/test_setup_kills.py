"""`datastore setup` with data, killed before each of its writing operations in turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.setup_kills import kill_on_disk
from tests.unit.repo.moving_yard import trusted

__all__ = ["trusted"]


@pytest.mark.soak  # tests/faults kills at every few operations
@pytest.mark.holds("I1")
@pytest.mark.holds("I11")
@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("puts", [False, True], ids=["resumed", "used-in-between"])
@pytest.mark.parametrize(("source", "target"), [("local", "s3:other/app"), ("s3:team", "s3:other"), ("old", "new/app")])
def test_a_kill_at_any_operation_of_a_set_up_loses_nothing(
    tmp_path: Path, source: str, target: str, *, puts: bool
) -> None:
    """After a kill everything is read, commands work, and the same set-up ends with everything there once."""
    assert kill_on_disk(tmp_path, source, target, first=int(puts), stride=2, puts=puts) > 60
