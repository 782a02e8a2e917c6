from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_held_invariant_is_described() -> None:
    """Every invariant that a test names stands in design/invariants.md."""
    described = set(re.findall(r"\*\*(I\d+)\*\*", (ROOT / "design" / "invariants.md").read_text()))
    held = set()
    for folder in ("tests", "integration"):
        for path in (ROOT / folder).rglob("test_*.py"):
            held |= set(re.findall(r'holds\("(I\d+)"\)', path.read_text()))
    assert held <= described


def test_every_invariant_that_is_claimed_is_held() -> None:
    """Every invariant that design/invariants.md claims today is named by at least one test."""
    text = (ROOT / "design" / "invariants.md").read_text()
    claimed = set(re.findall(r"\*\*(I\d+)\*\*", text.partition("## Not yet claimed")[0]))
    held = set()
    for folder in ("tests", "integration"):
        for path in (ROOT / folder).rglob("test_*.py"):
            held |= set(re.findall(r'holds\("(I\d+)"\)', path.read_text()))
    assert claimed
    assert claimed <= held
