"""The functions of the language: strings, conversions, sizes, parts of times, optional values.

A method's implementation gets the receiver first. Arities count the arguments in the parentheses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from swampsync.query import conversions
from swampsync.query.conversions import no_overload
from swampsync.query.moments import (
    DURATION_PARTS,
    TIMESTAMP_PARTS,
    Duration,
    Timestamp,
    duration_part,
    timestamp_part,
)
from swampsync.query.values import (
    NONE,
    CelType,
    EvaluationError,
    OptionalValue,
    type_name,
)

# What Unicode calls white space, and `trim()` takes off.
WHITE_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
MAX_RESULT: Final = 1 << 20  # code points, bytes or elements that one operation may make


class Function(NamedTuple):
    """An implementation and the numbers of arguments that it takes."""

    arities: frozenset[int]
    call: Callable[..., Any]


def _size(value: Any) -> int:
    if isinstance(value, str | bytes | list | dict):
        return len(value)
    raise no_overload("size", value)


def _strings(name: str, *values: Any) -> None:
    for value in values:
        if not isinstance(value, str):
            raise no_overload(name, *values)


def _int(name: str, value: Any) -> int:
    if type(value) is not int:
        raise no_overload(name, value)
    return value


def _contains(text: Any, part: Any) -> bool:
    _strings("contains", text, part)
    return part in text


def _starts_with(text: Any, part: Any) -> bool:
    _strings("startsWith", text, part)
    return bool(text.startswith(part))


def _ends_with(text: Any, part: Any) -> bool:
    _strings("endsWith", text, part)
    return bool(text.endswith(part))


def _matches(text: Any, pattern: Any) -> bool:
    from swampsync.query.regex import compile_pattern  # noqa: PLC0415  few queries hold a pattern

    _strings("matches", text, pattern)
    return compile_pattern(pattern).search(text)


_LOWER: Final = {i: i + 32 for i in range(65, 91)}
_UPPER: Final = {i: i - 32 for i in range(97, 123)}


def _lower(text: Any) -> str:
    _strings("lowerAscii", text)
    return str(text.translate(_LOWER))


def _upper(text: Any) -> str:
    _strings("upperAscii", text)
    return str(text.translate(_UPPER))


def _trim(text: Any) -> str:
    _strings("trim", text)
    return str(text.strip(WHITE_SPACE))


def _split(text: Any, separator: Any, limit: Any = -1) -> list[str]:
    _strings("split", text, separator)
    _int("split", limit)
    if limit == 0:
        return []
    if separator:
        return list(text.split(separator, limit - 1 if limit > 0 else -1))
    if 0 < limit < len(text):
        return [*text[: limit - 1], text[limit - 1 :]]
    return list(text)


def _substring(text: Any, start: Any, end: Any = None) -> str:
    _strings("substring", text)
    stop = len(text) if end is None else _int("substring", end)
    if not 0 <= _int("substring", start) <= stop <= len(text):
        raise EvaluationError("substring() out of range")
    return str(text[start:stop])


def _index_of(text: Any, part: Any, start: Any = 0) -> int:
    _strings("indexOf", text, part)
    if not 0 <= _int("indexOf", start) <= len(text):
        raise EvaluationError("indexOf() out of range")
    return int(text.find(part, start))


def _last_index_of(text: Any, part: Any, start: Any = None) -> int:
    _strings("lastIndexOf", text, part)
    if start is None:
        return int(text.rfind(part))
    if not 0 <= _int("lastIndexOf", start) <= len(text):
        raise EvaluationError("lastIndexOf() out of range")
    return int(text.rfind(part, 0, start + len(part)))


def _join(items: Any, separator: Any = "") -> str:
    _strings("join", separator)
    if not isinstance(items, list):
        raise no_overload("join", items)
    _strings("join", *items)
    if sum(map(len, items)) + len(separator) * len(items) > MAX_RESULT:
        raise EvaluationError("the result is too large")
    return str(separator.join(items))


def _part(name: str) -> Function:
    def call(value: Any, *zone: Any) -> int:
        if isinstance(value, Timestamp) and name in TIMESTAMP_PARTS:
            _strings(name, *zone)
            return timestamp_part(name, value, zone[0] if zone else None)
        if isinstance(value, Duration) and name in DURATION_PARTS and not zone:
            return duration_part(name, value)
        raise no_overload(name, value, *zone)

    return Function(frozenset({0, 1}), call)


def _or_value(value: Any, default: Any) -> Any:
    if not isinstance(value, OptionalValue):
        raise no_overload("orValue", value, default)
    return value.value if value.is_present else default


def _or(value: Any, other: Any) -> Any:
    if not isinstance(value, OptionalValue) or not isinstance(other, OptionalValue):
        raise no_overload("or", value, other)
    return value if value.is_present else other


def _has_value(value: Any) -> bool:
    if not isinstance(value, OptionalValue):
        raise no_overload("hasValue", value)
    return value.is_present


def _value(value: Any) -> Any:
    if not isinstance(value, OptionalValue):
        raise no_overload("value", value)
    if not value.is_present:
        raise EvaluationError("value() of optional.none()")
    return value.value


def _of_non_zero(value: Any) -> OptionalValue:
    is_zero = value is None or (isinstance(value, bool | int | float | str | bytes | list | dict) and not value)
    return NONE if is_zero else OptionalValue(value)


def _function(call: Callable[..., Any], *arities: int) -> Function:
    return Function(frozenset(arities), call)


METHODS: Final[dict[str, Function]] = {
    "contains": _function(_contains, 1),
    "startsWith": _function(_starts_with, 1),
    "endsWith": _function(_ends_with, 1),
    "matches": _function(_matches, 1),
    "lowerAscii": _function(_lower, 0),
    "upperAscii": _function(_upper, 0),
    "trim": _function(_trim, 0),
    "split": _function(_split, 1, 2),
    "substring": _function(_substring, 1, 2),
    "indexOf": _function(_index_of, 1, 2),
    "lastIndexOf": _function(_last_index_of, 1, 2),
    "join": _function(_join, 0, 1),
    "size": _function(_size, 0),
    "orValue": _function(_or_value, 1),
    "or": _function(_or, 1),
    "hasValue": _function(_has_value, 0),
    "value": _function(_value, 0),
    **{name: _part(name) for name in TIMESTAMP_PARTS},
}

GLOBALS: Final[dict[str, Function]] = {
    "size": _function(_size, 1),
    "matches": _function(_matches, 2),
    "int": _function(conversions.to_int, 1),
    "uint": _function(conversions.to_uint, 1),
    "double": _function(conversions.to_double, 1),
    "string": _function(conversions.to_string, 1),
    "bytes": _function(conversions.to_bytes, 1),
    "bool": _function(conversions.to_bool, 1),
    "timestamp": _function(conversions.to_timestamp, 1),
    "duration": _function(conversions.to_duration, 1),
    "type": _function(lambda value: CelType(type_name(value)), 1),
    "dyn": _function(lambda value: value, 1),
    "optional.of": _function(OptionalValue, 1),
    "optional.none": _function(lambda: NONE, 0),
    "optional.ofNonZeroValue": _function(_of_non_zero, 1),
}
