"""Content of many versions at once: what a bucket has and this clone has not, fetched through the clone's pool."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from swampsync.catalog.files import FileState
from swampsync.catalog.rows import CatalogRow
from swampsync.errors import Refused
from swampsync.layout import Layout
from swampsync.log.paths import RAW_FILE
from swampsync.namespace import SOLO, Namespace
from swampsync.repo.parts import Parts
from swampsync.sync.progress import Stages, no_stages

# Below that a pool is not worth its threads.
_FEW = 2


def fetch_contents(parts: Parts, rows: Iterable[CatalogRow], *, stages: Stages | None = None) -> None:
    """Fetch what is not here, side by side; what is missing or wrong is left for whoever reads it.

    Args:
        parts: Of the repo.
        rows: Of the versions.
        stages: Opens what is told how far it is.

    Raises:
        Unavailable: The store cannot be reached; what came stays.
        AccessDenied: Content may not be read.
    """
    paths: dict[str, list[str]] = {}
    for row in rows:
        directory = Layout.version_path(row.type_normalized, row.model_id, row.data_name, row.version)
        paths.setdefault(row.namespace, []).append(f"{directory}/{RAW_FILE}")
    for name, wanted in paths.items():
        found = parts.state.files.find_many(name, wanted).values()
        records = [record for record in found if record.state is FileState.REMOTE]
        if len(records) < _FEW:
            continue
        namespace = Namespace(name) if name else SOLO
        with (stages or no_stages)("Fetching") as progress:
            content = parts.syncing.foreign.content_of(namespace)
            if content is None:
                parts.syncing.syncer_of(namespace).hydrate(records, progress=progress)
                continue
            # What does not fit into the cache is read one after the other.
            with suppress(Refused):
                content.fetch(records, progress=progress)
