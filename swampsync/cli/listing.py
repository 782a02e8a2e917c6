"""How `data list` looks, for a model, for all models and for a workflow."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from swampsync.cli.console import Console, count, format_size
from swampsync.cli.documents import grouped, list_document, list_item
from swampsync.errors import printable

if TYPE_CHECKING:
    from swampsync.catalog.rows import CatalogRow
    from swampsync.repo import ModelListing, ModelSummary, Repo

SOLO = "(solo)"


def list_artifacts(console: Console, repo: Repo, listings: Sequence[ModelListing]) -> None:
    """Show the artifacts of one model, or of the models of that name in several namespaces."""
    has_namespace = any(not x.namespace.is_solo for x in listings) or not repo.namespace.is_solo
    if console.is_json:
        documents = [list_document(x, has_namespace=has_namespace or len(listings) > 1) for x in listings]
        if len(documents) == 1:
            console.document(documents[0])
        else:
            console.document({"models": documents, "total": sum(d["total"] for d in documents)})
        return
    for listing in listings:
        model = listing.model
        scoped = model.name if listing.namespace.is_solo else f"{listing.namespace}:{model.name}"
        console.line(printable(f"Data for {scoped} ({model.type})"))
        console.line()
        for data_type, rows in grouped(listing.rows):
            console.line(f"{printable(data_type)} ({count(len(rows), 'item')}):")
            for line in _aligned([_cells(row, listing.pending) for row in rows], _width(console)):
                console.line(f"  {line}")
            console.line()


def _cells(row: CatalogRow, pending: frozenset[str] = frozenset()) -> tuple[str, ...]:
    mark = ("(pending)",) if f"{row.data_name}/{row.version}" in pending else ("",) * bool(pending)
    return (
        printable(row.data_name),
        f"v{row.version}",
        printable(row.content_type),
        format_size(row.size),
        row.created_at[:10],
        *mark,
    )


def _width(console: Console) -> int | None:
    """How wide a line may be: as the terminal is, or unlimited in a pipe."""
    return shutil.get_terminal_size().columns - 2 if console.stdout.isatty() else None


def _aligned(rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    widths = [max(display_width(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    lines = []
    for row in rows:
        padded = [cell + " " * (w - display_width(cell)) for cell, w in zip(row, widths, strict=True)]
        lines.append(cut("  ".join(padded).rstrip(), width))
    return lines


def display_width(text: str) -> int:
    """Count the columns that a terminal gives a text; wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def cut(text: str, width: int | None) -> str:
    """Cut a line to a width, never inside a character, and say so with an ellipsis."""
    if width is None or display_width(text) <= width:
        return text
    kept = ""
    taken = 0
    for character in text:
        taken += display_width(character)
        if taken > width - 1:
            break
        kept += character
    return kept + "…"


def list_models(console: Console, repo: Repo, summaries: Sequence[ModelSummary]) -> None:
    """Show every model with the number of its artifacts and versions, and their size."""
    if console.is_json:
        models = [
            {
                "modelId": s.model_id,
                "modelName": s.model_name,
                "modelType": s.type_normalized,
                "namespace": s.namespace,
                "artifacts": s.artifacts,
                "versions": s.versions,
                "size": s.size,
            }
            for s in summaries
        ]
        console.document({"models": models, "total": len(models)})
        return
    if not summaries:
        console.note("No data yet. Put some: swamp data put MODEL NAME FILE")
        return
    has_namespace = not repo.namespace.is_solo or any(s.namespace for s in summaries)
    columns = [*(["namespace"] if has_namespace else []), "model", "type", "artifacts", "versions", "size"]
    console.table(
        columns,
        [
            (
                *((s.namespace or SOLO,) if has_namespace else ()),
                s.model_name or s.model_id,
                s.type_normalized,
                f"{s.artifacts:,}",
                f"{s.versions:,}",
                format_size(s.size),
            )
            for s in summaries
        ],
    )


def list_workflow(console: Console, repo: Repo, workflow: str, *, run: str | None, data_type: str | None) -> None:
    """Show what one run of a workflow wrote."""
    found = repo.reading.list_workflow(workflow, run=run, data_type=data_type)
    if console.is_json:
        groups = [
            {"type": name, "items": [_workflow_item(row, found.model_names) for row in rows]}
            for name, rows in grouped(found.rows)
        ]
        console.document(
            {
                "workflowId": found.workflow_id,
                "workflowName": found.workflow_name,
                "runId": found.run_id,
                "runStatus": found.run_status,
                "groups": groups,
                "total": len(found.rows),
            }
        )
        return
    console.line(printable(f"Data for workflow {found.workflow_name} (run {found.run_id}, {found.run_status})"))
    console.line()
    for name, rows in grouped(found.rows):
        console.line(f"{printable(name)} ({count(len(rows), 'item')}):")
        cells = []
        for row in rows:
            step = ".".join(part for part in (row.job_name, row.step_name) if part) or "(workflow)"
            cells.append((*_cells(row), printable(found.model_names.get(row.model_id, row.model_id)), printable(step)))
        for line in _aligned(cells, _width(console)):
            console.line(f"  {line}")
        console.line()


def _workflow_item(row: CatalogRow, model_names: dict[str, str]) -> dict[str, Any]:
    item = list_item(row) | {
        "modelId": row.model_id,
        "modelName": model_names.get(row.model_id, ""),
        "modelType": row.type_normalized,
    }
    if row.job_name:
        item["jobName"] = row.job_name
    if row.step_name:
        item["stepName"] = row.step_name
    return item
