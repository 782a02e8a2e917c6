"""Writers of the catalog keep one rule of what is latest."""

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swampsync.catalog import inserting
from swampsync.catalog.catalog import Catalog, RowChange
from swampsync.catalog.latest import assign_latest
from swampsync.catalog.rows import ArtifactKey, CatalogRow
from swampsync.catalog.schema import INDEXES
from swampsync.clock import SystemClock
from swampsync.disk import LocalDisk
from swampsync.errors import DataError
from tests.unit.catalog.conftest import make_row

KEY = ArtifactKey("infra", "command/shell", "m-1", "state")


def latest(catalog: Catalog, key: ArtifactKey = KEY) -> list[tuple[int, str]]:
    return [(row.version, row.step_name) for row in reversed(catalog.versions(key)) if row.is_latest]


def test_upsert_moves_the_latest_mark(catalog: Catalog) -> None:
    """A new version takes the mark from the one before."""
    catalog.upsert_latest(make_row(version=1))
    catalog.upsert_latest(make_row(version=2))
    assert latest(catalog) == [(2, "")]


def test_upsert_of_a_lower_version_leaves_the_mark(catalog: Catalog) -> None:
    """A writer that is late does not take the mark from a higher version."""
    catalog.upsert_latest(make_row(version=2))
    catalog.upsert_latest(make_row(version=1))
    assert latest(catalog) == [(2, "")]


def test_each_step_has_a_latest_of_its_own(catalog: Catalog) -> None:
    """Two steps that write one name keep one latest row each."""
    catalog.upsert_latest_many([make_row(version=1, step_name="a"), make_row(version=2, step_name="b")])
    catalog.upsert_latest(make_row(version=3, step_name="b"))
    assert latest(catalog) == [(1, "a"), (3, "b")]


def test_upsert_touches_no_other_artifact_model_or_namespace(catalog: Catalog) -> None:
    """The mark of a row that differs in any part of the key stays where it is."""
    others = [
        make_row(namespace="app"),
        make_row(type_normalized="command/other"),
        make_row(model_id="m-2"),
        make_row(name="log"),
    ]
    catalog.upsert_latest_many(others)
    catalog.upsert_latest(make_row(version=2))
    for row in others:
        assert latest(catalog, ArtifactKey(*row[:4])) == [(1, "")]


def test_removing_the_highest_version_marks_the_next(catalog: Catalog) -> None:
    """After a deletion the highest version that is left is the latest, per step."""
    catalog.upsert_latest_many([make_row(version=v, step_name="ab"[v % 2]) for v in range(1, 6)])
    assert catalog.remove_versions(KEY, [5, 9]) == 1
    assert latest(catalog) == [(3, "b"), (4, "a")]


def test_replacing_an_artifact_removes_its_ghosts(catalog: Catalog) -> None:
    """Rows whose version was not found go, others are added or corrected, equal ones are left alone."""
    catalog.upsert_latest_many([make_row(version=v) for v in (1, 2, 3)])
    found = [make_row(version=1), make_row(version=2, size=11), make_row(version=4)]
    assert catalog.replace_artifact(KEY, found) == RowChange(added=1, changed=1, removed=1)
    assert [(r.version, r.size) for r in catalog.versions(KEY)] == [(4, 10), (2, 11), (1, 10)]
    assert latest(catalog) == [(4, "")]
    assert catalog.replace_artifact(KEY, found).is_empty
    assert catalog.replace_artifact(KEY, []) == RowChange(removed=3)


def test_renaming_leaves_no_row_of_the_old_name(catalog: Catalog) -> None:
    """The new name has its row and the old one has none, in one transaction."""
    catalog.upsert_latest_many([make_row(version=v) for v in (1, 2)])
    catalog.rename_artifact(KEY, make_row("status", 1))
    assert catalog.versions(KEY) == []
    assert [r.data_name for r in catalog.latest_of_namespace("infra")] == ["status"]


def test_applying_a_commit_decides_the_latest_anew(catalog: Catalog) -> None:
    """Additions and removals of several artifacts land together, and a version both added and removed stays."""
    catalog.upsert_latest_many([make_row(version=v) for v in (1, 2)])
    change = catalog.apply([make_row(version=3), make_row("log", 1)], [(KEY, 2), (KEY, 3), (KEY, 7)])
    assert change == RowChange(added=2, changed=0, removed=1)
    assert [r.version for r in catalog.versions(KEY)] == [3, 1]
    assert latest(catalog) == [(3, "")]


def test_replacing_a_namespace_leaves_the_others(catalog: Catalog) -> None:
    """Rows of other namespaces are neither counted nor touched."""
    catalog.upsert_latest_many([make_row(), make_row("log"), make_row(namespace="app")])
    change = catalog.replace_namespace("infra", [make_row("new", is_latest=1)])
    assert change == RowChange(added=1, removed=2)
    assert catalog.count("app") == 1
    assert catalog.remove_namespace("infra") == 1
    assert catalog.namespaces() == ["app"]


@pytest.mark.parametrize("has_others", [False, True])
def test_replacing_by_many_rows_leaves_the_schema(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, *, has_others: bool
) -> None:
    """However many rows come at once, the indexes are those from before, and hold every row."""
    schema = "SELECT name, tbl_name, sql FROM sqlite_master ORDER BY name"
    monkeypatch.setattr(inserting, "MANY_ROWS", 3)
    if has_others:
        catalog.upsert_latest(make_row(namespace="app"))
    with catalog.database.read() as connection:
        before = connection.execute(schema).fetchall()
    change = catalog.replace_namespace("infra", (make_row(f"n{i}", is_latest=1) for i in range(7)))
    assert change == RowChange(added=7)
    with catalog.database.read() as connection:
        assert connection.execute(schema).fetchall() == before
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_rows_that_fail_leave_the_indexes(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the rows end with an error, the namespace and the indexes are as they were."""
    monkeypatch.setattr(inserting, "MANY_ROWS", 3)
    catalog.upsert_latest(make_row(size=5))

    def rows() -> Iterator[CatalogRow]:
        yield from (make_row(f"n{i}") for i in range(5))
        raise DataError("no more")

    with pytest.raises(DataError, match="no more"):
        catalog.replace_namespace("infra", rows())
    assert [row.size for row in catalog.versions(KEY)] == [5]
    with catalog.database.read() as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        assert names.issuperset(INDEXES)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.sampled_from(["", "a", "b"]), st.booleans()),
        max_size=14,
    )
)
def test_puts_and_deletes_leave_what_a_rebuild_would(steps: list[tuple[int, str, bool]]) -> None:
    """Whatever the order of puts and deletions, `is_latest` is what `assign_latest` gives the rows left."""
    with Catalog.open(":memory:", disk=LocalDisk(), clock=SystemClock(), rng=Random(1)) as catalog:
        model: dict[int, CatalogRow] = {}
        for version, step, is_put in steps:
            if is_put and version not in model:
                model[version] = make_row(version=version, step_name=step)
                catalog.upsert_latest(model[version])
            elif not is_put:
                model.pop(version, None)
                catalog.remove_versions(KEY, [version])
        expected = assign_latest([model[v] for v in sorted(model, reverse=True)])
        assert catalog.versions(KEY) == expected
