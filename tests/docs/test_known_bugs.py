"""The pages of known bugs name tests that exist, and leave no number out."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NUMBERS = {
    "known-bugs.md": [*map(str, range(1, 24)), *map(str, range(27, 40)), *"abcdefghijklmno"],
    "known-sync-bugs.md": [
        *map(str, range(1, 51)),
        *(f"10.5.{number}" for number in range(40, 48)),
        *(f"B{number}" for number in range(1, 25)),
        *(f"O{number}" for number in range(1, 8)),
    ],
}


@cache
def functions_of(path: str) -> dict[str, str | None]:
    """Find the functions of a file, methods too, with their docstrings; each file is read once for both pages."""
    file = ROOT / path
    body = ast.parse(file.read_text()).body if file.is_file() else []
    methods = [n for c in body if isinstance(c, ast.ClassDef) for n in c.body]
    return {n.name: ast.get_docstring(n) for n in [*body, *methods] if isinstance(n, ast.FunctionDef)}


@pytest.mark.parametrize("page", NUMBERS)
def test_every_named_test_exists(page: str) -> None:
    """Each `path::test` of a page is a function of that file, with a sentence that says what it holds."""
    text = (ROOT / "design" / page).read_text()
    named = re.findall(r"`((?:tests|integration|swampsync/testing)/[\w/]+\.py)::(test_\w+)`", text)
    assert len(named) > 70
    assert len(named) == text.count("::test_")
    assert [f"{path}::{test}" for path, test in named if not functions_of(path).get(test)] == []


@pytest.mark.parametrize("page", NUMBERS)
def test_every_number_has_a_row_and_what_holds_it(page: str) -> None:
    """All numbers and letters of a page are there in order, each with a test or a reason and the test that shows it."""
    text = (ROOT / "design" / page).read_text()
    rows = re.findall(r"^\| ([\dBO][\d.]*|[a-z]) \| (.+) \| (.+) \|$", text, flags=re.MULTILINE)
    assert [number for number, _, _ in rows] == NUMBERS[page]
    assert all("::test_" in held for _, _, held in rows)
