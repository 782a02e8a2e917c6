"""The datastore as a whole: is it there, and moving this repo's data to another one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from swampsync.config.config_file import write_config_file
from swampsync.config.datastore import FilesystemSettings
from swampsync.config.environment import collapse_home, expand_path
from swampsync.config.settings import RepoConfig, build_layout
from swampsync.errors import Conflict, InvalidInput, Refused
from swampsync.layout import Layout
from swampsync.locks.directory_guard import DirectoryGuard
from swampsync.locks.guard import LockGuard
from swampsync.maintenance.doctor_backend import Thoroughness
from swampsync.maintenance.doctor_directory import probe_directory
from swampsync.maintenance.doctor_report import DoctorReport
from swampsync.maintenance.relocate import clean_source, copy_files, holds_files, plan_relocation
from swampsync.namespace import ALWAYS_LOCAL_SUBDIRS, DATASTORE_SUBDIRS, Namespace
from swampsync.registry import Registry
from swampsync.repo.health import Health, read_health
from swampsync.repo.parts import Parts

if TYPE_CHECKING:
    from swampsync.repo.setup_s3 import BucketChoice, BucketSetup

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupResult:
    """What setting up a datastore on a directory did."""

    path: str
    namespace: str
    source: str
    files: int
    size: int
    directories: tuple[str, ...]
    errors: tuple[str, ...] = ()
    warnings: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Make the document that `datastore setup filesystem` prints."""
        document: dict[str, Any] = {
            "type": "filesystem",
            "path": self.path,
            "filesCopied": self.files,
            "filesPulled": 0,
            "bytesCopied": self.size,
            "directoriesMigrated": list(self.directories),
            "errors": list(self.errors),
        }
        if self.namespace:
            document["namespace"] = self.namespace
        return document | {
            "sourcePath": self.source,
            "destinationPath": self.path,
            "warnings": [dict(warning) for warning in self.warnings],
        }


class Datastore:
    """Where this repo's data lives."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def health(self) -> Health:
        """Say whether the datastore can be used now, and how fast it answers."""
        return read_health(self._parts)

    def probe(self, *, is_quick: bool = False, on_check: Callable[[str], None] | None = None) -> DoctorReport:
        """Prove on the datastore itself that it keeps its promises, under scratch names that are removed again.

        Raises:
            Conflict: This repo is no member of the namespace.
            AccessDenied: The datastore cannot be written to.
        """
        parts = self._parts
        parts.require_member(parts.namespace)
        thoroughness = Thoroughness.QUICK if is_quick else Thoroughness.FULL
        if parts.config.is_remote:
            from swampsync.repo.bucket_probe import keep_report, probe_bucket

            report = probe_bucket(parts, thoroughness=thoroughness, on_check=on_check)
            keep_report(parts, report)
            return report
        parts.world.disk.stat(parts.layout.base)
        prefix = "" if parts.namespace.is_solo else f"{parts.namespace}/"
        return probe_directory(
            parts.world.disk,
            parts.layout.base,
            scratch_prefix=f"{prefix}.swampsync-doctor/",
            clock=parts.world.clock,
            rng=parts.world.rng,
            spawner=parts.world.spawn,
            thoroughness=thoroughness,
            on_check=on_check,
        )

    def setup_s3(self, choice: BucketChoice, *, on_check: Callable[[str], None] | None = None) -> BucketSetup:
        """Use a bucket from now on; see `swampsync.repo.setup_s3`."""
        from swampsync.repo.setup_s3 import setup_s3

        return setup_s3(self._parts, choice, on_check=on_check)

    def setup_filesystem(
        self,
        path: str,
        *,
        directories: tuple[str, ...] | None = None,
        namespace: str | None = None,
        skip_migration: bool = False,
        progress: Progress | None = None,
    ) -> SetupResult:
        """Move this repo's data to a directory and use it from now on.

        Copies, verifies and flushes first, writes the configuration then, and cleans the old place up last. Killed at
        any point, it can be run again.

        Args:
            path: The shared directory; `~` and variables are expanded, relative is relative to the repo.
            directories: Which subdirectories go there; by default as configured, or swamp's fifteen.
            namespace: Claimed there before anything is copied; by default the configured one.
            skip_migration: Leave existing data where it is.
            progress: Called with files done and the total.

        Raises:
            InvalidInput: The path or a directory's name cannot be used.
            Refused: Data of another project lies at the un-namespaced path there.
            Conflict: Files of the same name with other content are there.
            LockTimeout: Somebody holds the structural lock.
        """
        parts = self._parts
        if parts.config.is_remote:
            from swampsync.repo.setup_checks import require_empty_bucket

            require_empty_bucket(parts)
        target = self._target(path, directories, namespace)
        layout = build_layout(target)
        if layout.root == parts.layout.root and layout.subdirs == parts.layout.subdirs:
            raise Conflict(f"`{path}` is this repo's datastore already", hint="swamp datastore status", key=layout.base)
        parts.world.disk.makedirs(layout.base)
        warnings = self._check_target(layout, has_data=not skip_migration)
        if not layout.namespace.is_solo:
            registry = Registry(parts.world.disk, parts.world.clock, layout, new_id=parts.world.new_id)
            registry.claim(layout.namespace, parts.require_repo_id())
        with ExitStack() as stack:
            guards: list[LockGuard] = [parts.guard]
            if layout.root != parts.layout.root:
                guards.append(DirectoryGuard(layout, parts.world.disk, parts.keeper_parts))
            held = [stack.enter_context(guard.structural_lock(command="datastore setup")) for guard in guards]

            def check() -> None:
                for locks in held:
                    locks.check()

            plan = plan_relocation(parts.world.disk, parts.layout, layout)
            files = 0
            if not skip_migration:
                files = copy_files(
                    parts.world.disk, plan, target_root=layout.root, check=check, progress=progress or _ignore
                )
            check()
            write_config_file(parts.world.disk, target.document, replaces=parts.config.document)
            if not skip_migration:
                roots = tuple(parts.layout.resolve(subdir) for subdir in layout.subdirs)
                clean_source(parts.world.disk, plan, roots=roots, check=check)
        # The catalog knows the old place: its rows would be ghosts of the new one.
        parts.forget(parts.namespace)
        parts.forget(layout.namespace)
        return SetupResult(
            path=layout.base,
            namespace=layout.namespace.name,
            source=parts.layout.base,
            files=files,
            size=sum(move.size for move in plan.moves) if not skip_migration else 0,
            directories=plan.directories if not skip_migration else (),
            errors=tuple(f"{where}: {reason}" for where, reason in plan.problems),
            warnings=warnings,
        )

    def _target(self, path: str, directories: tuple[str, ...] | None, namespace: str | None) -> RepoConfig:
        config = self._parts.config
        environ = self._parts.environ
        expanded = expand_path(path, repo_dir=config.repo_dir, environ=environ)
        if expanded == "/":
            raise InvalidInput("the root of the file system is no datastore", hint="--path /srv/swamp")
        for name in directories or ():
            if name not in DATASTORE_SUBDIRS:
                raise InvalidInput(f"there is no subdirectory `{name}`", hint=f"one of {', '.join(DATASTORE_SUBDIRS)}")
        wanted = Namespace.parse(namespace) if namespace is not None else self._parts.home
        shown = path if not path.startswith("/") else collapse_home(expanded, environ=environ)
        document = config.document
        if document.has(("datastore",)) and not isinstance(config.datastore, FilesystemSettings):
            document = document.unset(("datastore",))
        if not document.has(("datastore",)):
            block: dict[str, Any] = {"type": "filesystem", "path": shown}
            document = document.set(("datastore",), block)
        document = document.set(("datastore", "type"), "filesystem").set(("datastore", "path"), shown)
        if directories is not None or not document.has(("datastore", "directories")):
            document = document.set(("datastore", "directories"), list(directories or DATASTORE_SUBDIRS))
        if not wanted.is_solo:
            document = document.set(("datastore", "namespace"), wanted.name)
        chosen = directories or (config.directories if config.document.has(("datastore", "directories")) else None)
        return replace(
            config,
            document=document,
            datastore=FilesystemSettings(expanded, shown),
            namespace_choice=replace(config.namespace_choice, namespace=wanted),
            directories=tuple(s for s in chosen or DATASTORE_SUBDIRS if s not in ALWAYS_LOCAL_SUBDIRS),
        )

    def _check_target(self, layout: Layout, *, has_data: bool) -> tuple[dict[str, Any], ...]:
        """Refuse what would mix this repo's data with another project's; warn where namespaces are in use."""
        if not layout.namespace.is_solo:
            return ()
        disk = self._parts.world.disk
        foreign = [s for s in layout.subdirs if holds_files(disk, layout.datastore_path(s))]
        try:
            plan = plan_relocation(disk, self._parts.layout, layout)
            mine = {move.relative.partition("/")[0] for move in plan.moves if move.is_present}
        except Conflict:
            mine = set()
        others = [s for s in foreign if s not in mine]
        if others and has_data:
            raise Refused(
                f"`{layout.base}` holds data that is not this repo's: {', '.join(others)}",
                hint="take a namespace of your own there: add --namespace NAME",
                key=layout.base,
            )
        names = [
            m.namespace
            for m in Registry(disk, self._parts.world.clock, layout, new_id=self._parts.world.new_id).list_namespaces()
        ]
        if not names:
            return ()
        message = (
            f"other repos use namespaces there ({', '.join(names)}); take one too: swamp datastore namespace set NAME"
        )
        return ({"message": message, "existingNamespaces": names},)


def _ignore(_done: int, _total: int | None) -> None:
    pass
