"""The JSON documents that swamp's scripts read: field names, order and omissions are its own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from swampsync.artifacts.metadata import Metadata, metadata_to_json
from swampsync.artifacts.model import Model
from swampsync.catalog.rows import CatalogRow
from swampsync.repo.values import DeleteResult, ModelListing, RenameResult, SearchFilters, SearchHit, SearchResult

# The order in which `data list` shows its groups; what is not named follows alphabetically.
GROUP_ORDER = ("log", "file", "resource", "data")


def model_fields(model: Model) -> dict[str, Any]:
    """Name a model as every document does."""
    return {"modelId": model.id, "modelName": model.name, "modelType": model.type}


def get_document(model: Model, metadata: Metadata, content_path: str) -> dict[str, Any]:
    """Build what `data get --json` prints, content left out."""
    known = metadata_to_json(metadata)
    document: dict[str, Any] = {"id": known.pop("id"), "name": known.pop("name"), **model_fields(model)}
    document |= {k: v for k, v in known.items() if k not in {"lifecycle", "renamedTo"}}
    document["contentPath"] = content_path
    return document


def grouped(rows: Iterable[CatalogRow]) -> list[tuple[str, list[CatalogRow]]]:
    """Group rows by data type in swamp's order, by name within a group."""
    groups: dict[str, list[CatalogRow]] = {}
    for row in rows:
        groups.setdefault(row.data_type, []).append(row)
    rank = {name: i for i, name in enumerate(GROUP_ORDER)}
    order = sorted(groups, key=lambda name: (rank.get(name, len(rank)), name))
    return [(name, sorted(groups[name], key=lambda row: row.data_name)) for name in order]


def list_document(listing: ModelListing, *, has_namespace: bool) -> dict[str, Any]:
    """Build what `data list MODEL --json` prints."""
    document = model_fields(listing.model)
    if has_namespace:
        document["namespace"] = listing.namespace.name
    document["groups"] = [
        {"type": data_type, "items": [list_item(row) for row in rows]} for data_type, rows in grouped(listing.rows)
    ]
    document["total"] = len(listing.rows)
    return document


def list_item(row: CatalogRow) -> dict[str, Any]:
    """Name one artifact as every listing does."""
    return {
        "id": row.id,
        "name": row.data_name,
        "version": row.version,
        "contentType": row.content_type,
        "type": row.data_type,
        "streaming": bool(row.streaming),
        "size": row.size,
        "createdAt": row.created_at,
    }


def versions_document(model: Model, name: str, versions: Iterable[Metadata]) -> dict[str, Any]:
    """Build what `data versions` prints, highest number first."""
    items: list[dict[str, Any]] = []
    for metadata in sorted(versions, key=lambda m: -m.version):
        item: dict[str, Any] = {"version": metadata.version, "createdAt": metadata.created_at}
        if metadata.size is not None:
            item["size"] = metadata.size
        if metadata.checksum is not None:
            item["checksum"] = metadata.checksum
        item["isLatest"] = not items
        items.append(item)
    return {"dataName": name, **model_fields(model), "versions": items, "total": len(items)}


def search_document(filters: SearchFilters, result: SearchResult, *, shows_namespace: bool) -> dict[str, Any]:
    """Build what `data search --json` prints."""
    return {
        "query": filters.query,
        "filters": _filters(filters),
        "results": [_search_hit(hit, shows_namespace=shows_namespace) for hit in result.hits],
        "total": len(result.hits),
        "limited": result.is_limited,
    }


def _filters(filters: SearchFilters) -> dict[str, Any]:
    named = {
        "type": filters.data_type,
        "lifetime": filters.lifetime,
        "ownerType": filters.owner_type,
        "workflow": filters.workflow,
        "model": filters.model,
        "contentType": filters.content_type,
        "since": filters.since,
        "output": filters.output,
        "run": filters.run,
    }
    shown: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if filters.is_streaming:
        shown["streaming"] = True
    return shown | {f"tag:{name}": value for name, value in filters.tags}


def _search_hit(hit: SearchHit, *, shows_namespace: bool) -> dict[str, Any]:
    row = hit.row
    tags = json.loads(row.tags)
    document = {
        "id": row.id,
        "name": row.data_name,
        "version": row.version,
        "contentType": row.content_type,
        "type": row.data_type,
        "lifetime": row.lifetime,
        "ownerType": row.owner_type,
        "ownerRef": row.owner_ref,
        "modelId": row.model_id,
        "modelName": hit.model_name,
        "modelType": row.type_normalized,
        "streaming": bool(row.streaming),
        "size": row.size,
        "createdAt": row.created_at,
        "tags": tags,
    }
    for key, tag in (("workflowTag", "workflow"), ("jobTag", "job"), ("stepTag", "step")):
        if tag in tags:
            document[key] = tags[tag]
    if shows_namespace:
        document["namespace"] = row.namespace
    return document


def delete_document(result: DeleteResult, *, name: str | None, version: int | None) -> dict[str, Any]:
    """Build what `data delete --json` prints, for one artifact or for many."""
    document = model_fields(result.model)
    if name is not None:
        document["dataName"] = name
        if version is not None:
            document["version"] = version
        document["versionsDeleted"] = result.versions
        # swamp has no dry run of one artifact; unmarked, ours would read like a deletion.
        return document | ({"dryRun": True} if result.is_dry_run else {})
    return document | {
        "totalDeleted": result.artifacts,
        "totalVersionsDeleted": result.versions,
        "failed": [{"dataName": path, "error": reason} for path, reason in result.failed],
        "dryRun": result.is_dry_run,
    }


def rename_document(result: RenameResult) -> dict[str, Any]:
    """Build what `data rename --json` prints."""
    return {
        "oldName": result.old_name,
        "newName": result.new_name,
        **model_fields(result.model),
        "copiedVersion": result.copied_version,
        "newVersion": result.new_version,
        "warning": rename_warning(result),
    }


def rename_warning(result: RenameResult) -> str:
    """Say what a rename cannot prevent."""
    return (
        f'Any workflows or models that produce data under "{result.old_name}" will overwrite the forward reference. '
        f'Update them to use "{result.new_name}" instead.'
    )
