"""What the shell offers after a Tab: from the local catalog only, without a request."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any


def _catalog_path(repo_dir: str | None) -> str | None:
    """Find the catalog upwards from a directory; completion must never fail or be slow."""
    directory = os.path.abspath(repo_dir or os.environ.get("SWAMP_REPO_DIR") or ".")
    for _ in range(10):
        if os.path.isfile(os.path.join(directory, ".swamp.yaml")):
            path = os.path.join(directory, ".swamp", "data", "_catalog.db")
            return path if os.path.isfile(path) else None
        parent = os.path.dirname(directory)
        if parent == directory:
            break
        directory = parent
    return None


def _select(context: Any, statement: str, parameters: tuple[str, ...]) -> Iterator[str]:
    repo_dir = None
    while context is not None and repo_dir is None:  # the option stands before the group or after the command
        repo_dir, context = context.params.get("repo_dir"), context.parent
    path = _catalog_path(repo_dir)
    if path is None:
        return
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.2)) as connection:
            yield from (row[0] for row in connection.execute(statement, parameters))
    except sqlite3.Error:
        return


def _like(prefix: str) -> str:
    return prefix.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def complete_model(ctx: Any, incomplete: str) -> list[str]:
    """Offer the names of models that have data."""
    statement = (
        "SELECT DISTINCT model_name FROM catalog WHERE model_name LIKE ? ESCAPE '\\' AND model_name != '' LIMIT 100"
    )
    return list(_select(ctx, statement, (_like(incomplete),)))


def complete_data_name(ctx: Any, incomplete: str) -> list[str]:
    """Offer the names of a model's artifacts."""
    model = (ctx.params.get("model") or ctx.params.get("model_option") or "") if ctx is not None else ""
    statement = (
        "SELECT DISTINCT data_name FROM catalog WHERE data_name LIKE ? ESCAPE '\\' AND model_id IN"
        " (SELECT model_id FROM catalog WHERE model_name = ? OR model_id = ?) LIMIT 100"
    )
    return list(_select(ctx, statement, (_like(incomplete), model, model)))


def complete_namespace(ctx: Any, incomplete: str) -> list[str]:
    """Offer the namespaces that the catalog knows."""
    statement = (
        "SELECT DISTINCT namespace FROM catalog WHERE namespace LIKE ? ESCAPE '\\' AND namespace != '' LIMIT 100"
    )
    return list(_select(ctx, statement, (_like(incomplete),)))
