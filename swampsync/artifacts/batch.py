"""Writing many versions at once: all written, synced once, published by rename, synced once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO

from swampsync.artifacts.latest import advance_marker
from swampsync.artifacts.metadata import Draft, Metadata
from swampsync.artifacts.metadata_yaml import format_metadata
from swampsync.artifacts.model import Model
from swampsync.artifacts.names import check_name
from swampsync.artifacts.read import check_owner
from swampsync.artifacts.scan import LATEST_NAME, METADATA_NAME, RAW_NAME, list_numbers, read_marker
from swampsync.artifacts.tree import Tree
from swampsync.artifacts.write import check_draft, claim_number, discard, metadata_of, write_stream
from swampsync.disk import WriteMode


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One version to be written with others.

    Args:
        model: Whose it is.
        name: The artifact.
        open_content: Opens what to write; called once, closed at once.
        draft: What the caller chooses.
        floor: The highest number that was ever used, as far as the caller knows.
    """

    model: Model
    name: str
    open_content: Callable[[], BinaryIO]
    draft: Draft
    floor: int = 0


@dataclass(frozen=True, slots=True)
class _Staged:
    path: str
    metadata: Metadata
    metadata_file: str
    marker_file: str | None  # where the marker waits to be renamed; `None` if it is in its place already


@dataclass(frozen=True, slots=True)
class _Known:
    """What was checked already: most items of a batch share their draft and their model."""

    drafts: dict[int, tuple[Draft, Draft]]
    guarded: set[str]


def put_batch(
    tree: Tree,
    items: Iterable[BatchItem],
    *,
    check: Callable[[], None],
    on_written: Callable[[Metadata], None],
) -> list[Metadata]:
    """Write all items or none; see `ArtifactStore.put_many`."""
    claimed: list[tuple[str, int]] = []
    staged: list[_Staged] = []
    known = _Known({}, set())
    try:
        for item in items:
            staged.append(_stage(tree, item, claimed, known=known, check=check))
            on_written(staged[-1].metadata)
        _publish(tree, staged, check=check)
    except BaseException:
        for version in staged:
            if version.marker_file is not None:
                with contextlib.suppress(OSError):
                    tree.disk.unlink(version.marker_file)
        own = {version.metadata.id for version in staged}
        for path, number in reversed(claimed):
            discard(tree, path, number, own)
        raise
    return [version.metadata for version in staged]


def _publish(tree: Tree, staged: list[_Staged], *, check: Callable[[], None]) -> None:
    roots = [root for root in tree.layout.data_roots() if any(v.path.startswith(f"{root}/") for v in staged)]
    for root in roots:
        tree.disk.sync_filesystem(root)
    for version in staged:
        check()
        tree.disk.rename(version.metadata_file, f"{version.path}/{version.metadata.version}/{METADATA_NAME}")
    highest = {version.path: version for version in staged}  # the last of a path has its highest number
    for version in staged:
        if version.marker_file is None:
            continue
        if highest[version.path] is version:
            _publish_marker(tree, version, version.marker_file, check=check)
        else:
            tree.disk.unlink(version.marker_file)
    for root in roots:
        tree.disk.sync_filesystem(root)


def _stage(
    tree: Tree,
    item: BatchItem,
    claimed: list[tuple[str, int]],
    *,
    known: _Known,
    check: Callable[[], None],
) -> _Staged:
    check_name(item.name)
    _, draft = known.drafts.get(id(item.draft)) or (None, None)
    if draft is None:
        draft = check_draft(item.draft)
        known.drafts[id(item.draft)] = (item.draft, draft)  # kept alive, so that its id stays its own
    path = tree.artifact_path(item.model, item.name)
    parent = path.rpartition("/")[0]
    if parent not in known.guarded:
        tree.guard(parent)
        tree.disk.makedirs(parent)
        known.guarded.add(parent)
    check()
    floor = item.floor
    is_new = True
    try:
        tree.disk.mkdir(path)
    except FileExistsError:
        is_new = False
        tree.guard(path)
        check_owner(tree, item.model, item.name, draft.owner)
        numbers = list_numbers(tree.disk, path)
        floor = max(floor, numbers[-1] if numbers else 0)
    number = claim_number(tree, path, floor, is_listed=True)
    claimed.append((path, number))
    directory = f"{path}/{number}"
    with item.open_content() as content, tree.disk.open_write(f"{directory}/{RAW_NAME}", WriteMode.CREATE) as file:
        size, checksum = write_stream(content, file)
    metadata = metadata_of(
        draft, item.name, number, identifier=tree.new_id(), created_at=tree.now(), size=size, checksum=checksum
    )
    metadata_file = f"{directory}/.{METADATA_NAME}.tmp"
    with tree.disk.open_write(metadata_file, WriteMode.CREATE) as file:
        file.write(format_metadata(metadata))
    marker_file = _stage_marker(tree, path, number, is_new=is_new)
    return _Staged(path, metadata, metadata_file, marker_file)


def _stage_marker(tree: Tree, path: str, number: int, *, is_new: bool) -> str | None:
    """Write a marker that waits, or in its place where nobody can read a version yet, so that it misleads nobody."""
    data = str(number).encode()
    if is_new:
        with (
            contextlib.suppress(FileExistsError),
            tree.disk.open_write(f"{path}/{LATEST_NAME}", WriteMode.CREATE) as file,
        ):
            file.write(data)
            return None
    return tree.write_beside(f"{path}/{number}/{LATEST_NAME}", data, is_synced=False)


def _publish_marker(tree: Tree, version: _Staged, marker_file: str, *, check: Callable[[], None]) -> None:
    check()
    marker = read_marker(tree.disk, version.path)
    if marker is None or marker < version.metadata.version:
        tree.disk.rename(marker_file, f"{version.path}/{LATEST_NAME}")
    else:
        tree.disk.unlink(marker_file)
    if list_numbers(tree.disk, version.path)[-1] != version.metadata.version:
        advance_marker(tree, version.path, check=check)
