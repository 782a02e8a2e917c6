"""What happens when the world around a command is not as it should be."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from swampsync.cli.original import find_original
from tests.cli.conftest import Place, Swamp


@pytest.fixture
def filled(pair: Place, swamp: Swamp) -> Place:
    swamp(pair.first, "data", "put", "vpc", "state", stdin="one").ok()
    swamp(pair.first, "data", "put", "vpc", "state", stdin="two").ok()
    return pair


def below(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


# --- data get --output ----------------------------------------------------------------------------------


def test_output_to_a_pipe_writes_into_it(filled: Place, swamp: Swamp, tmp_path: Path) -> None:
    """What is no regular file is written to, never replaced by a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    swamp(filled.first, "data", "get", "vpc", "state", "--output", str(pipe)).ok()
    reader.join(10)
    assert read == [b"two"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_output_follows_links_and_keeps_the_mode(filled: Place, swamp: Swamp, tmp_path: Path) -> None:
    """A link stays a link, and the file that it names gets the content and keeps its mode."""
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to("target")
    swamp(filled.first, "data", "get", "vpc", "state", "-o", str(link)).ok()
    assert link.is_symlink()
    assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == ("two", 0o600)


def test_output_into_a_missing_directory_names_it(filled: Place, swamp: Swamp, tmp_path: Path) -> None:
    """The error names the directory that is missing, not a file of ours."""
    outcome = swamp(filled.first, "data", "get", "vpc", "state", "-o", f"{tmp_path}/none/x")
    assert (outcome.status, outcome.err) == (1, f"Error: no such directory: `{tmp_path}/none`\n")


def test_damaged_content_leaves_the_output_as_it_was(filled: Place, swamp: Swamp, tmp_path: Path) -> None:
    """Content whose checksum is wrong is an error that names the file, and an older output stays."""
    assert filled.datastore is not None
    (raw,) = filled.datastore.glob("infra/data/**/state/2/raw")
    raw.write_text("TWO")
    out = tmp_path / "out"
    out.write_text("old")
    outcome = swamp(filled.first, "data", "get", "vpc", "state", "-o", str(out), "--json")
    assert (outcome.status, outcome.out, outcome.error["code"]) == (1, b"", "data_error")
    assert f"`{raw}`" in outcome.error["error"]
    assert (out.read_text(), [p.name for p in tmp_path.iterdir() if p.name.endswith(".part")]) == ("old", [])


# --- the datastore ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_directory_left", [False, True], ids=["no-directory", "empty-mount-point"])
def test_an_absent_mount_is_no_missing_data(
    filled: Place, swamp: Swamp, tmp_path: Path, *, is_directory_left: bool
) -> None:
    """A datastore that is not mounted is said to be that, with exit 75, and nothing is written where it should be."""
    assert filled.datastore is not None
    swamp(filled.first, "data", "list").ok()
    filled.datastore.rename(tmp_path / "elsewhere")
    if is_directory_left:
        filled.datastore.mkdir()
    for arguments in (
        ("data", "get", "vpc", "state"),
        ("data", "versions", "vpc", "state"),
        ("data", "list"),
        ("data", "list", "vpc"),
        ("data", "search"),
        ("data", "query", "true"),
        ("datastore", "reindex"),
        ("data", "gc", "--yes"),
        ("data", "gc"),
        ("data", "prune", "--yes"),
        ("data", "prune"),
        ("data", "put", "vpc", "state"),
        ("data", "import", ".", "--model", "vpc"),
        ("data", "delete", "vpc", "state", "--yes"),
        ("data", "rename", "vpc", "state", "new"),
        ("datastore", "compact"),
    ):
        outcome = swamp(filled.first, *arguments, "--json", stdin="3")
        assert (outcome.status, outcome.error["code"]) == (75, "unavailable"), arguments
        assert str(filled.datastore) in outcome.error["hint"]
        assert filled.datastore.exists() == is_directory_left
        assert not is_directory_left or list(filled.datastore.iterdir()) == []
    if is_directory_left:
        filled.datastore.rmdir()
    (tmp_path / "elsewhere").rename(filled.datastore)
    assert swamp(filled.first, "data", "get", "vpc", "state", "-o", "-").ok().out == b"two"


@pytest.mark.parametrize("damage", ["metadata.yaml", "raw"])
def test_a_damaged_newest_version_is_reported(filled: Place, swamp: Swamp, damage: str) -> None:
    """With the newest version damaged the one before is shown, and stderr says which and why."""
    assert filled.datastore is not None
    (path,) = filled.datastore.glob(f"infra/data/**/state/2/{damage}")
    path.write_bytes(b"")
    outcome = swamp(filled.first, "data", "get", "vpc", "state", "--json").ok()
    assert outcome.json["version"] == 1
    assert outcome.err.startswith("Warning: version 2 is damaged: ")
    assert outcome.err.endswith("; this is 1\n")


def test_a_read_only_datastore_can_be_read(filled: Place, swamp: Swamp) -> None:
    """Reading commands write nothing into the datastore: not one file or directory more, not one byte."""
    assert filled.datastore is not None
    before = {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in filled.datastore.rglob("*")}
    for arguments in (
        ("data", "list"),
        ("data", "list", "vpc"),
        ("data", "get", "vpc", "state"),
        ("data", "versions", "vpc", "state"),
        ("data", "search"),
        ("data", "query", "true"),
        ("data", "gc", "--dry-run"),
        ("data", "prune", "--dry-run"),
        ("datastore", "lock", "status"),
        ("namespace", "list"),
        ("namespace", "describe"),
    ):
        swamp(filled.first, *arguments).ok()
        swamp(filled.second, *arguments, "-n", "infra").ok()
    assert {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in filled.datastore.rglob("*")} == before


# --- names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["n" * 255, "M x", "../m", "Mx", "ä"])
def test_a_model_name_that_is_refused_leaves_nothing(pair: Place, swamp: Swamp, model: str) -> None:
    """A model's name is checked before anything is made for it."""
    assert pair.datastore is not None
    before = below(pair.datastore)
    outcome = swamp(pair.first, "data", "put", model, "x", "--json", stdin="1")
    assert (outcome.status, outcome.error["code"]) == (2, "invalid_input")
    assert below(pair.datastore) == before


def test_an_underscore_is_remarked_when_the_namespace_is_chosen(tmp_path: Path, swamp: Swamp) -> None:
    """Choosing a namespace that the original swamp would not take says so, whichever command chooses it."""
    for name in ("one", "two"):
        swamp(tmp_path, "repo", "init", name).ok()
    setup = ("datastore", "setup", "filesystem", "--path", str(tmp_path / "shared"))
    remark = "Warning: the original swamp does not accept the `_` in `a_b`\n"
    assert swamp(tmp_path / "one", *setup, "-n", "a_b").ok().err == remark
    swamp(tmp_path / "two", *setup).ok()
    outcome = swamp(tmp_path / "two", "namespace", "set", "c_d").ok()
    assert outcome.err == remark.replace("a_b", "c_d")
    assert swamp(tmp_path / "one", "data", "put", "m", "x", stdin="1").ok().err == ""
    assert swamp(tmp_path / "one", "data", "list").ok().err == ""


def test_import_takes_a_directory_relative_to_where_it_is_called(pair: Place, swamp: Swamp, tmp_path: Path) -> None:
    """With `-C` the directory to import is still relative to the working directory, as the file of a put is."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("a")
    document = swamp(tmp_path, "-C", str(pair.first), "data", "import", "files", "--model", "m", "--json").ok().json
    assert [item["name"] for item in document["imported"]] == ["a.txt"]


# --- signals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=str
)
@pytest.mark.holds("I11")
def test_a_signal_while_a_put_reads_leaves_nothing(filled: Place, swamp: Swamp, number: int, status: int) -> None:
    """A put that is interrupted while it reads its input has no lock, and leaves neither version nor leftovers."""
    assert filled.datastore is not None
    before = below(filled.datastore)
    environ = {k: v for k, v in os.environ.items() if not k.startswith("SWAMP_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "swampsync", "data", "put", "vpc", "state", "--json"],
        cwd=filled.first,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(b"x" * 2_000_000)
    process.stdin.flush()
    deadline = time.monotonic() + 20
    while not list(filled.datastore.glob("infra/.staging/*.tmp")) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert list(filled.datastore.glob("infra/.staging/*.tmp"))
    assert not list(filled.datastore.glob("infra/data/**/.lock"))
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, json.loads(err)["code"]) == (status, b"", "interrupted")
    assert below(filled.datastore) == before
    assert swamp(filled.first, "data", "get", "vpc", "state", "-o", "-").ok().out == b"two"


def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    """Under nohup a hang-up does not end a command: a signal that was ignored at the start stays so."""
    source = (
        "import os, signal\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from swampsync.cli.app import run\n"
        "run(['repo', 'init', '.', '-q'], os.environ)\n"
        "print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN, signal.getsignal(signal.SIGTERM).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True _interrupt"


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_gc_and_prune_with_nothing_to_do_say_one_line(filled: Place, swamp: Swamp) -> None:
    """With nothing to do, gc and prune say that, once, after they have held the lock."""
    assert swamp(filled.first, "data", "gc").ok().text == "Nothing to clean up.\n"
    assert swamp(filled.first, "data", "prune").ok().text == "No orphaned data to reclaim.\n"
    refused = swamp(filled.second, "data", "gc", "-n", "infra")
    assert (refused.status, refused.out) == (1, b"")
    assert refused.err.startswith("Error: ")


def test_a_dry_run_of_one_artifact_says_so(filled: Place, swamp: Swamp) -> None:
    """A dry run of a deletion cannot be mistaken for one, and a missing version comes with a command that helps."""
    document = swamp(filled.first, "data", "delete", "vpc", "state", "--dry-run", "--json").ok().json
    assert (document["versionsDeleted"], document["dryRun"]) == (2, True)
    outcome = swamp(filled.first, "data", "delete", "vpc", "state", "--version", "9", "--yes", "--json")
    assert outcome.error["hint"] == "swamp data versions vpc state"
    document = swamp(filled.first, "data", "delete", "vpc", "state", "--yes", "--json").ok().json
    assert list(document) == ["modelId", "modelName", "modelType", "dataName", "versionsDeleted"]


def test_demo_prints_one_document(tmp_path: Path, swamp: Swamp) -> None:
    """`swamp demo --json` is one document with each command, its status and what it printed."""
    steps = swamp(tmp_path, "demo", "--json").ok().json["steps"]
    assert steps[0]["command"] == "swamp repo init infra"
    assert [s["command"] for s in steps if s["status"]] == ["swamp -C app datastore namespace set infra"]
    assert any('"subnets": 3' in s["out"] for s in steps)


def test_our_own_scripts_are_not_the_original(tmp_path: Path) -> None:
    """Another script of this program on PATH is not taken for the original swamp; the next one is."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for directory, text in (
        (ours, "#!/usr/bin/python\nfrom swampsync.cli.entry import main\n"),
        (theirs, "#!/bin/sh\n"),
    ):
        directory.mkdir()
        (directory / "swamp").write_text(text)
        (directory / "swamp").chmod(0o755)
    assert find_original({"PATH": f"{ours}"}) is None
    assert find_original({"PATH": f"{ours}{os.pathsep}{theirs}"}) == f"{theirs}/swamp"
