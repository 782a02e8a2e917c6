"""`datastore setup filesystem`: use a directory from now on; the data moves there from wherever it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from swampsync.config.config_file import write_config_file
from swampsync.config.datastore import FILESYSTEM_TYPE, FilesystemSettings
from swampsync.config.document import ConfigDocument
from swampsync.config.environment import collapse_home, expand_path
from swampsync.config.settings import Flags, RepoConfig, make_config
from swampsync.errors import Conflict, InvalidInput
from swampsync.maintenance.moving import Progress
from swampsync.namespace import ALWAYS_LOCAL_SUBDIRS, DATASTORE_SUBDIRS, Namespace
from swampsync.repo.parts import Parts
from swampsync.repo.setup_checks import require_own_place
from swampsync.repo.setup_interrupted import finish_interrupted, is_begun
from swampsync.repo.setup_move import Move, Moved, warn_of_missing
from swampsync.repo.setup_parts import open_written, own_environ, with_config
from swampsync.repo.setup_preview import SetupPreview


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryChoice:
    """What was asked for.

    Args:
        path: The directory; `~` and variables are expanded, relative is relative to the repo.
        directories: Which subdirectories go there; `None` as configured, or swamp's fifteen.
        namespace: Claimed there; `None` for the configured one.
        skips_migration: Whether existing data stays where it is.
    """

    path: str
    directories: tuple[str, ...] | None = None
    namespace: str | None = None
    skips_migration: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupResult:
    """What setting up a datastore on a directory did."""

    path: str
    namespace: str
    source: str
    moved: Moved
    warnings: tuple[dict[str, Any], ...] = ()

    @property
    def files(self) -> int:
        """How many files were copied."""
        return self.moved.tally.files

    @property
    def size(self) -> int:
        """Their bytes."""
        return self.moved.tally.size

    @property
    def directories(self) -> tuple[str, ...]:
        """The subdirectories that held something."""
        return tuple(self.moved.plan.directories)

    @property
    def errors(self) -> tuple[str, ...]:
        """What could not be moved; the configuration is as it was then."""
        return self.moved.errors()

    def to_json(self) -> dict[str, Any]:
        """Make the document that `datastore setup filesystem` prints."""
        document: dict[str, Any] = {
            "type": FILESYSTEM_TYPE,
            "path": self.path,
            "filesCopied": self.files,
            "filesPulled": self.moved.pulled,
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


def setup_filesystem(parts: Parts, choice: DirectoryChoice, *, progress: Progress | None = None) -> SetupResult:
    """Move this repo's data to a directory and use it from now on; killed at any point, it can be run again.

    Args:
        parts: Of the repo as it is configured now.
        choice: What was asked for.
        progress: Called with the count done and the total.

    Raises:
        InvalidInput: The path or a directory's name cannot be used.
        Refused: Data of another project lies at the un-namespaced path there, or something that was never published
            would be left behind in a bucket.
        Conflict: It is this repo's datastore already, or another repo owns the namespace.
        DataError: Not everything arrived; the old place is used as before.
        LockTimeout: Somebody holds the structural lock.
    """
    written = open_written(parts)
    target = _open_target(parts, choice)
    try:
        layout = target.layout
        is_finished = finish_interrupted(written, target)
        if layout.root == written.layout.root and layout.subdirs == written.layout.subdirs:
            if is_finished:
                return _result(written, target, Moved(), ())
            raise Conflict(
                f"`{choice.path}` is this repo's datastore already", hint="swamp datastore status", key=layout.base
            )
        _require_apart(written, target)
        parts.world.disk.makedirs(layout.base)
        if not choice.skips_migration and not is_begun(written, target):
            require_own_place(written, target)
        warnings = [*warn_of_missing(written), *_warn(target)]
        repo_id = parts.config.repo_id or ""
        if not layout.namespace.is_solo:
            repo_id = parts.require_repo_id()
            target.registry.claim(layout.namespace, repo_id)

        def write() -> None:
            document = _change(parts, choice, target.config)
            write_config_file(parts.world.disk, document, replaces=parts.config.document)

        moved = Move(written, target, progress=progress).run(
            write, repo_id=repo_id, keeps_source=choice.skips_migration
        )
        return _result(written, target, moved, (*warnings, *moved.warnings()))
    finally:
        written.close()
        target.close()


def plan_filesystem(parts: Parts, choice: DirectoryChoice) -> SetupPreview:
    """Say what setting up a directory would move; writes nothing.

    Raises:
        InvalidInput: See `setup_filesystem`.
        Refused: See `setup_filesystem`.
    """
    written = open_written(parts)
    target = _open_target(parts, choice)
    try:
        if not choice.skips_migration and not is_begun(written, target):
            require_own_place(written, target)
        plan = None if choice.skips_migration else Move(written, target).plan()
        return SetupPreview.of(written, target, plan, (*warn_of_missing(written), *_warn(target)))
    finally:
        written.close()
        target.close()


def _result(written: Parts, target: Parts, moved: Moved, warnings: tuple[dict[str, Any], ...]) -> SetupResult:
    layout = target.layout
    source = written.datastore_place if written.config.is_remote else written.layout.base
    return SetupResult(path=layout.base, namespace=layout.namespace.name, source=source, moved=moved, warnings=warnings)


def _open_target(parts: Parts, choice: DirectoryChoice) -> Parts:
    config = parts.config
    expanded = expand_path(choice.path, repo_dir=config.repo_dir, environ=parts.environ)
    if expanded == "/":
        raise InvalidInput("the root of the file system is no datastore", hint="--path /srv/swamp")
    for name in choice.directories or ():
        if name not in DATASTORE_SUBDIRS:
            raise InvalidInput(f"there is no subdirectory `{name}`", hint=f"one of {', '.join(DATASTORE_SUBDIRS)}")
    wanted = Namespace.parse(choice.namespace) if choice.namespace is not None else parts.home
    shown = choice.path if not choice.path.startswith("/") else collapse_home(expanded, environ=parts.environ)
    is_listed = config.document.has(("datastore", "directories"))
    chosen = choice.directories or (config.directories if is_listed else DATASTORE_SUBDIRS)
    target = replace(
        config,
        datastore=FilesystemSettings(expanded, shown),
        namespace_choice=replace(config.namespace_choice, namespace=wanted),
        directories=tuple(s for s in chosen if s not in ALWAYS_LOCAL_SUBDIRS),
    )
    return with_config(parts, target)


def _change(parts: Parts, choice: DirectoryChoice, target: RepoConfig) -> ConfigDocument:
    """Make the configuration that points to the directory; every byte that need not change stays."""
    assert isinstance(target.datastore, FilesystemSettings)
    document = parts.config.document
    shown = target.datastore.written_path
    if not document.has(("datastore",)):
        document = document.set(("datastore",), {"type": FILESYSTEM_TYPE, "path": shown})
    for key in ("config", "hydrationStrategy"):  # of a bucket that is left
        document = document.unset(("datastore", key))
    document = document.set(("datastore", "type"), FILESYSTEM_TYPE).set(("datastore", "path"), shown)
    if choice.directories is not None or not document.has(("datastore", "directories")):
        document = document.set(("datastore", "directories"), list(choice.directories or DATASTORE_SUBDIRS))
    if not target.namespace.is_solo:
        document = document.set(("datastore", "namespace"), target.namespace.name)
    # What is written has to be right by itself, whatever the variables say today.
    make_config(document, repo_dir=target.repo_dir, environ=own_environ(parts), flags=Flags())
    return document


def _require_apart(written: Parts, target: Parts) -> None:
    """Refuse a place inside of what moves: it would move into itself."""
    base = target.layout.base
    for subdir in DATASTORE_SUBDIRS:
        for root in (written.layout.datastore_path(subdir), written.layout.local_path(subdir)):
            if base == root or base.startswith(f"{root}/"):
                raise InvalidInput(
                    f"`{base}` lies in `{root}`, which moves there", hint="choose a directory outside of it"
                )


def _warn(target: Parts) -> Iterator[dict[str, Any]]:
    if not target.layout.namespace.is_solo:
        return
    names = [manifest.namespace for manifest in target.registry.list_namespaces()]
    if names:
        message = (
            f"other repos use namespaces there ({', '.join(names)}); take one too: swamp datastore namespace set NAME"
        )
        yield {"message": message, "existingNamespaces": names}
