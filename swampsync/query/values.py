"""What CEL expressions evaluate to, as Python values.

null is None; bool, string, double and bytes are their Python namesakes; an int is a Python int within 64 bits; a
list is a list and a map is a dict. Classes stand for what Python has no value for.
"""

from __future__ import annotations

from typing import Any, Final

INT_MAX: Final = 2**63 - 1
INT_MIN: Final = -(2**63)
UINT_MAX: Final = 2**64 - 1
# Integers beyond this are not exact in JSON readers that use doubles.
SAFE_INT_MAX: Final = 2**53 - 1


class EvaluationError(Exception):
    """An expression has no value for this row; `&&`, `||` and `?:` may absorb it.

    Args:
        reason: One phrase, the same for all rows that fail in the same way.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UInt(int):
    """An unsigned 64-bit integer; equal to the int of the same value, but not added to one."""

    __slots__ = ()


class CelType:
    """A type as a value, as `type(x)` gives it."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CelType) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"CelType({self.name!r})"


class OptionalValue:
    """What `.?f`, `[?i]` and `optional.of()` give: a value, or none."""

    __slots__ = ("is_present", "value")

    def __init__(self, value: Any = None, *, is_present: bool = True) -> None:
        self.value = value
        self.is_present = is_present


NONE: Final = OptionalValue(is_present=False)


class BoolKey:
    """A bool as a key of a map; Python's own True is the same key as 1."""

    __slots__ = ("value",)

    def __init__(self, value: bool) -> None:  # noqa: FBT001  the one thing that it is
        self.value = value


TRUE_KEY: Final = BoolKey(True)
FALSE_KEY: Final = BoolKey(False)


def to_key(value: Any) -> Any:
    """Return what stands for a CEL value as a key of a dict.

    Raises:
        EvaluationError: The value is no key: not a string, bool, int or uint.
    """
    kind = type(value)
    if kind is str or kind is int or kind is UInt:
        return value
    if kind is bool:
        return TRUE_KEY if value else FALSE_KEY
    if kind is float and value.is_integer():
        return int(value)  # looks up an integer key of the same value
    raise EvaluationError(f"{a_type(value)} is no key of a map")


def from_key(key: Any) -> Any:
    """Return the CEL value that a dict's key stands for."""
    return key.value if type(key) is BoolKey else key


def a_type(value: Any) -> str:
    """Return the name of a value's type with its article, for messages."""
    name = type_name(value)
    return f"{'an' if name in {'int', 'optional_type'} else 'a'} {name}"


def type_name(value: Any) -> str:
    """Return the CEL name of a value's type."""
    if isinstance(value, CelType):
        return "type"
    return _NAMES.get(type(value)) or str(getattr(value, "cel_type", "optional_type"))


_NAMES: Final = {
    type(None): "null_type",
    bool: "bool",
    int: "int",
    UInt: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    dict: "map",
}


def equals(left: Any, right: Any) -> bool:
    """Compare as CEL does: numbers by value across their types, everything else only within its type."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list):
        if not isinstance(right, list) or len(left) != len(right):
            return False
        return all(equals(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict):
        if not isinstance(right, dict) or len(left) != len(right):
            return False
        return all(key in right and equals(value, right[key]) for key, value in left.items())
    if isinstance(left, OptionalValue):
        if not isinstance(right, OptionalValue) or left.is_present != right.is_present:
            return False
        return not left.is_present or equals(left.value, right.value)
    return bool(left == right)
