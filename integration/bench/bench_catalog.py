"""How fast a tree is catalogued and how long listings take: figures for the README.

    python integration/bench/bench_catalog.py [--versions 100000] [--foreign 1000000] [--directory DIR]

Trees look like those of real use: models of 100 artifacts with 10 versions of 1 KiB each. Rates are those of one
process, page cache warm; the listing times with and without other namespaces' rows are taken in one run, alternating,
so that their ratio means something on a machine that does other work too.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from swampsync.artifacts.metadata import Metadata, Owner
from swampsync.artifacts.metadata_yaml import format_metadata
from swampsync.catalog.catalog import Catalog
from swampsync.catalog.rows import ArtifactKey, CatalogRow
from swampsync.catalog.search import SearchFilter
from swampsync.catalog.state import SyncState
from swampsync.clock import SystemClock
from swampsync.disk import LocalDisk
from swampsync.layout import Layout
from swampsync.maintenance.refresh import Refresher, Scope
from swampsync.namespace import SOLO

ARTIFACTS_A_MODEL = 100
VERSIONS_AN_ARTIFACT = 10
CONTENT = b"x" * 1_024
MODEL_TYPE = "command/shell"
REPEATS = 7


def uuid_of(*numbers: int) -> str:
    """Make a UUID that tells its numbers."""
    return f"{numbers[0]:08x}-0000-4000-8000-{sum(n << (16 * i) for i, n in enumerate(numbers[1:])):012x}"


def make_tree(data: Path, versions: int) -> None:
    """Write `versions` versions under `data`, without syncing."""
    for number in range(versions):
        artifact, version = divmod(number, VERSIONS_AN_ARTIFACT)
        model, artifact = divmod(artifact, ARTIFACTS_A_MODEL)
        name = f"result-{artifact:04}"
        home = data / MODEL_TYPE / uuid_of(model) / name
        directory = home / str(version + 1)
        directory.mkdir(parents=True)
        metadata = Metadata(
            id=uuid_of(model, artifact, version + 1),
            name=name,
            version=version + 1,
            content_type="application/json",
            lifetime="infinite",
            garbage_collection=10,
            streaming=False,
            tags={"type": "resource", "specName": "result", "modelName": f"m-{model}", "env": "prod"},
            owner=Owner("model-method", uuid_of(model)),
            created_at=f"2026-11-{artifact % 28 + 1:02}T09:{number % 60:02}:37.969Z",
            size=len(CONTENT),
            checksum="a0da1fce57d0e4f9f0ae4e4cbe040d34dcc046255c6c8d18e97f55aaed0655f0",
        )
        (directory / "raw").write_bytes(CONTENT)
        (directory / "metadata.yaml").write_bytes(format_metadata(metadata))
        (home / "latest").write_text(str(version + 1))


def open_repo(directory: Path) -> tuple[Layout, Catalog, SyncState, Refresher]:
    """Open a solo repo's databases and its refresher."""
    disk, clock, rng = LocalDisk(), SystemClock(), Random(1)
    layout = Layout(repo_dir=str(directory), base=str(directory / ".swamp"), namespace=SOLO)
    catalog = Catalog.open(layout.catalog_path(), disk=disk, clock=clock, rng=rng)
    state = SyncState.open(layout.state_path(), disk=disk, clock=clock, rng=rng)
    return layout, catalog, state, Refresher(disk, clock, layout=layout, catalog=catalog, state=state)


def measure_backfill(directory: Path) -> dict[str, float]:
    """Catalogue the tree in `directory` once in this process; meant for a process of its own."""
    layout, catalog, state, refresher = open_repo(directory)
    for path in Path(layout.catalog_path()).parent.glob("_*.db*"):
        path.unlink()
    begin, begin_cpu = time.perf_counter(), time.process_time()
    report = refresher.refresh(SOLO)
    wall, cpu = time.perf_counter() - begin, time.process_time() - begin_cpu
    begin = time.perf_counter()
    again = refresher.refresh(SOLO)
    second = time.perf_counter() - begin
    some = next(catalog.rows(""))
    begin = time.perf_counter()
    refresher.refresh(SOLO, Scope(some.type_normalized, some.model_id))
    model = time.perf_counter() - begin
    begin = time.perf_counter()
    refresher.refresh(SOLO, Scope(some.type_normalized, some.model_id, some.data_name))
    artifact = time.perf_counter() - begin
    catalog.close()
    state.close()
    return {
        "versions": report.versions_read,
        "seconds": round(wall, 3),
        "cpu_seconds": round(cpu, 3),
        "versions_a_second": round(report.versions_read / wall),
        "versions_a_cpu_second": round(report.versions_read / cpu),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "second_refresh_ms": round(second * 1e3, 1),
        "second_refresh_read": again.artifacts_read,
        "model_refresh_ms": round(model * 1e3, 2),
        "artifact_refresh_ms": round(artifact * 1e3, 2),
    }


def run_backfill(versions: int, directory: Path) -> dict[str, float]:
    """Make a tree, let its stamps settle, and catalogue it in a fresh process."""
    data = directory / ".swamp" / "data"
    if not data.exists():
        make_tree(data, versions)
        time.sleep(2.1)
    command = [sys.executable, __file__, "--backfill", str(directory)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(ran.stdout)
    return figures


def foreign_rows(count: int, *, namespaces: int = 50) -> Iterator[CatalogRow]:
    """Make rows of other namespaces whose models have the same names as our own."""
    for number in range(count):
        rest, version = divmod(number, VERSIONS_AN_ARTIFACT)
        rest, artifact = divmod(rest, ARTIFACTS_A_MODEL)
        model, namespace = divmod(rest, namespaces)
        yield make_row(f"ns{namespace:02}", model, artifact, version + 1)


def own_rows(count: int) -> Iterator[CatalogRow]:
    """Make rows of the namespace `mine`."""
    for number in range(count):
        rest, version = divmod(number, VERSIONS_AN_ARTIFACT)
        model, artifact = divmod(rest, ARTIFACTS_A_MODEL)
        yield make_row("mine", model, artifact, version + 1)


def make_row(namespace: str, model: int, artifact: int, version: int) -> CatalogRow:
    """Make one row."""
    return CatalogRow(
        namespace, MODEL_TYPE, uuid_of(model), f"result-{artifact:04}", uuid_of(model, artifact, version), version,
        int(version == VERSIONS_AN_ARTIFACT), f"m-{model}", "result", "resource", "application/json", "infinite",
        "model-method", 0, 1_024, f"2026-11-{artifact % 28 + 1:02}T09:00:{version:02}.000Z",
        '{"type":"resource","env":"prod"}', uuid_of(model), "", "", "", "", "",
    )  # fmt: skip


LISTINGS: dict[str, Callable[[Catalog], object]] = {
    "latest_of_namespace": lambda c: c.latest_of_namespace("mine"),
    "latest_of_model": lambda c: c.latest_of_model("mine", MODEL_TYPE, model_id=uuid_of(1)),
    "model_summaries": lambda c: c.model_summaries("mine"),
    "models": lambda c: c.models("mine"),
    "find_latest": lambda c: c.find_latest(ArtifactKey("mine", MODEL_TYPE, uuid_of(1), "result-0001")),
    "find_by_model_name": lambda c: c.find_by_model_name("mine", "m-1", data_name="result-0001"),
    "search": lambda c: c.search(SearchFilter(text="result", tags=(("env", "prod"),)), namespaces=["mine"], limit=50),
}


def run_listing(directory: Path, *, own: int, foreign: int) -> dict[str, dict[str, float]]:
    """Time listings of one namespace in a catalog of its own and in one with many foreign rows."""
    catalogs = []
    for name, count in (("alone", 0), ("crowded", foreign)):
        path = str(directory / name / "_catalog.db")
        catalog = Catalog.open(path, disk=LocalDisk(), clock=SystemClock(), rng=Random(1))
        if not catalog.has_rows("mine"):
            with catalog.loading():
                half = count // 2
                crowd = foreign_rows(count)
                # Half of the others were there before us, half came after.
                catalog.load(row for row, _ in zip(crowd, range(half), strict=False))
                catalog.load(own_rows(own))
                catalog.load(crowd)
        catalogs.append(catalog)
    figures = {}
    for name, listing in LISTINGS.items():
        times: list[list[float]] = [[], []]
        for _ in range(REPEATS):
            for number, catalog in enumerate(catalogs):
                begin = time.perf_counter()
                listing(catalog)
                times[number].append(time.perf_counter() - begin)
        alone, crowded = (statistics.median(t) for t in times)
        figures[name] = {
            "alone_ms": round(alone * 1e3, 3),
            "crowded_ms": round(crowded * 1e3, 3),
            "ratio": round(crowded / alone, 2),
        }
    for catalog in catalogs:
        catalog.close()
    return figures


def main() -> None:
    """Run both and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=100_000)
    parser.add_argument("--foreign", type=int, default=1_000_000)
    parser.add_argument("--own", type=int, default=20_000)
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--backfill", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.backfill is not None:
        print(json.dumps(measure_backfill(arguments.backfill)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        directory = arguments.directory or Path(temporary)
        figures: dict[str, object] = {}
        if arguments.versions:
            figures["backfill"] = run_backfill(arguments.versions, directory / f"tree-{arguments.versions}")
        if arguments.own:
            place = directory / f"listing-{arguments.own}-{arguments.foreign}"
            figures["listing"] = run_listing(place, own=arguments.own, foreign=arguments.foreign)
        print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
