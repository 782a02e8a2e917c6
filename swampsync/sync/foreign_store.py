"""The version tree of another namespace of a bucket: as one's own, with content in the user's cache."""

from __future__ import annotations

import io
from typing import BinaryIO

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.model import Model
from swampsync.artifacts.read import ContentStream
from swampsync.artifacts.scan import RAW_NAME
from swampsync.errors import NotFound
from swampsync.layout import Layout
from swampsync.sync.foreign_content import ForeignContent
from swampsync.sync.remote_store import RemoteStore, explaining_loss
from swampsync.sync.syncer import Syncer


class ForeignStore(RemoteStore):
    """Artifacts of a namespace that is not the repo's own; what members write there is pending in the local copy.

    Args:
        syncer: Of the namespace.
        content: Where its content is read.
    """

    def __init__(self, syncer: Syncer, content: ForeignContent) -> None:
        super().__init__(syncer)
        self._content = content

    def open_content(self, model: Model, metadata: Metadata) -> BinaryIO:
        """Open a version's content, fetched into the cache first if it is not here.

        Raises:
            NotFound: The version is gone.
            DataError: The bucket lacks the content, or holds other bytes than the log names.
        """
        path = _raw_path(model, metadata.name, metadata.version)
        with explaining_loss(metadata):
            content = self._content.open(path)
        return _open(content, path, metadata)

    def open_here(self, model: Model, metadata: Metadata) -> BinaryIO:
        """Open a version's content if it is here; makes no request.

        Raises:
            NotFound: It is not here.
        """
        path = _raw_path(model, metadata.name, metadata.version)
        return _open(self._content.open_here(path), path, metadata)

    def content_path(self, model: Model, name: str, *, version: int) -> str:
        """Return the file that holds a version's content, or will once it is read."""
        cached = self._content.path_of(_raw_path(model, name, version))
        return super().content_path(model, name, version=version) if cached is None else cached


def _raw_path(model: Model, name: str, version: int) -> str:
    return f"{Layout.version_path(model.type, model.id, name, version)}/{RAW_NAME}"


def _open(raw: BinaryIO | None, path: str, metadata: Metadata) -> BinaryIO:
    if raw is None:
        raise NotFound(f"version {metadata.version} of `{metadata.name}` is not here", key=path)
    # The cache has looked at the digest that the log names; this looks at the one that the metadata names.
    return io.BufferedReader(ContentStream(raw, path=path, size=metadata.size, checksum=metadata.checksum), 1 << 17)
