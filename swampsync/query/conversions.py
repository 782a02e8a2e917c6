"""Conversions between the types of the language, and the error of types that do not fit."""

from __future__ import annotations

import math
import re
from typing import Any

from swampsync.query.moments import (
    NANOS,
    Duration,
    Timestamp,
    format_duration,
    format_timestamp,
    make_timestamp,
    parse_duration,
    parse_timestamp,
)
from swampsync.query.values import INT_MAX, INT_MIN, UINT_MAX, EvaluationError, UInt, a_type, type_name


def no_overload(name: str, *values: Any) -> EvaluationError:
    """Make the error for operands of types that an operation does not know."""
    return EvaluationError(f"no such overload: {name}({', '.join(type_name(v) for v in values)})")


def to_int(value: Any) -> int:
    """Convert to an int, or raise `EvaluationError`."""
    if isinstance(value, bool):
        raise no_overload("int", value)
    result: int | None = None
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        result = int(value)
    elif isinstance(value, str):
        result = int(value) if re.fullmatch("[-+]?[0-9]{1,20}", value) else None
    elif isinstance(value, Timestamp):
        result = value.nanos // NANOS
    elif not isinstance(value, float):
        raise no_overload("int", value)
    if result is None:
        raise EvaluationError(f"int() of {a_type(value)} that is no whole number")
    if not INT_MIN <= result <= INT_MAX or (isinstance(value, float) and result == INT_MIN):
        raise EvaluationError("integer overflow")
    return result


def to_uint(value: Any) -> UInt:
    """Convert to an uint, or raise `EvaluationError`."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise no_overload("uint", value)
    if isinstance(value, float) and not math.isfinite(value):
        raise EvaluationError("uint() of a double that is no whole number")
    if isinstance(value, str) and not re.fullmatch("[0-9]{1,20}", value):
        raise EvaluationError("uint() of a string that is no whole number")
    result = int(value)
    if not 0 <= result <= UINT_MAX or (isinstance(value, float) and value < 0):
        raise EvaluationError("integer overflow")
    return UInt(result)


def to_double(value: Any) -> float:
    """Convert to a double, or raise `EvaluationError`."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise no_overload("double", value)
    if isinstance(value, str):
        if not re.fullmatch(
            r"[-+]?(?:[0-9]+\.?[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|inf|Inf|Infinity|NaN|nan)", value
        ):
            raise EvaluationError("double() of a string that is no number")
        return float(value)
    return float(value)


def to_string(value: Any) -> str:
    """Convert to a string, or raise `EvaluationError`."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return format_double(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise EvaluationError("string() of bytes that are not UTF-8") from None
    if isinstance(value, Timestamp):
        return format_timestamp(value)
    if isinstance(value, Duration):
        return format_duration(value)
    raise no_overload("string", value)


def format_double(value: float) -> str:
    """Format a double, a whole number without a decimal point."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)


def to_bytes(value: Any) -> bytes:
    """Convert to bytes, or raise `EvaluationError`."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    raise no_overload("bytes", value)


def to_bool(value: Any) -> bool:
    """Convert to a bool, or raise `EvaluationError`."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if value in {"true", "True", "TRUE", "t", "1"}:
            return True
        if value in {"false", "False", "FALSE", "f", "0"}:
            return False
        raise EvaluationError("bool() of a string that is neither true nor false")
    raise no_overload("bool", value)


def to_timestamp(value: Any) -> Timestamp:
    """Convert to a timestamp, or raise `EvaluationError`."""
    if isinstance(value, Timestamp):
        return value
    if isinstance(value, str):
        return parse_timestamp(value)
    if type(value) is int:
        return make_timestamp(value * NANOS)
    raise no_overload("timestamp", value)


def to_duration(value: Any) -> Duration:
    """Convert to a duration, or raise `EvaluationError`."""
    if isinstance(value, Duration):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    raise no_overload("duration", value)
