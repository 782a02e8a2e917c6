"""What the README shows works as it stands there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from swampsync.cli.reference import make_reference

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_sixty_second_example_runs(tmp_path: Path) -> None:
    """Every command of the first example succeeds in an empty directory, and the last one finds the data."""
    commands = [line.removeprefix("$ ") for line in blocks("console")[0].splitlines()]
    assert len(commands) > 5
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    out = ""
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stderr)
        out = done.stdout
    assert re.search(r"infra\s+state\s+vpc", out)
    # The Python example goes on where the commands stopped.
    (source,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "['report', 'state']\n"), done.stderr


def test_set_up_commands_are_targets_of_the_makefile() -> None:
    """The two set-up commands of the README are targets of the Makefile."""
    makefile = (ROOT / "Makefile").read_text()
    commands = [c for block in blocks("console") for c in block.splitlines() if c.startswith("$ make ")]
    assert len(commands) == 2
    for command in commands:
        words = shlex.split(command.removeprefix("$ "), comments=True)
        assert f"\n{words[1]}:" in makefile


def test_no_placeholder_is_left() -> None:
    """The README's figures are filled in."""
    assert "@@" not in README


def test_the_command_reference_is_up_to_date() -> None:
    """design/cli-reference.md is what `make docs` generates."""
    assert (ROOT / "design" / "cli-reference.md").read_text() == make_reference()


@pytest.mark.parametrize("page", sorted((ROOT / "design").rglob("*.md")), ids=lambda p: p.name)
def test_pages_name_only_files_that_exist(page: Path) -> None:
    """Every path of the package or the tests that a design page names exists."""
    for name in re.findall(r"`((?:swampsync|tests|integration)/[\w/.-]+)`", page.read_text()):
        assert (ROOT / name).exists(), f"{page.name} names {name}"
