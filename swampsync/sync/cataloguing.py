"""From what the log says to rows of the catalog: a namespace's rows are a function of its metadata."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from itertools import groupby

import orjson

from swampsync.artifacts.metadata import Metadata, metadata_from_json, metadata_to_json
from swampsync.artifacts.metadata_yaml import format_metadata
from swampsync.artifacts.rows import row_from_metadata
from swampsync.artifacts.usual_metadata import read_usual
from swampsync.catalog.catalog import Catalog
from swampsync.catalog.latest import assign_latest
from swampsync.catalog.metadata_rows import MetadataRow
from swampsync.catalog.rows import ArtifactKey, CatalogRow
from swampsync.catalog.state import SyncState
from swampsync.errors import DataError
from swampsync.log.rows import ArtifactRow
from swampsync.namespace import SOLO, Namespace
from swampsync.sync.progress import Progress, silent

_CHUNK = 2_000


def metadata_row_of(namespace: str, row: ArtifactRow) -> MetadataRow:
    """Make the state's row of a log's row."""
    text = None if row.text is None else row.text.encode()
    body = orjson.dumps(row.metadata).decode()
    return MetadataRow(namespace, row.model_type, row.model_id, row.name, row.version, body, text)


def make_metadata_row(key: ArtifactKey, metadata: Metadata, *, text: bytes | None = None) -> MetadataRow:
    """Make the state's row of a version that was written here.

    Args:
        key: The artifact.
        metadata: Of the version.
        text: Its `metadata.yaml`; kept where our own rendering would differ.
    """
    if text is not None and text == format_metadata(metadata):
        text = None
    return MetadataRow(*key, metadata.version, orjson.dumps(metadata_to_json(metadata)).decode(), text)


def artifact_row_of(row: MetadataRow) -> ArtifactRow:
    """Make the log's row of a state's row."""
    text = None if row.yaml is None else row.yaml.decode()
    return ArtifactRow(row.type_normalized, row.model_id, orjson.loads(row.json), text)


def metadata_of(row: MetadataRow) -> Metadata:
    """Read the metadata of a state's row.

    Raises:
        DataError: It breaks the rules of metadata.
    """
    values = orjson.loads(row.json)
    usual = read_usual(values)
    return usual or metadata_from_json(values, source=f"version {row.version} of `{row.data_name}` in the log")


def metadata_text_of(row: MetadataRow) -> bytes:
    """Return the exact bytes of the `metadata.yaml` that a row stands for."""
    return row.yaml if row.yaml is not None else format_metadata(metadata_of(row))


def catalog_rows_of(rows: Iterable[MetadataRow]) -> list[CatalogRow]:
    """Make the catalog's rows of all versions of one artifact; none if its latest is renamed or deleted."""
    found: list[CatalogRow] = []
    highest, is_hidden = 0, False
    for row in rows:
        try:
            metadata = metadata_of(row)
        except DataError as error:
            logging.getLogger("swampsync.sync").warning("left out of the catalog: %s", error)
            continue
        namespace = Namespace(row.namespace) if row.namespace else SOLO
        found.append(row_from_metadata(namespace, row.type_normalized, row.model_id, metadata, is_latest=False))
        if row.version > highest:
            highest, is_hidden = row.version, metadata.is_deleted
    return [] if is_hidden else assign_latest(found)


def catalogue_artifacts(catalog: Catalog, state: SyncState, keys: Iterable[ArtifactKey]) -> None:
    """Make the catalog's rows of some artifacts follow the state, in one transaction."""
    found = [(key, catalog_rows_of(rows)) for key, rows in state.metadata.of_artifacts(sorted(keys))]
    if found:
        catalog.replace_artifacts(found)


def catalogue_namespace(catalog: Catalog, state: SyncState, namespace: str, *, progress: Progress = silent) -> None:
    """Make all of a namespace's rows in the catalog follow the state, in one transaction."""
    with catalog.loading():
        catalog.replace_namespace(namespace, _namespace_rows(state, namespace, progress))


def ensure_catalogued(catalog: Catalog, state: SyncState, namespace: str) -> None:
    """Fill the catalog from the state where it was lost; one look if it was not.

    The mark is kept for each namespace, because the file may be new while the state is not.
    """
    mark = f"catalogued:{namespace}"
    identity = str(catalog.database.identity())
    if state.settings.find(mark) == identity and catalog.is_populated():
        return
    # The state first, as everywhere in sync: two threads never hold one and wait for the other.
    with state.atomic(), catalog.atomic():
        catalogue_namespace(catalog, state, namespace)
        catalog.mark_populated()
    state.settings.put(mark, identity)


def iterate_artifacts(state: SyncState, namespace: str) -> Iterator[tuple[ArtifactKey, list[MetadataRow]]]:
    """Go through a namespace's artifacts in the order of the key, each with its versions, the lowest first."""
    for key, rows in groupby(_metadata_rows(state, namespace), key=lambda row: row[:4]):
        yield ArtifactKey(*key), list(rows)


def _namespace_rows(state: SyncState, namespace: str, progress: Progress) -> Iterator[CatalogRow]:
    with state.database.read() as connection:
        sql = "SELECT count(*) FROM metadata WHERE namespace = ?"
        total = int(connection.execute(sql, (namespace,)).fetchone()[0])
    done = told = 0
    for _, rows in iterate_artifacts(state, namespace):
        yield from catalog_rows_of(rows)
        done += len(rows)
        if done - told >= _CHUNK:
            progress(done, total)
            told = done


def _metadata_rows(state: SyncState, namespace: str) -> Iterator[MetadataRow]:
    """Go through a namespace's metadata in the order of the key, some rows at a time."""
    sql = (
        "SELECT * FROM metadata WHERE namespace = ? AND (type_normalized, model_id, data_name, version) > (?, ?, ?, ?)"
        " ORDER BY type_normalized, model_id, data_name, version LIMIT ?"
    )
    after: tuple[str, str, str, int] = ("", "", "", 0)
    while True:
        with state.database.read() as connection:
            found = [MetadataRow._make(row) for row in connection.execute(sql, (namespace, *after, _CHUNK))]
        yield from found
        if len(found) < _CHUNK:
            return
        after = (found[-1].type_normalized, found[-1].model_id, found[-1].data_name, found[-1].version)
