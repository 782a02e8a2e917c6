"""One row of the catalog: what is known of one version of one artifact.

The fields are the columns of swamp's `catalog` table, in its order and under its names, so that a row read with
`SELECT *` is a `CatalogRow` and a `CatalogRow` is the parameter tuple of an insert.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class CatalogRow(NamedTuple):
    """One version of one artifact, as listings and queries see it."""

    namespace: str  # '' in solo mode
    type_normalized: str
    model_id: str
    data_name: str
    id: str
    version: int
    is_latest: int  # 1 for the highest version of (model_id, data_name, step_name), else 0
    model_name: str
    spec_name: str
    data_type: str
    content_type: str
    lifetime: str
    owner_type: str
    streaming: int  # 0 or 1
    size: int  # bytes; 0 if unknown
    created_at: str
    tags: str  # JSON object, compact
    owner_ref: str
    workflow_run_id: str
    workflow_name: str
    job_name: str
    step_name: str
    source: str


class ArtifactKey(NamedTuple):
    """What identifies an artifact in the catalog; every version of it shares these columns."""

    namespace: str
    type_normalized: str
    model_id: str
    data_name: str


COLUMNS: Final = CatalogRow._fields


def artifact_key(row: CatalogRow) -> ArtifactKey:
    """Return the key of the artifact that a row is a version of."""
    return ArtifactKey(row.namespace, row.type_normalized, row.model_id, row.data_name)
