"""Look-ups, listings and searches, and the indexes that answer them."""

import sqlite3
from collections.abc import Callable

import pytest

from swampsync.catalog.catalog import Catalog
from swampsync.catalog.reading import ModelKey, ModelSummary
from swampsync.catalog.rows import ArtifactKey, CatalogRow
from swampsync.catalog.search import SearchFilter
from tests.unit.catalog.conftest import make_row

KEY = ArtifactKey("infra", "command/shell", "m-1", "state")


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    rows = [
        *(make_row("state", v) for v in (1, 2, 3)),
        make_row("log", 1, data_type="log", streaming=1, size=5, tags='{"type":"log"}'),
        make_row("report-x", 1, model_name="", tags='{"type":"report"}', data_type="report"),
        make_row("state", 1, model_id="m-2", model_name="dns", workflow_run_id="run-1", step_name="a"),
        make_row("state", 2, model_id="m-2", model_name="dns", workflow_run_id="run-1", step_name="b"),
        make_row("state", 7, namespace="app"),
        make_row("state", 1, type_normalized="a/b", model_id="m-3", model_name="vpc"),
    ]
    catalog.upsert_latest_many(rows)
    return catalog


def names(rows: list[CatalogRow]) -> list[tuple[str, str, int]]:
    return [(r.model_id, r.data_name, r.version) for r in rows]


def test_find_latest_takes_the_highest_of_all_steps(filled: Catalog) -> None:
    """Where two steps have a latest each, the artifact's own is the higher one."""
    key = ArtifactKey("infra", "command/shell", "m-2", "state")
    found = filled.find_latest(key)
    assert found is not None
    assert (found.version, found.step_name) == (2, "b")
    assert filled.find_latest(key._replace(namespace="none")) is None


def test_find_version_and_versions(filled: Catalog) -> None:
    """One version by number; all of them, the highest first."""
    one = filled.find_version(KEY, 2)
    assert one is not None
    assert one.id == "id-state-2"
    assert filled.find_version(KEY, 9) is None
    assert [r.version for r in filled.versions(KEY)] == [3, 2, 1]


def test_find_by_model_name_gives_one_row_a_model(filled: Catalog) -> None:
    """An artifact is found by its model's name, in the one namespace, once for each model of that name."""
    assert names(filled.find_by_model_name("infra", "vpc", data_name="state")) == [
        ("m-3", "state", 1),
        ("m-1", "state", 3),
    ]
    assert names(filled.find_by_model_name("infra", "dns", data_name="state")) == [("m-2", "state", 2)]
    assert names(filled.find_by_model_name("app", "vpc", data_name="state")) == [("m-1", "state", 7)]


def test_namespaces_lists_each_once(filled: Catalog) -> None:
    """Solo is a namespace like the others here, with the empty name."""
    assert filled.namespaces() == ["app", "infra"]
    filled.upsert_latest(make_row(namespace=""))
    assert filled.namespaces() == ["", "app", "infra"]
    assert filled.has_rows("")
    assert not filled.has_rows("other")


def test_models_are_named_by_their_first_named_artifact(filled: Catalog) -> None:
    """A model whose reports carry no name still has one."""
    assert filled.models("infra") == [
        ModelKey("infra", "a/b", "m-3", "vpc"),
        ModelKey("infra", "command/shell", "m-1", "vpc"),
        ModelKey("infra", "command/shell", "m-2", "dns"),
    ]
    assert filled.find_models("infra", model_name="dns") == [ModelKey("infra", "command/shell", "m-2", "dns")]
    assert filled.models("none") == []


def test_model_summaries_count_own_rows_only(filled: Catalog) -> None:
    """Artifacts, versions and bytes are those of the namespace."""
    assert filled.model_summaries("infra") == [
        ModelSummary("infra", "a/b", "m-3", "vpc", 1, 1, 10),
        ModelSummary("infra", "command/shell", "m-1", "vpc", 3, 5, 45),
        ModelSummary("infra", "command/shell", "m-2", "dns", 1, 2, 20),
    ]


def test_data_names_of_a_model(filled: Catalog) -> None:
    """Names come in order, once each."""
    assert filled.data_names("infra", "command/shell", model_id="m-1") == ["log", "report-x", "state"]


def test_listings_show_one_row_an_artifact(filled: Catalog) -> None:
    """A model, a namespace, a run: the latest version of each artifact, by name."""
    assert names(filled.latest_of_model("infra", "command/shell", model_id="m-1")) == [
        ("m-1", "log", 1),
        ("m-1", "report-x", 1),
        ("m-1", "state", 3),
    ]
    assert names(filled.latest_of_namespace("infra")) == [
        ("m-3", "state", 1),
        ("m-1", "log", 1),
        ("m-1", "report-x", 1),
        ("m-1", "state", 3),
        ("m-2", "state", 2),
    ]
    assert [(r.version, r.step_name) for r in filled.latest_of_run("infra", "run-1")] == [(1, "a"), (2, "b")]
    assert filled.latest_of_run("app", "run-1") == []


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (SearchFilter(text="LOG"), ["log"]),
        (SearchFilter(text="%"), []),
        (SearchFilter(text="RESO", model_id="m-2"), ["state"]),
        (SearchFilter(data_type="report"), ["report-x"]),
        (SearchFilter(is_streaming=True), ["log"]),
        (SearchFilter(tags=(("type", "log"),)), ["log"]),
        (SearchFilter(tags=(("type", "resource"), ("env", "dev"))), []),
        (SearchFilter(model_name="dns"), ["state"]),
        (SearchFilter(workflow_run_id="run-1"), ["state"]),
        (SearchFilter(model_id="m-1", since="2026-11-21T09:00:02.000Z"), ["state"]),
        (SearchFilter(model_type="a/b", lifetime="infinite", owner_type="model-method", owner_ref="m-1"), ["state"]),
        (SearchFilter(content_type="text/plain"), []),
    ],
)
def test_search_narrows_by_each_filter(filled: Catalog, filters: SearchFilter, expected: list[str]) -> None:
    """Each filter keeps the artifacts whose latest version passes it."""
    answer = filled.search(filters, namespaces=["infra"], limit=10)
    assert [r.data_name for r in answer.rows] == expected
    assert answer.total == len(expected)


def test_search_is_newest_first_and_counts_what_the_limit_cuts(filled: Catalog) -> None:
    """The limit cuts the oldest; the total counts everything, over all namespaces named."""
    answer = filled.search(SearchFilter(data_type="resource"), namespaces=["infra", "app"], limit=2)
    assert [(r.namespace, r.version) for r in answer.rows] == [("app", 7), ("infra", 3)]
    assert answer.total == 4
    everything = filled.search(SearchFilter(), namespaces=["infra", "app"], limit=None)
    assert [r.created_at for r in everything.rows] == sorted((r.created_at for r in everything.rows), reverse=True)
    assert everything.total == len(everything.rows) == 6


def test_search_looks_at_the_latest_version_only(catalog: Catalog) -> None:
    """An older step's row that would pass does not stand for the artifact."""
    catalog.upsert_latest_many(
        [make_row(version=1, step_name="a", size=1), make_row(version=2, step_name="b", lifetime="1d")]
    )
    assert catalog.search(SearchFilter(lifetime="infinite"), namespaces=["infra"], limit=5).total == 0


def test_rows_go_through_1001_rows_without_gap_or_repeat(catalog: Catalog) -> None:
    """Chunks end in the middle of an artifact, and rows that are replaced meanwhile do not move the cursor."""
    catalog.load([make_row(f"n{i // 10:03}", i % 10 + 1, is_latest=int(i % 10 == 9)) for i in range(1_001)])
    catalog.load([make_row(namespace="infrb"), make_row(namespace="infr")])
    seen = []
    for row in catalog.rows("infra", chunk=7):
        seen.append((row.data_name, row.version))
        catalog.load([row])
    assert seen == [(f"n{i // 10:03}", i % 10 + 1) for i in range(1_001)]
    assert sum(1 for _ in catalog.rows("infra", latest_only=True, chunk=7)) == 100


def plans(catalog: Catalog, action: Callable[[], object]) -> list[str]:
    """Run `action` and return the query plan of every statement that it ran on the catalog."""
    statements: list[str] = []
    with catalog.database.read() as connection:
        connection.set_trace_callback(statements.append)
        try:
            action()
        finally:
            connection.set_trace_callback(None)
        found = []
        for statement in statements:
            if statement.startswith(("SELECT", "WITH", "DELETE", "UPDATE")):
                found += [detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
        return found


ACTIONS: dict[str, Callable[[Catalog], object]] = {
    "find_latest": lambda c: c.find_latest(KEY),
    "find_version": lambda c: c.find_version(KEY, 1),
    "versions": lambda c: c.versions(KEY),
    "find_by_model_name": lambda c: c.find_by_model_name("infra", "vpc", data_name="state"),
    "namespaces": lambda c: c.namespaces(),
    "has_rows": lambda c: c.has_rows("infra"),
    "models": lambda c: c.models("infra"),
    "model_summaries": lambda c: c.model_summaries("infra"),
    "data_names": lambda c: c.data_names("infra", "command/shell", model_id="m-1"),
    "latest_of_model": lambda c: c.latest_of_model("infra", "command/shell", model_id="m-1"),
    "latest_of_namespace": lambda c: c.latest_of_namespace("infra"),
    "latest_of_run": lambda c: c.latest_of_run("infra", "run-1"),
    "search": lambda c: c.search(
        SearchFilter(text="x", model_name="vpc", since="2026", tags=(("a", "b"),)), namespaces=["infra"], limit=5
    ),
    "rows": lambda c: list(c.rows("infra")),
    "count": lambda c: c.count("infra"),
    "upsert_latest": lambda c: c.upsert_latest(make_row(version=9)),
    "replace_artifact": lambda c: c.replace_artifact(KEY, [make_row(version=1)]),
    "remove_artifact": lambda c: c.remove_artifact(KEY),
    "remove_namespace": lambda c: c.remove_namespace("infra"),
}


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_every_access_narrows_by_namespace_in_an_index(filled: Catalog, name: str) -> None:
    """No question and no write about one namespace reads rows of the others, whatever their number."""
    details = [d for d in plans(filled, lambda: ACTIONS[name](filled)) if "catalog" in d]
    assert details
    for detail in details:
        assert detail.startswith("SEARCH catalog"), detail
        assert (
            "namespace=?" in detail or "namespace>?" in detail or name == "namespaces" or "workflow_run_id=?" in detail
        ), detail


def test_plans_sort_nothing_where_the_key_gives_the_order(filled: Catalog) -> None:
    """Listings and chunks come from the index in their order."""
    for name in ("find_latest", "versions", "latest_of_model", "latest_of_namespace", "rows", "data_names"):
        details = plans(filled, lambda name=name: ACTIONS[name](filled))  # type: ignore[misc]
        assert not [d for d in details if "TEMP B-TREE" in d], (name, details)


def test_statement_errors_are_not_hidden(catalog: Catalog) -> None:
    """A mistake in SQL is not mistaken for a broken file."""
    with pytest.raises(sqlite3.OperationalError), catalog.database.read() as connection:
        connection.execute("SELECT nothing FROM nowhere")
    assert catalog.notices == []
