"""Large listings are printed without being held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from integration.bench.bench_query import make_catalog

PROGRAM = """
import json, os, sqlite3, sys
from swampsync.cli.console import Console
from swampsync.cli.query_output import write_results
from swampsync.namespace import SOLO
from swampsync.query.prepared import prepare_query
from swampsync.query.run import run_query

connection = sqlite3.connect(sys.argv[1], isolation_level=None)
select = sys.argv[2] or None
with open(os.devnull, "w", encoding="utf-8") as nowhere:
    run = run_query(connection, prepare_query("size >= 0", select=select))
    write_results(Console(is_json=sys.argv[3] == "json", stdout=nowhere, stderr=nowhere), run, own=SOLO)
# Not ru_maxrss: that begins with the memory of the process that started this one.
with open("/proc/self/status", encoding="ascii") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
print(json.dumps([run.total, peak]))
"""


def print_all(catalog: Path, select: str, form: str) -> tuple[int, float]:
    """Print every version in a process of its own; return how many, and its peak memory in MiB."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(catalog), select, form], check=True, capture_output=True, env=environment
    )
    total, peak = json.loads(done.stdout)
    return total, peak / 1024


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make a catalog, and one ten times as large."""
    directory = tmp_path_factory.mktemp("catalogs")
    small, large = directory / "small.db", directory / "large.db"
    make_catalog(str(small), 15_000).close()
    make_catalog(str(large), 150_000).close()
    return small, large


@pytest.mark.parametrize(("select", "form"), [("", "json"), ("name", "json"), ("", "table"), ("[name, size]", "table")])
def test_memory_does_not_grow_with_the_results(catalogs: tuple[Path, Path], select: str, form: str) -> None:
    """Ten times the results take the same memory, in every form of output."""
    small, large = (print_all(catalog, select, form) for catalog in catalogs)
    assert (small[0], large[0]) == (15_000, 150_000)
    assert large[1] < small[1] + 25, (small, large)
