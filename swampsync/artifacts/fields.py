"""Typed access to the fields of a document, with errors that name the document and the field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from swampsync.errors import DataError

MAX_WHOLE: Final = 2**63 - 1
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class Fields:
    """The values of one mapping.

    Every method but `fail`, `get` and `has` raises `DataError` if the value is missing or of another kind.

    Args:
        values: The mapping.
        source: What to call the document in an error, a path in back-ticks as a rule.
        prefix: What stands before a field's name in an error (`ownerDefinition.`).
    """

    __slots__ = ("_prefix", "_source", "_values")

    def __init__(self, values: Mapping[str, Any], *, source: str, prefix: str = "") -> None:
        self._values = values
        self._source = source
        self._prefix = prefix

    def fail(self, name: str, problem: str) -> NoReturn:
        """Raise the error that names a field."""
        key = self._source.strip("`")
        raise DataError(f"{self._source}: field `{self._prefix}{name}` {problem}", key=key)

    def get(self, name: str) -> Any:
        """Return a value as it is."""
        return self._values.get(name)

    def has(self, name: str) -> bool:
        """Say whether there is a value."""
        return name in self._values

    def text(self, name: str) -> str:
        """Return text that is not empty."""
        value = self._values.get(name)
        if not isinstance(value, str):
            self.fail(name, "is missing" if name not in self._values else "is not text; quote it")
        if not value:
            self.fail(name, "is empty")
        return value

    def optional_text(self, name: str) -> str | None:
        """Return text, or `None` if there is no value."""
        value = self._values.get(name)
        if name in self._values and not isinstance(value, str):
            self.fail(name, "is not text; quote it")
        return value

    def uuid(self, name: str) -> str:
        """Return a UUID."""
        value = self.text(name)
        if _UUID.fullmatch(value) is None:
            self.fail(name, "is not a UUID")
        return value

    def optional_uuid(self, name: str) -> str | None:
        """Return a UUID, or `None` if there is no value."""
        return self.uuid(name) if name in self._values else None

    def whole(self, name: str) -> int:
        """Return a whole number that a database can hold."""
        value = self._values.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            self.fail(name, "is missing" if name not in self._values else "is not a whole number")
        if abs(value) > MAX_WHOLE:
            self.fail(name, "is too large")
        return value

    def positive(self, name: str) -> int:
        """Return a whole number above zero."""
        value = self.whole(name)
        if value < 1:
            self.fail(name, "is not above zero")
        return value

    def optional_count(self, name: str) -> int | None:
        """Return a whole number from zero, or `None` if there is no value."""
        if name not in self._values:
            return None
        value = self.whole(name)
        if value < 0:
            self.fail(name, "is below zero")
        return value

    def flag(self, name: str) -> bool:
        """Return true or false; false if there is no value."""
        value = self._values.get(name, False)
        if not isinstance(value, bool):
            self.fail(name, "is neither true nor false")
        return value

    def mapping(self, name: str) -> Mapping[Any, Any]:
        """Return a mapping."""
        value = self._values.get(name)
        if not isinstance(value, Mapping):
            self.fail(name, "is missing" if name not in self._values else "is not a mapping")
        return value
