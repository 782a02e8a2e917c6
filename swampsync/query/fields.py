"""The fields of a version that expressions and results name, and where the catalog keeps them."""

from __future__ import annotations

from typing import Final, NamedTuple

from swampsync.catalog.rows import COLUMNS


class Field(NamedTuple):
    """One field: its type, and its column (empty for the ones made of the content)."""

    kind: str  # string, int, bool, map or any
    column: str


FIELDS: Final[dict[str, Field]] = {
    "id": Field("string", "id"),
    "name": Field("string", "data_name"),
    "version": Field("int", "version"),
    "isLatest": Field("bool", "is_latest"),
    "createdAt": Field("string", "created_at"),
    "attributes": Field("any", ""),
    "tags": Field("map", "tags"),
    "modelName": Field("string", "model_name"),
    "modelId": Field("string", "model_id"),
    "modelType": Field("string", "type_normalized"),
    "specName": Field("string", "spec_name"),
    "dataType": Field("string", "data_type"),
    "contentType": Field("string", "content_type"),
    "lifetime": Field("string", "lifetime"),
    "ownerType": Field("string", "owner_type"),
    "streaming": Field("bool", "streaming"),
    "size": Field("int", "size"),
    "content": Field("any", ""),
    "ownerRef": Field("string", "owner_ref"),
    "workflowRunId": Field("string", "workflow_run_id"),
    "workflowName": Field("string", "workflow_name"),
    "jobName": Field("string", "job_name"),
    "stepName": Field("string", "step_name"),
    "source": Field("string", "source"),
    "ns": Field("string", "namespace"),
    "namespace": Field("string", "namespace"),
}

# Whoever mentions one of these decides about versions; everybody else sees the latest ones.
VERSION_FIELDS: Final = frozenset({"version", "isLatest"})
CONTENT_FIELDS: Final = frozenset({"attributes", "content"})

TYPE_NAMES: Final = frozenset({"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"})
QUALIFIED_TYPES: Final = frozenset({"google.protobuf.Timestamp", "google.protobuf.Duration"})

# The keys of a result, in the order in which they are printed; `content` follows.
RESULT_KEYS: Final = (
    "id", "name", "version", "isLatest", "createdAt", "namespace", "tags", "modelName", "modelId", "modelType",
    "specName", "dataType", "contentType", "lifetime", "ownerType", "streaming", "size", "ownerRef", "workflowRunId",
    "workflowName", "jobName", "stepName", "source",
)  # fmt: skip

POSITIONS: Final = {column: position for position, column in enumerate(COLUMNS)}
