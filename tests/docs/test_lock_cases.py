"""The table of other systems' lock cases names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "design" / "lock-cases.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| theirs")
]


def find_tests(path: Path) -> set[str]:
    functions = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))
    return {function.name for function in functions if function.name.startswith("test_")}


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_each_case_has_its_test(row: list[str]) -> None:
    """Each row names at least one test that is there, or says why there is none."""
    theirs, question, here = row
    assert theirs
    assert question
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", here)
    assert named or re.match(r"none: \w", here), here
    for path, name in named:
        assert name in find_tests(ROOT / path), f"{path}::{name}"


def test_the_tables_are_not_empty() -> None:
    """Every case of Litestream's and Terraform's is there."""
    assert len(ROWS) >= 26
