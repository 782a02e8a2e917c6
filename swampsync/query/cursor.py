"""The order of a listing, and cursors: opaque texts that name the place after which a listing goes on."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from swampsync.errors import InvalidInput, QueryError
from swampsync.query.diagnostics import suggestion
from swampsync.query.fields import FIELDS

# Every listing ends its order with these, which no two rows share.
_KEY: Final = ("created_at", "namespace", "type_normalized", "model_id", "data_name", "version")
_FORMAT: Final = 1


class Order(NamedTuple):
    """How a listing is sorted: by one field first, then by time of creation and key."""

    field: str | None = None
    is_descending: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns whose values name a place in the listing."""
        return _KEY if self.field is None else (FIELDS[self.field].column, *_KEY)

    def to_sql(self, *, keeps_index: bool) -> str:
        """Return the terms of `ORDER BY`; without `keeps_index`, no index is walked for its order alone."""
        terms = [f"c.{column}" for column in self.columns]
        if not keeps_index:
            terms[0] = "+" + terms[0]
        if self.field is not None and self.is_descending:
            terms[0] += " DESC"
        return ", ".join(terms)

    def __str__(self) -> str:
        return "" if self.field is None else f"{self.field}:{'desc' if self.is_descending else 'asc'}"


def parse_order(text: str | None) -> Order:
    """Parse `FIELD`, `FIELD:asc` or `FIELD:desc`.

    Raises:
        QueryError: There is no such field or direction.
    """
    if not text:
        return Order()
    name, _, direction = text.partition(":")
    sortable = {field for field, (kind, column) in FIELDS.items() if column and kind != "map"}
    if name not in sortable:
        raise QueryError(
            f"cannot order by `{name[:80]}`",
            hint=suggestion(name, sortable) or f"one of: {', '.join(sorted(sortable))}",
        )
    if direction not in {"", "asc", "desc"}:
        raise QueryError(f"unknown direction `{direction[:80]}`", hint=f"--order-by {name}:desc")
    return Order(name, direction == "desc")


def fingerprint(predicate: str, order: Order, namespace: str | None) -> str:
    """Return what tells the listing of one query from that of another."""
    import hashlib  # noqa: PLC0415  needed for pages only

    identity = json.dumps([_FORMAT, predicate, str(order), namespace])
    return hashlib.sha256(identity.encode(errors="surrogatepass")).hexdigest()[:16]


def format_cursor(query: str, place: tuple[Any, ...]) -> str:
    """Make the cursor that goes on after the row with these values of the order's columns."""
    import base64  # noqa: PLC0415  needed for pages only

    data = json.dumps([query, *place], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def parse_cursor(text: str, query: str, order: Order) -> tuple[Any, ...]:
    """Return the place that a cursor names.

    Raises:
        InvalidInput: The text is no cursor, or is one of another query.
    """
    import base64  # noqa: PLC0415  needed for pages only
    import binascii  # noqa: PLC0415  the same

    hint = "begin again without --after"
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        found, *place = json.loads(data)
    except (binascii.Error, ValueError, TypeError):
        raise InvalidInput("the cursor is damaged", hint=hint) from None
    if found != query:
        raise InvalidInput("the cursor belongs to another query", hint=hint)
    numbers = {"version", "size", "is_latest", "streaming"}
    wanted = [int if column in numbers else str for column in order.columns]
    if [type(value) for value in place] != wanted or any(isinstance(v, int) and abs(v) >= 2**63 for v in place):
        raise InvalidInput("the cursor is damaged", hint=hint)
    return tuple(place)


def position_condition(order: Order, place: tuple[Any, ...]) -> tuple[str, dict[str, Any]]:
    """Return SQL that holds behind a place, and its parameters."""
    parameters = {f"after{i}": value for i, value in enumerate(place)}
    names = [f":{name}" for name in parameters]
    columns = [f"c.{column}" for column in order.columns]
    if order.field is None:
        return f"({', '.join(columns)}) > ({', '.join(names)})", parameters
    sign = "<" if order.is_descending else ">"
    rest = f"({', '.join(columns[1:])}) > ({', '.join(names[1:])})"
    return f"({columns[0]} {sign} {names[0]} OR ({columns[0]} = {names[0]} AND {rest}))", parameters
