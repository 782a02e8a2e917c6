"""A catalog in memory, filled as a test likes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from swampsync.catalog.rows import COLUMNS, CatalogRow
from swampsync.query.prepared import prepare_query
from swampsync.query.run import run_query
from swampsync.testing.query_harness import QueryHarness
from swampsync.testing.sample_rows import make_sample_row


class Fixture:
    """A catalog, and the content of its versions by id."""

    def __init__(self, harness: QueryHarness) -> None:
        self.harness = harness
        self.connection: sqlite3.Connection = harness.connection
        self.cache = harness.cache
        self.contents: dict[str, bytes] = {}
        self.reads: list[str] = []

    def add(self, *, content: Any = None, tags: dict[str, Any] | None = None, **columns: Any) -> CatalogRow:
        """Add a version; each is a millisecond younger than the one before and has an artifact of its own."""
        number = self.connection.execute("SELECT count(*) FROM catalog").fetchone()[0]
        defaults: dict[str, Any] = {
            "id": f"id-{number}",
            "data_name": f"result-{number}",
            "created_at": f"2026-11-21T09:00:{number // 1000:02d}.{number % 1000:03d}Z",
        }
        if tags is not None:
            defaults["tags"] = json.dumps(tags)
        row = make_sample_row(**{**defaults, **columns})
        self.connection.execute(f"INSERT INTO catalog VALUES ({', '.join('?' * len(COLUMNS))})", row)
        if content is not None:
            self.contents[row.id] = content if isinstance(content, bytes) else json.dumps(content).encode()
        return row

    def read_content(self, row: CatalogRow) -> bytes | None:
        """Return the content of a version, and remember that it was read."""
        self.reads.append(row.id)
        return self.contents.get(row.id)

    def digest(self, row: CatalogRow) -> str | None:
        """Return nothing: no digest is known beforehand."""
        del row
        return None


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[QueryHarness]:
    made = QueryHarness(str(tmp_path / "_sync.db"))
    yield made
    made.close()


@pytest.fixture
def catalog(harness: QueryHarness) -> Fixture:
    return Fixture(harness)


@pytest.fixture
def ask(catalog: Fixture) -> Callable[..., list[Any]]:
    """Return a function that runs a query over the catalog and returns its results."""

    def run(predicate: str, **options: Any) -> list[Any]:
        query = prepare_query(predicate, **options)
        return list(run_query(catalog.connection, query, contents=catalog, cache=catalog.cache))

    return run
