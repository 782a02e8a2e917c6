"""Pieces of SQL that mean what a CEL expression means.

SQL's NULL stands for CEL's error. `AND` and `OR` then absorb errors exactly as CEL's operators do, `NOT NULL` is NULL,
and comparisons, functions and arithmetic pass NULL on. CEL's own null only comes out of JSON, where `json_type()` tells
it from a missing key.
"""

from __future__ import annotations

from typing import Any, Final

MAX_SQL_LENGTH: Final = 20_000
MAX_SQL_DEPTH: Final = 700  # SQLite refuses more than 1,000
MAX_PARAMETERS: Final = 900  # what the oldest builds take

NUMERIC: Final = frozenset({"int", "uint", "double", "number"})
# A size or version is an integer that every JSON reader can hold.
FIELD_BOUND: Final = 2.0**53
INT_BOUND: Final = 2.0**63


class Uncompilable(Exception):
    """SQL cannot say exactly what the expression means; the evaluator takes it."""


class Fragment:
    """One compiled expression.

    Args:
        kind: `bool`, `int`, `uint`, `double`, `number` (an int or a double, as the row has it), `string`, `timestamp`
            or `duration` (in microseconds), `null`, or `error` for what always fails.
        sql: Text with named parameters.
        can_fail: Whether it may be NULL.
        depth: An upper bound of the height of SQLite's tree for it.
        bound: For numbers, a magnitude that the value never exceeds.
        constant: The value, if it depends on no row.
    """

    __slots__ = ("bound", "can_fail", "constant", "depth", "has_constant", "kind", "sql")

    def __init__(
        self,
        kind: str,
        sql: str,
        *,
        can_fail: bool,
        depth: int = 1,
        bound: float = INT_BOUND,
        constant: Any = None,
        has_constant: bool = False,
    ) -> None:
        if len(sql) > MAX_SQL_LENGTH or depth > MAX_SQL_DEPTH:
            raise Uncompilable
        self.kind = kind
        self.sql = sql
        self.can_fail = can_fail
        self.depth = depth
        self.bound = bound
        self.constant = constant
        self.has_constant = has_constant


class Json(Fragment):
    """A value inside JSON, whose type is known to the row only.

    Args:
        document: SQL of the JSON text.
        path: Keys and positions from the root of it.
        parameter: SQL of the path in SQLite's notation.
    """

    __slots__ = ("document", "each_sql", "path", "type_sql")

    def __init__(self, document: str, path: tuple[str | int, ...], parameter: str) -> None:
        super().__init__("json", f"json_extract({document}, {parameter})", can_fail=True, depth=4)
        self.document = document
        self.path = path
        self.type_sql = f"json_type({document}, {parameter})"
        self.each_sql = f"json_each({document}, {parameter})"


class Element(Json):
    """The variable of a macro over a list in JSON: one row of `json_each`, under its alias."""

    __slots__ = ()

    def __init__(self, alias: str) -> None:
        # Only lists and maps are JSON text there; nothing is found in anything else.
        document = f"CASE WHEN {alias}.type IN ('object', 'array') THEN {alias}.value ELSE '{{}}' END"
        super().__init__(document, (), "'$'")
        self.sql = f"{alias}.value"
        self.type_sql = f"{alias}.type"
        self.can_fail = False


class Choice(Fragment):
    """A JSON value if it is there, or else a constant: `attributes.?f.orValue(constant)`.

    Args:
        condition: SQL that is 1 where the value is there, 0 where the constant stands for it, NULL where both fail.
        present: The value.
        default: The constant.
    """

    __slots__ = ("condition", "default", "present")

    def __init__(self, condition: str, present: Json, default: Fragment) -> None:
        super().__init__("choice", "NULL", can_fail=True)
        self.condition = condition
        self.present = present
        self.default = default

    def decide(self, present: Fragment, default: Fragment) -> Fragment:
        """Combine what was made of the value and of the constant.

        Raises:
            Uncompilable: They are of different types.
        """
        kinds = {present.kind, default.kind} - {"error"}
        if len(kinds) > 1 or kinds & {"json", "null"}:
            raise Uncompilable
        sql = f"CASE {self.condition} WHEN 1 THEN {present.sql} WHEN 0 THEN {default.sql} END"
        return Fragment(
            kinds.pop() if kinds else "error", sql, can_fail=True, depth=max(present.depth, default.depth) + 8
        )


def error() -> Fragment:
    """Return what always fails."""
    return Fragment("error", "NULL", can_fail=True)


def json_path(path: tuple[str | int, ...]) -> str:
    """Return a path in SQLite's notation.

    Raises:
        Uncompilable: A key holds a character that the notation has no escape for.
    """
    text = "$"
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif '"' in part or "\\" in part or "\0" in part or not part.isprintable():
            raise Uncompilable
        else:
            text += f'."{part}"'
    return text


def case(*branches: tuple[str, str], otherwise: str | None = None) -> str:
    """Return a `CASE` of conditions and results."""
    text = " ".join(f"WHEN {condition} THEN {result}" for condition, result in branches)
    return f"CASE {text} END" if otherwise is None else f"CASE {text} ELSE {otherwise} END"


def as_kind(fragment: Fragment, kind: str) -> Fragment:
    """Return the fragment as a value of a type; NULL where it is of another."""
    if fragment.kind == kind:
        return fragment
    if isinstance(fragment, Choice):
        return fragment.decide(as_kind(fragment.present, kind), as_kind(fragment.default, kind))
    if isinstance(fragment, Json):
        types = {"bool": "'true', 'false'", "string": "'text'"}.get(kind)
        if types is not None:
            return Fragment(
                kind, case((f"{fragment.type_sql} IN ({types})", fragment.sql)), can_fail=True, depth=fragment.depth + 3
            )
    return error()


def join_logic(op: str, parts: list[Fragment]) -> Fragment:
    """Combine conditions with AND or OR, as a balanced tree."""
    word = "AND" if op == "&&" else "OR"
    can_fail = any(part.can_fail for part in parts)
    while len(parts) > 1:
        pairs = [parts[i : i + 8] for i in range(0, len(parts), 8)]
        parts = [
            Fragment(
                "bool",
                "(" + f" {word} ".join(part.sql for part in group) + ")",
                can_fail=can_fail,
                depth=max(part.depth for part in group) + len(group),
            )
            for group in pairs
        ]
    return parts[0]
