"""Many processes at once on one machine: one artifact, one model, one fresh catalog; and content larger than memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from integration.peak_memory import measure_peak

SWAMP = str(Path(sys.executable).with_name("swamp"))
MEMORY_LIMIT_MIB = 150


def swamp(directory: Path, *arguments: str, stdin: bytes = b"") -> str:
    done = subprocess.run([SWAMP, *arguments], cwd=directory, input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def at_once(directory: Path, commands: Sequence[Sequence[str]]) -> None:
    """Start all commands before waiting for any; all must succeed."""
    running = [
        subprocess.Popen([SWAMP, *command], cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for command in commands
    ]
    for process in running:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err.decode()


@pytest.fixture(params=["solo", "namespaced"])
def repo(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    directory = tmp_path / "repo"
    directory.mkdir()
    swamp(directory, "repo", "init")
    if request.param == "namespaced":
        shared = tmp_path / "shared"
        swamp(directory, "-n", "infra", "datastore", "setup", "filesystem", "--path", str(shared))
    return directory


@pytest.mark.integration
@pytest.mark.holds("I3")
def test_32_processes_putting_one_artifact_get_32_versions(repo: Path, tmp_path: Path) -> None:
    """32 processes that put one artifact of an undefined model at once give 32 versions and one model."""
    for number in range(32):
        (tmp_path / f"{number}").write_text(f"content {number}")
    at_once(repo, [("data", "put", "m", "x", str(tmp_path / str(number))) for number in range(32)])
    document = json.loads(swamp(repo, "data", "versions", "m", "x", "--json"))
    assert [v["version"] for v in document["versions"]] == list(range(32, 0, -1))
    assert len({v["checksum"] for v in document["versions"]}) == 32
    latest = json.loads(swamp(repo, "data", "get", "m", "x", "--json"))
    assert latest["version"] == 32
    marker = next(p for p in tmp_path.rglob("latest") if p.parent.name == "x")
    assert marker.read_text() == "32"
    models = json.loads(swamp(repo, "data", "list", "--json"))["models"]
    assert [(m["modelName"], m["versions"]) for m in models] == [("m", 32)]
    assert len(list(tmp_path.rglob("auto-definitions/**/m.yaml"))) == 1


@pytest.mark.integration
@pytest.mark.holds("I5")
def test_ten_processes_opening_a_fresh_catalog_all_succeed(repo: Path) -> None:
    """Ten listings that find no catalog at all build one together, and agree with the tree."""
    for number in range(5):
        swamp(repo, "data", "put", "m", f"x{number}", stdin=b"1")
    for leftover in (repo / ".swamp" / "data").glob("_*.db*"):
        leftover.unlink()
    at_once(repo, [("data", "list", "--json")] * 10)
    assert json.loads(swamp(repo, "data", "list", "--json"))["models"][0]["versions"] == 5
    reindexed = json.loads(swamp(repo, "datastore", "reindex", "--dry-run", "--json"))
    assert (reindexed["added"], reindexed["changed"], reindexed["removed"]) == (0, 0, 0)


@pytest.mark.integration
def test_a_corrupt_catalog_is_set_aside_and_rebuilt(repo: Path) -> None:
    """A catalog that is no database costs one line on stderr and one look at the tree."""
    swamp(repo, "data", "put", "m", "x", stdin=b"1")
    catalog = repo / ".swamp" / "data" / "_catalog.db"
    for leftover in catalog.parent.glob("_catalog.db-*"):
        leftover.unlink()
    catalog.write_bytes(b"this is no database at all" * 100)
    done = subprocess.run([SWAMP, "data", "list", "--json"], cwd=repo, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["models"][0]["versions"] == 1
    assert len(done.stderr.decode().strip().splitlines()) == 1
    assert list(catalog.parent.glob("_catalog.db.corrupt-*"))


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_two_gib_pass_in_constant_memory(tmp_path: Path) -> None:
    """A file of 2 GiB is put and got without either taking more than 150 MiB."""
    directory = tmp_path / "repo"
    directory.mkdir()
    swamp(directory, "repo", "init")
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(2 << 30)
        file.seek(1 << 30)
        file.write(os.urandom(1 << 20))
    for command in (
        [SWAMP, "data", "put", "m", "large", str(large)],
        [SWAMP, "data", "get", "m", "large", "--output", str(tmp_path / "copy")],
    ):
        assert measure_peak(command, cwd=directory) < MEMORY_LIMIT_MIB
    assert subprocess.run(["cmp", str(large), str(tmp_path / "copy")], check=False).returncode == 0
