"""Catalogs and rows for the tests of this room."""

from collections.abc import Callable, Iterator
from random import Random

import pytest

from swampsync.catalog.catalog import Catalog
from swampsync.catalog.rows import CatalogRow
from swampsync.clock import SystemClock
from swampsync.disk import LocalDisk
from swampsync.testing.sample_rows import make_sample_row


def make_row(name: str = "state", version: int = 1, **fields: object) -> CatalogRow:
    """Make a row of the model `vpc` in namespace `infra`."""
    row: dict[str, object] = {
        "namespace": "infra",
        "model_id": "m-1",
        "data_name": name,
        "id": f"id-{name}-{version}",
        "version": version,
        "is_latest": 0,
        "model_name": "vpc",
        "size": 10,
        "created_at": f"2026-11-21T09:00:{version:02d}.000Z",
        "tags": '{"type":"resource","env":"prod"}',
        "owner_ref": "m-1",
    }
    return make_sample_row(**row | fields)


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
