"""What an expression sees of one version: the row of the catalog, and its content when it is asked for."""

from __future__ import annotations

import json
from typing import Any, Final, Protocol

from swampsync.catalog.rows import CatalogRow
from swampsync.query.fields import FIELDS, POSITIONS
from swampsync.query.values import INT_MAX, INT_MIN, EvaluationError

# Iterations and comparisons that one expression may cost for one row.
STEPS_PER_ROW: Final = 100_000

_CONTENT_TYPE: Final = POSITIONS["content_type"]
TEXT_TYPES: Final = frozenset({"application/yaml", "application/x-yaml"})
JSON_TYPE: Final = "application/json"


class ContentSource(Protocol):
    """Where the content of versions comes from."""

    def read_content(self, row: CatalogRow) -> bytes | None:
        """Return the content of a version, or nothing if it is not here."""
        ...

    def digest(self, row: CatalogRow) -> str | None:
        """Return the SHA-256 of a version's content if it is known without reading the content."""
        ...


class NoContent:
    """The source where no content is at hand."""

    def read_content(self, row: CatalogRow) -> bytes | None:
        """Return nothing."""
        del row
        return None

    def digest(self, row: CatalogRow) -> str | None:
        """Return nothing."""
        del row
        return None


def is_text(content_type: str) -> bool:
    """Whether content of this type is shown as text."""
    return content_type.startswith("text/") or content_type in TEXT_TYPES


def parse_json(text: str | bytes) -> Any:
    """Parse JSON into CEL values: whole numbers within 64 bits become ints, all others doubles.

    Raises:
        ValueError: The text is no JSON (`NaN` and the like are not).
        EvaluationError: It is nested too deeply to be looked at.
    """
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except RecursionError:
        raise EvaluationError("the content is nested too deeply") from None


def _parse_int(text: str) -> int | float:
    if len(text) > 20:
        return float(text)
    value = int(text)
    return value if INT_MIN <= value <= INT_MAX else float(text)


def _parse_float(text: str) -> int | float:
    value = float(text)
    # `1.0` and `1e3` are whole numbers, as they are to every reader that knows one kind of number only.
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"no JSON: {text}")


_DECODER: Final = json.JSONDecoder(parse_int=_parse_int, parse_float=_parse_float, parse_constant=_refuse_constant)


class Activation:
    """One row under evaluation; content is read on first use and kept while the row is looked at."""

    __slots__ = ("_attributes", "_content", "_contents", "_tags", "_text", "row", "slots", "steps")

    def __init__(self, row: CatalogRow, contents: ContentSource, slot_count: int = 0) -> None:
        self.row = row
        self.slots: list[Any] = [None] * slot_count
        self.steps = STEPS_PER_ROW
        self._contents = contents
        self._tags: Any = None
        self._attributes: Any = _UNREAD
        self._content: Any = _UNREAD
        self._text: str | None = None

    def preload(self, text: str | None) -> None:
        """Take the JSON content from its text, which the cache has, instead of reading the content."""
        self._text = text

    def charge(self, steps: int) -> None:
        """Pay for work that grows with the data.

        Raises:
            EvaluationError: The row has used up what an expression may cost.
        """
        self.steps -= steps
        if self.steps < 0:
            raise EvaluationError("the expression is too expensive for this row")

    def tags(self) -> Any:
        """Return the tags as a map."""
        if self._tags is None:
            try:
                tags = parse_json(self.row.tags)
            except ValueError:
                raise EvaluationError("the tags are not valid JSON") from None
            self._tags = tags
        return self._tags

    def attributes(self) -> Any:
        """Return the parsed content of JSON, an empty map for everything else."""
        if self._attributes is _UNREAD:
            self._attributes = {}
            if self.row[_CONTENT_TYPE] == JSON_TYPE:
                data = self._read() if self._text is None else self._text
                try:
                    self._attributes = parse_json(data)
                except ValueError:
                    self._attributes = {}
                except EvaluationError:
                    self._attributes = _UNREAD
                    raise
        return self._attributes

    def content(self) -> Any:
        """Return JSON parsed, text decoded, and an empty string for everything else."""
        kind: Any = self.row[_CONTENT_TYPE]
        if kind == JSON_TYPE:
            return self.attributes()
        if not is_text(kind):
            return ""
        if self._content is _UNREAD:
            self._content = self._read().decode(errors="replace")
        return self._content

    def _read(self) -> bytes:
        data = self._contents.read_content(self.row)
        if data is None:
            raise EvaluationError("the content is not here")
        return data

    def field(self, name: str) -> Any:
        """Return the value of a field by its name in expressions."""
        if name == "tags":
            return self.tags()
        if name == "attributes":
            return self.attributes()
        if name == "content":
            return self.content()
        kind, column = FIELDS[name]
        value: Any = self.row[POSITIONS[column]]
        return bool(value) if kind == "bool" else value


_UNREAD: Final = object()
