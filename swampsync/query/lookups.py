"""Finding one artifact, one version, or all with a tag: the questions that need no expression.

A model is named `model` (in the own namespace), `ns:model` (in that one, `:model` in solo), or `*:model` (in any, if
only one has it). An artifact that was renamed is found by its new name; under the old one the catalog has no latest
version, so that nobody gets the new record with content of the old.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from swampsync.catalog.rows import COLUMNS, CatalogRow
from swampsync.errors import Conflict, InvalidInput
from swampsync.namespace import Namespace, parse_scoped_name

_SELECT: Final = f"SELECT {', '.join(COLUMNS)} FROM catalog"  # noqa: S608  columns are constants
_NEWEST_FIRST: Final = "ORDER BY version DESC, created_at DESC, step_name"
_STABLE: Final = "ORDER BY created_at, namespace, type_normalized, model_id, data_name, version"


def latest(connection: sqlite3.Connection, model: str, name: str, *, own: Namespace) -> CatalogRow | None:
    """Return the latest version of an artifact, or nothing.

    Of an artifact that several steps write, it is the latest of all of them.

    Args:
        connection: The catalog.
        model: The model's name: `model`, `ns:model` or `*:model`.
        name: The artifact's name.
        own: The namespace that a bare name is looked up in.

    Raises:
        Conflict: `*:model` has the artifact in several namespaces.
    """
    return _one(connection, model, name, own=own, condition="AND is_latest = 1", values=())


def version(connection: sqlite3.Connection, model: str, name: str, number: int, *, own: Namespace) -> CatalogRow | None:
    """Return one version of an artifact, or nothing.

    Raises:
        Conflict: `*:model` has it in several namespaces.
    """
    return _one(connection, model, name, own=own, condition="AND version = ?", values=(number,))


def list_versions(connection: sqlite3.Connection, model: str, name: str, *, own: Namespace) -> list[CatalogRow]:
    """Return all versions of an artifact, the oldest first.

    Raises:
        Conflict: `*:model` has the artifact in several namespaces.
    """
    model_name, namespace = _resolve(connection, model, own, "AND data_name = ?", (name,))
    if namespace is None:
        return []
    sql = f"{_SELECT} WHERE model_name = ? AND namespace = ? AND data_name = ? ORDER BY version, created_at"
    return _rows(connection, sql, (model_name, namespace, name))


def find_by_tag(connection: sqlite3.Connection, key: str, value: str, *, own: Namespace) -> list[CatalogRow]:
    """Return the latest versions that carry a tag, in the own namespace; one per model, name and step."""
    sql = (
        f"{_SELECT} WHERE namespace = ? AND is_latest = 1 AND EXISTS"  # noqa: S608  made of constants
        f" (SELECT 1 FROM json_each(catalog.tags) AS t WHERE t.key = ? AND t.type = 'text' AND t.value = ?) {_STABLE}"
    )
    return _rows(connection, sql, (own.name, key, value))


def find_by_spec(connection: sqlite3.Connection, model: str, spec: str, *, own: Namespace) -> list[CatalogRow]:
    """Return the latest versions that a model wrote under a spec; one per name and step.

    Raises:
        Conflict: `*:model` has the spec in several namespaces.
    """
    model_name, namespace = _resolve(connection, model, own, "AND spec_name = ? AND is_latest = 1", (spec,))
    if namespace is None:
        return []
    sql = f"{_SELECT} WHERE model_name = ? AND namespace = ? AND spec_name = ? AND is_latest = 1 {_STABLE}"
    return _rows(connection, sql, (model_name, namespace, spec))


def _one(
    connection: sqlite3.Connection,
    model: str,
    name: str,
    *,
    own: Namespace,
    condition: str,
    values: tuple[object, ...],
) -> CatalogRow | None:
    model_name, namespace = _resolve(connection, model, own, f"AND data_name = ? {condition}", (name, *values))
    if namespace is None:
        return None
    sql = f"{_SELECT} WHERE model_name = ? AND namespace = ? AND data_name = ? {condition} {_NEWEST_FIRST} LIMIT 1"
    rows = _rows(connection, sql, (model_name, namespace, name, *values))
    return rows[0] if rows else None


def _resolve(
    connection: sqlite3.Connection, model: str, own: Namespace, condition: str, values: tuple[object, ...]
) -> tuple[str, str | None]:
    """Return the model's bare name and the namespace to look in; nothing if no namespace has what is looked for."""
    if not model.startswith("*:"):
        scope, bare = parse_scoped_name(model)
        return bare, (own if scope is None else scope).name
    bare = model[2:]
    if not bare:
        raise InvalidInput(f"a name is missing after the colon in `{model}`")
    sql = f"SELECT DISTINCT namespace FROM catalog WHERE model_name = ? {condition} ORDER BY namespace"  # noqa: S608
    found = [str(name) for (name,) in connection.execute(sql, (bare, *values))]
    if len(found) > 1:
        shown = ", ".join(name or "(solo)" for name in found)
        raise Conflict(
            f"`{bare}` is ambiguous: the namespaces {shown} have it",
            hint=f"name one: {' or '.join(f'{name}:{bare}' for name in found[:2])}",
        )
    return bare, found[0] if found else None


def _rows(connection: sqlite3.Connection, sql: str, values: tuple[object, ...]) -> list[CatalogRow]:
    return [CatalogRow(*row) for row in connection.execute(sql, values)]
