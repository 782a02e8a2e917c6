"""Looking into lists and maps: elements, membership, and what is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from swampsync.query.activation import Activation
from swampsync.query.values import NONE, EvaluationError, OptionalValue, a_type, equals, to_key, type_name


class Absent(EvaluationError):
    """What was looked up is not there, as opposed to not being possible."""


def element(value: Any, key: Any, path: str) -> Any:
    """Return an element of a list or a map.

    Args:
        value: The list or map.
        key: The index or key.
        path: How the place is called in errors.

    Raises:
        Absent: There is no such element.
        EvaluationError: The value has no elements, or none with keys of that type.
    """
    if isinstance(value, list):
        if isinstance(key, float) and key.is_integer():
            key = int(key)
        if isinstance(key, bool) or not isinstance(key, int):
            raise EvaluationError(f"`{path}`: a list has no index of type {type_name(key)}")
        if not 0 <= key < len(value):
            raise Absent(f"`{path}`: index out of range")
        return value[key]
    if isinstance(value, dict):
        stored = to_key(key) if not (isinstance(key, float) and not key.is_integer()) else None
        if stored is None or stored not in value:
            raise Absent(f"no such key `{path}`; use has()" if isinstance(key, str) else f"no such key `{path}`")
        return value[stored]
    raise EvaluationError(f"`{path}`: {a_type(value)} has no elements")


def contains(env: Activation, value: Any, container: Any) -> bool:
    """Return whether a list has an element, or a map a key.

    Raises:
        EvaluationError: The container is neither.
    """
    if isinstance(container, list):
        env.charge(len(container) // 8)
        return any(equals(value, item) for item in container)
    if isinstance(container, dict):
        try:
            return bool(to_key(value) in container)
        except EvaluationError:
            return False
    raise EvaluationError(f"no such overload: {type_name(value)} in {type_name(container)}")


def as_optional(value: Any) -> OptionalValue:
    """Return the value if it is an optional one.

    Raises:
        EvaluationError: It is not.
    """
    if isinstance(value, OptionalValue):
        return value
    raise EvaluationError(f"`?` takes an optional value, not {a_type(value)}")


def make_select(
    operand: Callable[[Activation], Any], field: str, *, path: str, is_optional: bool
) -> Callable[[Activation], Any]:
    """Return the evaluation of `operand.field`, or of `operand.?field`; after an optional value, all are optional."""
    missing = f"no such key `{path}`; use has()"

    def select(env: Activation) -> Any:
        value = operand(env)
        if type(value) is dict and not is_optional:
            try:
                return value[field]
            except KeyError:
                raise EvaluationError(missing) from None
        if isinstance(value, OptionalValue):
            if not value.is_present:
                return NONE
            value = value.value
        elif not is_optional:
            raise EvaluationError(f"`{path}`: {a_type(value)} has no fields")
        if not isinstance(value, dict):
            raise EvaluationError(f"`{path}`: {a_type(value)} has no fields")
        return OptionalValue(value[field]) if field in value else NONE

    return select


def make_has(operand: Callable[[Activation], Any], field: str, *, path: str) -> Callable[[Activation], Any]:
    """Return the evaluation of `has(operand.field)`."""

    def has(env: Activation) -> Any:
        value = operand(env)
        if isinstance(value, OptionalValue):
            if not value.is_present:
                return False
            value = value.value
        if not isinstance(value, dict):
            raise EvaluationError(f"`{path}`: {a_type(value)} has no fields")
        return bool(field in value)

    return has
