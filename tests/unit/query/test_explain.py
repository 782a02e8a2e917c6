"""What `--explain` tells."""

from __future__ import annotations

from typing import Any

from swampsync.query.explain import explain
from swampsync.query.prepared import prepare_query
from swampsync.query.run import run_query


def test_explanation_tells_sql_rest_rows_time_and_age(catalog: Any) -> None:
    """Everything that decided the answer is in the explanation."""
    for number in range(6):
        catalog.add(
            namespace=("", "infra")[number % 2],
            size=number,
            content=b"x" if number % 3 else b"y",
            content_type="text/plain",
        )
    catalog.connection.execute("INSERT INTO catalog_meta VALUES ('foreign_synced:infra', '2026-11-20T08:00:00.000Z')")
    query = prepare_query('size > 1 && content == "x"')
    run = run_query(catalog.connection, query, contents=catalog, counts_visits=True)
    assert len(list(run)) == 3
    told = explain(run, seconds=0.25).to_json()
    assert told["sql"].startswith("SELECT c.rowid, 1, c.namespace")
    assert "c.size > :p0" in told["sql"]
    assert "cel_" not in told["sql"]
    assert told["parameters"] == {"p0": 1}
    assert told["plan"][0].startswith(("SCAN c", "SEARCH c"))
    assert told["evaluated"] == ['content == "x"']
    assert told["fallbackReason"] is None
    assert (told["rowsScanned"], told["rowsMatched"], told["rowsSkipped"]) == (6, 3, 0)
    assert told["seconds"] == 0.25
    assert told["namespaces"] == [
        {"namespace": "", "rows": 3, "newest": "2026-11-21T09:00:00.004Z", "syncedAt": None},
        {
            "namespace": "infra",
            "rows": 3,
            "newest": "2026-11-21T09:00:00.005Z",
            "syncedAt": "2026-11-20T08:00:00.000Z",
        },
    ]


def test_explained_statement_can_be_run_by_hand(catalog: Any) -> None:
    """The SQL shown is complete: it gives the matches with nothing but the parameters shown."""
    catalog.add(tags={"env": "prod"}, content={"n": 1})
    catalog.add(tags={}, content={"n": 1})
    query = prepare_query('tags.env == "prod" && attributes.n == 1')
    run = run_query(catalog.connection, query, contents=catalog, cache=catalog.cache, counts_visits=True)
    list(run)
    told = explain(run, seconds=0)
    assert told.residual == ()
    assert len(catalog.connection.execute(told.sql, told.parameters).fetchall()) == 1
    assert told.rows_scanned == 2
    assert told.rows_skipped == 1


def test_explanation_counts_rows_whose_content_is_out_of_reach(catalog: Any) -> None:
    """Content beyond 64 KiB is evaluated, and the explanation does not hide it; unused parameters are not shown."""
    catalog.add(content={"n": 1})
    catalog.add(content={"n": 1, "pad": "x" * 70_000}, size=70_020)
    run = run_query(
        catalog.connection,
        prepare_query("attributes.n == 1"),
        contents=catalog,
        cache=catalog.cache,
        counts_visits=True,
    )
    assert len(list(run)) == 2
    told = explain(run, seconds=0).to_json()
    assert (told["rowsOutOfReach"], told["rowsEvaluated"], told["rowsMatched"]) == (1, 1, 2)
    assert told["evaluated"] == []
    assert set(told["parameters"].values()) == {'$."n"', 1}


def test_only_content_out_of_reach_is_evaluated(catalog: Any) -> None:
    """One long document does not leave the rows without an answer to the evaluator; they are counted all the same."""
    for number in range(20):
        catalog.add(content={"n": number} if number % 2 else {"other": number})
    catalog.add(content={"pad": "x" * 70_000}, size=70_020)
    catalog.add(content={"n": 30, "pad": "x" * 70_000}, size=70_020)
    run = run_query(
        catalog.connection, prepare_query("attributes.n > 9"), contents=catalog, cache=catalog.cache, counts_visits=True
    )
    found = [record["name"] for record in run]
    assert found == ["result-11", "result-13", "result-15", "result-17", "result-19", "result-21"]
    told = explain(run, seconds=0)
    assert (told.rows_out_of_reach, told.rows_evaluated, told.rows_skipped) == (2, 2, 11)
    assert run.skipped.describe("skipped") == "11 rows skipped: no such key `attributes.n`; use has()"
