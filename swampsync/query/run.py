"""Running a query: one statement, the evaluator for what it left over, and results as they come."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Final

from swampsync.catalog.rows import CatalogRow
from swampsync.query.activation import Activation, ContentSource, NoContent
from swampsync.query.ahead import read_ahead
from swampsync.query.ast import Logic, Node
from swampsync.query.content_cache import ContentCache
from swampsync.query.content_join import ContentJoin
from swampsync.query.cursor import format_cursor
from swampsync.query.evaluator import Evaluator
from swampsync.query.failures import Failures
from swampsync.query.fragments import Uncompilable
from swampsync.query.json_values import to_json
from swampsync.query.prepared import PreparedQuery
from swampsync.query.projection import Projection, compile_projection
from swampsync.query.reasons import NOT_BOOL, find_reasons
from swampsync.query.results import load_content, make_record
from swampsync.query.sql_functions import listening, register_functions
from swampsync.query.statement import FULL_ROW, Conditions, Statement, compile_conditions, make_statement
from swampsync.query.values import EvaluationError

_ROW_WIDTH: Final = len(FULL_ROW)


class QueryRun:
    """The results of one query, an iterator that can be used once.

    The counts are complete when the iteration has ended.

    Attributes:
        query: What was asked.
        total: Results so far.
        is_limited: Whether there are more than the limit let through.
        next_cursor: Where a further page begins, if there are more.
        skipped: Rows that the predicate had no answer for.
        unprojected: Matches that the projection had no value for; their result is None.
        absent: Matches whose content is not here.
        statement: The SQL that ran last.
        residual: Parts of the predicate that the evaluator did.
        evaluated: Rows that the statement left to the evaluator.
        out_of_reach: Rows with JSON content that SQL cannot look into: too long, too deep, not here.
        fallback_reason: Why SQLite could not run the compiled statement, if that is what happened.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        query: PreparedQuery,
        *,
        contents: ContentSource | None = None,
        cache: ContentCache | None = None,
        counts_visits: bool = False,
    ) -> None:
        self.query = query
        self.total = 0
        self.is_limited = False
        self.next_cursor: str | None = None
        self.skipped = Failures()
        self.unprojected = Failures()
        self.absent = 0
        self.statement = Statement("", {})
        self.residual: tuple[Node, ...] = ()
        self.visited: int | None = 0 if counts_visits else None
        self.evaluated = 0
        self.out_of_reach = 0
        self.fallback_reason: str | None = None
        self._connection = connection
        self._contents: ContentSource = contents if contents is not None else NoContent()
        self._has_cache = cache is not None
        self._conditions = self._compile(is_sql_usable=True)
        self._last_row: int | None = None
        self._shown: Statement | None = None
        self._join = ContentJoin(connection, cache)

    @property
    def shown_sql(self) -> str:
        """The statement without the functions that only report back."""
        return self._shown.sql if self._shown is not None else self.statement.sql

    @property
    def shown_parameters(self) -> dict[str, Any]:
        """The values of `shown_sql`."""
        return dict(self._shown.parameters) if self._shown is not None else {}

    @property
    def connection(self) -> sqlite3.Connection:
        """The catalog's connection."""
        return self._connection

    def evaluate_everything(self) -> None:
        """Leave the whole predicate to the evaluator, before the iteration begins; results are the same."""
        self._conditions = self._compile(is_sql_usable=False)

    # --- planning ----------------------------------------------------------------------------------

    def _compile(self, *, is_sql_usable: bool) -> Conditions:
        query = self.query
        conditions = compile_conditions(
            query.tree,
            is_latest_only=query.is_latest_only,
            namespace=query.namespace,
            can_read_content=self._has_cache,
        )
        if not is_sql_usable:
            compiler = type(conditions.compiler)()
            certain = ["+c.is_latest = 1"] if query.is_latest_only else []
            if query.namespace is not None:
                certain.append(f"c.namespace = {compiler.parameter(query.namespace)}")
            conditions = Conditions(tuple(certain), None, (), (query.tree,), compiler, query.namespace)
        self.residual = conditions.residual
        return conditions

    # --- running -----------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Any]:
        register_functions(self._connection)
        after = self.query.after
        try:
            try:
                yield from self._run(self._conditions, after)
            except sqlite3.OperationalError as error:
                if getattr(error, "sqlite_errorcode", 1) != sqlite3.SQLITE_ERROR:
                    raise
                # Beyond a limit of this build of SQLite, or the tags of some row are no JSON: the evaluator copes.
                self.fallback_reason = str(error)
                self._conditions = self._compile(is_sql_usable=False)
                if self._last_row is not None:
                    after = self._place(self._last_row)
                self.skipped = Failures()
                yield from self._run(self._conditions, after)
        finally:
            self._join.end()

    def _run(self, conditions: Conditions, after: tuple[Any, ...] | None) -> Iterator[Any]:
        is_joined, self.out_of_reach = self._join.prepare(conditions, self._contents)
        needs_rows = bool(conditions.residual) or self.out_of_reach > 0
        # A part that is left over may still absorb a failure; without one, SQL counts those that it finds itself.
        has_failures = conditions.uncertain is not None and not conditions.residual
        projection = None if needs_rows else self._compile_projection(conditions)
        columns: Sequence[str] = FULL_ROW if projection is None else projection.columns
        limit = None if needs_rows or self.query.limit is None else self.query.limit - self.total + 1
        joins_for_rows = needs_rows and is_joined
        if joins_for_rows:
            columns = (*columns, "j.json")
            conditions.compiler.reads_content = True
        shape: dict[str, Any] = {"columns": columns, "after": after, "limit": limit}
        shape["is_content_partial"] = is_joined and self.out_of_reach > 0
        self._shown = make_statement(conditions, self.query.order, **shape, on_failure="0" if has_failures else None)
        with listening(self.skipped.add_row) as failures, listening(self._visit) as visits:
            made = make_statement(
                conditions,
                self.query.order,
                **shape,
                on_failure="cel_report(:failures, c.rowid)" if has_failures else None,
                on_visit=None if self.visited is None else "cel_report(:visits, c.rowid)",
            )
            self.statement = Statement(made.sql, {**made.parameters, "failures": failures, "visits": visits})
            with closing(self._connection.cursor()) as cursor:
                cursor.execute(self.statement.sql, self.statement.parameters)
                matches = self._evaluated(cursor, conditions) if needs_rows else cursor
                yield from self._emit(matches, projection, has_json=joins_for_rows)
        self._find_reasons()

    def _visit(self, _rowid: int) -> int:
        self.visited = (self.visited or 0) + 1
        return 1

    def _compile_projection(self, conditions: Conditions) -> Projection | None:
        tree = self.query.select_tree
        if tree is None or self.query.select_mentions.reads_content:
            return None
        reads_content = conditions.compiler.reads_content
        conditions.compiler.reads_content = False
        try:
            return compile_projection(conditions.compiler, tree)
        except Uncompilable:
            return None
        finally:
            conditions.compiler.reads_content = reads_content

    def _evaluated(self, cursor: sqlite3.Cursor, conditions: Conditions) -> Iterator[tuple[Any, ...]]:
        """Yield the rows for which what SQL left over holds too."""
        whole = Evaluator(self.query.tree)
        rest = None
        if conditions.residual:
            parts = conditions.residual
            rest = Evaluator(parts[0] if len(parts) == 1 else Logic("&&", parts))
        has_json = conditions.reads_content
        rows = self._ahead(cursor, has_json=has_json, at_most=None) if self.query.mentions.reads_content else cursor
        for values in rows:
            # Where SQL had no answer, the whole predicate decides: another part of it may still absorb the error.
            evaluator = rest if values[1] == 1 else whole
            if evaluator is None:
                yield values
                continue
            self.evaluated += 1
            activation = Activation(CatalogRow(*values[2 : 2 + _ROW_WIDTH]), self._contents)
            if has_json:
                activation.preload(values[-1])
            try:
                answer = evaluator.evaluate(activation)
                if type(answer) is not bool:
                    self.skipped.add(NOT_BOOL)
                    continue
            except EvaluationError as error:
                self.skipped.add(error.reason)
                continue
            if answer:
                yield values

    def _ahead(self, matches: Iterator[Any], *, has_json: bool, at_most: int | None) -> Iterator[Any]:
        return read_ahead(matches, self._contents, width=_ROW_WIDTH, has_json=has_json, at_most=at_most)

    def _emit(self, matches: Iterator[Any], projection: Projection | None, *, has_json: bool) -> Iterator[Any]:
        limit = self.query.limit
        select = None if self.query.select_tree is None or projection else Evaluator(self.query.select_tree)
        with_text = self.query.mentions.reads_content
        if projection is None and (with_text or (select and self.query.select_mentions.reads_content)):
            left = None if limit is None else limit - self.total + 1
            matches = self._ahead(matches, has_json=has_json, at_most=left)
        for values in matches:
            if limit is not None and self.total >= limit:
                self.is_limited = True
                if self._last_row is not None:
                    self.next_cursor = format_cursor(self.query.identity, self._place(self._last_row))
                break
            self.total += 1
            self._last_row = values[0]
            if projection is not None:
                yield self._projected(projection, values)
                continue
            row = CatalogRow(*values[2 : 2 + _ROW_WIDTH])
            if select is not None:
                activation = Activation(row, self._contents)
                if has_json:
                    activation.preload(values[-1])
                yield self._selected(select, activation)
                continue
            record = make_record(row)
            record["content"], is_here = load_content(row, self._contents, with_text=with_text)
            self.absent += not is_here
            yield record

    def _projected(self, projection: Projection, values: Sequence[Any]) -> Any:
        try:
            value = projection.assemble(values)
            return value if projection.is_plain else to_json(value)
        except EvaluationError:
            self.unprojected.add_row(values[0])
            return None

    def _selected(self, select: Evaluator, activation: Activation) -> Any:
        try:
            return to_json(select.evaluate(activation))
        except EvaluationError as error:
            self.unprojected.add(error.reason)
            return None

    def _place(self, rowid: int) -> tuple[Any, ...]:
        columns = ", ".join(self.query.order.columns)
        sql = f"SELECT {columns} FROM catalog WHERE rowid = ?"  # noqa: S608  columns are constants
        return tuple(self._connection.execute(sql, (rowid,)).fetchone())

    def _find_reasons(self) -> None:
        """Ask the evaluator why the rows failed that SQL only counted."""
        find_reasons(self._connection, self.skipped, self.query.tree, contents=self._contents, must_be_bool=True)
        if self.query.select_tree is not None:
            find_reasons(self._connection, self.unprojected, self.query.select_tree, contents=self._contents)


def run_query(
    connection: sqlite3.Connection,
    query: PreparedQuery,
    *,
    contents: ContentSource | None = None,
    cache: ContentCache | None = None,
    counts_visits: bool = False,
) -> QueryRun:
    """Run a query over a catalog.

    Args:
        connection: The catalog, for reading; results come while it is open.
        query: What `prepare_query` made.
        contents: Where content comes from; without it, content is missing everywhere.
        cache: JSON content beside the catalog; without it, predicates on content are evaluated row by row.
        counts_visits: Whether to count the rows looked at, which costs time.

    Raises:
        QueryError: The predicate can never be true or false.
    """
    return QueryRun(connection, query, contents=contents, cache=cache, counts_visits=counts_visits)
