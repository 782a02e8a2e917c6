"""Renaming an artifact as swamp does: the latest version is copied, the old name keeps a tombstone that forwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import orjson

from swampsync.artifacts.latest import latest_of
from swampsync.artifacts.metadata import DELETED, Metadata
from swampsync.artifacts.model import Model
from swampsync.artifacts.names import check_name
from swampsync.artifacts.read import find_latest, open_content
from swampsync.artifacts.scan import RAW_NAME
from swampsync.artifacts.tree import Tree
from swampsync.artifacts.write import claim_number, discard, discarding, publish, write_stream
from swampsync.disk import WriteMode
from swampsync.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class Renaming:
    """What a rename did.

    Args:
        copied: The version of the old name whose content was copied.
        new: The version of the new name.
        tombstone: The version of the old name that forwards to the new one.
    """

    copied: Metadata
    new: Metadata
    tombstone: Metadata


def rename_artifact(
    tree: Tree, model: Model, old: str, new: str, *, floors: tuple[int, int], check: Callable[[], None]
) -> Renaming:
    """Copy the latest version of `old` to `new` and leave a tombstone; see `ArtifactStore.rename`."""
    check_name(new)
    old_path = tree.artifact_path(model, old)
    new_path = tree.artifact_path(model, new)
    tree.guard(old_path)
    tree.guard(new_path)
    latest = latest_of(tree, old_path)
    if latest is None or latest.is_deleted:
        detail = f"; it was renamed to `{latest.renamed_to}`" if latest is not None and latest.renamed_to else ""
        raise NotFound(f"data `{old}` not found{detail}", key=old)
    existing = find_latest(tree, model, new)
    if existing is not None and not existing.is_deleted:
        through = "" if existing.name == new else f": it forwards to `{existing.name}`"
        raise Conflict(
            f"data `{new}` already exists{through}",
            hint=f"to give the name free: swamp data delete {model.name} {new}",
            key=new,
        )
    check()
    number = claim_number(tree, new_path, floors[1])
    with discarding(tree, new_path, number) as own:
        size, checksum = _copy_raw(tree, model, latest, f"{new_path}/{number}/{RAW_NAME}")
        copy = replace(
            latest,
            id=tree.new_id(),
            name=new,
            version=number,
            created_at=tree.now(),
            size=size,
            checksum=checksum,
        )
        own.add(copy.id)
        publish(tree, new_path, copy, check=check)
        tombstone = _bury(tree, old_path, latest, new, floor=floors[0], check=check)
    return Renaming(latest, copy, tombstone)


def _copy_raw(tree: Tree, model: Model, source: Metadata, target: str) -> tuple[int, str]:
    temporary = tree.temporary(target)
    with open_content(tree, model, source) as content, tree.disk.open_write(temporary, WriteMode.CREATE) as file:
        size, checksum = write_stream(content, file)
        file.sync()
    tree.disk.rename(temporary, target)
    return size, checksum


def _bury(tree: Tree, path: str, latest: Metadata, new: str, *, floor: int, check: Callable[[], None]) -> Metadata:
    number = claim_number(tree, path, floor)
    try:
        now = tree.now()
        tombstone = replace(
            latest,
            version=number,
            content_type="application/json",
            created_at=now,
            size=None,
            checksum=None,
            lifecycle=DELETED,
            renamed_to=new,
        )
        raw = f"{path}/{number}/{RAW_NAME}"
        body = orjson.dumps({"renamedTo": new, "renamedAt": now})
        tree.disk.rename(tree.write_beside(raw, body), raw)
        publish(tree, path, tombstone, check=check)
    except BaseException:
        discard(tree, path, number, {latest.id})
        raise
    return tombstone
