"""Arithmetic as SQL."""

from __future__ import annotations

from typing import Final

from swampsync.query.fragments import INT_BOUND, NUMERIC, Fragment, Json, Uncompilable, as_kind, case, error
from swampsync.query.moments import DURATION_MAX, TIMESTAMP_MAX, TIMESTAMP_MIN
from swampsync.query.values import INT_MIN

_SAFE: Final = 1e18  # far from what a double cannot hold after one operation


def negated(operand: Fragment) -> Fragment:
    """Compile the unary minus.

    Raises:
        Uncompilable: The type is known to the row only.
    """
    if operand.kind in {"int", "double"}:
        sql = f"(-{operand.sql})"
        if operand.kind == "int" and operand.bound >= INT_BOUND:
            return _checked(sql, operand.depth + 1)
        return Fragment(operand.kind, sql, can_fail=operand.can_fail, depth=operand.depth + 1, bound=operand.bound)
    if isinstance(operand, Json):
        zero = Fragment("int", "0", can_fail=False, bound=0.0, constant=0, has_constant=True)
        return _operate_json("-", zero, operand)
    if operand.kind in {"number", "choice"}:
        raise Uncompilable
    return error()


def _checked(sql: str, depth: int) -> Fragment:
    """Return an integer, NULL where SQLite turned it into a real number because it did not fit."""
    return Fragment("int", case((f"typeof({sql}) = 'integer'", sql)), can_fail=True, depth=depth + 3)


def operate(op: str, left: Fragment, right: Fragment) -> Fragment:
    """Compile arithmetic.

    Raises:
        Uncompilable: The types are known to the row only, or the result may be infinite or no number.
    """
    if {left.kind, right.kind} & {"number", "choice"}:
        raise Uncompilable
    if isinstance(left, Json) or isinstance(right, Json):
        return _operate_json(op, left, right)
    kinds = (left.kind, right.kind)
    if kinds == ("int", "int"):
        return _operate_int(op, left, right)
    if kinds == ("string", "string") and op == "+":
        return _joined(f"({left.sql} || {right.sql})", "string", left, right)
    if set(kinds) <= {"int", "double"}:
        return _operate_double(op, left, right)
    if "uint" in kinds and set(kinds) <= NUMERIC:
        raise Uncompilable
    return _operate_times(op, left, right)


def _operate_json(op: str, left: Fragment, right: Fragment) -> Fragment:
    """Compile arithmetic of a JSON value with a number, with text, or with another JSON value.

    Numbers of normalised JSON have sixteen digits at most, so that nothing here becomes infinite.

    Raises:
        Uncompilable: Both types are known to the row only, or a division may be one by zero.
    """
    if isinstance(left, Json) and isinstance(right, Json):
        raise Uncompilable
    value, other = (left, right) if isinstance(left, Json) else (right, left)
    if not isinstance(value, Json) or (value.document == "c.tags" and other.kind != "string"):
        raise Uncompilable
    if other.kind == "string":
        return operate(op, as_kind(left, "string"), as_kind(right, "string")) if op == "+" else error()
    if other.kind not in {"int", "double"} or other.bound > _SAFE:
        raise Uncompilable
    if op in {"/", "%"} and not (right.has_constant and right.constant not in {0, -1}):
        raise Uncompilable
    depth = max(left.depth, right.depth) + 6
    sql = f"({left.sql} {op} {right.sql})"
    real = f"(CAST({left.sql} AS REAL) {op} CAST({right.sql} AS REAL))"
    if other.kind == "double":
        if op == "%":
            return error()
        text = case((f"{value.type_sql} IN ('integer', 'real')", real))
        return Fragment("number", text, can_fail=True, depth=depth)
    whole = f"CASE WHEN typeof({sql}) = 'integer' THEN {sql} END"
    branches = [(f"{value.type_sql} = 'integer'", whole)]
    if op != "%":
        branches.append((f"{value.type_sql} = 'real'", real))
    return Fragment("number", case(*branches), can_fail=True, depth=depth)


def _joined(sql: str, kind: str, left: Fragment, right: Fragment, *, bound: float = INT_BOUND) -> Fragment:
    can_fail = left.can_fail or right.can_fail
    return Fragment(kind, sql, can_fail=can_fail, depth=max(left.depth, right.depth) + 1, bound=bound)


def _operate_int(op: str, left: Fragment, right: Fragment) -> Fragment:
    sql = f"({left.sql} {op} {right.sql})"
    if op in {"+", "-", "*"}:
        bound = left.bound * right.bound if op == "*" else left.bound + right.bound
        if bound < INT_BOUND:
            return _joined(sql, "int", left, right, bound=bound)
        return _checked(sql, max(left.depth, right.depth) + 1)
    # SQLite divides as CEL does: towards zero, the remainder signed like the dividend, and NULL by zero.
    if right.has_constant and right.constant not in {0, -1}:
        return _joined(sql, "int", left, right, bound=left.bound)
    if op == "/":
        return _checked(sql, max(left.depth, right.depth) + 1)
    least = str(INT_MIN).replace("-9223372036854775808", "(-9223372036854775807 - 1)")
    overflow = f"{right.sql} = -1 AND {left.sql} = {least}"
    return Fragment(
        "int", case((overflow, "NULL"), otherwise=sql), can_fail=True, depth=max(left.depth, right.depth) + 5
    )


def _operate_double(op: str, left: Fragment, right: Fragment) -> Fragment:
    if op == "%":
        return error()
    # SQLite has no NaN: what might become one, or infinite, is left to the evaluator.
    if op == "/":
        if not right.has_constant or not right.constant:
            raise Uncompilable
        bound = left.bound / abs(right.constant)
    else:
        bound = left.bound * right.bound if op == "*" else left.bound + right.bound
    if not bound < 1e300:
        raise Uncompilable
    return _joined(f"(CAST({left.sql} AS REAL) {op} CAST({right.sql} AS REAL))", "double", left, right, bound=bound)


def _operate_times(op: str, left: Fragment, right: Fragment) -> Fragment:
    kinds = (left.kind, op, right.kind)
    result = {
        ("timestamp", "+", "duration"): "timestamp",
        ("duration", "+", "timestamp"): "timestamp",
        ("timestamp", "-", "duration"): "timestamp",
        ("timestamp", "-", "timestamp"): "duration",
        ("duration", "+", "duration"): "duration",
        ("duration", "-", "duration"): "duration",
    }.get(kinds)
    if result is None:
        return error()
    low, high = (TIMESTAMP_MIN, TIMESTAMP_MAX) if result == "timestamp" else (-DURATION_MAX, DURATION_MAX)
    sql = f"({left.sql} {op} {right.sql})"
    checked = case((f"{sql} BETWEEN {low // 1000} AND {high // 1000}", sql))
    return Fragment(result, checked, can_fail=True, depth=max(left.depth, right.depth) + 4)
