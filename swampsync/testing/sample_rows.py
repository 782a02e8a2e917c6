"""A row of the catalog with every column filled, as a base for rows that differ from it in what matters."""

from __future__ import annotations

from typing import Any, Final

from swampsync.catalog.rows import CatalogRow

_BASE: Final = CatalogRow(
    namespace="",
    type_normalized="command/shell",
    model_id="model-1",
    data_name="result",
    id="id-0",
    version=1,
    is_latest=1,
    model_name="build",
    spec_name="result",
    data_type="resource",
    content_type="application/json",
    lifetime="infinite",
    owner_type="model-method",
    streaming=0,
    size=100,
    created_at="2026-11-21T09:00:00.000Z",
    tags="{}",
    owner_ref="model-1",
    workflow_run_id="",
    workflow_name="",
    job_name="",
    step_name="",
    source="",
)


def make_sample_row(**columns: Any) -> CatalogRow:
    """Make a row: the latest, only version of `result` of the model `build` in solo mode, but for `columns`."""
    return _BASE._replace(**columns)
