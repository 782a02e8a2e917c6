"""A row of the catalog as the record that queries print."""

from __future__ import annotations

from typing import Any, Final

from swampsync.catalog.rows import CatalogRow
from swampsync.query.activation import JSON_TYPE, ContentSource, is_text, parse_json
from swampsync.query.fields import FIELDS, POSITIONS, RESULT_KEYS
from swampsync.query.values import EvaluationError

_PLACES: Final = tuple((key, POSITIONS[FIELDS[key].column], FIELDS[key].kind) for key in RESULT_KEYS)


def make_record(row: CatalogRow) -> dict[str, Any]:
    """Return the record of a row, without its content."""
    record: dict[str, Any] = {}
    for key, position, kind in _PLACES:
        value: Any = row[position]
        if kind == "bool":
            value = bool(value)
        elif kind == "map":
            value = _parse_tags(value)
        record[key] = value
    return record


def _parse_tags(text: str) -> Any:
    try:
        return parse_json(text)
    except (ValueError, EvaluationError):
        return {}


def load_content(row: CatalogRow, contents: ContentSource, *, with_text: bool) -> tuple[Any, bool]:
    """Return the content as results show it, and whether it was here.

    JSON is parsed, and an empty map if it cannot be; text is decoded if asked for; everything else is an empty string.
    """
    if row.content_type == JSON_TYPE:
        data = contents.read_content(row)
        if data is None:
            return {}, False
        try:
            return parse_json(data), True
        except (ValueError, EvaluationError):
            return {}, True
    if with_text and is_text(row.content_type):
        data = contents.read_content(row)
        return ("", False) if data is None else (data.decode(errors="replace"), True)
    return "", True
