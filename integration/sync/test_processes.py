"""Processes that publish to one bucket at once, and processes that are killed while they do."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from swampsync.backends.s3_keys import S3Keys
from swampsync.testing.s3_side_channel import S3Server
from tests.cli.conftest import Outcome, Swamp

SCRIPT = Path(sys.executable).with_name("swamp")
MOTO = Path(__file__).parents[1] / "servers" / "moto_server.py"


@dataclass(frozen=True)
class Clone:
    """A repo of the namespace `infra`, used by processes of their own, and by this one."""

    path: Path
    env: dict[str, str]
    swamp: Swamp

    def run(self, *words: str, stdin: bytes = b"") -> Outcome:
        """Run a command here, where nothing else happens at the same moment: a process takes ten times as long."""
        return self.swamp(self.path, *words, stdin=stdin, env=self.env)

    def run_process(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [str(SCRIPT), *words],
            cwd=self.path,
            env=self.env,
            input=stdin,
            capture_output=True,
            check=False,
            timeout=120,
        )

    def json(self, *words: str) -> Any:
        return self.run(*words, "--json").json

    def versions(self, name: str) -> list[int]:
        return [v["version"] for v in self.json("data", "versions", "vpc", name)["versions"]]


@pytest.fixture
def clones(tmp_path: Path, swamp: Swamp) -> Iterator[tuple[Clone, Clone]]:
    """Two clones on a bucket of moto's server."""
    with subprocess.Popen([sys.executable, str(MOTO)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            endpoint = process.stdout.readline().strip().partition("=")[2]
            client = S3Server("moto", endpoint, S3Keys("key", "secret")).client()
            client.create_bucket(Bucket="team")
            client.close()
            env = {k: v for k, v in os.environ.items() if not k.startswith(("SWAMP_", "AWS_"))} | {
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "HOME": str(tmp_path),
                "SWAMP_HOME": str(tmp_path / "swamp"),
            }
            made = []
            for name, words in (("a", ("set", "infra")), ("b", ("join", "infra"))):
                clone = Clone(tmp_path / name, env, swamp)
                clone.path.mkdir()
                clone.run("repo", "init").ok()
                with (clone.path / ".swamp.yaml").open("a") as file:
                    file.write(
                        'datastore:\n  type: "@swampsync/s3"\n  config:\n    bucket: team\n'
                        f'    endpoint: "{endpoint}"\n'
                    )
                clone.run("namespace", *words).ok()
                made.append(clone)
            yield made[0], made[1]
        finally:
            process.kill()


@pytest.mark.holds("I1")
@pytest.mark.holds("I3")
def test_processes_of_two_clones_publish_at_once(clones: tuple[Clone, Clone]) -> None:
    """Puts of many processes of two clones each get a number of their own, which they print, and nothing is lost."""
    clones[0].run("data", "put", "vpc", "state", "-", stdin=b"0").ok()

    def put(number: int) -> tuple[int, str]:
        words = ("data", "put", "vpc", "state", "-", "--json")
        done = clones[number % 2].run_process(*words, stdin=str(number).encode())
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)["version"], str(number)

    with ThreadPoolExecutor(6) as pool:
        printed = dict(pool.map(put, range(1, 19)))
    assert sorted(printed) == list(range(2, 20))
    for clone in clones:
        clone.run("datastore", "sync").ok()
        assert clone.versions("state") == list(range(19, 0, -1))
        for version, content in printed.items():
            got = clone.run("data", "get", "vpc", "state", "--version", str(version), "--output", "-")
            assert got.text == content


@pytest.mark.holds("I11")
@pytest.mark.holds("I12")
def test_killed_syncs_are_gone_on_with(clones: tuple[Clone, Clone]) -> None:
    """A sync that is killed at any moment loses nothing: the next one publishes each version once."""
    first, second = clones
    rng = random.Random(7)
    # Published before, so that both mean the same model by its name.
    first.run("data", "put", "vpc", "z", "-", stdin=b"z").ok()
    for round_number in range(8):
        for name in ("x", "y"):
            first.run("data", "put", "vpc", name, "-", "--no-sync", stdin=f"{name}{round_number}".encode()).ok()
        second.run("data", "put", "vpc", "x", "-", stdin=b"second").ok()
        with subprocess.Popen(
            [str(SCRIPT), "datastore", "sync"], cwd=first.path, env=first.env, stdout=subprocess.DEVNULL
        ) as process:
            time.sleep(rng.uniform(0.1, 0.6))
            process.kill()
    report = first.json("datastore", "sync")
    assert report["failures"] == []
    second.run("datastore", "sync").ok()
    for name, count in (("x", 16), ("y", 8)):
        assert len(first.versions(name)) == count
        assert first.versions(name) == second.versions(name)
    contents = {first.run("data", "get", "vpc", "x", "--version", str(n), "-o", "-").out for n in first.versions("x")}
    assert contents == {b"second", *(f"x{n}".encode() for n in range(8))}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["int", "term"])
def test_watch_tells_what_comes_and_ends_by_a_signal(clones: tuple[Clone, Clone], number: signal.Signals) -> None:
    """A watching process prints what others publish and publishes what is pending; a signal ends it, no lock stays."""
    ann, bob = clones
    words = [str(SCRIPT), "datastore", "sync", "--watch", "0.2", "--json"]
    with subprocess.Popen(words, cwd=bob.path, env=bob.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watch:
        assert watch.stdout is not None
        assert watch.stderr is not None
        try:
            ann.run("data", "put", "vpc", "state", "-", stdin=b"one").ok()
            came: list[str] = []
            while not any(path.endswith("/state/1") for path in came):
                came += [c["path"] for c in json.loads(watch.stdout.readline())["changes"] if c["event"] == "pulled"]
            bob.run("data", "put", "vpc", "other", "-", "--no-sync", stdin=b"two").ok()
            changes = json.loads(watch.stdout.readline())["changes"]
            assert [(c["event"], c["path"].rpartition("/data/")[2][-8:]) for c in changes] == [("pushed", "/other/1")]
            watch.send_signal(number)
            assert watch.wait(timeout=30) == 128 + number
            assert json.loads(watch.stderr.read())["code"] == "interrupted"
        finally:
            watch.kill()
    assert bob.json("datastore", "lock", "status") == {"held": False, "datastoreType": "@swampsync/s3"}
    assert bob.json("datastore", "sync")["requests"] == 1
    assert ann.json("datastore", "sync")["filesPulled"] == 1


@pytest.mark.holds("I1")
@pytest.mark.holds("I11")
@pytest.mark.parametrize(
    "words",
    [
        ("data", "put", "vpc", "x", "payload"),
        pytest.param(("data", "import", "source", "--model", "vpc"), marks=pytest.mark.soak),
        pytest.param(("data", "delete", "vpc", "x", "-y"), marks=pytest.mark.soak),
        ("data", "gc", "-y"),
    ],
    ids=lambda words: words[1],
)
def test_command_that_is_killed_blocks_nobody_and_loses_nothing(
    clones: tuple[Clone, Clone], words: tuple[str, ...]
) -> None:
    """After `kill -9` at some moment the other clone works at once, and the next sync of the killed one heals it."""
    first, second = clones
    rng = random.Random(words[1])
    (first.path / "payload").write_bytes(b"payload")
    (first.path / "source").mkdir()
    for name in ("f1", "f2"):
        (first.path / "source" / name).write_text(name)
    first.run("data", "put", "vpc", "kept", "-", stdin=b"kept").ok()
    second.run("datastore", "sync").ok()
    for number in range(2):
        first.run("data", "put", "vpc", "x", "-", "--gc", "1", "--no-sync", stdin=f"x{number}".encode()).ok()
        with subprocess.Popen(
            [str(SCRIPT), *words], cwd=first.path, env=first.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(rng.uniform(0.2, 0.9))
            process.kill()
        second.run("data", "put", "vpc", "y", "-", stdin=f"y{number}".encode()).ok()
    for clone in (first, second, first):
        report = clone.json("datastore", "sync", "--hydrate", "--yes")
        assert report["failures"] == []
    for clone in clones:
        assert clone.run("data", "get", "vpc", "kept", "-o", "-").out == b"kept"
        contents = [
            clone.run("data", "get", "vpc", "y", "--version", str(n), "-o", "-").out for n in clone.versions("y")
        ]
        assert sorted(contents) == [b"y0", b"y1"]
        assert clone.json("datastore", "status")["sync"]["pending"] == []
    listed = [clone.json("data", "list", "vpc")["groups"] for clone in clones]
    assert listed[0] == listed[1]
    if words[1] not in {"delete", "gc"}:
        found = {first.run("data", "get", "vpc", "x", "--version", str(n), "-o", "-").out for n in first.versions("x")}
        assert {b"x0", b"x1"} <= found <= {b"x0", b"x1", b"payload"}
