"""The front door of the version tree: put, append, read, rename and delete versions of one namespace.

What a method needs is imported when it is called: a command uses one or two of them, and starting is not free.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, BinaryIO

from swampsync.artifacts.metadata import Draft, Metadata
from swampsync.artifacts.model import Model
from swampsync.artifacts.scan import RAW_NAME, ArtifactScan, scan_artifact
from swampsync.artifacts.tree import Tree, no_check
from swampsync.clock import Clock
from swampsync.disk import Disk
from swampsync.layout import Layout

if TYPE_CHECKING:
    from swampsync.artifacts.batch import BatchItem
    from swampsync.artifacts.delete import Deletion
    from swampsync.artifacts.rename import Renaming
    from swampsync.artifacts.staged import Staged


def ignore_written(_metadata: Metadata) -> None:
    """Take no note of a version whose bytes are written."""


class ArtifactStore:
    """Artifacts of one namespace on a disk.

    What changes the tree takes a `check`, which is called before every step that others can see or that removes
    something, and raises (`LeaseLost`) to stop the work there. Whoever may not be alone holds the model's lock.

    Args:
        disk: Where the tree lies.
        clock: Where `createdAt` comes from.
        layout: Makes every path; what it excludes from the datastore is written into the repo.
        new_id: Makes a fresh UUID as text.
    """

    def __init__(self, disk: Disk, clock: Clock, layout: Layout, *, new_id: Callable[[], str]) -> None:
        self._tree = Tree(disk, clock, layout, new_id)

    @property
    def layout(self) -> Layout:
        """Where everything lies."""
        return self._tree.layout

    def artifact_path(self, model: Model, name: str) -> str:
        """Return an artifact's directory."""
        return self._tree.artifact_path(model, name)

    def content_path(self, model: Model, name: str, *, version: int) -> str:
        """Return the file that holds a version's content."""
        return f"{self._tree.artifact_path(model, name)}/{version}/{RAW_NAME}"

    def put(
        self,
        model: Model,
        name: str,
        content: BinaryIO | Staged,
        draft: Draft,
        *,
        floor: int = 0,
        check: Callable[[], None] = no_check,
    ) -> Metadata:
        """Write the next version, in constant memory; it is durable and visible when this returns.

        Args:
            model: Whose it is.
            name: The artifact.
            content: Read to its end; what is staged is moved into its place.
            draft: What the caller chooses.
            floor: The highest number that was ever used, as far as the caller knows; the next one is above it.
            check: See the class.

        Raises:
            InvalidInput: The name or the draft cannot be written.
            Conflict: The artifact belongs to another owner.
            Refused: The path leads through a symbolic link.
        """
        from swampsync.artifacts.write import put_version

        return put_version(self._tree, model, name, content, draft, floor=floor, check=check)

    def put_many(
        self,
        items: Iterable[BatchItem],
        *,
        check: Callable[[], None] = no_check,
        on_written: Callable[[Metadata], None] = ignore_written,
    ) -> list[Metadata]:
        """Write many versions, all or none; they are durable when this returns.

        Args:
            items: What to write, taken one by one.
            check: See the class.
            on_written: Told of each version when its bytes are written; it is not visible yet.

        Raises:
            InvalidInput: A name or a draft cannot be written; nothing was.
            Conflict: An artifact belongs to another owner; nothing was written.
        """
        from swampsync.artifacts.batch import put_batch

        return put_batch(self._tree, items, check=check, on_written=on_written)

    def append(
        self, model: Model, name: str, content: BinaryIO | Staged, *, check: Callable[[], None] = no_check
    ) -> Metadata:
        """Extend the latest version of a streaming artifact; number and creation time stay.

        Raises:
            NotFound: There is no version.
            Refused: The latest version is not for streaming.
            DataError: What is there already does not have its checksum.
        """
        from swampsync.artifacts.append import append_content

        return append_content(self._tree, model, name, content, check=check)

    def read(self, model: Model, name: str, *, version: int | None = None) -> Metadata:
        """Read metadata of one version as it is, or of the latest, following forwards (`Metadata.name` tells).

        Raises:
            NotFound: There is no such artifact or version.
            DataError: The version is damaged.
        """
        from swampsync.artifacts.read import read_metadata

        return read_metadata(self._tree, model, name, version=version)

    def open_content(self, model: Model, metadata: Metadata) -> BinaryIO:
        """Open a version's content: exactly `size` bytes; the last read raises `DataError` if they are wrong.

        Raises:
            NotFound: The version is gone.
        """
        from swampsync.artifacts.read import open_content

        return open_content(self._tree, model, metadata)

    def open_here(self, model: Model, metadata: Metadata) -> BinaryIO:
        """Open a version's content if that takes no request to a bucket.

        Raises:
            NotFound: It is not here.
        """
        from swampsync.artifacts.read import open_content

        return open_content(self._tree, model, metadata)

    def scan(self, model: Model, name: str) -> ArtifactScan:
        """Scan an artifact: whole versions, incomplete ones, the marker, problems."""
        return scan_artifact(self._tree.disk, self._tree.artifact_path(model, name))

    def list_versions(self, model: Model, name: str) -> tuple[Metadata, ...]:
        """List metadata of the whole versions, lowest first; none if there is no such artifact."""
        return self.scan(model, name).versions

    def history(self, model: Model, name: str, *, follow: bool = False) -> tuple[Metadata, ...]:
        """List versions newest first; with `follow` those of the names that were renamed to this one come after."""
        from swampsync.artifacts.read import read_history

        return read_history(self._tree, model, name, is_following=follow)

    def delete_version(
        self, model: Model, name: str, *, version: int, check: Callable[[], None] = no_check
    ) -> Deletion:
        """Remove one version for good.

        Raises:
            NotFound: There is no such artifact or version.
        """
        from swampsync.artifacts.delete import delete_versions
        from swampsync.artifacts.read import read_metadata

        read_metadata(self._tree, model, name, version=version)
        return delete_versions(self._tree, model, name, (version,), check=check)

    def delete_versions(
        self, model: Model, name: str, numbers: Collection[int], *, check: Callable[[], None] = no_check
    ) -> Deletion:
        """Remove some version directories for good, whole or not; numbers that do not exist are passed over.

        Raises:
            NotFound: There is no such artifact.
        """
        from swampsync.artifacts.delete import delete_versions

        return delete_versions(self._tree, model, name, numbers, check=check)

    def delete_artifact(self, model: Model, name: str, *, check: Callable[[], None] = no_check) -> Deletion:
        """Remove an artifact with all its versions for good.

        Raises:
            NotFound: There is no such artifact.
        """
        from swampsync.artifacts.delete import delete_artifact

        return delete_artifact(self._tree, model, name, check=check)

    def rename(
        self,
        model: Model,
        old: str,
        new: str,
        *,
        floors: tuple[int, int] = (0, 0),
        check: Callable[[], None] = no_check,
    ) -> Renaming:
        """Copy the latest version to a new name and leave a tombstone that forwards to it.

        Args:
            model: Whose it is.
            old: The name as it is; its history stays under it.
            new: The name as it shall be.
            floors: The highest numbers that were ever used under the old and the new name.
            check: See the class.

        Raises:
            NotFound: The old name has no version, or was renamed already.
            Conflict: The new name has a version, or forwards to one.
        """
        from swampsync.artifacts.rename import rename_artifact

        return rename_artifact(self._tree, model, old, new, floors=floors, check=check)
