"""Catalogs and rows for the tests of this room."""

from collections.abc import Callable, Iterator
from random import Random

import pytest

from swampsync.catalog.catalog import Catalog
from swampsync.catalog.rows import CatalogRow
from swampsync.clock import SystemClock
from swampsync.disk import LocalDisk


def make_row(name: str = "state", version: int = 1, **fields: object) -> CatalogRow:
    """Make a row of the model `vpc` in namespace `infra`."""
    row = CatalogRow(
        namespace="infra",
        type_normalized="command/shell",
        model_id="m-1",
        data_name=name,
        id=f"id-{name}-{version}",
        version=version,
        is_latest=0,
        model_name="vpc",
        spec_name="result",
        data_type="resource",
        content_type="application/json",
        lifetime="infinite",
        owner_type="model-method",
        streaming=0,
        size=10,
        created_at=f"2026-11-21T09:00:{version:02d}.000Z",
        tags='{"type":"resource","env":"prod"}',
        owner_ref="m-1",
        workflow_run_id="",
        workflow_name="",
        job_name="",
        step_name="",
        source="",
    )
    return row._replace(**fields)  # type: ignore[arg-type]


@pytest.fixture
def open_catalog() -> Iterator[Callable[[str], Catalog]]:
    """Open catalogs that are closed when the test ends."""
    opened: list[Catalog] = []

    def open_one(path: str) -> Catalog:
        catalog = Catalog.open(path, disk=LocalDisk(), clock=SystemClock(), rng=Random(1))
        opened.append(catalog)
        return catalog

    yield open_one
    for catalog in opened:
        catalog.close()


@pytest.fixture
def catalog(open_catalog: Callable[[str], Catalog]) -> Catalog:
    """A fresh catalog in memory."""
    return open_catalog(":memory:")
