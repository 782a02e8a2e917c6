"""What the shell offers after a Tab, asked as the scripts of `swamp completion` ask."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Place, Swamp


def offered(swamp: Swamp, directory: Path, line: str, *, variable: str = "_SWAMP_COMPLETE") -> list[str]:
    """Ask as the bash script does; the cursor stands at the end of the line."""
    asked = {variable: "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in asked.items():  # typer reads the process's own variables
            patch.setenv(name, value)
        outcome = swamp(directory, env=asked)
    assert (outcome.status, outcome.err) == (0, "")
    return outcome.text.split("\n")[:-1]


@pytest.fixture
def filled(pair: Place, swamp: Swamp) -> Place:
    for repo, model in ((pair.first, "vpc"), (pair.second, "build")):
        swamp(repo, "data", "put", model, "state", stdin="{}").ok()
        swamp(repo, "data", "put", model, "report", stdin="{}").ok()
    swamp(pair.first, "data", "list", "--all-namespaces").ok()
    return pair


def test_commands_and_options_are_offered(tmp_path: Path, swamp: Swamp) -> None:
    """Words of commands and options of a command are offered, also outside a repo."""
    assert offered(swamp, tmp_path, "swamp data g") == ["gc", "get"]
    assert offered(swamp, tmp_path, "swamp datastore lock ") == ["status", "release"]
    assert offered(swamp, tmp_path, "swampsync data ge", variable="_SWAMPSYNC_COMPLETE") == ["get"]
    assert offered(swamp, tmp_path, "swamp data gc --dr") == ["--dry-run"]
    assert offered(swamp, tmp_path, "swamp data get ") == [""]


def test_models_names_and_namespaces_are_offered_from_the_catalog(filled: Place, swamp: Swamp) -> None:
    """Models, the names of a model's data and namespaces are offered, wherever the repo is named on the line."""
    assert sorted(offered(swamp, filled.first, "swamp data get ")) == ["build", "vpc"]
    assert sorted(offered(swamp, filled.first, "swamp data get vpc ")) == ["report", "state"]
    assert offered(swamp, filled.first, "swamp data get vpc s") == ["state"]
    assert offered(swamp, filled.first, "swamp data list --model v") == ["vpc"]
    assert sorted(offered(swamp, filled.first, "swamp data list -n ")) == ["app", "infra"]
    assert sorted(offered(swamp, filled.first, "swamp namespace describe ")) == ["app", "infra"]
    elsewhere = filled.first.parent
    assert offered(swamp, elsewhere, f"swamp -C {filled.first} data get v") == ["vpc"]
    assert offered(swamp, elsewhere, f"swamp data get -C {filled.first} v") == ["vpc"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_answered_in_their_form(tmp_path: Path, shell: str) -> None:
    """zsh gets a call of `_arguments`, fish one candidate a line."""
    environ = {
        **os.environ,
        "_SWAMP_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": "swamp data g",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run(
        [sys.executable, "-m", "swampsync"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    expected = {"zsh": '_arguments \'*: :(("gc"\n"get"))\'\n', "fish": "gc\nget\n"}
    assert done.stdout == expected[shell]


def test_the_script_for_bash_completes_in_bash(tmp_path: Path, swamp: Swamp) -> None:
    """Sourced in bash, the script of `swamp completion bash` fills the reply with candidates."""
    script = swamp(tmp_path, "completion", "bash").ok().text
    (tmp_path / "script").write_text(script)
    source = (
        "source ./script; COMP_WORDS=(swamp data ver); COMP_CWORD=2; _swamp_completion swamp;"
        ' printf "%s\\n" "${COMPREPLY[@]}"'
    )
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc", "-c", source], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("versions\n", "")


def test_one_command_is_imported_at_most(tmp_path: Path) -> None:
    """Completing loads neither the repo nor tables, and no command but the one on the line."""
    source = (
        "import os, sys\n"
        "from swampsync.cli.app import run\n"
        "run([], os.environ)\n"
        "print([m for m in sys.modules if m in {'swampsync.repo', 'rich', 'yaml', 'swampsync.cli.structural'}])\n"
    )
    environ = {**os.environ, "_SWAMP_COMPLETE": "complete_bash", "COMP_WORDS": "swamp data get ", "COMP_CWORD": "3"}
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
