"""Appending to the latest version of a streaming artifact."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO

from swampsync.artifacts.latest import latest_of
from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.metadata_yaml import format_metadata
from swampsync.artifacts.model import Model
from swampsync.artifacts.read import open_content
from swampsync.artifacts.scan import METADATA_NAME, RAW_NAME
from swampsync.artifacts.staged import Staged
from swampsync.artifacts.tree import CHUNK_BYTES, Tree
from swampsync.disk import WriteMode
from swampsync.errors import NotFound, Refused


def append_content(
    tree: Tree, model: Model, name: str, content: BinaryIO | Staged, *, check: Callable[[], None]
) -> Metadata:
    """Extend `raw` of the latest version and rewrite its size and checksum; see `ArtifactStore.append`."""
    if isinstance(content, Staged):
        with content.open(tree.disk) as stream:
            return append_content(tree, model, name, stream, check=check)
    path = tree.artifact_path(model, name)
    tree.guard(path)
    metadata = latest_of(tree, path)
    if metadata is None or metadata.is_deleted:
        raise NotFound(
            f"`{name}` has no version to append to",
            hint=f"swamp data put {model.name} {name} FILE --streaming",
            key=name,
        )
    if not metadata.streaming:
        raise Refused(
            f"`{name}` is not configured for streaming", hint=f"swamp data put {model.name} {name} FILE", key=name
        )
    directory = f"{path}/{metadata.version}"
    raw_path = f"{directory}/{RAW_NAME}"
    digest = hashlib.sha256()
    old_size = 0
    with open_content(tree, model, metadata) as old:
        while chunk := old.read(CHUNK_BYTES):
            digest.update(chunk)
            old_size += len(chunk)
    size = old_size
    with tree.disk.open_write(raw_path, WriteMode.APPEND) as file:
        check()
        # What lies beyond the size is of an append that died before its metadata.
        if file.stat().size > old_size:
            file.truncate(old_size)
        try:
            while chunk := content.read(CHUNK_BYTES):
                check()
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
            file.sync()
            metadata = replace(metadata, size=size, checksum=digest.hexdigest())
            temporary = tree.write_beside(f"{directory}/{METADATA_NAME}", format_metadata(metadata))
            try:
                check()
                tree.disk.rename(temporary, f"{directory}/{METADATA_NAME}")
            except BaseException:
                with contextlib.suppress(OSError):
                    tree.disk.unlink(temporary)
                raise
        except Exception:
            # Readers take the old size only; the bytes beyond it are cut off now or by the next append.
            with contextlib.suppress(OSError):
                check()
                file.truncate(old_size)
            raise
    tree.disk.sync_directory(directory)
    return metadata
