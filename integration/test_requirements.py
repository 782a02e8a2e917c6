"""A server that cannot be started is a clear skip, and a failure where it is required."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ONE_TEST = "integration/backends/test_object_store_s3.py::test_quoting_is_detected[rgw]"


@pytest.fixture
def bare_machine(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine that has neither Ceph nor a way to install it."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "id"):
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SWAMPSYNC_", "PYTEST_"))}
    return kept | {"PATH": str(programs), "TMPDIR": str(tmp_path)}


def run_one(environ: dict[str, str], required: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-p", "no:xdist", ONE_TEST]
    environ = environ | {"SWAMPSYNC_REQUIRE": required}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def test_missing_server_is_a_skip_that_says_what_to_install(bare_machine: dict[str, str]) -> None:
    """Who may not install packages reads the command that somebody else can run."""
    done = run_one(bare_machine, "")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 skipped" in done.stdout
    said = " ".join(done.stdout.split())
    assert "rgw is not available: rgw-start: missing ceph: apt-get install --no-install-recommends radosgw" in said


def test_missing_server_that_is_required_is_a_failure(bare_machine: dict[str, str]) -> None:
    """Nothing is skipped that CI asked for, whatever else it asked for."""
    done = run_one(bare_machine, "moto, rgw")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "required by SWAMPSYNC_REQUIRE" in done.stdout
    assert "skipped" not in done.stdout


def test_required_server_that_nobody_knows_is_refused(bare_machine: dict[str, str]) -> None:
    """A slip in a name does not turn a requirement into a skip."""
    for required, reason in (("rgv", "names rgv, known are"), ("endpoint", "SWAMPSYNC_TEST_S3_ENDPOINT is not set")):
        done = run_one(bare_machine, required)
        assert done.returncode == 4, done.stdout + done.stderr
        assert reason in done.stderr
