"""What moves out of a directory, or out of the local copy of a bucket.

A copy may hold what nobody acknowledged: the leftovers of processes that died. There a list of what the clone knows
says what counts, and what it knows and the copy lacks is missed by whoever compares the counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.scan import LATEST_NAME, METADATA_NAME, RAW_NAME, ArtifactScan, walk_artifacts
from swampsync.disk import Disk, Kind
from swampsync.layout import Layout
from swampsync.log.paths import SHARED_SUBDIRS, parse_version_path
from swampsync.maintenance.moving_items import ArtifactItem, FileItem, VersionItem
from swampsync.maintenance.relocate import is_internal

_LOCK_DIRECTORY: Final = ".auto-definition-create"


class Known(Protocol):
    """What counts of a tree."""

    def version(self, model_type: str, model_id: str, metadata: Metadata) -> bool:
        """Say whether a version counts."""
        ...

    def file(self, relative: str) -> bool:
        """Say whether another file counts."""
        ...


class TreeSource:
    """Goes through the files of a tree that belong somewhere else from now on; implements `MoveSource`.

    Args:
        disk: Where the tree lies.
        layout: Of the place that is left.
        target: Of the place that is used from now on: what has the same path in both stays.
        known: What counts; everything without it.
        stays: Says by its path whether another file stays where it is.
    """

    def __init__(
        self,
        disk: Disk,
        layout: Layout,
        target: Layout,
        *,
        known: Known | None = None,
        stays: Callable[[str], bool] | None = None,
    ) -> None:
        self._disk = disk
        self._layout = layout
        self._target = target
        self._known = known
        self._stays = stays
        self.problems: list[tuple[str, str]] = []

    # --- artifacts ---------------------------------------------------------------------------------

    def artifacts(self) -> Iterator[ArtifactItem]:
        """Go through the artifacts that move, by path."""
        walk = walk_artifacts(
            self._disk, self._layout, on_problem=lambda problem: self._report(problem.path, problem.reason)
        )
        for model_type, model_id, scan in walk:
            if not scan.versions and not scan.incomplete:
                for problem in scan.problems:
                    self._report(problem.path, problem.reason)
                continue
            relative = Layout.artifact_path(model_type, model_id, scan.name)
            if self._target.resolve(relative) != scan.path:
                yield self._item(model_type, model_id, scan)

    def _item(self, model_type: str, model_id: str, scan: ArtifactScan) -> ArtifactItem:
        versions = tuple(
            self._version(scan.path, metadata)
            for metadata in scan.versions
            if self._known is None or self._known.version(model_type, model_id, metadata)
        )
        damaged = tuple(
            (problem.path, problem.reason)
            for problem in scan.problems
            if not problem.path.endswith(f"/{LATEST_NAME}")  # versions are whole without it
        )
        return ArtifactItem(model_type, model_id, scan.name, scan.path, versions, scan.incomplete, scan.marker, damaged)

    def _version(self, path: str, metadata: Metadata) -> VersionItem:
        directory = f"{path}/{metadata.version}"
        text = self._disk.read_bytes(f"{directory}/{METADATA_NAME}")
        raw = f"{directory}/{RAW_NAME}"
        size = metadata.size if metadata.size is not None else self._disk.stat(raw).size
        return VersionItem(metadata, text, raw, size)

    # --- other files -------------------------------------------------------------------------------

    def files(self) -> Iterator[FileItem]:
        """Go through the other files that move, by path."""
        for relative, path, kind in self._moving():
            is_stray = relative.startswith("data/")
            if (is_stray and _is_of_version(relative)) or (self._stays is not None and self._stays(relative)):
                continue
            if kind is not Kind.FILE:
                self._report(path, "is neither a file nor a directory")
            elif self._known is None or self._known.file(relative):
                yield FileItem(relative, path, self._disk.stat(path).size, is_stray)

    def leftovers(self) -> Iterator[FileItem]:
        """Go through files of versions that are not whole any more, and markers, as a killed clean-up leaves them."""
        for relative, path, kind in self._moving():
            if kind is Kind.FILE and relative.startswith("data/") and _is_of_version(relative):
                yield FileItem(relative, path, self._disk.stat(path).size)

    def _moving(self) -> Iterator[tuple[str, str, Kind]]:
        for subdir in SHARED_SUBDIRS:
            roots = {self._layout.datastore_path(subdir), self._layout.local_path(subdir)}
            for root in sorted(roots):
                for relative, path, kind in self._walk(root, subdir):
                    if self._layout.resolve(relative) == path and self._target.resolve(relative) != path:
                        yield relative, path, kind

    def _walk(self, directory: str, relative: str) -> Iterator[tuple[str, str, Kind]]:
        try:
            entries = sorted(self._disk.scandir(directory), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self._report(directory, error.strerror or str(error))
            return
        for entry in entries:
            if entry.kind is Kind.DIRECTORY:
                if entry.name != _LOCK_DIRECTORY:
                    yield from self._walk(f"{directory}/{entry.name}", f"{relative}/{entry.name}")
            elif not is_internal(entry.name):
                yield f"{relative}/{entry.name}", f"{directory}/{entry.name}", entry.kind

    def _report(self, path: str, reason: str) -> None:
        if (path, reason) not in self.problems:
            self.problems.append((path, reason))


def _is_of_version(relative: str) -> bool:
    """Say whether a path is that of a version's file or of a marker, which move with their artifact."""
    parts = relative.split("/")
    if parts[-1] == LATEST_NAME and len(parts) > 4:
        return True
    version = parse_version_path(relative)
    return version is not None and version.file in {RAW_NAME, METADATA_NAME} and len(parts) > 5
