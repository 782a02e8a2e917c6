"""Comparisons and `in` as SQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from swampsync.query.fragments import (
    NUMERIC,
    Choice,
    Element,
    Fragment,
    Json,
    Uncompilable,
    case,
    error,
)
from swampsync.query.moments import Timestamp, format_timestamp
from swampsync.query.values import INT_MAX, UInt

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
