"""What a query did: the SQL, what was left to the evaluator, rows and time, and how old the rows are."""

from __future__ import annotations

import sqlite3
from typing import Any, NamedTuple

from swampsync.query.prepared import PreparedQuery
from swampsync.query.run import QueryRun


class NamespaceAge(NamedTuple):
    """How current the rows of one namespace are.

    Attributes:
        namespace: Its name, empty for solo.
        rows: Versions in the catalog.
        newest: When the newest of them was created.
        synced_at: When rows of another namespace were last fetched, as the catalog says it; none for our own.
    """

    namespace: str
    rows: int
    newest: str
    synced_at: str | None


class Explanation(NamedTuple):
    """How a query was answered.

    Attributes:
        sql: The statement.
        parameters: Its values.
        plan: What SQLite does, a line a step.
        residual: Parts of the predicate that were evaluated row by row, as they are written.
        fallback_reason: Why SQLite could not run what was compiled, if that is what happened.
        rows_out_of_reach: Rows with content that SQL cannot look into, which were evaluated whole.
        rows_evaluated: Rows that the statement left to the evaluator.
        rows_scanned: Rows that the statement looked at.
        rows_matched: Results.
        rows_skipped: Rows that the predicate had no answer for.
        seconds: How long it took.
        namespaces: How current the rows are, by namespace.
    """

    sql: str
    parameters: dict[str, Any]
    plan: tuple[str, ...]
    residual: tuple[str, ...]
    fallback_reason: str | None
    rows_out_of_reach: int
    rows_evaluated: int
    rows_scanned: int
    rows_matched: int
    rows_skipped: int
    seconds: float
    namespaces: tuple[NamespaceAge, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as a JSON document."""
        return {
            "sql": self.sql,
            "parameters": self.parameters,
            "plan": list(self.plan),
            "evaluated": list(self.residual),
            "fallbackReason": self.fallback_reason,
            "rowsOutOfReach": self.rows_out_of_reach,
            "rowsEvaluated": self.rows_evaluated,
            "rowsScanned": self.rows_scanned,
            "rowsMatched": self.rows_matched,
            "rowsSkipped": self.rows_skipped,
            "seconds": round(self.seconds, 6),
            "namespaces": [
                {"namespace": a.namespace, "rows": a.rows, "newest": a.newest, "syncedAt": a.synced_at}
                for a in self.namespaces
            ],
        }


def explain(run: QueryRun, *, seconds: float) -> Explanation:
    """Describe a run that has ended and was started with `counts_visits`.

    Args:
        run: The run.
        seconds: How long it took, by the caller's clock.
    """
    connection = run.connection
    return Explanation(
        sql=run.shown_sql,
        parameters=_used(run.shown_sql, run.shown_parameters),
        plan=_plan(connection, run.shown_sql, run.shown_parameters),
        residual=tuple(_texts(run.query, run)),
        fallback_reason=run.fallback_reason,
        rows_out_of_reach=run.out_of_reach,
        rows_evaluated=run.evaluated,
        rows_scanned=run.visited or 0,
        rows_matched=run.total,
        rows_skipped=run.skipped.count,
        seconds=seconds,
        namespaces=tuple(_ages(connection)),
    )


def _used(sql: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that the statement has; compiling may have made others for parts that were given up."""
    import re  # noqa: PLC0415  needed by --explain only

    names = set(re.findall(r":(\w+)", sql))
    return {name: value for name, value in parameters.items() if name in names}


def _plan(connection: sqlite3.Connection, sql: str, parameters: dict[str, Any]) -> tuple[str, ...]:
    rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
    return tuple(str(row[-1]) for row in rows)


def _texts(query: PreparedQuery, run: QueryRun) -> list[str]:
    return [query.predicate[node.start : node.end] for node in run.residual]


def _ages(connection: sqlite3.Connection) -> list[NamespaceAge]:
    synced = {
        key.partition(":")[2]: value
        for key, value in connection.execute("SELECT key, value FROM catalog_meta WHERE key LIKE 'foreign_synced:%'")
    }
    rows = connection.execute(
        "SELECT namespace, count(*), max(created_at) FROM catalog GROUP BY namespace ORDER BY namespace"
    )
    return [NamespaceAge(name, count, newest, synced.get(name)) for name, count, newest in rows]
