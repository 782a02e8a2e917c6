"""CEL values to values that every JSON reader takes."""

from __future__ import annotations

import math
from typing import Any, Final

from swampsync.query.moments import Duration, Timestamp, format_duration, format_timestamp
from swampsync.query.values import SAFE_INT_MAX, CelType, EvaluationError, OptionalValue, from_key

# A projection of shared parts can stand for a text of any size.
MAX_NODES: Final = 200_000


def to_json(value: Any) -> Any:
    """Convert a value: times and lengths to text, bytes to base64, integers beyond 2^53 to decimal text.

    Raises:
        EvaluationError: The value is too large, or nested too deeply, to be printed.
    """
    budget = [MAX_NODES]
    try:
        return _convert(value, budget)
    except RecursionError:
        raise EvaluationError("the result is nested too deeply") from None


def _convert(value: Any, budget: list[int]) -> Any:
    budget[0] -= 1
    if budget[0] < 0:
        raise EvaluationError("the result is too large")
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, list):
        return [_convert(item, budget) for item in value]
    if isinstance(value, dict):
        return {_convert_key(key): _convert(item, budget) for key, item in value.items()}
    if isinstance(value, OptionalValue):
        return _convert(value.value, budget) if value.is_present else None
    return _convert_scalar(value)


def _convert_scalar(value: Any) -> Any:
    if isinstance(value, int):
        return int(value) if -SAFE_INT_MAX <= value <= SAFE_INT_MAX else str(int(value))
    if isinstance(value, float):
        return _convert_double(value)
    if isinstance(value, bytes):
        import base64  # noqa: PLC0415  few results are bytes

        return base64.b64encode(value).decode()
    if isinstance(value, Timestamp):
        return format_timestamp(value)
    if isinstance(value, Duration):
        return format_duration(value)
    if isinstance(value, CelType):
        return value.name
    raise EvaluationError("the result has no form in JSON")


def _convert_double(value: float) -> Any:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return int(value) if value.is_integer() and abs(value) <= SAFE_INT_MAX else value


def _convert_key(key: Any) -> str:
    plain = from_key(key)
    if isinstance(plain, bool):
        return "true" if plain else "false"
    return plain if isinstance(plain, str) else str(int(plain))
