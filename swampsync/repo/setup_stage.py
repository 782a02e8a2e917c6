"""The clone in which data is made ready for a bucket, while the repo goes on with what it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from swampsync.artifacts.model import Model
from swampsync.artifacts.tree import no_check
from swampsync.errors import DataError
from swampsync.layout import Layout
from swampsync.log.paths import RAW_FILE, parse_version_path
from swampsync.maintenance.moving_into_clone import CloneTarget, find_missing_objects
from swampsync.maintenance.moving_items import MoveSource, MoveTally
from swampsync.repo.parts import Parts
from swampsync.repo.setup_journal import DIRECTORY
from swampsync.sync.cataloguing import metadata_of
from swampsync.sync.clone import artifact_key_of
from swampsync.sync.pending import Op, PendingEntry
from swampsync.sync.push_plan import PushLimits
from swampsync.sync.syncer import Syncer

_CLONE: Final = "clone"


def stage_directory(layout: Layout) -> str:
    """Make the path of the directory that stands for the repo while data is made ready."""
    return layout.local_path(DIRECTORY, _CLONE)


def stage_base(layout: Layout) -> str:
    """Make the path of that clone's local copy."""
    return f"{stage_directory(layout)}/.swamp/remote"


class Stage:
    """A clone of the namespace that data goes to.

    Args:
        target: The repo as it will be configured.
        repo_id: Of the repo; it may write in the namespace.
        tally: Counts what happens.

    Attributes:
        on_upload: Called after each version and file that was uploaded.
    """

    def __init__(self, target: Parts, repo_id: str, tally: MoveTally) -> None:
        config = replace(target.config, repo_dir=stage_directory(target.layout), repo_id=repo_id)
        self._parts = Parts(config, target.world, target.environ, target.command, cache_dir=target.cache_dir)
        self._parts.on_notice, self._parts.on_wait = target.on_notice, target.on_wait
        self._tally = tally
        self.on_upload: Callable[[], None] = no_check
        self._check: Callable[[], None] = no_check

    @property
    def _syncer(self) -> Syncer:
        return self._parts.syncing.syncer_of(self._parts.namespace)

    def close(self) -> None:
        """Close the databases and end the threads."""
        self._parts.close()

    def open(self, source: MoveSource, *, check: Callable[[], None]) -> CloneTarget:
        """Look at the log, and make what takes data in; `check` raises where that must stop: a lock was lost."""
        self._check = check
        disk = self._parts.world.disk
        disk.makedirs(self._parts.layout.root)
        syncer = self._syncer
        syncer.pull()
        target = CloneTarget(syncer.clone, syncer.copy, self._tally, publish=self._publish, check=check)
        self._forget_vanished(source)
        return target

    def _publish(self) -> None:
        if self._syncer.pending().is_empty():
            return
        limits = PushLimits(is_confirmed=True)
        pushed = self._parts.syncing.push(self._parts.namespace, limits, progress=self._count_upload, check=self._check)
        self._tally.problems += pushed.failures

    def _count_upload(self, _done: int, _total: int | None = None, _size: int | None = None, /) -> None:
        self.on_upload()

    def _forget_vanished(self, source: MoveSource) -> None:
        """Take back what a killed run recorded and the source has no more: it was removed there since."""
        entries = [entry for entry in self._syncer.pending().entries() if entry.op is Op.PUT]
        if not entries:
            return
        ids = {version.metadata.id for item in source.artifacts() for version in item.versions}
        paths = {file.relative for file in source.files()}
        for entry in entries:
            self._forget_unless_there(entry, ids, paths)

    def _forget_unless_there(self, entry: PendingEntry, ids: set[str], paths: set[str]) -> None:
        recorder = self._syncer.recorder
        version = parse_version_path(f"{entry.path}/{RAW_FILE}") if entry.is_version else None
        if version is None:
            if entry.path.partition(".conflict-")[0] not in paths:
                recorder.file_removed(entry.path, kind=entry.kind)
                self._syncer.copy.remove(entry.path)
            return
        key = artifact_key_of(entry.namespace, version.artifact)
        row = self._parts.state.metadata.find(key, version.number)
        if row is None or metadata_of(row).id not in ids:
            model = Model(key.type_normalized, key.model_id, "")
            recorder.removed(model, key.data_name, [version.number], kind=entry.kind)
            self._syncer.copy.remove_version(entry.path)

    def require_whole(self) -> None:
        """Make sure that the bucket has everything that was taken in: in its log, and every object.

        Raises:
            DataError: Something is missing; the old place is used as before.
        """
        syncer = self._syncer
        syncer.pull()
        missing = [entry.path for entry in syncer.pending().entries()] or find_missing_objects(syncer.clone)
        if missing:
            raise DataError(
                f"{len(missing)} versions or files did not arrive in the bucket, such as `{missing[0]}`; the old place"
                " is used as before",
                hint="run the same command again",
                key=missing[0],
            )
