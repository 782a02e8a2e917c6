"""A syntax tree to SQL, wherever SQL can mean exactly the same; see `design/query.md` for the table."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from swampsync.query import compiled_functions
from swampsync.query.ast import (
    Binary,
    Call,
    Has,
    Ident,
    Index,
    ListNode,
    Literal,
    Logic,
    Macro,
    Node,
    Select,
    Ternary,
    Unary,
)
from swampsync.query.compiled_arithmetic import negated, operate
from swampsync.query.compiled_comparisons import compare, in_json, in_list
from swampsync.query.compiled_macros import compile_macro, compile_or_value
from swampsync.query.evaluator import fold
from swampsync.query.fields import FIELDS
from swampsync.query.fragments import (
    FIELD_BOUND,
    MAX_PARAMETERS,
    Choice,
    Fragment,
    Json,
    Uncompilable,
    as_kind,
    case,
    error,
    join_logic,
    json_path,
)
from swampsync.query.moments import Duration, Timestamp
from swampsync.query.shape import is_constant
from swampsync.query.values import INT_MAX, EvaluationError, UInt

# The JSON of a row's content; a row without one has no attributes.
CONTENT_SQL: Final = "ifnull(j.json, '{}')"

# Functions whose implementation takes its arguments by `as_kind`, which knows what to do with a `Choice`.
_STRING_METHODS: Final = frozenset(
    {"contains", "startsWith", "endsWith", "matches", "lowerAscii", "upperAscii", "trim"}
)

_COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">="})


class Compiler:
    """Compiles expressions of one statement, which share its parameters.

    Args:
        masked: Columns that no index may be used for, because the statement is bound to one namespace.
    """

    def __init__(self, *, masked: frozenset[str] = frozenset()) -> None:
        self.parameters: dict[str, Any] = {}
        self.reads_content = False
        self.variables: dict[str, Fragment] = {}
        self._names: dict[tuple[type, Any], str] = {}
        self._masked = masked

    def column(self, name: str) -> str:
        """Return the SQL of a column; a unary plus keeps its index out of the plan."""
        return f"+c.{name}" if name in self._masked else f"c.{name}"

    def parameter(self, value: Any) -> str:
        """Bind a value and return its placeholder.

        Raises:
            Uncompilable: There are more values than a statement takes.
        """
        key = (type(value), value)
        if key not in self._names:
            if len(self._names) >= MAX_PARAMETERS:
                raise Uncompilable
            if isinstance(value, str) and "\0" in value:
                raise Uncompilable  # SQLite's string functions stop there
            name = f"p{len(self._names)}"
            self._names[key] = f":{name}"
            self.parameters[name] = value
        return self._names[key]

    def compile(self, node: Node) -> Fragment:
        """Compile one expression.

        Raises:
            Uncompilable: The evaluator has to do it.
        """
        if not isinstance(node, Ident) and is_constant(node):
            try:
                return self.constant(fold(node))
            except EvaluationError:
                return error()
        method: Callable[[Any], Fragment] | None = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise Uncompilable
        return method(node)

    def condition(self, node: Node) -> Fragment:
        """Compile an expression that has to be a bool.

        Raises:
            Uncompilable: The evaluator has to do it.
        """
        return as_kind(self.compile(node), "bool")

    def constant(self, value: Any) -> Fragment:
        """Return a value that is the same for all rows.

        Raises:
            Uncompilable: SQLite has no such value.
        """
        if value is None:
            return Fragment("null", "NULL", can_fail=False, has_constant=True)
        if isinstance(value, bool):
            return Fragment("bool", str(int(value)), can_fail=False, constant=value, has_constant=True)
        if isinstance(value, int):
            if value > INT_MAX:
                raise Uncompilable
            kind = "uint" if isinstance(value, UInt) else "int"
            return self._bound(kind, int(value), bound=abs(float(value)))
        if isinstance(value, float) and math.isfinite(value):
            return self._bound("double", value, bound=abs(value))
        if isinstance(value, str):
            return self._bound("string", value)
        if isinstance(value, Timestamp | Duration) and value.nanos % 1000 == 0:
            kind = "timestamp" if isinstance(value, Timestamp) else "duration"
            return self._bound(kind, value.nanos // 1000, constant=value)
        raise Uncompilable

    def _bound(self, kind: str, value: Any, *, bound: float = 0.0, constant: Any = None) -> Fragment:
        return Fragment(
            kind,
            self.parameter(value),
            can_fail=False,
            bound=bound,
            constant=value if constant is None else constant,
            has_constant=True,
        )

    def json(self, document: str, path: tuple[str | int, ...]) -> Json:
        """Return a place inside a JSON document."""
        return Json(document, path, self.parameter(json_path(path)))

    def _ident(self, node: Ident) -> Fragment:
        if node.name in self.variables:
            return self.variables[node.name]
        field = FIELDS.get(node.name)
        if field is None or node.name == "content":
            raise Uncompilable
        if node.name == "attributes":
            self.reads_content = True
            return self.json(CONTENT_SQL, ())
        if field.kind == "map":
            return self.json("c.tags", ())
        return Fragment(field.kind, self.column(field.column), can_fail=False, bound=FIELD_BOUND)

    def _select(self, node: Select) -> Fragment:
        if node.is_optional:
            raise Uncompilable
        return self._child(self.compile(node.operand), node.field)

    def _child(self, operand: Fragment, key: str | int) -> Fragment:
        if isinstance(operand, Json):
            return self.json(operand.document, (*operand.path, key))
        if operand.kind == "choice":
            raise Uncompilable
        return error()  # nothing else has fields or elements, and a constant map is folded

    def _index(self, node: Index) -> Fragment:
        if node.is_optional or not isinstance(node.index, Literal):
            raise Uncompilable
        key = node.index.value
        if isinstance(key, bool) or not isinstance(key, str | int):
            raise Uncompilable
        operand = self.compile(node.operand)
        if isinstance(key, int) and not 0 <= key < 2**31:
            raise Uncompilable
        return self._child(operand, key if isinstance(key, str) else int(key))

    def _has(self, node: Has) -> Fragment:
        if node.is_optional:
            raise Uncompilable
        operand = self.compile(node.operand)
        if not isinstance(operand, Json):
            if operand.kind == "choice":
                raise Uncompilable
            return error()
        child = self.json(operand.document, (*operand.path, node.field))
        sql = f"({child.type_sql} IS NOT NULL)"
        if operand.document == "c.tags" and not operand.path:
            return Fragment("bool", sql, can_fail=False, depth=5)
        return Fragment("bool", case((f"{operand.type_sql} = 'object'", sql)), can_fail=True, depth=7)

    def _logic(self, node: Logic) -> Fragment:
        return join_logic(node.op, [self.condition(operand) for operand in node.operands])

    def _unary(self, node: Unary) -> Fragment:
        if node.op == "!":
            operand = self.condition(node.operand)
            return Fragment("bool", f"(NOT {operand.sql})", can_fail=operand.can_fail, depth=operand.depth + 1)
        return negated(self.compile(node.operand))

    def _binary(self, node: Binary) -> Fragment:
        if node.op == "in":
            return self._in(node)
        left, right = self.compile(node.left), self.compile(node.right)
        if node.op in _COMPARISONS:
            return compare(self, node.op, left, right)
        return operate(node.op, left, right)

    def _in(self, node: Binary) -> Fragment:
        left = self.compile(node.left)
        if isinstance(node.right, ListNode) and not node.right.optional:
            if is_constant(node.right):
                try:
                    return in_list(self, left, fold(node.right))
                except EvaluationError:
                    return error()
            return self._in_expressions(left, [self.compile(item) for item in node.right.items])
        if is_constant(node.right):
            raise Uncompilable
        container = self.compile(node.right)
        if isinstance(left, Choice) or isinstance(container, Choice):
            raise Uncompilable
        if not isinstance(container, Json):
            return error()
        return in_json(self, left, container)

    def _in_expressions(self, left: Fragment, items: list[Fragment]) -> Fragment:
        # Unlike `||`, `in` fails if one of the elements does.
        if any(item.can_fail or item.kind in {"json", "error"} for item in items) or isinstance(left, Json | Choice):
            raise Uncompilable
        return join_logic("||", [compare(self, "==", left, item) for item in items])

    def _ternary(self, node: Ternary) -> Fragment:
        condition = self.condition(node.condition)
        then, otherwise = self.compile(node.then), self.compile(node.otherwise)
        kinds = {then.kind, otherwise.kind} - {"error"}
        if len(kinds) > 1 or kinds & {"json", "null", "choice"}:
            raise Uncompilable
        return Fragment(
            kinds.pop() if kinds else "error",
            f"CASE {condition.sql} WHEN 1 THEN {then.sql} WHEN 0 THEN {otherwise.sql} END",
            can_fail=condition.can_fail or then.can_fail or otherwise.can_fail,
            depth=max(condition.depth, then.depth, otherwise.depth) + 3,
            bound=max(then.bound, otherwise.bound),
        )

    def _macro(self, node: Macro) -> Fragment:
        return compile_macro(self, node)

    def _call(self, node: Call) -> Fragment:
        if node.name == "orValue":
            return compile_or_value(self, node)
        implementation = compiled_functions.FUNCTIONS.get((node.name, node.target is not None))
        if implementation is None:
            raise Uncompilable
        args = [self.compile(arg) for arg in node.args]
        if node.target is not None:
            args.insert(0, self.compile(node.target))
        if any(isinstance(arg, Choice) for arg in args) and node.name not in _STRING_METHODS:
            raise Uncompilable
        return implementation(self, args)
