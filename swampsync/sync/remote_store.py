"""The version tree of a bucket's namespace, as commands see it: what the log says, content fetched when it is read.

Reading asks the state and not the copy, which may lack any content; writing goes into the copy and is recorded as
pending. Whoever calls holds the model's lock for writing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from swampsync.artifacts.metadata import Draft, Metadata
from swampsync.artifacts.model import Model
from swampsync.artifacts.names import find_name_problem
from swampsync.artifacts.scan import RAW_NAME, ArtifactScan, Problem
from swampsync.artifacts.store import ArtifactStore, ignore_written
from swampsync.artifacts.tree import no_check
from swampsync.backends.base import ObjectNotFound
from swampsync.catalog.rows import ArtifactKey
from swampsync.errors import Conflict, DataError, NotFound, Refused
from swampsync.layout import Layout
from swampsync.sync.cataloguing import metadata_of
from swampsync.sync.syncer import Syncer

if TYPE_CHECKING:
    from swampsync.artifacts.batch import BatchItem
    from swampsync.artifacts.delete import Deletion
    from swampsync.artifacts.rename import Renaming
    from swampsync.artifacts.staged import Staged

_MAX_FORWARDS = 5


@contextmanager
def explaining_loss(metadata: Metadata) -> Iterator[None]:
    """Say of an object that is not there that it should be: the version exists, so this is damage.

    Raises:
        DataError: Inside, an object was not found.
    """
    try:
        yield
    except ObjectNotFound as error:
        raise DataError(
            f"the content of `{metadata.name}` v{metadata.version} is missing from the bucket: {error.message}",
            hint="swamp datastore verify --content",
            key=error.key,
        ) from error


class RemoteStore(ArtifactStore):
    """Artifacts of one namespace of a bucket.

    Args:
        syncer: Of the namespace.
    """

    def __init__(self, syncer: Syncer) -> None:
        clone = syncer.clone
        super().__init__(clone.disk, clone.clock, clone.layout, new_id=clone.new_id)
        self._syncer = syncer
        self._clone = clone

    # --- reading -----------------------------------------------------------------------------------

    def scan(self, model: Model, name: str) -> ArtifactScan:
        """List what the log and pending work say of an artifact."""
        versions: list[Metadata] = []
        problems: list[Problem] = []
        for row in self._clone.state.metadata.of_artifact(self._key(model, name)):
            try:
                versions.append(metadata_of(row))
            except DataError as error:
                problems.append(Problem(self.artifact_path(model, name), error.message))
        latest = versions[-1].version if versions else None
        path = self.artifact_path(model, name)
        return ArtifactScan(path, name, tuple(versions), (), latest, latest, tuple(problems))

    def read(self, model: Model, name: str, *, version: int | None = None) -> Metadata:
        """Read metadata of one version as it is, or of the latest, following forwards.

        Raises:
            NotFound: There is no such artifact or version.
        """
        current = name
        for _ in range(_MAX_FORWARDS + 1):
            found = self.scan(model, current).versions
            if version is not None:
                chosen = next((m for m in found if m.version == version), None)
                if chosen is None:
                    available = ", ".join(str(m.version) for m in found) or "none"
                    raise NotFound(f"version {version} does not exist for `{name}` (available versions: {available})")
                return chosen
            if not found:
                raise NotFound(f"no data named `{current}` exists for model `{model.name}`", key=current)
            latest = found[-1]
            if not latest.is_deleted or latest.renamed_to is None:
                return latest
            if find_name_problem(latest.renamed_to) is not None:
                raise DataError(f"`{current}` was renamed to `{latest.renamed_to!a}`, which is no artifact's name")
            current = latest.renamed_to
        raise NotFound(f"`{name}` was renamed more than {_MAX_FORWARDS} times; the trail ends at `{current}`")

    def history(self, model: Model, name: str, *, follow: bool = False) -> tuple[Metadata, ...]:
        """List versions newest first; with `follow` those of the names that were renamed to this one come after."""
        found: list[Metadata] = []
        waiting, seen = [name], {name}
        for _ in range(_MAX_FORWARDS + 1):
            for current in waiting:
                found += reversed(self.scan(model, current).versions)
            if not follow:
                break
            targets = set(waiting)
            waiting = [old for old, new in self._renamed(model) if new in targets and old not in seen]
            seen.update(waiting)
            if not waiting:
                break
        return tuple(found)

    def _renamed(self, model: Model) -> list[tuple[str, str]]:
        """List the names of a model whose latest version forwards, with where to."""
        pairs = []
        for name in self.names(model):
            versions = self.scan(model, name).versions
            if versions and versions[-1].is_deleted and versions[-1].renamed_to:
                pairs.append((name, versions[-1].renamed_to))
        return pairs

    def names(self, model: Model) -> list[str]:
        """List the names of a model's artifacts, renamed ones included."""
        sql = (
            "SELECT DISTINCT data_name FROM metadata"
            " WHERE namespace = ? AND type_normalized = ? AND model_id = ? ORDER BY data_name"
        )
        with self._clone.state.database.read() as connection:
            rows = connection.execute(sql, (self._clone.namespace, model.type, model.id))
            return [name for (name,) in rows]

    def open_content(self, model: Model, metadata: Metadata) -> BinaryIO:
        """Open a version's content, fetched first if it is not here.

        Raises:
            NotFound: The version is gone.
            DataError: The bucket lacks the content, or holds other bytes than the log names.
        """
        self._require(model, metadata)
        return super().open_content(model, metadata)

    def _require(self, model: Model, metadata: Metadata) -> None:
        """Make sure that the local copy holds a version whole."""
        relative = f"{Layout.version_path(model.type, model.id, metadata.name, metadata.version)}/{RAW_NAME}"
        with explaining_loss(metadata):
            here = self._syncer.require(relative)
        if here is None:
            raise NotFound(f"version {metadata.version} of `{metadata.name}` is gone", key=relative)

    # --- writing -----------------------------------------------------------------------------------

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
        """Write the next version into the copy and record it; its number may be another one than was claimed."""
        written = self._write(model, name, content, draft, floor=floor, check=check)
        return self._record(model, written, kind="put")

    def _write(
        self,
        model: Model,
        name: str,
        content: BinaryIO | Staged,
        draft: Draft,
        *,
        floor: int,
        check: Callable[[], None],
    ) -> Metadata:
        self._check_owner(model, name, draft)
        return super().put(model, name, content, draft, floor=floor, check=check)

    def _record(self, model: Model, written: Metadata, *, kind: str) -> Metadata:
        (recorded,) = self._syncer.record_versions(model, [written], kind=kind)
        return recorded

    def put_many(
        self,
        items: Iterable[BatchItem],
        *,
        check: Callable[[], None] = no_check,
        on_written: Callable[[Metadata], None] = ignore_written,
    ) -> list[Metadata]:
        """Write many versions into the copy and record them."""
        wanted = list(items)
        for item in wanted:
            self._check_owner(item.model, item.name, item.draft)
        written = super().put_many(wanted, check=check, on_written=on_written)
        recorded: list[Metadata] = []
        models = [item.model for item in wanted]
        for model in dict.fromkeys(models):
            of_model = [m for m, owner in zip(written, models, strict=True) if owner == model]
            recorded += self._syncer.record_versions(model, of_model, kind="import")
        return recorded

    def append(
        self, model: Model, name: str, content: BinaryIO | Staged, *, check: Callable[[], None] = no_check
    ) -> Metadata:
        """Extend the latest version while it is pending; what is published is closed, and a new version begins."""
        latest = self.read(model, name)
        if not latest.streaming:
            raise Refused(f"`{name}` is not configured for streaming", hint=f"swamp data put {model.name} {name} FILE")
        with self._syncer.locked():
            if self._syncer.recorder.require_open(model, latest):
                extended = super().append(model, latest.name, content, check=check)
                return self._syncer.recorder.versions(model, [extended], kind="append")[0]
        draft = Draft(
            content_type=latest.content_type,
            lifetime=latest.lifetime,
            garbage_collection=latest.garbage_collection,
            streaming=True,
            tags=dict(latest.tags),
            owner=latest.owner,
        )
        floor = self._clone.state.highest.find(self._key(model, latest.name))
        written = self._write(model, latest.name, content, draft, floor=floor, check=check)
        return self._record(model, written, kind="append")

    def delete_version(
        self, model: Model, name: str, *, version: int, check: Callable[[], None] = no_check
    ) -> Deletion:
        """Remove one version."""
        self.read(model, name, version=version)
        return self.delete_versions(model, name, (version,), check=check)

    def delete_versions(
        self, model: Model, name: str, numbers: Collection[int], *, check: Callable[[], None] = no_check
    ) -> Deletion:
        """Record that versions are removed, and remove what the copy holds of them."""
        from swampsync.artifacts.delete import Deletion  # noqa: PLC0415 - few commands delete

        present = {m.version: m for m in self.scan(model, name).versions}
        if not present:
            raise NotFound(f"no data named `{name}` exists for model `{model.name}`", key=name)
        doomed = tuple(sorted(present.keys() & set(numbers)))
        check()
        self._syncer.record_removal(model, name, doomed, kind="delete")
        left = sorted(present.keys() - set(doomed))
        return Deletion(doomed, left[-1] if left else None, sum(present[n].size or 0 for n in doomed))

    def delete_artifact(self, model: Model, name: str, *, check: Callable[[], None] = no_check) -> Deletion:
        """Remove an artifact with all its versions."""
        return self.delete_versions(model, name, [m.version for m in self.scan(model, name).versions], check=check)

    def rename(
        self,
        model: Model,
        old: str,
        new: str,
        *,
        floors: tuple[int, int] = (0, 0),
        check: Callable[[], None] = no_check,
    ) -> Renaming:
        """Copy the latest version to a new name and leave a tombstone that forwards to it."""
        found = self.scan(model, old).versions
        if not found or found[-1].is_deleted:
            raise NotFound(f"data `{old}` not found", key=old)
        try:
            existing = self.read(model, new)
        except NotFound:
            existing = None
        if existing is not None and not existing.is_deleted:
            raise Conflict(
                f"data `{new}` already exists",
                hint=f"to give the name free: swamp data delete {model.name} {new}",
                key=new,
            )
        for name in (old, new):
            versions = self.scan(model, name).versions
            if versions:
                self._require(model, versions[-1])
        done = super().rename(model, old, new, floors=floors, check=check)
        self._syncer.record_versions(model, [done.new, done.tombstone], kind="rename")
        return done

    def _check_owner(self, model: Model, name: str, draft: Draft) -> None:
        from swampsync.artifacts.read import require_owner  # noqa: PLC0415 - only what writes needs it

        try:
            latest = self.read(model, name)
        except (NotFound, DataError):
            return
        require_owner(latest, name, draft.owner)

    def _key(self, model: Model, name: str) -> ArtifactKey:
        return ArtifactKey(self._clone.namespace, model.type, model.id, name)
