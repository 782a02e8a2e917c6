"""The catalog file has swamp's schema, and survives everything that is not."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from swampsync.catalog.catalog import Catalog
from swampsync.catalog.rows import COLUMNS
from tests.unit.catalog.conftest import make_row

TEXT_WITHOUT_DEFAULT = {"type_normalized", "model_id", "data_name", "id", "model_name", "created_at"}
DEFAULTS = {"is_latest": "1", "streaming": "0", "size": "0", "tags": "'{}'"}
KEY = ["namespace", "type_normalized", "model_id", "data_name", "version"]


def expected_columns() -> list[tuple[int, str, str, int, str | None, int]]:
    columns = []
    for number, name in enumerate(COLUMNS):
        kind = "INTEGER" if name in {"version", "is_latest", "streaming", "size"} else "TEXT"
        default = None if name in TEXT_WITHOUT_DEFAULT or name == "version" else DEFAULTS.get(name, "''")
        columns.append((number, name, kind, 1, default, KEY.index(name) + 1 if name in KEY else 0))
    return columns


def test_catalog_has_the_columns_and_indexes_of_schema_4(
    tmp_path: Path, open_catalog: Callable[[str], Catalog]
) -> None:
    """Table, key, indexes and meta of a file that we create are those that swamp creates, and nothing else is in it."""
    path = str(tmp_path / "data" / "_catalog.db")
    open_catalog(path).upsert_latest(make_row())
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA table_info(catalog)").fetchall() == expected_columns()
        assert connection.execute("PRAGMA table_info(catalog_meta)").fetchall() == [
            (0, "key", "TEXT", 0, None, 1),
            (1, "value", "TEXT", 1, None, 0),
        ]
        indexes = {
            name: (unique, origin, [c for (_, _, c) in connection.execute(f"PRAGMA index_info({name})")])
            for (_, name, unique, origin, _) in connection.execute("PRAGMA index_list(catalog)").fetchall()
        }
        assert indexes == {
            "sqlite_autoindex_catalog_1": (1, "pk", KEY),
            "idx_catalog_model_name": (0, "c", ["model_name"]),
            "idx_catalog_spec_name": (0, "c", ["spec_name"]),
            "idx_catalog_data_type": (0, "c", ["data_type"]),
            "idx_catalog_created_at": (0, "c", ["created_at"]),
            "idx_catalog_workflow_run_id": (0, "c", ["workflow_run_id"]),
            "idx_catalog_step_name": (0, "c", ["step_name"]),
            "idx_namespace": (0, "c", ["namespace"]),
            "idx_catalog_is_latest": (0, "c", ["namespace", "type_normalized", "model_id", "data_name", "is_latest"]),
            "idx_catalog_latest_lookup": (0, "c", ["model_name", "data_name", "is_latest", "namespace"]),
        }
        assert connection.execute("SELECT * FROM catalog_meta").fetchall() == [("schema_version", "4")]
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type <> 'index' ORDER BY name").fetchall()
        assert tables == [("catalog",), ("catalog_meta",)]


def test_catalog_row_reads_as_it_was_written(catalog: Catalog) -> None:
    """A row comes back equal, column by column."""
    row = make_row(is_latest=1, streaming=1, workflow_run_id="run", job_name="j", step_name="s", source="x")
    catalog.upsert_latest(row)
    assert catalog.versions(("infra", "command/shell", "m-1", "state")) == [row]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content",
    [b"this is no database, although it is long enough to hold a header" * 40, b"SQLite format 3\0" + b"\xff" * 4_080],
)
def test_unreadable_file_is_set_aside_and_rebuilt(
    content: bytes, tmp_path: Path, open_catalog: Callable[[str], Catalog]
) -> None:
    """A file that is no database is kept under another name, a fresh one works, and a notice says so."""
    path = tmp_path / "_catalog.db"
    path.write_bytes(content)
    catalog = open_catalog(str(path))
    catalog.upsert_latest(make_row())
    assert not catalog.is_populated()
    assert catalog.count("infra") == 1
    (notice,) = catalog.notices
    assert notice.path == str(path)
    assert Path(notice.kept_as).read_bytes() == content
    assert Path(notice.kept_as).name.startswith("_catalog.db.corrupt-")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE catalog_meta SET value = '5' WHERE key = 'schema_version'",
        "ALTER TABLE catalog ADD COLUMN more TEXT",
        "ALTER TABLE catalog RENAME COLUMN size TO bytes",
    ],
)
def test_unknown_schema_is_set_aside_and_rebuilt(
    damage: str, tmp_path: Path, open_catalog: Callable[[str], Catalog]
) -> None:
    """A catalog of another version or shape is never guessed at: it is set aside, rows and all."""
    path = str(tmp_path / "_catalog.db")
    first = open_catalog(path)
    first.upsert_latest(make_row())
    first.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(damage)
        connection.commit()
    second = open_catalog(path)
    assert second.count("infra") == 0
    (notice,) = second.notices
    with closing(sqlite3.connect(notice.kept_as)) as connection:
        assert connection.execute("SELECT count(*) FROM catalog").fetchone() == (1,)


def test_corruption_found_by_a_writer_is_healed_and_the_write_repeated(
    tmp_path: Path, open_catalog: Callable[[str], Catalog]
) -> None:
    """Pages that turn out malformed in the middle of a write cost the old file, not the write."""
    path = tmp_path / "_catalog.db"
    first = open_catalog(str(path))
    first.load([make_row(f"n{i:04}", 1, is_latest=1) for i in range(500)])
    first.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096 * 5)
        file.write(b"\xa5" * (size - 4096 * 5))
    second = open_catalog(str(path))
    second.replace_artifacts([(("infra", "command/shell", "m-1", f"n{i:04}"), []) for i in range(500)])  # type: ignore[misc]
    second.upsert_latest(make_row("fresh"))
    assert len(second.notices) == 1
    assert not second.is_populated()
    assert [row.data_name for row in second.latest_of_namespace("infra")] == ["fresh"]


def test_missing_indexes_are_added_to_a_file_of_schema_4(
    tmp_path: Path, open_catalog: Callable[[str], Catalog]
) -> None:
    """A catalog that lost an index gets it back without losing its rows."""
    path = str(tmp_path / "_catalog.db")
    first = open_catalog(path)
    first.upsert_latest(make_row())
    first.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP INDEX idx_namespace")
    second = open_catalog(path)
    assert second.count("infra") == 1
    assert second.notices == []


def test_populated_mark_is_swamps(catalog: Catalog) -> None:
    """The mark is the meta key that swamp reads and deletes."""
    assert not catalog.is_populated()
    catalog.mark_populated()
    assert catalog.read_meta("populated") == "true"
    catalog.clear_populated()
    assert catalog.read_meta("populated") is None
