"""Writing one version: claim its number, write `raw`, then `metadata.yaml`, then `latest`, each made durable."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import BinaryIO

from swampsync.artifacts.latest import advance_marker, settle_marker
from swampsync.artifacts.metadata import Draft, Metadata, metadata_from_json, metadata_to_json
from swampsync.artifacts.metadata_yaml import format_metadata, parse_metadata
from swampsync.artifacts.model import Model
from swampsync.artifacts.names import check_name
from swampsync.artifacts.read import check_owner
from swampsync.artifacts.scan import METADATA_NAME, RAW_NAME, list_numbers, read_marker
from swampsync.artifacts.staged import Staged
from swampsync.artifacts.tree import CHUNK_BYTES, Tree
from swampsync.disk import DiskFile, WriteMode
from swampsync.errors import DataError, InvalidInput

_ZERO = re.compile(r"0+(?:mo|y|h|m|d|w)")
_ANY_ID = "00000000-0000-0000-0000-000000000000"


def put_version(
    tree: Tree,
    model: Model,
    name: str,
    content: BinaryIO | Staged,
    draft: Draft,
    *,
    floor: int,
    check: Callable[[], None],
) -> Metadata:
    """Write the next version of an artifact; see `ArtifactStore.put`."""
    check_name(name)
    draft = check_draft(draft)
    path = tree.artifact_path(model, name)
    tree.guard(path)
    check_owner(tree, model, name, draft.owner)
    check()
    number = claim_number(tree, path, floor)
    with discarding(tree, path, number) as own:
        size, checksum = _write_raw(tree, f"{path}/{number}/{RAW_NAME}", content)
        metadata = metadata_of(
            draft, name, number, identifier=tree.new_id(), created_at=tree.now(), size=size, checksum=checksum
        )
        own.add(metadata.id)
        publish(tree, path, metadata, check=check)
        return metadata


def _write_raw(tree: Tree, raw: str, content: BinaryIO | Staged) -> tuple[int, str]:
    """Put content in its place, durably; return its size and SHA-256."""
    if isinstance(content, Staged) and content.path:
        try:
            tree.disk.rename(content.path, raw)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # Part of the tree lies on another file system.
        else:
            return content.size, content.checksum
    temporary = tree.temporary(raw)
    with tree.disk.open_write(temporary, WriteMode.CREATE) as file:
        if isinstance(content, Staged):
            with content.open(tree.disk) as stream:
                size, checksum = write_stream(stream, file)
        else:
            size, checksum = write_stream(content, file)
        file.sync()
    tree.disk.rename(temporary, raw)
    return size, checksum


def publish(tree: Tree, path: str, metadata: Metadata, *, check: Callable[[], None]) -> None:
    """Give a claimed directory that holds its `raw` its metadata, move `latest` to it, and make all of it durable."""
    directory = f"{path}/{metadata.version}"
    temporary = tree.write_beside(f"{directory}/{METADATA_NAME}", format_metadata(metadata))
    check()
    tree.disk.rename(temporary, f"{directory}/{METADATA_NAME}")
    tree.disk.sync_directory(directory)
    advance_marker(tree, path, check=check)
    tree.sync_up(path)


def claim_number(tree: Tree, path: str, floor: int, *, is_listed: bool = False) -> int:
    """Claim the next number by an exclusive mkdir, upwards while others are faster.

    Args:
        tree: Where to write.
        path: The artifact's directory, made if need be.
        floor: The highest number that was ever used, as far as the caller knows.
        is_listed: Whether `floor` counts what is on the disk too.
    """
    numbers = [] if is_listed else list_numbers(tree.disk, path)
    number = max(numbers[-1] if numbers else 0, floor) + 1
    while True:
        try:
            tree.disk.mkdir(f"{path}/{number}")
        except FileExistsError:
            number += 1
        except FileNotFoundError:
            tree.disk.makedirs(path)  # new, or deleted by another a moment ago
        else:
            return number


@contextlib.contextmanager
def discarding(tree: Tree, path: str, number: int) -> Iterator[set[str]]:
    """Remove a version that we claimed if what is done inside fails in any way.

    Yields:
        Takes the id of the version as soon as it has one.
    """
    own: set[str] = set()
    try:
        yield own
    except BaseException:
        discard(tree, path, number, own)
        raise


def discard(tree: Tree, path: str, number: int, own: Collection[str]) -> None:
    """Remove a version that we claimed ourselves, and point `latest` back; what cannot be removed is left to gc.

    Whoever took our lock over may have deleted what we had begun, and used its number: a version whose id is not one
    of `own` stays.
    """
    try:
        if _is_anothers(tree, f"{path}/{number}/{METADATA_NAME}", own):
            return
        tree.remove(f"{path}/{number}")
        if read_marker(tree.disk, path) in {number, None}:
            settle_marker(tree, path)
    except OSError as error:
        import logging  # noqa: PLC0415  slow to import, and never needed as a rule

        logging.getLogger("swampsync.artifacts").warning("could not clean up `%s/%d`: %s", path, number, error)


def _is_anothers(tree: Tree, metadata_file: str, own: Collection[str]) -> bool:
    try:
        return parse_metadata(tree.disk.read_bytes(metadata_file), path=metadata_file).id not in own
    except FileNotFoundError:
        return False
    except DataError:
        return True  # nothing that we publish is unreadable


def write_stream(content: BinaryIO, file: DiskFile) -> tuple[int, str]:
    """Copy a stream in constant memory; return its size and SHA-256."""
    digest = hashlib.sha256()
    size = 0
    while chunk := content.read(CHUNK_BYTES):
        file.write(chunk)
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()


def check_draft(draft: Draft) -> Draft:
    """Hold a draft to the rules of metadata; a duration of zero becomes `workflow`.

    Raises:
        InvalidInput: A value could not be read back by swamp or us.
    """
    lifetime = draft.lifetime
    if lifetime == "ephemeral":
        raise InvalidInput("lifetime `ephemeral` never lies on a disk", hint="use `workflow`, or a duration like 1h")
    if _ZERO.fullmatch(lifetime):
        draft = replace(draft, lifetime="workflow")
    sample = metadata_of(draft, "name", 1, identifier=_ANY_ID, created_at="2026-01-01T00:00Z")
    values = metadata_to_json(sample)
    try:
        metadata_from_json(values, source="version")
        for text in (draft.content_type, *_texts(values["tags"]), *_texts(values["ownerDefinition"])):
            text.encode()
    except DataError as error:
        raise InvalidInput(error.message.removeprefix("version: ")) from error
    except UnicodeEncodeError as error:
        raise InvalidInput("the content type, a tag or the owner is not valid Unicode") from error
    return draft


def _texts(values: dict[str, str]) -> Iterator[str]:
    yield from values
    yield from values.values()


def metadata_of(
    draft: Draft,
    name: str,
    number: int,
    *,
    identifier: str,
    created_at: str,
    size: int | None = None,
    checksum: str | None = None,
) -> Metadata:
    """Make metadata of a draft and of what the store adds."""
    return Metadata(
        id=identifier,
        name=name,
        version=number,
        content_type=draft.content_type,
        lifetime=draft.lifetime,
        garbage_collection=draft.garbage_collection,
        streaming=draft.streaming,
        tags=dict(draft.tags),
        owner=draft.owner,
        created_at=created_at,
        size=size,
        checksum=checksum,
    )
