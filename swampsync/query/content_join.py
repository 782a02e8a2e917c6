"""Making JSON content ready for one statement."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from swampsync.query.activation import ContentSource
from swampsync.query.ast import walk_identifiers
from swampsync.query.content_cache import ContentCache
from swampsync.query.fields import CONTENT_FIELDS
from swampsync.query.statement import Conditions


class ContentJoin:
    """The content cache beside the catalog, for the time of one run.

    Args:
        connection: The catalog.
        cache: The cache, if there is one.
    """

    def __init__(self, connection: sqlite3.Connection, cache: ContentCache | None) -> None:
        self._connection = connection
        self._cache = cache
        self._owns_transaction = False

    def prepare(self, conditions: Conditions, contents: ContentSource) -> tuple[bool, int]:
        """Fill the cache for the rows that may match, and begin the transaction that the statement runs in.

        Returns:
            Whether the statement can join content, and of how many rows the content is out of SQL's reach.
        """
        looks_inside = conditions.reads_content or any(
            ident.name in CONTENT_FIELDS for node in conditions.residual for ident in walk_identifiers(node)
        )
        if self._cache is None or not looks_inside:
            return False, 0
        self._cache.attach(self._connection)
        where = " AND ".join(("1", *conditions.certain, *conditions.metadata_only))
        parameters = conditions.compiler.parameters
        self._begin()
        unavailable, fillable = self._cache.survey(self._connection, where, parameters)
        if fillable:
            self.end()
            self._cache.fill(self._connection, contents, where, parameters)
            self._begin()
            unavailable, _ = self._cache.survey(self._connection, where, parameters)
        return True, unavailable

    def _begin(self) -> None:
        """Let the survey and the statement see the same rows."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN")
            self._owns_transaction = True

    def end(self) -> None:
        """End the transaction, if it is ours."""
        if self._owns_transaction:
            self._owns_transaction = False
            with suppress(sqlite3.Error):
                self._connection.execute("COMMIT")
