"""Removing versions for good: files, directories and, with the last version, the artifact."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from swampsync.artifacts.latest import settle_marker, write_marker
from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.model import Model
from swampsync.artifacts.scan import list_numbers, read_marker, read_version
from swampsync.artifacts.tree import Tree
from swampsync.errors import NotFound


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a deletion did.

    Args:
        versions: The numbers that are gone.
        latest: The version that readers get now; `None` if the artifact is gone.
        bytes_freed: Bytes of the files that were removed.
    """

    versions: tuple[int, ...]
    latest: int | None
    bytes_freed: int


def delete_versions(
    tree: Tree, model: Model, name: str, numbers: Collection[int], *, check: Callable[[], None]
) -> Deletion:
    """Remove some version directories, whole or not; `latest` moves back before the version that it names goes.

    Args:
        tree: Where they lie.
        model: Whose they are.
        name: The artifact.
        numbers: Which; those that do not exist are passed over.
        check: Called before every destructive step.

    Raises:
        NotFound: The artifact does not exist.
    """
    path = tree.artifact_path(model, name)
    tree.guard(path)
    present = list_numbers(tree.disk, path)
    if not present:
        raise NotFound(f"no data named `{name}` exists for model `{model.name}`", key=name)
    doomed = sorted(set(present) & set(numbers))
    if read_marker(tree.disk, path) in doomed:
        for number in reversed(present):
            if number not in doomed and isinstance(read_version(tree.disk, path, name, number), Metadata):
                write_marker(tree, path, number, check=check)
                tree.disk.sync_directory(path)
                break
    freed = sum(tree.remove(f"{path}/{number}", check=check) for number in doomed)
    if len(doomed) == len(present):
        freed += tree.remove(path, check=check)
        latest = None
    else:
        latest = settle_marker(tree, path, check=check)
    tree.sync_up(path if list_numbers(tree.disk, path) else path.rpartition("/")[0])
    return Deletion(tuple(doomed), latest, freed)


def delete_artifact(tree: Tree, model: Model, name: str, *, check: Callable[[], None]) -> Deletion:
    """Remove an artifact with all its versions.

    Raises:
        NotFound: It does not exist.
    """
    return delete_versions(tree, model, name, list_numbers(tree.disk, tree.artifact_path(model, name)), check=check)
