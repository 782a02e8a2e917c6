"""What moves when a repo's data goes from one place to another: artifacts with their versions, and other files.

Sources and targets speak of these values only, so that every pair of places is moved by the same few steps. All of
them are iterated: a tree of any size is never held as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from swampsync.artifacts.metadata import Metadata
from swampsync.layout import Layout


@dataclass(frozen=True, slots=True)
class VersionItem:
    """One whole version at the source.

    Args:
        metadata: What its `metadata.yaml` says.
        text: The exact bytes of `metadata.yaml`.
        raw: Path of its content on the disk.
        size: Bytes that readers take of it.
    """

    metadata: Metadata
    text: bytes
    raw: str
    size: int


@dataclass(frozen=True, slots=True)
class ArtifactItem:
    """An artifact at the source.

    Args:
        model_type: Of the model.
        model_id: Of the model.
        name: The artifact's.
        path: Its directory on the disk.
        versions: The whole ones, lowest first.
        others: Numbers of directories that hold no whole version.
        marker: What `latest` says.
        damaged: Path and reason of what is wrong with versions.
    """

    model_type: str
    model_id: str
    name: str
    path: str
    versions: tuple[VersionItem, ...]
    others: tuple[int, ...] = ()
    marker: int | None = None
    damaged: tuple[tuple[str, str], ...] = ()

    @property
    def relative(self) -> str:
        """The artifact's path relative to the namespace."""
        return Layout.artifact_path(self.model_type, self.model_id, self.name)


@dataclass(frozen=True, slots=True)
class FileItem:
    """Another file at the source.

    Args:
        relative: Its path relative to the namespace.
        path: Its path on the disk.
        size: Bytes.
        is_stray: Whether it lies in `data/` without being part of a whole version.
    """

    relative: str
    path: str
    size: int
    is_stray: bool = False


class MoveSource(Protocol):
    """Where data comes from."""

    @property
    def problems(self) -> list[tuple[str, str]]:
        """Path and reason of what cannot be moved, found by the iterations so far."""
        ...

    def artifacts(self) -> Iterator[ArtifactItem]:
        """Go through the artifacts that move, in a stable order."""
        ...

    def files(self) -> Iterator[FileItem]:
        """Go through the other files that move, in a stable order."""
        ...

    def leftovers(self) -> Iterator[FileItem]:
        """Go through files of versions that are not whole any more, and markers."""
        ...


@dataclass(slots=True)
class MoveTally:
    """What a move carried.

    Attributes:
        files: Files written at the target.
        size: Their bytes.
        present: Versions and files that the target had already.
        renumbered: Versions that got another number: their old directory and the new one.
        kept_beside: Files that lie beside other content of their path: the old path and the new one.
        left_out: Path and reason of what stays at the source.
        problems: Path and reason of what could not be carried; the target is not used then.
    """

    files: int = 0
    size: int = 0
    present: int = 0

    renumbered: list[tuple[str, str]] = field(default_factory=list)
    kept_beside: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


class MoveTarget(Protocol):
    """Where data goes to."""

    def take_artifact(self, item: ArtifactItem) -> None:
        """Take in an artifact's versions, as a union with what is there."""
        ...

    def take_file(self, item: FileItem) -> None:
        """Take in another file, beside what is there if that is something else."""
        ...

    def finish(self) -> None:
        """Make everything that was taken durable and visible."""
        ...

    def holds_content(self, relative: str, digest: str) -> bool:
        """Say whether exactly this path is here with the content of a digest."""
        ...

    def holds_version(self, item: ArtifactItem, version: VersionItem, digest: str) -> bool:
        """Say whether a version is here, whole, with the content of a digest; whatever its number."""
        ...

    def holds_file(self, item: FileItem, digest: str) -> bool:
        """Say whether a file's content, which has a digest, is here: at its path, as part of it, or beside it."""
        ...
