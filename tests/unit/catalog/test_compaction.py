"""Compaction gives space back while others have the file open."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from swampsync.catalog import sqlite as seam
from swampsync.catalog.catalog import Catalog
from swampsync.catalog.compaction import compact, fold_log
from tests.unit.catalog.conftest import make_row


def fill_and_empty(catalog: Catalog) -> None:
    catalog.load([make_row(f"n{i:04}", is_latest=1) for i in range(2_000)])
    catalog.remove_namespace("infra")
    catalog.upsert_latest(make_row("kept"))


def test_compact_gives_free_pages_back(tmp_path: Path, open_catalog: Callable[[str], Catalog]) -> None:
    """The file shrinks by what is reported, the rows stay, and another open connection goes on reading."""
    path = tmp_path / "_catalog.db"
    catalog, other = open_catalog(str(path)), open_catalog(str(path))
    fill_and_empty(catalog)
    fold_log(catalog.database)
    assert other.count("infra") == 1
    before = path.stat().st_size
    result = compact(catalog.database)
    assert not result.is_vacuum_skipped
    assert result.bytes_reclaimed == before - path.stat().st_size > 500_000
    assert (result.wal_pages_total, result.wal_pages_checkpointed) == (0, 0)
    assert other.latest_of_namespace("infra") == catalog.latest_of_namespace("infra")
    other.upsert_latest(make_row("more"))
    assert catalog.count("infra") == 2


def test_compact_behind_a_reader_is_skipped(
    tmp_path: Path, open_catalog: Callable[[str], Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When somebody reads for longer than we wait, nothing is rewritten and that is said."""
    monkeypatch.setattr(seam, "BUSY_TIMEOUT_SECONDS", 0.01)
    monkeypatch.setattr(seam, "journal_mode_for", lambda _kind: "delete")
    path = tmp_path / "_catalog.db"
    catalog = open_catalog(str(path))
    fill_and_empty(catalog)
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM catalog").fetchone()
        result = compact(catalog.database)
    assert result.is_vacuum_skipped
    assert result.bytes_reclaimed == 0
    assert catalog.count("infra") == 1
