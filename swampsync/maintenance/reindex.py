"""Making catalog and tree equal, whatever is on record: every file is read, and rows without files go."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from swampsync.artifacts.scan import Problem, walk_models
from swampsync.catalog.catalog import Catalog
from swampsync.catalog.rows import ArtifactKey
from swampsync.disk import Disk, Kind
from swampsync.layout import Layout
from swampsync.maintenance.refresh import Refresher
from swampsync.maintenance.refresh_read import read_artifact
from swampsync.namespace import Namespace


class ReindexResult(NamedTuple):
    """How the rows of a namespace differ, or differed, from its tree."""

    namespace: Namespace
    added: int
    changed: int
    removed: int
    total: int  # rows afterwards
    problems: tuple[tuple[str, str], ...]  # path and message of what could not be read
    lost: int = 0  # on a bucket: files that were gone from the local copy, and are fetched again when they are read
    found: int = 0  # on a bucket: files that were in the local copy after all

    @property
    def unchanged(self) -> int:
        """How many rows were right."""
        return self.total - self.added - self.changed

    @property
    def is_empty(self) -> bool:
        """Whether catalog and tree were equal."""
        return not (self.added or self.changed or self.removed or self.lost or self.found)


def plan_reindex(
    disk: Disk,
    layout: Layout,
    catalog: Catalog,
    *,
    data_roots: tuple[str, ...],
    progress: Callable[[int], None] | None = None,
) -> ReindexResult:
    """Compare a namespace's rows with its whole tree; writes nothing.

    Args:
        disk: Where the tree lies.
        layout: Of the namespace.
        catalog: What is compared.
        data_roots: From `Refresher.data_roots`.
        progress: Called with the number of versions read since the last call.
    """
    namespace = layout.namespace
    added = changed = total = 0
    problems: list[tuple[str, str]] = []

    def report(problem: Problem) -> None:
        problems.append((problem.path, problem.reason))

    for root in data_roots:
        for model_type, model_id, path in walk_models(disk, root, on_problem=report):
            for name in _list_names(disk, path):
                if len(data_roots) > 1 and layout.resolve("data", model_type, model_id, name) != f"{path}/{name}":
                    continue
                key = ArtifactKey(namespace.name, model_type, model_id, name)
                found = read_artifact(disk, f"{path}/{name}", key=key, namespace=namespace)
                known = {row.version: row for row in catalog.versions(key)}
                fresh = [row for row in found.rows if known.get(row.version) != row]
                new = sum(1 for row in fresh if row.version not in known)
                added += new
                changed += len(fresh) - new
                total += len(found.rows)
                problems += found.problems
                if progress is not None:
                    progress(found.versions_read)
    # What is in the catalog and neither right nor to be corrected has no file.
    removed = catalog.count(namespace.name) - (total - added)
    return ReindexResult(namespace, added, changed, removed, total, tuple(problems))


def apply_reindex(refresher: Refresher, namespace: Namespace, *, catalog: Catalog) -> ReindexResult:
    """Read a namespace's whole tree, whatever is on record, and make its rows equal to it.

    Raises:
        Unavailable: The datastore's directory is not there.
    """
    refresher.forget(namespace)
    report = refresher.refresh(namespace)
    return ReindexResult(namespace, *report.rows, total=catalog.count(namespace.name), problems=tuple(report.problems))


def _list_names(disk: Disk, path: str) -> list[str]:
    try:
        entries = disk.scandir(path)
    except FileNotFoundError:
        return []
    return sorted(e.name for e in entries if e.kind is Kind.DIRECTORY and not e.name.startswith("."))
