"""Data moves into a directory: a union with what is there, in which nothing is overwritten."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from swampsync.artifacts.metadata_yaml import format_metadata
from swampsync.artifacts.scan import LATEST_NAME, METADATA_NAME, RAW_NAME, ArtifactScan, scan_artifact
from swampsync.disk import Disk, Kind
from swampsync.layout import Layout
from swampsync.log.conflict_copies import conflict_path, is_json_lines
from swampsync.maintenance.moving_copies import Copies, digest_of, temporary_of
from swampsync.maintenance.moving_items import ArtifactItem, FileItem, MoveTally, VersionItem
from swampsync.maintenance.moving_numbers import Identity, Placing, place_versions

_RAW_TEMPORARY: Final = posixpath.basename(temporary_of(RAW_NAME))
_METADATA_TEMPORARY: Final = posixpath.basename(temporary_of(METADATA_NAME))
REMOVED_THERE: Final = "was removed where the data goes, after both places had it"


class DirectoryTarget:
    """Takes data into the places that a layout names; implements `MoveTarget`. The caller holds its lock.

    Args:
        disk: Where it lies.
        layout: Of the place.
        tally: Counts what happens.
        check: Called before each file; raises if the lock was lost.
    """

    def __init__(self, disk: Disk, layout: Layout, tally: MoveTally, *, check: Callable[[], None]) -> None:
        self._disk = disk
        self._layout = layout
        self._tally = tally
        self._copies = Copies(disk, (layout.base, layout.local_path()), check=check)
        self._scan: ArtifactScan | None = None

    def finish(self) -> None:
        """Make everything durable and visible."""
        self._copies.flush()
        self._tally.files += self._copies.files
        self._tally.size += self._copies.size
        self._copies.files = self._copies.size = 0
        self._scan = None

    # --- artifacts ---------------------------------------------------------------------------------

    def take_artifact(self, item: ArtifactItem) -> None:
        """Copy the versions that are not here, and point `latest` at the right one."""
        path = self._layout.resolve(item.relative)
        scan = scan_artifact(self._disk, path)
        theirs = {m.version: Identity(m.id, m.checksum) for m in scan.versions}
        begun = {number for number in scan.incomplete if self._is_begun(f"{path}/{number}")}
        ours = [(v.metadata.version, Identity(v.metadata.id, v.metadata.checksum)) for v in item.versions]
        highest = max([*theirs, *(number for number in scan.incomplete if number not in begun)], default=0)
        numbers = {*theirs}
        is_renumbered = False
        for version, placed in zip(item.versions, place_versions(ours, theirs, highest=highest), strict=True):
            old = f"{item.relative}/{version.metadata.version}"
            if placed.placing is Placing.PRESENT:
                self._tally.present += 1
            elif placed.placing is Placing.REMOVED:
                self._tally.left_out.append((old, REMOVED_THERE))
            else:
                text = version.text
                if placed.number != version.metadata.version:
                    is_renumbered = True
                    text = format_metadata(replace(version.metadata, version=placed.number))
                    self._tally.renumbered.append((old, f"{item.relative}/{placed.number}"))
                self._copies.copy(version.raw, f"{path}/{placed.number}/{RAW_NAME}", size=version.size)
                self._copies.write(f"{path}/{placed.number}/{METADATA_NAME}", text)
                numbers.add(placed.number)
        for number in item.others:
            self._take_unfinished(item, path, number)
        self._mark(item, path, scan, numbers, is_as_it_was=not theirs and not is_renumbered)

    def _mark(
        self, item: ArtifactItem, path: str, scan: ArtifactScan, numbers: set[int], *, is_as_it_was: bool
    ) -> None:
        if not numbers:
            return
        wanted = item.marker if is_as_it_was and item.marker in numbers else max(numbers)
        if wanted != scan.marker:
            self._copies.write(f"{path}/{LATEST_NAME}", str(wanted).encode())

    def _is_begun(self, directory: str) -> bool:
        """Say whether a killed move has left a version's directory like this, or a dead writer an empty one."""
        names = {entry.name for entry in self._disk.scandir(directory)}
        return names <= {_RAW_TEMPORARY, _METADATA_TEMPORARY} or names == {RAW_NAME, _METADATA_TEMPORARY}

    def _take_unfinished(self, item: ArtifactItem, path: str, number: int) -> None:
        """Take the files of a directory that holds no whole version as they are, where nothing is in their way."""
        for entry in sorted(self._disk.scandir(f"{item.path}/{number}"), key=lambda e: e.name):
            source, target = f"{item.path}/{number}/{entry.name}", f"{path}/{number}/{entry.name}"
            if entry.kind is not Kind.FILE or entry.name.endswith(".tmp"):
                continue
            if self._size_of(target) is None:
                self._copies.copy(source, target)
            elif digest_of(self._disk, source) != digest_of(self._disk, target):
                self._tally.left_out.append((f"{item.relative}/{number}/{entry.name}", "is part of no whole version"))

    def holds_version(self, item: ArtifactItem, version: VersionItem, digest: str) -> bool:
        """Say whether a version is here, whatever its number."""
        path = self._layout.resolve(item.relative)
        if self._scan is None or self._scan.path != path:
            self._scan = scan_artifact(self._disk, path)
        return any(
            m.id == version.metadata.id
            and digest_of(self._disk, f"{path}/{m.version}/{RAW_NAME}", size=version.size) == digest
            for m in self._scan.versions
        )

    # --- other files -------------------------------------------------------------------------------

    def holds_content(self, relative: str, digest: str) -> bool:
        """Say whether exactly this path is here with the content of a digest."""
        path = self._layout.resolve(relative)
        return self._size_of(path) is not None and digest_of(self._disk, path) == digest

    def take_file(self, item: FileItem) -> None:
        """Copy a file; other content of its path stays, and ours goes beside it."""
        target = self._layout.resolve(item.relative)
        size = self._size_of(target)
        if size is None:
            self._copies.copy(item.path, target)
            return
        digest = digest_of(self._disk, item.path)
        if self.holds_file(item, digest):
            self._tally.present += 1
            return
        if is_json_lines(item.relative) and 0 < size < item.size and self._begins_with(item.path, target, size):
            self._copies.copy(item.path, target)  # theirs is the beginning of ours: nothing of it is lost
            return
        beside = conflict_path(item.relative, digest)
        self._copies.copy(item.path, self._layout.resolve(beside))
        self._tally.kept_beside.append((item.relative, beside))

    def _begins_with(self, path: str, beginning: str, size: int) -> bool:
        return digest_of(self._disk, path, size=size) == digest_of(self._disk, beginning)

    def holds_file(self, item: FileItem, digest: str) -> bool:
        """Say whether a file's content is here: at its path, as the beginning of its lines, or beside it."""
        target = self._layout.resolve(item.relative)
        size = self._size_of(target)
        is_candidate = size is not None and (size == item.size or (size > item.size and is_json_lines(item.relative)))
        if is_candidate and digest_of(self._disk, target, size=item.size) == digest:
            return True
        beside = self._layout.resolve(conflict_path(item.relative, digest))
        return self._size_of(beside) == item.size and digest_of(self._disk, beside) == digest

    def _size_of(self, path: str) -> int | None:
        try:
            found = self._disk.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.size if found.kind is Kind.FILE else None
