"""Many processes on one artifact, as on a machine that runs a workflow's steps side by side."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from swampsync.artifacts.definitions import create_definition, definition_sources, list_definitions
from swampsync.artifacts.model import Model
from swampsync.artifacts.scan import scan_artifact
from swampsync.artifacts.tree import Tree
from swampsync.clock import SystemClock
from swampsync.disk import LocalDisk
from swampsync.layout import Layout
from swampsync.namespace import Namespace

PROCESSES = 32
MODEL = Model("command/shell", "0fe7cbe8-c8f1-4a14-811f-c7079bba1297", "m")

WORKER = """
import io, sys, uuid
from swampsync.artifacts.definitions import create_definition
from swampsync.artifacts.metadata import Draft, Owner
from swampsync.artifacts.model import Model
from swampsync.artifacts.store import ArtifactStore
from swampsync.artifacts.tree import Tree
from swampsync.clock import SystemClock
from swampsync.disk import LocalDisk
from swampsync.layout import Layout
from swampsync.namespace import Namespace

what, base, number = sys.argv[1:]
layout = Layout(f"{base}/repo", f"{base}/store", Namespace("infra"))
new_id = lambda: str(uuid.uuid4())
sys.stdin.read()  # until all have started
if what == "put":
    store = ArtifactStore(LocalDisk(), SystemClock(), layout, new_id=new_id)
    model = Model("command/shell", "0fe7cbe8-c8f1-4a14-811f-c7079bba1297", "m")
    draft = Draft(content_type="text/plain", lifetime="infinite", garbage_collection=10, tags={"type": "file"},
                  owner=Owner("manual", "me"))
    for turn in range(4):
        print(store.put(model, "out", io.BytesIO(f"{number} {turn}".encode()), draft).version)
else:
    print(create_definition(Tree(LocalDisk(), SystemClock(), layout, new_id), "m", repo_id="repo").model.id)
"""


def run_all(what: str, base: Path) -> list[str]:
    """Start every process, let them go at once, and return the lines that they print."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, what, str(base), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.close()
        worker.stdin = None
    outputs = [worker.communicate(timeout=100)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * PROCESSES
    return [line for output in outputs for line in output.split()]


@pytest.mark.integration
def test_processes_that_put_at_once_get_distinct_versions(tmp_path: Path) -> None:
    """Core fact 10.1.1 without any lock: 32 processes with four puts each get 128 numbers; `latest` is the highest."""
    base = tmp_path.resolve()
    versions = sorted(map(int, run_all("put", base)))
    assert versions == list(range(1, 4 * PROCESSES + 1))
    scan = scan_artifact(LocalDisk(), f"{base}/store/infra/data/{MODEL.type}/{MODEL.id}/out")
    assert [version.version for version in scan.versions] == versions
    assert (scan.marker, scan.incomplete, scan.problems) == (4 * PROCESSES, (), ())
    assert not list(base.rglob(".*.tmp"))


@pytest.mark.integration
def test_processes_that_create_one_definition_get_the_same(tmp_path: Path) -> None:
    """Core fact 10.1.12: 32 processes on an absent definition make exactly one."""
    base = tmp_path.resolve()
    assert len(set(run_all("create", base))) == 1
    layout = Layout(f"{base}/repo", f"{base}/store", Namespace("infra"))
    (definition,) = list_definitions(LocalDisk(), definition_sources(layout))
    tree = Tree(LocalDisk(), SystemClock(), layout, lambda: "unused")
    assert create_definition(tree, "m", repo_id="repo") == definition
