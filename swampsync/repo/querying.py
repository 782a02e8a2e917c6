"""`repo.query(...)`: predicates over the catalog, with content from the version tree."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from swampsync.artifacts.model import Model
from swampsync.catalog.rows import CatalogRow
from swampsync.errors import AccessDenied, DataError, NotFound, Unavailable
from swampsync.namespace import SOLO, Namespace, parse_scoped_name
from swampsync.query import lookups
from swampsync.query.content_cache import ContentCache
from swampsync.query.prepared import PreparedQuery, prepare_query
from swampsync.query.run import QueryRun, run_query
from swampsync.query.statement import find_bound_namespace
from swampsync.repo.parts import Parts

if TYPE_CHECKING:
    from swampsync.artifacts.store import ArtifactStore
    from swampsync.sync.progress import Stages

# Damaged versions that are named one by one.
_REPORTED: Final = 5


class TreeContent:
    """Content of catalogued versions, read from the version trees of the datastore.

    What is merely not here is not reported row by row: whoever asks counts it.

    Args:
        parts: The repo.
        fetches: Whether content that is not here may be fetched from a bucket. The first failure to reach it ends that,
            so that a query without a network costs one attempt and not one a row.
        stages: Opens what is told how far a fetch of many contents is.
    """

    def __init__(self, parts: Parts, *, fetches: bool, stages: Stages | None = None) -> None:
        self._parts = parts
        self._fetches = fetches
        self._stages = stages
        self._reported: set[tuple[str, str, str, int]] = set()

    def prefetch(self, rows: Sequence[CatalogRow]) -> None:
        """Fetch what is not here of some rows, side by side; what cannot be is told when it is read."""
        if not self._fetches or not self._parts.config.is_remote:
            return
        from swampsync.repo.prefetching import fetch_contents

        try:
            fetch_contents(self._parts, rows, stages=self._stages)
        except (Unavailable, AccessDenied) as error:
            self._fetches = False
            self._parts.on_notice(f"no content is fetched: {error}")

    def read_content(self, row: CatalogRow) -> bytes | None:
        """Return the content of a version, or nothing if it is not here or damaged."""
        model, store = self._place(row)
        try:
            metadata = store.read(model, row.data_name, version=row.version)
            opener = store.open_content if self._fetches else store.open_here
            with opener(model, metadata) as stream:
                return stream.read()
        except NotFound:
            return None
        except (Unavailable, AccessDenied) as error:
            self._fetches = False
            self._parts.on_notice(f"no content is fetched: {error}")
            return self.read_content(row)
        except (DataError, OSError) as error:
            self._report(row, error)
            return None

    def digest(self, row: CatalogRow) -> str | None:
        """Return the content's SHA-256 as its metadata says, without reading it."""
        model, store = self._place(row)
        try:
            return store.read(model, row.data_name, version=row.version).checksum
        except (NotFound, DataError, OSError):
            return None

    def _place(self, row: CatalogRow) -> tuple[Model, ArtifactStore]:
        namespace = Namespace(row.namespace) if row.namespace else SOLO
        return Model(row.type_normalized, row.model_id, row.model_name), self._parts.store_of(namespace)

    def _report(self, row: CatalogRow, error: Exception) -> None:
        version = (row.namespace, row.model_id, row.data_name, row.version)
        if version in self._reported:  # read once for the predicate, and once for what is selected
            return
        self._reported.add(version)
        if len(self._reported) <= _REPORTED:
            self._parts.on_notice(f"left out the content of `{row.data_name}` v{row.version}: {error}")
        elif len(self._reported) == _REPORTED + 1:
            self._parts.on_notice("left out the content of more damaged versions: swamp datastore verify --content")


class QueryRunner:
    """Runs predicates over every namespace in the catalog, and finds what needs no predicate.

        with repo.query('tags.env == "prod"', select="name") as names:
            for name in names: ...
        newest = repo.query.latest("infra:vpc", "state")

    A model is named `model` (in the namespace that the repo acts in), `ns:model` (in that one, `:model` in solo), or
    `*:model` (in any, if only one has what is looked for).
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
        stages: Stages | None = None,
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
            stages: Opens what is told how far a fetch of many contents from a bucket is.

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
                contents=TreeContent(self._parts, fetches=_reads_content(query), stages=stages),
                cache=cache,
                counts_visits=counts_visits,
            )

    # --- without a predicate -----------------------------------------------------------------------

    def latest(self, model: str, name: str, *, is_cached: bool = False) -> CatalogRow | None:
        """Return the latest version of an artifact, or nothing; a renamed one is found by its new name.

        Args:
            model: The model's name: `model`, `ns:model` or `*:model`.
            name: The artifact's name.
            is_cached: Ask the catalog as it is, without looking for changes first.

        Raises:
            Conflict: `*:model` has the artifact in several namespaces, which the message names.
            InvalidInput: What is before the colon is no namespace, or nothing follows it.
        """
        with self._catalogued(model, is_cached=is_cached) as (connection, own):
            return lookups.latest(connection, model, name, own=own)

    def version(self, model: str, name: str, number: int, *, is_cached: bool = False) -> CatalogRow | None:
        """Return one version of an artifact, or nothing; see `latest`."""
        with self._catalogued(model, is_cached=is_cached) as (connection, own):
            return lookups.version(connection, model, name, number, own=own)

    def list_versions(self, model: str, name: str, *, is_cached: bool = False) -> list[CatalogRow]:
        """Return all versions of an artifact, the oldest first; see `latest`."""
        with self._catalogued(model, is_cached=is_cached) as (connection, own):
            return lookups.list_versions(connection, model, name, own=own)

    def find_by_tag(self, key: str, value: str, *, is_cached: bool = False) -> list[CatalogRow]:
        """Return the latest versions that carry a tag, in the namespace that the repo acts in, the oldest first."""
        with self._catalogued("", is_cached=is_cached) as (connection, own):
            return lookups.find_by_tag(connection, key, value, own=own)

    def find_by_spec(self, model: str, spec: str, *, is_cached: bool = False) -> list[CatalogRow]:
        """Return the latest versions that a model wrote under a spec, the oldest first; see `latest`."""
        with self._catalogued(model, is_cached=is_cached) as (connection, own):
            return lookups.find_by_spec(connection, model, spec, own=own)

    @contextmanager
    def _catalogued(self, model: str, *, is_cached: bool) -> Iterator[tuple[sqlite3.Connection, Namespace]]:
        """Lend the catalog, up to date for the namespaces that a model's name can mean, and our own namespace."""
        own = self._parts.namespace
        bound: str | None = None
        if not model.startswith("*:"):
            scope, _ = parse_scoped_name(model)
            bound = (own if scope is None else scope).name
            if scope is not None and self._parts.config.is_remote and not is_cached:
                self._parts.syncing.follow(scope, is_asked_for=True)
        if not is_cached:
            self._follow(bound)
        with self._parts.catalog.database.reader() as connection:
            yield connection, own

    # --- keeping up --------------------------------------------------------------------------------

    def _refresh(self, query: PreparedQuery) -> None:
        """Make the catalog follow the trees that the query can reach: one if it is bound to a namespace."""
        self._follow(find_bound_namespace(query.namespace, query.tree))

    def _follow(self, bound: str | None) -> None:
        known = self._parts.other_namespaces() | {self._parts.home, self._parts.namespace}
        for namespace in sorted(known):
            if bound is None or bound == namespace.name:
                self._parts.refresh(namespace)


def _reads_content(query: PreparedQuery) -> bool:
    """Whether a query asks for content, other than showing what is here of it beside its results."""
    return query.mentions.reads_content or query.select_mentions.reads_content
