"""Arithmetic and comparison of CEL values.

Integers overflow with an error, division truncates towards zero. Beyond the specification, an int and a double can
be added, subtracted, multiplied and divided: the result is a double.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from swampsync.query.functions import MAX_RESULT
from swampsync.query.moments import Duration, Timestamp, make_duration, make_timestamp
from swampsync.query.values import INT_MAX, INT_MIN, UINT_MAX, EvaluationError, UInt, type_name

_NUMBERS: Final = frozenset({int, UInt, float})


def _no_operator(op: str, left: Any, right: Any) -> EvaluationError:
    return EvaluationError(f"no such overload: {type_name(left)} {op} {type_name(right)}")


def _checked(value: int) -> int:
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationError("integer overflow")


def _unsigned(value: int) -> UInt:
    if 0 <= value <= UINT_MAX:
        return UInt(value)
    raise EvaluationError("integer overflow")


def _are_doubles(a: type, b: type) -> bool:
    return (a is float and (b is float or b is int)) or (a is int and b is float)


def add(left: Any, right: Any) -> Any:
    """Add numbers, join strings, bytes or lists, move times."""
    a, b = type(left), type(right)
    if a is int and b is int:
        return _checked(left + right)
    if a is b and a in {str, bytes, list}:
        if len(left) + len(right) > MAX_RESULT:
            raise EvaluationError("the result is too large")
        return left + right
    if _are_doubles(a, b):
        return float(left) + float(right)
    if a is UInt and b is UInt:
        return _unsigned(int(left) + int(right))
    if b is Duration:
        if a is Timestamp:
            return make_timestamp(left.nanos + right.nanos)
        if a is Duration:
            return make_duration(left.nanos + right.nanos)
    if a is Duration and b is Timestamp:
        return make_timestamp(left.nanos + right.nanos)
    raise _no_operator("+", left, right)


def subtract(left: Any, right: Any) -> Any:
    """Subtract numbers and times."""
    a, b = type(left), type(right)
    if a is int and b is int:
        return _checked(left - right)
    if _are_doubles(a, b):
        return float(left) - float(right)
    if a is UInt and b is UInt:
        return _unsigned(int(left) - int(right))
    if a is Timestamp and b is Timestamp:
        return make_duration(left.nanos - right.nanos)
    if a is Timestamp and b is Duration:
        return make_timestamp(left.nanos - right.nanos)
    if a is Duration and b is Duration:
        return make_duration(left.nanos - right.nanos)
    raise _no_operator("-", left, right)


def multiply(left: Any, right: Any) -> Any:
    """Multiply numbers."""
    a, b = type(left), type(right)
    if a is int and b is int:
        return _checked(left * right)
    if _are_doubles(a, b):
        return float(left) * float(right)
    if a is UInt and b is UInt:
        return _unsigned(int(left) * int(right))
    raise _no_operator("*", left, right)


def divide(left: Any, right: Any) -> Any:
    """Divide numbers; integers truncate towards zero, doubles follow IEEE 754."""
    a, b = type(left), type(right)
    if a is b and (a is int or a is UInt):
        if right == 0:
            raise EvaluationError("division by zero")
        quotient = abs(int(left)) // abs(int(right))
        if a is UInt:
            return UInt(quotient)
        return _checked(quotient if (left < 0) == (right < 0) else -quotient)
    if _are_doubles(a, b):
        x, y = float(left), float(right)
        if y:
            return x / y
        return math.nan if x == 0 or math.isnan(x) else math.copysign(math.inf, x) * math.copysign(1, y)
    raise _no_operator("/", left, right)


def modulo(left: Any, right: Any) -> Any:
    """Return the remainder of integers; its sign is that of the dividend."""
    a, b = type(left), type(right)
    if a is b and (a is int or a is UInt):
        if right == 0:
            raise EvaluationError("modulus by zero")
        if a is int and left == INT_MIN and right == -1:
            raise EvaluationError("integer overflow")
        remainder = abs(int(left)) % abs(int(right))
        return UInt(remainder) if a is UInt else -remainder if left < 0 else remainder
    raise _no_operator("%", left, right)


def negate(value: Any) -> Any:
    """Change the sign of an int or a double."""
    if type(value) is int:
        return _checked(-value)
    if type(value) is float:
        return -value
    raise EvaluationError(f"no such overload: -{type_name(value)}")


def _ordering(op: str, compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def call(left: Any, right: Any) -> bool:
        a, b = type(left), type(right)
        if (a is b and a in _ORDERED) or (a in _NUMBERS and b in _NUMBERS):
            return compare(left, right)
        raise _no_operator(op, left, right)

    return call


_ORDERED: Final = frozenset({bool, str, bytes, Timestamp, Duration})

BINARY: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": modulo,
    "<": _ordering("<", lambda a, b: bool(a < b)),
    "<=": _ordering("<=", lambda a, b: bool(a <= b)),
    ">": _ordering(">", lambda a, b: bool(a > b)),
    ">=": _ordering(">=", lambda a, b: bool(a >= b)),
}
