"""The functions of the language as SQL, where SQLite has the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from swampsync.query.compiled_comparisons import CREATED_AT
from swampsync.query.fragments import Element, Fragment, Json, Uncompilable, as_kind, case, error
from swampsync.query.functions import WHITE_SPACE

if TYPE_CHECKING:
    from swampsync.query.compiler import Compiler

Implementation: TypeAlias = "Callable[[Compiler, list[Fragment]], Fragment]"

_LENGTH_BOUND: Final = 2.0**31


def _make(kind: str, sql: str, args: list[Fragment], *, can_fail: bool = False, levels: int = 2) -> Fragment:
    return Fragment(
        kind,
        sql,
        can_fail=can_fail or any(arg.can_fail for arg in args),
        depth=max(arg.depth for arg in args) + levels,
        bound=_LENGTH_BOUND,
    )


def _strings(args: list[Fragment]) -> list[Fragment] | None:
    """Return the arguments as strings, or nothing if one never is one."""
    strings = [as_kind(arg, "string") for arg in args]
    return None if any(arg.kind == "error" for arg in strings) else strings


def _contains(_: Compiler, args: list[Fragment]) -> Fragment:
    if (strings := _strings(args)) is None:
        return error()
    return _make("bool", f"(instr({strings[0].sql}, {strings[1].sql}) > 0)", strings, levels=3)


def _starts_with(_: Compiler, args: list[Fragment]) -> Fragment:
    if (strings := _strings(args)) is None:
        return error()
    text, part = (arg.sql for arg in strings)
    return _make("bool", f"(substr({text}, 1, length({part})) = {part})", strings, levels=4)


def _ends_with(_: Compiler, args: list[Fragment]) -> Fragment:
    if (strings := _strings(args)) is None:
        return error()
    text, part = (arg.sql for arg in strings)
    if strings[1].has_constant and strings[1].constant:
        return _make("bool", f"(substr({text}, -length({part})) = {part})", strings, levels=5)
    # substr() from -0 is the whole text; an empty end ends every text.
    sql = case(
        (f"length({part}) = 0 AND {text} IS NOT NULL", "1"), otherwise=f"substr({text}, -length({part})) = {part}"
    )
    return _make("bool", sql, strings, levels=6)


def _matches(compiler: Compiler, args: list[Fragment]) -> Fragment:
    if (strings := _strings(args)) is None:
        return error()
    if not strings[1].has_constant:
        raise Uncompilable  # a pattern that a row brings along may be none
    sql = f"cel_matches({strings[0].sql}, {compiler.parameter(strings[1].constant)})"
    return _make("bool", sql, strings, can_fail=True)


def _wrapped(template: str) -> Implementation:
    def call(_: Compiler, args: list[Fragment]) -> Fragment:
        if (strings := _strings(args)) is None:
            return error()
        return _make("string", template.format(strings[0].sql), strings)

    return call


def _trim(compiler: Compiler, args: list[Fragment]) -> Fragment:
    if (strings := _strings(args)) is None:
        return error()
    return _make("string", f"trim({strings[0].sql}, {compiler.parameter(WHITE_SPACE)})", strings)


def _index_of(_: Compiler, args: list[Fragment]) -> Fragment:
    if len(args) != 2:
        raise Uncompilable
    if (strings := _strings(args)) is None:
        return error()
    return _make("int", f"(instr({strings[0].sql}, {strings[1].sql}) - 1)", strings, levels=3)


def _substring(_: Compiler, args: list[Fragment]) -> Fragment:
    text = as_kind(args[0], "string")
    if any(isinstance(arg, Json) for arg in args[1:]):
        raise Uncompilable
    if text.kind == "error" or any(arg.kind != "int" for arg in args[1:]):
        return error()
    start = args[1].sql
    if len(args) == 2:
        sql = case((f"{start} BETWEEN 0 AND length({text.sql})", f"substr({text.sql}, {start} + 1)"))
    else:
        end = args[2].sql
        within = f"{start} >= 0 AND {start} <= {end} AND {end} <= length({text.sql})"
        sql = case((within, f"substr({text.sql}, {start} + 1, {end} - {start})"))
    return _make("string", sql, [text, *args[1:]], can_fail=True, levels=7)


def _size(_: Compiler, args: list[Fragment]) -> Fragment:
    (arg,) = args
    if arg.kind == "string":
        return _make("int", f"length({arg.sql})", args)
    if not isinstance(arg, Json):
        return error()
    if isinstance(arg, Element):
        raise Uncompilable
    count = f"(SELECT count(*) FROM {arg.each_sql})"  # noqa: S608  made of constants and placeholders
    if arg.document == "c.tags" and not arg.path:
        return Fragment("int", count, can_fail=False, depth=6, bound=_LENGTH_BOUND)
    sql = case((f"{arg.type_sql} = 'text'", f"length({arg.sql})"), (f"{arg.type_sql} IN ('array', 'object')", count))
    return Fragment("int", sql, can_fail=True, depth=8, bound=_LENGTH_BOUND)


def _string(_: Compiler, args: list[Fragment]) -> Fragment:
    (arg,) = args
    if arg.kind == "string":
        return arg
    if arg.kind == "int":
        return _make("string", f"CAST({arg.sql} AS TEXT)", args)
    if arg.kind == "bool":
        return _make("string", f"CASE {arg.sql} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END", args)
    raise Uncompilable


def _int(_: Compiler, args: list[Fragment]) -> Fragment:
    if args[0].kind == "int":
        return args[0]
    raise Uncompilable


def _double(_: Compiler, args: list[Fragment]) -> Fragment:
    (arg,) = args
    if arg.kind == "double":
        return arg
    if arg.kind == "int":
        return Fragment(
            "double", f"CAST({arg.sql} AS REAL)", can_fail=arg.can_fail, depth=arg.depth + 1, bound=arg.bound
        )
    raise Uncompilable


def _timestamp(_: Compiler, args: list[Fragment]) -> Fragment:
    (arg,) = args
    if arg.kind == "timestamp":
        return arg
    if arg.sql.lstrip("+") == "c.created_at":
        return Fragment("timestamp", CREATED_AT, can_fail=True, depth=3)
    raise Uncompilable


def _part(name: str, timestamp_format: str, offset: int, duration_micros: int | None) -> Implementation:
    def call(_: Compiler, args: list[Fragment]) -> Fragment:
        if len(args) != 1:
            raise Uncompilable
        (arg,) = args
        if arg.kind == "timestamp":
            # The floor of the seconds also before 1970, where SQLite's division rounds up.
            seconds = f"(({arg.sql} - (({arg.sql} % 1000000) + 1000000) % 1000000) / 1000000)"
            if name == "getMilliseconds":
                sql = f"(((({arg.sql} % 1000000) + 1000000) % 1000000) / 1000)"
            else:
                sql = f"(CAST(strftime('{timestamp_format}', {seconds}, 'unixepoch') AS INTEGER) - {offset})"
            return _make("int", sql, args, levels=10)
        if arg.kind == "duration" and duration_micros is not None:
            if name == "getMilliseconds":
                return _make("int", f"({arg.sql} / 1000 % 1000)", args)
            return _make("int", f"({arg.sql} / {duration_micros})", args)
        if isinstance(arg, Json):
            raise Uncompilable
        return error()

    return call


FUNCTIONS: Final[dict[tuple[str, bool], Implementation]] = {
    ("contains", True): _contains,
    ("startsWith", True): _starts_with,
    ("endsWith", True): _ends_with,
    ("matches", True): _matches,
    ("matches", False): _matches,
    ("lowerAscii", True): _wrapped("lower({})"),
    ("upperAscii", True): _wrapped("upper({})"),
    ("trim", True): _trim,
    ("indexOf", True): _index_of,
    ("substring", True): _substring,
    ("size", True): _size,
    ("size", False): _size,
    ("string", False): _string,
    ("int", False): _int,
    ("double", False): _double,
    ("timestamp", False): _timestamp,
    ("dyn", False): lambda _, args: args[0],
    ("getFullYear", True): _part("getFullYear", "%Y", 0, None),
    ("getMonth", True): _part("getMonth", "%m", 1, None),
    ("getDate", True): _part("getDate", "%d", 0, None),
    ("getDayOfMonth", True): _part("getDayOfMonth", "%d", 1, None),
    ("getDayOfWeek", True): _part("getDayOfWeek", "%w", 0, None),
    ("getDayOfYear", True): _part("getDayOfYear", "%j", 1, None),
    ("getHours", True): _part("getHours", "%H", 0, 3_600_000_000),
    ("getMinutes", True): _part("getMinutes", "%M", 0, 60_000_000),
    ("getSeconds", True): _part("getSeconds", "%S", 0, 1_000_000),
    ("getMilliseconds", True): _part("getMilliseconds", "", 0, 1000),
}
