"""`repo.query(...)`: predicates over the catalog, with content from the version tree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from swampsync.artifacts.model import Model
from swampsync.catalog.rows import CatalogRow
from swampsync.errors import DataError, NotFound
from swampsync.namespace import SOLO, Namespace
from swampsync.query.content_cache import ContentCache
from swampsync.query.prepared import PreparedQuery, prepare_query
from swampsync.query.run import QueryRun, run_query
from swampsync.query.statement import find_bound_namespace
from swampsync.repo.parts import Parts


class TreeContent:
    """Content of catalogued versions, read from the version trees of the datastore."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def read_content(self, row: CatalogRow) -> bytes | None:
        """Return the content of a version, or nothing if it is not here or damaged."""
        model = Model(row.type_normalized, row.model_id, row.model_name)
        store = self._parts.store_of(Namespace(row.namespace) if row.namespace else SOLO)
        try:
            metadata = store.read(model, row.data_name, version=row.version)
            with store.open_content(model, metadata) as stream:
                return stream.read()
        except (NotFound, DataError, OSError) as error:
            self._parts.on_notice(f"left out the content of `{row.data_name}` v{row.version}: {error}")
            return None

    def digest(self, row: CatalogRow) -> str | None:
        """Return the content's SHA-256 as its metadata says, without reading it."""
        model = Model(row.type_normalized, row.model_id, row.model_name)
        store = self._parts.store_of(Namespace(row.namespace) if row.namespace else SOLO)
        try:
            return store.read(model, row.data_name, version=row.version).checksum
        except (NotFound, DataError, OSError):
            return None


class QueryRunner:
    """Runs predicates over every namespace in the catalog.

    with repo.query('tags.env == "prod"', select="name") as names:
        for name in names: ...
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @contextmanager
    def __call__(
        self,
        predicate: str,
        *,
        select: str | None = None,
        limit: int | None = None,
        order_by: str | None = None,
        after: str | None = None,
        namespace: str | None = None,
        is_cached: bool = False,
        counts_visits: bool = False,
    ) -> Iterator[QueryRun]:
        """Run a query; iterate over the run inside the block, its counts are complete at the end.

        Args:
            predicate: CEL that is true for what is looked for.
            select: CEL of what to return of each match, instead of the whole record.
            limit: Results at most.
            order_by: `FIELD` or `FIELD:desc`; by time of creation without it.
            after: The cursor of an earlier page.
            namespace: Only this namespace, empty for solo; `None` for all that the predicate allows.
            is_cached: Ask the catalog as it is, without looking for changes first.
            counts_visits: Whether to count the rows looked at, which costs time.

        Raises:
            QueryError: A text is no CEL, or names unknown fields.
            InvalidInput: The limit or the cursor cannot be used.
        """
        query = prepare_query(
            predicate, select=select, limit=limit, order_by=order_by, after=after, namespace=namespace
        )
        if not is_cached:
            self._refresh(query)
        cache = ContentCache(self._parts.state.database.path, self._parts.state.database.atomic)
        with self._parts.catalog.database.reader() as connection:
            yield run_query(
                connection,
                query,
                contents=TreeContent(self._parts),
                cache=cache,
                counts_visits=counts_visits,
            )

    def _refresh(self, query: PreparedQuery) -> None:
        """Make the catalog follow the trees that the query can reach: one if it is bound to a namespace."""
        bound = find_bound_namespace(query.namespace, query.tree)
        known = self._parts.other_namespaces() | {self._parts.home, self._parts.namespace}
        for namespace in sorted(known):
            if bound is None or bound == namespace.name:
                self._parts.refresh(namespace)
