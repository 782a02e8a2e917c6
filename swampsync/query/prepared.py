"""A query that was checked and can be run: parsing needs no catalog."""

from __future__ import annotations

from typing import Any, NamedTuple

from swampsync.errors import InvalidInput, QueryError
from swampsync.query.ast import Node
from swampsync.query.check import Mentions, check_expression
from swampsync.query.cursor import Order, fingerprint, parse_cursor, parse_order
from swampsync.query.parser import parse


class PreparedQuery(NamedTuple):
    """What to look for, checked.

    Attributes:
        predicate: The text, as the caller wrote it.
        tree: Its tree.
        mentions: The fields in it.
        select: The text of the projection, if there is one.
        select_tree: Its tree.
        select_mentions: The fields in it.
        limit: Results at most.
        order: How results are sorted.
        after: Values of the order's columns behind which to begin.
        namespace: Only rows of this namespace.
    """

    predicate: str
    tree: Node
    mentions: Mentions
    select: str | None
    select_tree: Node | None
    select_mentions: Mentions
    limit: int | None
    order: Order
    after: tuple[Any, ...] | None
    namespace: str | None

    @property
    def is_latest_only(self) -> bool:
        """Whether only latest versions are meant, as the predicate does not speak of versions."""
        return not self.mentions.decides_versions

    @property
    def identity(self) -> str:
        """What ties a cursor to this query."""
        return fingerprint(self.predicate, self.order, self.namespace)


def prepare_query(
    predicate: str,
    *,
    select: str | None = None,
    limit: int | None = None,
    order_by: str | None = None,
    after: str | None = None,
    namespace: str | None = None,
) -> PreparedQuery:
    """Parse and check a query.

    Args:
        predicate: CEL that is true for what is looked for.
        select: CEL of what to return of each match, instead of the whole record.
        limit: Results at most.
        order_by: `FIELD` or `FIELD:desc`; by time of creation without it.
        after: The cursor of an earlier page.
        namespace: Only this namespace (empty for solo), whatever the predicate says.

    Raises:
        QueryError: A text is no CEL, or names unknown fields or functions.
        InvalidInput: The limit is negative, or the cursor is not one of this query.
    """
    if not predicate.strip():
        raise QueryError("predicate is required", hint="swamp data query 'modelName == \"m\"'")
    if limit is not None and limit < 0:
        raise InvalidInput(f"the limit is negative: {limit}", hint="leave out --limit to get all")
    tree = parse(predicate)
    mentions = check_expression(predicate, tree, what="predicate")
    select_tree, select_mentions = None, Mentions(frozenset())
    if select is not None:
        select_tree = parse(select)
        select_mentions = check_expression(select, select_tree, what="projection")
    order = parse_order(order_by)
    place = None
    if after is not None:
        place = parse_cursor(after, fingerprint(predicate, order, namespace), order)
    return PreparedQuery(
        predicate, tree, mentions, select, select_tree, select_mentions, limit, order, place, namespace
    )
