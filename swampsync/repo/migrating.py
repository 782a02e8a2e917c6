"""`namespace migrate`: take the un-namespaced data of a directory into this repo's namespace, or back out of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from swampsync.config.settings import build_layout
from swampsync.disk import Kind
from swampsync.errors import NotFound, Refused, Unavailable
from swampsync.layout import Layout
from swampsync.maintenance.migration import DirectoryShare, MigrationPlan, apply_migration, plan_migration
from swampsync.maintenance.relocate import holds_files
from swampsync.namespace import SOLO, Namespace
from swampsync.registry import Registry
from swampsync.repo.parts import Parts

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What moving between the un-namespaced place and a namespace does, or did."""

    namespace: Namespace
    datastore_path: str
    is_reverse: bool
    plan: MigrationPlan
    is_done: bool = False

    def to_json(self) -> dict[str, Any]:
        """Make the document that `namespace migrate` prints: the preview, or what was done."""
        document: dict[str, Any] = {
            "namespace": self.namespace.name,
            "datastorePath": self.datastore_path,
            "reverse": self.is_reverse,
        }
        if self.is_done:
            document["migratedDirectories"] = [share.subdir for share in self.plan.directories]
        else:
            document["confirm"] = False
            document["directories"] = [_share_json(share) for share in self.plan.directories]
        return document | {
            "totalFiles": self.plan.files,
            "totalBytes": self.plan.size,
            "isExtensionDatastore": False,
        }


def _share_json(share: DirectoryShare) -> dict[str, Any]:
    return {
        "subdir": share.subdir,
        "source": share.source,
        "destination": share.destination,
        "fileCount": share.files,
        "totalBytes": share.size,
    }


class Migrator:
    """Moves this repo's data between the un-namespaced place of its directory and its namespace."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def plan(self, *, is_reverse: bool = False, absorbs: bool = False) -> Migration:
        """Say what would move; writes nothing, takes no lock.

        Args:
            is_reverse: Whether data goes from the namespace to the un-namespaced place.
            absorbs: Whether un-namespaced data is taken although other namespaces share the directory.

        Raises:
            Refused: No namespace is configured, the datastore is a bucket, or the data may be another project's.
            Conflict: A path has different bytes on both sides.
            Unavailable: The directory is not there.
        """
        self._require_movable(is_reverse=is_reverse, absorbs=absorbs)
        source, target = self._ends(is_reverse=is_reverse)
        return self._describe(plan_migration(self._parts.world.disk, source, target), is_reverse=is_reverse)

    def migrate(
        self, *, is_reverse: bool = False, absorbs: bool = False, progress: Progress | None = None
    ) -> Migration:
        """Move the data under the structural locks of both places; killed in between, it is run again.

        Going back gives the namespace up: nothing is left in it, and nobody else is a member. Arguments as of `plan`.

        Raises:
            Refused: No namespace is configured, the datastore is a bucket, or the data may be another project's.
            Conflict: A path has different bytes on both sides, or the namespace is another repo's.
            LockTimeout: Somebody holds one of the locks.
        """
        parts = self._parts
        self._require_movable(is_reverse=is_reverse, absorbs=absorbs)
        if not is_reverse:
            parts.require_member(parts.home)
        source, target = self._ends(is_reverse=is_reverse)
        with ExitStack() as stack:
            # Always in this order, so that two of them never wait for each other.
            guards = [parts.guard_for(layout) for layout in (source, target) if layout.namespace.is_solo]
            guards += [parts.guard_for(layout) for layout in (source, target) if not layout.namespace.is_solo]
            held = [stack.enter_context(guard.structural_lock(command="namespace migrate")) for guard in guards]

            def check() -> None:
                for locks in held:
                    locks.check()

            plan = plan_migration(parts.world.disk, source, target)
            apply_migration(
                parts.world.disk, plan, base=source.base, check=check, progress=progress or (lambda _done, _total: None)
            )
            if is_reverse:
                registry = Registry(parts.world.disk, parts.world.clock, source, new_id=parts.world.new_id)
                with suppress(NotFound):
                    registry.withdraw(parts.home, parts.require_repo_id())
        # The rows of the old place would be ghosts; a listing reads the new one.
        parts.forget(SOLO)
        parts.forget(parts.home)
        return self._describe(plan, is_reverse=is_reverse, is_done=True)

    def _describe(self, plan: MigrationPlan, *, is_reverse: bool, is_done: bool = False) -> Migration:
        return Migration(
            namespace=self._parts.home,
            datastore_path=self._parts.datastore_place,
            is_reverse=is_reverse,
            plan=plan,
            is_done=is_done,
        )

    def _ends(self, *, is_reverse: bool) -> tuple[Layout, Layout]:
        plain = build_layout(self._parts.config, SOLO)
        own = plain.of(self._parts.home)
        return (own, plain) if is_reverse else (plain, own)

    def _require_movable(self, *, is_reverse: bool, absorbs: bool) -> None:
        parts = self._parts
        home = parts.home
        if home.is_solo:
            raise Refused("no namespace is configured", hint="swamp datastore namespace set NAME")
        if parts.config.is_remote:
            raise Refused(
                f"the datastore is the bucket `{parts.datastore_place}`: there data moves by setting it up anew",
                hint=f"swamp datastore setup s3 --namespace {home} …",
            )
        try:
            parts.world.disk.stat(parts.layout.base)
        except FileNotFoundError as error:
            raise Unavailable(
                f"the datastore's directory `{parts.layout.base}` does not exist",
                hint="mount it",
                key=parts.layout.base,
            ) from error
        others = [m.namespace for m in parts.registry.list_namespaces() if m.namespace != home.name]
        plain = build_layout(parts.config, SOLO)
        is_own_directory = plain.base == plain.local_path()
        if is_reverse:
            self._require_sole_member(home)
            if others:
                raise Refused(
                    f"other namespaces are in the datastore ({', '.join(others)}): without one, this repo's data would"
                    " lie among them",
                    hint="swamp datastore setup filesystem --path DIR, to take the data elsewhere",
                )
        if is_own_directory or absorbs:
            return
        if is_reverse:
            if any(self._holds_data(plain, subdir) for subdir in plain.subdirs):
                raise Refused(
                    f"data lies at the un-namespaced path of `{plain.base}` already, and may be another project's",
                    hint="if it is this repo's: swamp datastore namespace migrate --reverse --absorb",
                    key=plain.base,
                )
        elif others:
            raise Refused(
                f"the un-namespaced data of `{plain.base}` may be another project's:"
                f" other namespaces share it ({', '.join(others)})",
                hint="if it is this repo's: swamp datastore namespace migrate --absorb",
                key=plain.base,
            )

    def _holds_data(self, plain: Layout, subdir: str) -> bool:
        disk = self._parts.world.disk
        root = plain.datastore_path(subdir)
        try:
            return disk.stat(root).kind is Kind.DIRECTORY and holds_files(disk, root)
        except FileNotFoundError:
            return False

    def _require_sole_member(self, namespace: Namespace) -> None:
        registry = self._parts.registry
        try:
            owner = registry.read_manifest(namespace).repo_id
        except NotFound:
            return
        mine = self._parts.require_repo_id()
        members = set(registry.read_members(namespace).with_members([owner]).members) - {mine}
        if members:
            raise Refused(
                f"namespace `{namespace}` has other members ({', '.join(sorted(members))}), whose data it holds too",
                hint="swamp datastore namespace describe",
                key=str(namespace),
            )
