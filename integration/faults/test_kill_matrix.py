"""Every writing command, killed before each of its writing operations in turn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swampsync.repo import Repo
from tests.faults.kill_scenarios import COMMANDS, kill_everywhere


@pytest.mark.holds("I1")
@pytest.mark.holds("I2")
@pytest.mark.holds("I5")
@pytest.mark.holds("I11")
@pytest.mark.parametrize("is_shared", [False, True], ids=["solo", "namespaced"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda f: f.__name__)
def test_a_kill_at_any_operation_loses_nothing_and_blocks_nobody(
    tmp_path: Path, command: Callable[[Repo], Any], *, is_shared: bool
) -> None:
    """After a kill everything acknowledged is readable and whole, the catalog equals the tree, and work goes on."""
    assert kill_everywhere(tmp_path, command, is_shared=is_shared) > 10
