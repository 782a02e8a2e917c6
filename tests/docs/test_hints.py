"""A hint that names a command names one that there is, with options that it has."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from swampsync.cli.table import COMMANDS

ROOT = Path(__file__).parents[2]
COMMON = {"-C", "--repo-dir", "-n", "--namespace", "--json", "-q", "--quiet", "-v", "--verbose", "--no-color", "--help"}


def options_of_commands() -> dict[tuple[str, ...], set[str]]:
    """Read from the reference, which a test holds, what options each command has."""
    sections = re.split(r"^## swamp ", (ROOT / "design" / "cli-reference.md").read_text(), flags=re.MULTILINE)[1:]
    found: dict[tuple[str, ...], set[str]] = {}
    for section in sections:
        title, _, body = section.partition("\n")
        words = tuple(word for word in title.split() if re.fullmatch(r"[a-z][a-z0-9-]*", word))
        found[words] = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", body)) | COMMON
    return found


def hints() -> dict[str, str]:
    """Find every hint that is written down, with where; what is filled in stands there as `X`."""
    found: dict[str, str] = {}
    for path in (ROOT / "swampsync").rglob("*.py"):
        source = path.read_text()
        # Most modules give no hint, and reading one takes its time.
        for node in ast.walk(ast.parse(source)) if "hint" in source else ():
            if isinstance(node, ast.keyword) and node.arg == "hint":
                for text in _texts(node.value):
                    found[text] = f"{path.relative_to(ROOT)}:{node.value.lineno}"
    return found


def _texts(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(v.value) if isinstance(v, ast.Constant) else "X" for v in node.values)]
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)
    return []


def test_every_hint_names_a_command_that_exists() -> None:
    """Words after `swamp` in a hint are a command, and its options are in the reference."""
    options = options_of_commands()
    checked = 0
    wrong: list[str] = []
    for text, where in hints().items():
        for command in re.findall(r"(?:^|[ (`])swamp ([a-z][^;,)`]*)", text):
            words = tuple(command.split())
            known = next((words[:n] for n in (3, 2, 1) if words[:n] in COMMANDS), None)
            if known is None:
                wrong.append(f"{where}: {command}")
                continue
            checked += 1
            named = set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", command.partition(" -- ")[0]))
            section = options.get(known) or options.get(("datastore", *known)) or options[known[1:]]
            wrong += [f"{where}: {' '.join(known)} {option}" for option in sorted(named - section)]
    assert not wrong, "\n".join(wrong)
    assert checked > 50
