"""The page of known bugs names tests that exist, and leaves no number out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "design" / "known-bugs.md").read_text()


def test_every_named_test_exists() -> None:
    """Each `path::test` of the page is a function of that file, with a sentence that says what it holds."""
    named = re.findall(r"`((?:tests|integration)/[\w/]+\.py)::(test_\w+)`", PAGE)
    assert len(named) > 70
    missing = []
    functions: dict[str, dict[str, str | None]] = {}
    for path, test in named:
        if path not in functions:
            tree = ast.parse((ROOT / path).read_text()) if (ROOT / path).is_file() else ast.parse("")
            functions[path] = {n.name: ast.get_docstring(n) for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
        if not functions[path].get(test):
            missing.append(f"{path}::{test}")
    assert missing == []


def test_every_number_has_a_row_and_what_holds_it() -> None:
    """Numbers 1 to 23, 27 to 39 and the letters are there in order, each with a test or a reason."""
    rows = re.findall(r"^\| (\d+|[a-z]) \| (.+) \| (.+) \|$", PAGE, flags=re.MULTILINE)
    expected = [*map(str, range(1, 24)), *map(str, range(27, 40)), *"abcdefghijklmno"]
    assert [number for number, _, _ in rows] == expected
    assert all("::test_" in held for _, _, held in rows)
