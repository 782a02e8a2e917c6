"""What every write to the version tree needs, and the small steps that all of them share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from swampsync.artifacts.model import Model, normalise_type
from swampsync.clock import Clock, format_timestamp
from swampsync.disk import Disk, Kind, WriteMode
from swampsync.errors import InvalidInput, Refused
from swampsync.layout import Layout

CHUNK_BYTES: Final = 1 << 20


def no_check() -> None:
    """Check nothing: what stands in where no lease has to be looked at."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The version tree of one namespace, with what writing into it takes.

    Args:
        disk: Where it lies.
        clock: Where `createdAt` comes from.
        layout: Makes every path.
        new_id: Makes a fresh UUID.
    """

    disk: Disk
    clock: Clock
    layout: Layout
    new_id: Callable[[], str]

    def artifact_path(self, model: Model, name: str) -> str:
        """Make the path of an artifact's directory.

        Raises:
            InvalidInput: The model's type or id, or the name, cannot be part of a path.
        """
        if not name or name in {".", ".."} or "/" in name or "\0" in name:
            raise InvalidInput(f"artifact name `{name!a}` cannot be part of a path")
        if normalise_type(model.type) != model.type or not model.id or model.id in {".", ".."} or "/" in model.id:
            raise InvalidInput(f"model `{model.type}` `{model.id}` cannot be part of a path")
        return self.layout.resolve("data", model.type, model.id, name)

    def now(self) -> str:
        """Return the time as swamp writes it."""
        return format_timestamp(self.clock.now())

    def guard(self, path: str) -> None:
        """Refuse a path that symbolic links lead out of the tree.

        Raises:
            Refused: Writing there would write elsewhere.
        """
        root = self._root_of(path)
        real_root = self.disk.realpath(root)
        if self.disk.realpath(path) != real_root + path[len(root) :]:
            raise Refused(f"`{path}` goes through a symbolic link; nothing is written or removed there", key=path)

    def sync_up(self, path: str) -> None:
        """Sync a directory and every one above it, up to the datastore's base (or the repo's `.swamp`).

        Those that did not change cost next to nothing; that they did not change cannot be known, as another process
        may have made one of them a moment ago.
        """
        base = self.layout.base
        top = base if path.startswith(f"{base}/") else self.layout.local_path()
        while len(path) >= len(top) and path:
            self.disk.sync_directory(path)
            path = path.rpartition("/")[0]

    def write_beside(self, path: str, data: bytes, *, is_synced: bool = True) -> str:
        """Write a temporary file beside `path`, ready to be renamed to it; return its path."""
        temporary = self.temporary(path)
        with self.disk.open_write(temporary, WriteMode.CREATE) as file:
            file.write(data)
            if is_synced:
                file.sync()
        return temporary

    def temporary(self, path: str) -> str:
        """Make the path of a temporary file beside `path`, never a name that means something."""
        directory, _, name = path.rpartition("/")
        return f"{directory}/.{name}.{self.new_id()}.tmp"

    def remove(self, path: str, *, check: Callable[[], None] = no_check) -> int:
        """Remove a file, or a directory with all that is in it; links are not followed.

        Args:
            path: What to remove; nothing happens if it does not exist.
            check: Called before each file is removed.

        Returns:
            The bytes of the files that are gone.
        """
        try:
            stat = self.disk.stat(path)
        except FileNotFoundError:
            return 0
        freed = 0
        if stat.kind is not Kind.DIRECTORY:
            check()
            with contextlib.suppress(FileNotFoundError):
                self.disk.unlink(path)
                freed = stat.size if stat.links <= 1 else 0
            return freed
        # Without its metadata a version is none: that goes first, so that nobody sees half of one.
        names = sorted((entry.name for entry in self.disk.scandir(path)), key=lambda name: name != "metadata.yaml")
        freed = sum(self.remove(f"{path}/{name}", check=check) for name in names)
        with contextlib.suppress(FileNotFoundError):
            self.disk.rmdir(path)
        return freed

    def _root_of(self, path: str) -> str:
        for root in self.layout.data_roots():
            if path.startswith(f"{root}/"):
                return root
        raise InvalidInput(f"`{path}` lies outside the tree")
