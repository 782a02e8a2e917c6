"""A predicate to one SQL statement, and what is left over for the evaluator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from swampsync.catalog.rows import COLUMNS
from swampsync.errors import QueryError
from swampsync.query.ast import Binary, Ident, Literal, Logic, Node
from swampsync.query.compiler import Compiler
from swampsync.query.content_cache import IS_UNAVAILABLE, JOIN
from swampsync.query.cursor import Order, position_condition
from swampsync.query.fragments import Fragment, Uncompilable, as_kind, join_logic

# The leading columns of the indexes that do not begin with the namespace.
_INDEXED: Final = frozenset({"model_name", "spec_name", "data_type", "created_at", "workflow_run_id", "step_name"})


class Conditions(NamedTuple):
    """A predicate, sorted by what SQL can say about its conjuncts.

    Attributes:
        certain: SQL of those that are true or false for every row.
        uncertain: Fragment of those that fail for some rows, or nothing.
        residual: Those that only the evaluator can do.
        compiler: Holds the parameters.
        namespace: The one namespace that the predicate is bound to.
    """

    certain: tuple[str, ...]
    uncertain: Fragment | None
    metadata_only: tuple[str, ...]
    residual: tuple[Node, ...]
    compiler: Compiler
    namespace: str | None

    @property
    def reads_content(self) -> bool:
        """Whether the SQL looks into JSON content."""
        return self.compiler.reads_content


def find_bound_namespace(query_namespace: str | None, predicate: Node) -> str | None:
    """Return the only namespace whose rows can match, if the query is bound to one."""
    return query_namespace if query_namespace is not None else _bound_namespace(_conjuncts(predicate))


def compile_conditions(
    predicate: Node, *, is_latest_only: bool, namespace: str | None, can_read_content: bool
) -> Conditions:
    """Compile a predicate.

    Args:
        predicate: A checked tree.
        is_latest_only: Whether only the latest version of each artifact is meant.
        namespace: Only rows of this one, whatever the predicate says.
        can_read_content: Whether JSON content can be joined.

    Raises:
        QueryError: The predicate can never be true or false.
    """
    conjuncts = _conjuncts(predicate)
    bound = namespace if namespace is not None else _bound_namespace(conjuncts)
    compiler = Compiler(masked=_INDEXED if bound is not None else frozenset())
    certain: list[str] = []
    if namespace is not None:
        certain.append(f"c.namespace = {compiler.parameter(namespace)}")
    if is_latest_only:
        # The plus keeps SQLite from walking an index that merely contains the column.
        certain.append("+c.is_latest = 1")
    uncertain: list[Fragment] = []
    metadata_only: list[str] = []
    residual: list[Node] = []
    for node in conjuncts:
        before = compiler.reads_content
        compiler.reads_content = False
        try:
            fragment = compiler.compile(node)
        except (Uncompilable, RecursionError):  # the latter when called from deep inside somebody's own recursion
            compiler.reads_content = before
            residual.append(node)
            continue
        reads_content = compiler.reads_content
        if reads_content and not can_read_content:
            compiler.reads_content = before
            residual.append(node)
            continue
        compiler.reads_content = before or reads_content
        if len(conjuncts) == 1 and fragment.kind not in {"bool", "json", "choice", "error"}:
            article = "an" if fragment.kind == "int" else "a"
            raise QueryError(
                f"the predicate gives {article} {fragment.kind}, it must be true or false",
                hint="compare it, as in: swamp data query 'modelName == \"m\"'",
            )
        condition = as_kind(fragment, "bool")
        if condition.can_fail or reads_content:
            uncertain.append(condition)
            if not reads_content:
                metadata_only.append(f"({condition.sql}) IS NOT 0")
        else:
            certain.append(condition.sql)
    return Conditions(
        tuple(certain),
        join_logic("&&", uncertain) if uncertain else None,
        tuple(metadata_only),
        tuple(residual),
        compiler,
        bound,
    )


def _conjuncts(node: Node) -> list[Node]:
    if isinstance(node, Logic) and node.op == "&&":
        return [part for operand in node.operands for part in _conjuncts(operand)]
    return [node]


def _bound_namespace(conjuncts: Sequence[Node]) -> str | None:
    for node in conjuncts:
        if isinstance(node, Binary) and node.op == "==":
            for name, value in ((node.left, node.right), (node.right, node.left)):
                is_name = isinstance(name, Ident) and name.name in {"ns", "namespace"}
                if is_name and isinstance(value, Literal) and isinstance(value.value, str):
                    return value.value
    return None


class Statement(NamedTuple):
    """SQL text with its parameters."""

    sql: str
    parameters: dict[str, Any]


FULL_ROW: Final = tuple(f"c.{column}" for column in COLUMNS)


def make_statement(
    conditions: Conditions,
    order: Order,
    *,
    columns: Sequence[str] = FULL_ROW,
    after: tuple[Any, ...] | None = None,
    limit: int | None = None,
    on_failure: str | None = None,
    on_visit: str | None = None,
    is_content_partial: bool = False,
) -> Statement:
    """Make the statement that lists what matches.

    Its columns are the row's number, the state of the predicate (1 it holds, NULL the evaluator must tell), and
    those asked for.

    Args:
        conditions: The compiled predicate.
        order: How rows are sorted.
        columns: What to select.
        after: Values of the order's columns behind which to begin.
        limit: Rows at most.
        on_failure: SQL to evaluate for rows for which the predicate fails; it is 0, which leaves them out. Without it
            they are listed with the state NULL.
        on_visit: SQL to evaluate for every row looked at; it is 1.
        is_content_partial: Whether SQL cannot look into the content of some rows; those are listed with the state NULL.
    """
    parameters = dict(conditions.compiler.parameters)
    where = list(conditions.certain)
    if on_visit:
        where.insert(0, on_visit)
    state = _add_uncertain(conditions, where, on_failure, is_content_partial=is_content_partial)
    if after is not None:
        text, values = position_condition(order, after)
        where.append(text)
        parameters.update(values)
    # Walking the index of createdAt is worth it for a page; for everything, sorting what matched is faster. To a
    # statement that is bound to a namespace, only indexes that begin with the namespace are of use.
    keeps_index = limit is not None and conditions.namespace is None
    if keeps_index and order.field is None and after is None:
        where.append("c.created_at >= ''")  # always so: it makes the index look as useful as it is
    sql = f"SELECT c.rowid, {state}, {', '.join(columns or ('NULL',))} FROM catalog AS c"  # noqa: S608  values are parameters
    if conditions.reads_content:
        sql += JOIN
    if where:
        sql += " WHERE " + " AND ".join(where)
    sql += f" ORDER BY {order.to_sql(keeps_index=keeps_index)}"
    if limit is not None:
        sql += f" LIMIT {int(limit)}"
    return Statement(sql, parameters)


def _add_uncertain(
    conditions: Conditions, where: list[str], on_failure: str | None, *, is_content_partial: bool
) -> str:
    """Add what may fail to the conditions; return the state to select."""
    if conditions.uncertain is None:
        return "1"
    condition = conditions.uncertain.sql
    if on_failure is None:
        if conditions.reads_content:
            condition = f"CASE WHEN {IS_UNAVAILABLE} THEN NULL ELSE {condition} END"
        where.append(f"({condition}) IS NOT 0")
        return f"({condition})"
    report = on_failure
    if conditions.certain and report != "0":
        report = f"CASE WHEN {' AND '.join(conditions.certain)} THEN {report} ELSE 0 END"
    if not is_content_partial:
        where.append(f"coalesce({condition}, {report})")
        return "1"
    where.append(f"coalesce(CASE WHEN {IS_UNAVAILABLE} THEN 1 ELSE {condition} END, {report})")
    return f"(CASE WHEN {IS_UNAVAILABLE} THEN NULL ELSE 1 END)"
