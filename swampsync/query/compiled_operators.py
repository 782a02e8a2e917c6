"""Comparison, arithmetic and `in` as SQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from swampsync.query.fragments import (
    INT_BOUND,
    NUMERIC,
    Choice,
    Element,
    Fragment,
    Json,
    Uncompilable,
    as_kind,
    case,
    error,
)
from swampsync.query.moments import DURATION_MAX, TIMESTAMP_MAX, TIMESTAMP_MIN, Timestamp, format_timestamp
from swampsync.query.values import INT_MAX, INT_MIN, UInt

if TYPE_CHECKING:
    from swampsync.query.compiler import Compiler

# The types of JSON, as SQLite names them, that a value of ours can be equal to or ordered with.
_JSON_TYPES: Final = {
    "string": "'text'",
    "int": "'integer', 'real'",
    "uint": "'integer', 'real'",
    "double": "'integer', 'real'",
    "number": "'integer', 'real'",
    "bool": "'true', 'false'",
}
_SQL_OPERATOR: Final = {"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_MIRRORED: Final = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_SAFE: Final = 1e18  # far from what a double cannot hold after one operation
_MILLISECOND: Final = 1_000_000  # nanoseconds
CREATED_AT: Final = "cel_micros(c.created_at)"
# Whether createdAt is written as swamp writes it, so that its text has the order of its time.
_IS_CANONICAL: Final = "strftime('%Y-%m-%dT%H:%M:%fZ', c.created_at, '+0 days') = c.created_at"


def compare(compiler: Compiler, op: str, left: Fragment, right: Fragment) -> Fragment:
    """Compile `==`, `!=` or an ordering.

    Raises:
        Uncompilable: Both types are known to the row only.
    """
    if isinstance(right, Choice) or (isinstance(right, Json) and not isinstance(left, Choice)):
        left, right, op = right, left, _MIRRORED[op]
    if isinstance(left, Choice | Json) and isinstance(right, Choice):
        raise Uncompilable
    if isinstance(left, Choice):
        return left.decide(compare(compiler, op, left.present, right), compare(compiler, op, left.default, right))
    if isinstance(left, Json):
        return _compare_json(op, left, right)
    return _compare_typed(compiler, op, left, right)


def _compare_typed(compiler: Compiler, op: str, left: Fragment, right: Fragment) -> Fragment:
    """Compare values whose types are known now."""
    depth = max(left.depth, right.depth) + 1
    can_fail = left.can_fail or right.can_fail
    if "error" in {left.kind, right.kind}:
        return error()
    are_comparable = left.kind == right.kind or (left.kind in NUMERIC and right.kind in NUMERIC)
    if not are_comparable or left.kind == "null":
        if op not in {"==", "!="}:
            return error()
        # Values of different types are unequal, once they have a value at all.
        result = str(int((op == "!=") != (left.kind == right.kind)))
        tests = [f"{side.sql} IS NULL" for side in (left, right) if side.can_fail]
        sql = case((" OR ".join(tests), "NULL"), otherwise=result) if tests else result
        return Fragment("bool", sql, can_fail=can_fail, depth=depth + 3)
    if right.sql == CREATED_AT:
        left, right, op = right, left, _MIRRORED[op]
    if left.sql == CREATED_AT and isinstance(right.constant, Timestamp):
        return _compare_created_at(compiler, op, right.constant, right.sql)
    return Fragment("bool", f"({left.sql} {_SQL_OPERATOR[op]} {right.sql})", can_fail=can_fail, depth=depth)


def _compare_json(op: str, left: Json, right: Fragment) -> Fragment:
    if isinstance(right, Json):
        raise Uncompilable
    if right.kind == "error":
        return error()
    types = _JSON_TYPES.get(right.kind)
    depth = left.depth + right.depth + 4
    if op not in {"==", "!="}:
        if types is None:
            return error()
        sql = case((f"{left.type_sql} IN ({types})", f"{left.sql} {_SQL_OPERATOR[op]} {right.sql}"))
        return Fragment("bool", sql, can_fail=True, depth=depth)
    unequal = "1" if op == "!=" else "0"
    missing = f"{left.type_sql} IS NULL" + (f" OR {right.sql} IS NULL" if right.can_fail else "")
    if right.kind == "null":
        sql = case((missing, "NULL"), otherwise=f"{left.type_sql} {_SQL_OPERATOR[op]} 'null'")
    elif types is None:
        sql = case((missing, "NULL"), otherwise=unequal)
    elif right.kind == "string" and right.has_constant and right.constant[:1] not in {"{", "["}:
        # The common case looks at the type only where there is no value: no other type gives text like this one.
        present = case((missing, "NULL"), otherwise=unequal)
        sql = f"ifnull({left.sql} {_SQL_OPERATOR[op]} {right.sql}, {present})"
    else:
        equal = f"{left.sql} {_SQL_OPERATOR[op]} {right.sql}"
        sql = case((missing, "NULL"), (f"{left.type_sql} IN ({types})", equal), otherwise=unequal)
    return Fragment("bool", sql, can_fail=True, depth=depth)


def _compare_created_at(compiler: Compiler, op: str, moment: Timestamp, micros: str) -> Fragment:
    """Compare text where the text has the order of the times, which is many times faster than parsing it."""
    remainder = moment.nanos % _MILLISECOND
    floor = format_timestamp(Timestamp(moment.nanos - remainder))[:19]
    text = f"{floor}.{(moment.nanos - remainder) // _MILLISECOND % 1000:03d}Z"
    if remainder and op in {"==", "!="}:
        fast = "1" if op == "!=" else "0"
    else:
        # Between two milliseconds, "after" means after the lower one, and "before" means at most the lower one.
        fast_op = {"<": "<=", ">=": ">"}.get(op, op) if remainder else op
        fast = f"c.created_at {_SQL_OPERATOR[fast_op]} {compiler.parameter(text)}"
    slow = f"{CREATED_AT} {_SQL_OPERATOR[op]} {micros}"
    return Fragment("bool", case((_IS_CANONICAL, fast), otherwise=slow), can_fail=True, depth=6)


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


def in_list(compiler: Compiler, left: Fragment, items: list[Any]) -> Fragment:
    """Compile `x in [constants]`: only elements of the type of `x` can be equal to it.

    Raises:
        Uncompilable: An element has no counterpart in SQLite.
    """
    if left.kind == "error":
        return error()
    if isinstance(left, Choice):
        return left.decide(in_list(compiler, left.present, items), in_list(compiler, left.default, items))
    members: dict[str, list[Any]] = {
        "string": [item for item in items if isinstance(item, str)],
        "number": [_number(item) for item in items if isinstance(item, int | float) and not isinstance(item, bool)],
        "bool": [item for item in items if isinstance(item, bool)],
    }
    if isinstance(left, Json):
        return _in_list_of_types(compiler, left, items, members)
    if left.kind == "null":
        return Fragment("bool", str(int(None in items)), can_fail=False)
    chosen = members.get("number" if left.kind in NUMERIC else left.kind)
    if chosen is None:
        raise Uncompilable
    if chosen:
        sql = f"({left.sql} IN {_set(compiler, chosen)})"
    else:
        sql = case((f"{left.sql} IS NULL", "NULL"), otherwise="0") if left.can_fail else "0"
    return Fragment("bool", sql, can_fail=left.can_fail, depth=left.depth + 4)


def _in_list_of_types(compiler: Compiler, left: Json, items: list[Any], members: dict[str, list[Any]]) -> Fragment:
    if any(isinstance(item, list | dict) for item in items):
        raise Uncompilable
    branches = [(f"{left.type_sql} IS NULL", "NULL")]
    for kind, found in members.items():
        if found:
            branches.append((f"{left.type_sql} IN ({_JSON_TYPES[kind]})", f"{left.sql} IN {_set(compiler, found)}"))
    if None in items:
        branches.append((f"{left.type_sql} = 'null'", "1"))
    return Fragment("bool", case(*branches, otherwise="0"), can_fail=True, depth=8)


def _number(value: float) -> int | float:
    if isinstance(value, UInt):
        value = int(value)
    if isinstance(value, int) and value > INT_MAX:
        raise Uncompilable
    if isinstance(value, float) and value - value != 0:  # infinite or no number
        raise Uncompilable
    return value


def _set(compiler: Compiler, members: list[Any]) -> str:
    if len(members) <= 20:
        return "(" + ", ".join(compiler.parameter(member) for member in members) + ")"
    if not all(isinstance(member, str) or type(member) is int for member in members):
        raise Uncompilable  # SQLite reads the decimals of a double less exactly than it takes a bound one
    if any(isinstance(member, str) and "\0" in member for member in members):
        raise Uncompilable
    return f"(SELECT value FROM json_each({compiler.parameter(json.dumps(members, ensure_ascii=False))}))"  # noqa: S608  a placeholder


def in_json(compiler: Compiler, left: Fragment, container: Json) -> Fragment:
    """Compile `"x" in tags` and `"x" in attributes.list`.

    Raises:
        Uncompilable: What is looked for is no constant string, number or bool.
    """
    if not left.has_constant or left.kind not in _JSON_TYPES:
        raise Uncompilable
    types = _JSON_TYPES[left.kind]
    if isinstance(container, Element):
        raise Uncompilable
    each = f"(SELECT 1 FROM {container.each_sql} AS e WHERE e.type IN ({types}) AND e.value = {left.sql})"  # noqa: S608  made of constants and placeholders
    branches = [(f"{container.type_sql} = 'array'", f"EXISTS {each}")]
    if left.kind == "string":
        child = compiler.json(container.document, (*container.path, left.constant))
        branches.append((f"{container.type_sql} = 'object'", f"{child.type_sql} IS NOT NULL"))
    else:
        branches.append((f"{container.type_sql} = 'object'", "0"))
    return Fragment("bool", case(*branches), can_fail=True, depth=10)
