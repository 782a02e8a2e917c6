from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("boto3", "botocore", "obstore", "rich", "yaml", "pydantic", "asyncio", "hypothesis", "pytest", "moto")


def modules_loaded_by(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "swampsync", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["--help"], ["data", "--help"], ["data", "put", "--help"], ["datastore", "namespace", "--help"]],
    ids=" ".join,
)
def test_version_and_help_load_nothing_heavy(arguments: list[str]) -> None:
    """The version and the help pages load none of the heavy libraries."""
    loaded = modules_loaded_by(*arguments)
    assert not {name for name in loaded if name.split(".")[0] in HEAVY}


def test_version_loads_no_typer() -> None:
    """`--version` answers before typer is imported."""
    assert not {name for name in modules_loaded_by("--version") if name.split(".")[0] in {"typer", "click", "sqlite3"}}
