"""From metadata to a row of the catalog."""

from __future__ import annotations

import orjson

from swampsync.artifacts.metadata import Metadata
from swampsync.catalog.rows import CatalogRow
from swampsync.namespace import Namespace


def row_from_metadata(
    namespace: Namespace, model_type: str, model_id: str, metadata: Metadata, *, is_latest: bool
) -> CatalogRow:
    """Make the row that swamp would make of one version.

    Args:
        namespace: Whose version it is.
        model_type: The normalised type, as in the version's path.
        model_id: The model's id, as in the version's path.
        metadata: What `metadata.yaml` says.
        is_latest: Whether it is the highest version of its name and step.
    """
    tags = metadata.tags
    owner = metadata.owner
    return CatalogRow(
        namespace.name,
        model_type,
        model_id,
        metadata.name,
        metadata.id,
        metadata.version,
        1 if is_latest else 0,
        tags.get("modelName", ""),
        tags.get("specName", ""),
        tags.get("type", ""),
        metadata.content_type,
        metadata.lifetime,
        owner.owner_type,
        1 if metadata.streaming else 0,
        metadata.size or 0,
        metadata.created_at,
        orjson.dumps(tags).decode(),
        owner.owner_ref,
        owner.workflow_run_id or "",
        owner.workflow_name or "",
        owner.job_name or "",
        owner.step_name or "",
        owner.source or "",
    )
