"""What every writer of data does: find the model, prove membership, take its lock, keep the catalog in step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, BinaryIO

from swampsync.artifacts.definitions import DEFAULT_TYPE
from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.model import Model, normalise_type
from swampsync.artifacts.rows import row_from_metadata
from swampsync.catalog.feed import UPSERT
from swampsync.catalog.rows import ArtifactKey, artifact_key
from swampsync.errors import Conflict, NotFound
from swampsync.locks.guard import HeldLocks
from swampsync.maintenance.refresh import Scope
from swampsync.namespace import Namespace
from swampsync.repo.defining import define_model
from swampsync.repo.mounted import require_mounted
from swampsync.repo.reading import DataReader
from swampsync.repo.values import Version

if TYPE_CHECKING:
    from swampsync.artifacts.staged import Staged


class LockedData(DataReader):
    """The steps that putting, deleting and renaming share."""

    # --- what all of them do -----------------------------------------------------------------------

    def require_model(
        self, text: str, model_type: str | None = None, *, created_by: str | None = None
    ) -> tuple[Namespace, Model]:
        """Find the model to write to, and create its automatic definition if nobody defined it.

        Args:
            text: Name or id.
            model_type: What it must have, if that matters.
            created_by: The command that may create it (`put`); `None` if it must be there.

        Raises:
            NotFound: There is no such model, and it may not be created.
            InvalidInput: A new model cannot have that name, or an existing one has another type.
            Conflict: This repo is no member of the namespace.
        """
        try:
            namespace, model = self.find_model(text)
        except NotFound:
            if created_by is None or ":" in text:
                raise
            self._require_member(self._parts.namespace)
            wanted = normalise_type(model_type) if model_type is not None else DEFAULT_TYPE
            return self._parts.namespace, define_model(self._parts, text, wanted, kind=created_by)
        _check_type(text, model, model_type)
        self._require_member(namespace)
        return namespace, model

    @contextmanager
    def _staged(self, text: str, content: BinaryIO, *, model_type: str | None = None) -> Iterator[Staged]:
        """Read content to its end before any lock is taken, so that nobody waits for who sends it.

        What is known to be refused afterwards is refused before: it may take hours to come.

        Raises:
            Conflict: The model has another type.
            Unavailable: The datastore's directory is not mounted.
        """
        from swampsync.repo.staging import Staging

        parts = self._parts
        namespace = self._namespace_of(text)
        require_mounted(parts, namespace)
        if not content.seekable():
            with suppress(NotFound):
                _check_type(text, self.find_model(text, is_cached=True)[1], model_type)
        locks = parts.keeper_parts
        staging = Staging(parts.world.disk, holder=locks.holder, processes=locks.processes, new_id=parts.world.new_id)
        with staging.hold(parts.layout.of(namespace), content) as staged:
            yield staged

    def _publishing(self, text: str) -> AbstractContextManager[object]:  # noqa: ARG002 - where there is a log
        """Do what publishing what the block writes needs; on a directory nothing."""
        return nullcontext()

    def _find_again(self, version: Version) -> Version:
        """Find a version as it is after it was published; on a directory nothing has changed."""
        return version

    def _require_member(self, namespace: Namespace) -> None:
        self._parts.require_member(namespace)

    def _lock(self, namespace: Namespace, model: Model, command: str) -> AbstractContextManager[HeldLocks]:
        return self._parts.guard_of(namespace).model_lock([(model.type, model.id)], command=command)

    def _floor(self, namespace: Namespace, model: Model, name: str) -> int:
        return self._parts.state.highest.find(ArtifactKey(namespace.name, model.type, model.id, name))

    def _record(self, namespace: Namespace, model: Model, versions: Sequence[Metadata]) -> None:
        if self._parts.config.is_remote:
            return  # the store has recorded them as pending, the catalog included
        rows = [row_from_metadata(namespace, model.type, model.id, m, is_latest=True) for m in versions]
        keys = [(artifact_key(row), row.version) for row in rows]
        # The feed first: whoever follows it may see a change that is not in the catalog yet, never miss one that is.
        with self._parts.state.atomic():
            self._parts.state.feed.record((UPSERT, key, version) for key, version in keys)
            self._parts.state.highest.raise_to(keys)
        self._parts.catalog.upsert_latest_many(rows)

    def _recatalogue(self, namespace: Namespace, model: Model, name: str) -> None:
        self._parts.refresh(namespace, Scope(model.type, model.id, name))


def _check_type(text: str, model: Model, model_type: str | None) -> None:
    wanted = normalise_type(model_type) if model_type is not None else model.type
    if wanted != model.type:
        raise Conflict(
            f"model `{model.name}` has the type `{model.type}`, not `{wanted}`",
            hint="leave --type out, or choose another model name",
            key=text,
        )
