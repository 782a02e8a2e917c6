"""`datastore sync` on a directory: nothing travels, and the catalog follows the tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from swampsync.catalog.catalog import RowChange
from swampsync.errors import SwampsyncError
from swampsync.namespace import Namespace
from swampsync.repo.parts import Parts

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What became of one namespace's rows.

    Args:
        rows: How many were added, changed and removed.
        versions_read: Whose files were read.
        versions: How many the catalog has now.
    """

    rows: RowChange
    versions_read: int
    versions: int

    def to_json(self) -> dict[str, Any]:
        """Make a document of it."""
        added, changed, removed = self.rows
        return {
            "added": added,
            "changed": changed,
            "removed": removed,
            "versionsRead": self.versions_read,
            "versions": self.versions,
        }


@dataclass(slots=True)
class DirectoryReport:
    """What a sync on a directory did.

    Attributes:
        datastore: The kind of datastore.
        namespace: The repo's own; empty in solo mode.
        is_dry_run: Whether nothing was done.
        refreshed: What was done, by namespace.
        failures: Namespaces that could not be read, and why.
    """

    datastore: str
    namespace: str
    is_dry_run: bool = False
    refreshed: dict[str, Refreshed] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)

    @property
    def unreadable(self) -> dict[str, str]:
        """No namespace: one that cannot be read is among the failures."""
        return {}

    @property
    def is_nothing_new(self) -> bool:
        """Whether every catalogued row was as the tree has it."""
        return not self.failures and all(one.rows.is_empty for one in self.refreshed.values())

    def to_json(self) -> dict[str, Any]:
        """Make the document that `datastore sync` prints."""
        own = self.refreshed.get(self.namespace)
        return {
            "datastore": self.datastore,
            "namespace": self.namespace,
            "dryRun": self.is_dry_run,
            "refreshed": own is not None,
            **({} if own is None else own.to_json()),
            "namespaces": {name: one.to_json() for name, one in self.refreshed.items() if name != self.namespace},
            "failures": [{"path": path, "reason": reason} for path, reason in self.failures],
        }


def refresh_directory(
    parts: Parts, *, all_namespaces: bool, is_dry_run: bool, progress: Progress | None = None
) -> DirectoryReport:
    """Make the catalog follow the tree, of the repo's namespace or of all that are registered.

    Args:
        parts: Of a repo whose datastore is a directory.
        all_namespaces: Whether to look at others' too; one that cannot be read is reported, never a failure of ours.
        is_dry_run: Whether to do nothing.
        progress: Told how many versions were read.

    Raises:
        Unavailable: The directory is missing or empty although it held data.
    """
    report = DirectoryReport(parts.config.datastore.type, parts.namespace.name, is_dry_run)
    if is_dry_run:
        return report
    _refresh(parts, parts.namespace, report, progress)
    if all_namespaces:
        for namespace in sorted(parts.other_namespaces() - {parts.namespace}):
            try:
                _refresh(parts, namespace, report, progress)
            except SwampsyncError as error:
                report.failures.append((namespace.name, error.message))
    return report


def _refresh(parts: Parts, namespace: Namespace, report: DirectoryReport, progress: Progress | None) -> None:
    found = parts.refresh(namespace, progress=progress)
    if found is not None:
        versions = sum(summary.versions for summary in parts.catalog.model_summaries(namespace.name))
        report.refreshed[namespace.name] = Refreshed(found.rows, found.versions_read, versions)
