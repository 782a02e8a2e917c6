"""Writing data: under the model's lock, in a namespace that this repo is a member of."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Final

from swampsync.artifacts.batch import BatchItem
from swampsync.artifacts.lifetimes import parse_duration
from swampsync.artifacts.metadata import Draft, Metadata, Owner
from swampsync.artifacts.model import Model, normalise_type
from swampsync.artifacts.names import check_name, find_name_problem
from swampsync.artifacts.rows import row_from_metadata
from swampsync.artifacts.scan import list_numbers
from swampsync.artifacts.store import ArtifactStore
from swampsync.catalog.feed import UPSERT
from swampsync.catalog.rows import ArtifactKey, artifact_key
from swampsync.disk import Kind
from swampsync.errors import Conflict, InvalidInput, NotFound
from swampsync.locks.guard import HeldLocks
from swampsync.maintenance.refresh import Scope
from swampsync.maintenance.relocate import walk_files
from swampsync.namespace import Namespace
from swampsync.repo.parts import Parts
from swampsync.repo.reading import DataReader, Progress
from swampsync.repo.values import DeleteResult, ImportResult, RenameResult, Version

DEFAULT_TYPE: Final = "swampsync/artifact"
DEFAULT_LIFETIME: Final = "infinite"
DEFAULT_VERSIONS_KEPT: Final = 10  # what swamp's own model types choose
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class DeletePlan:
    """Which versions of which artifacts of a model go."""

    namespace: Namespace
    model: Model
    targets: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def artifacts(self) -> int:
        """How many artifacts lose versions."""
        return len(self.targets)

    @property
    def versions(self) -> int:
        """How many versions go."""
        return sum(len(versions) for _, versions in self.targets)

    def preview(self) -> DeleteResult:
        """Say what would be removed."""
        return DeleteResult(self.model, self.artifacts, self.versions, is_dry_run=True)


class DataWriter(DataReader):
    """Everything that `DataReader` does, and the writing."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)

    # --- put ---------------------------------------------------------------------------------------

    def put(
        self,
        model: str,
        name: str,
        content: BinaryIO,
        *,
        model_type: str | None = None,
        spec: str | None = None,
        content_type: str = "application/octet-stream",
        tags: Mapping[str, str] | None = None,
        lifetime: str | None = None,
        garbage_collection: str | int | None = None,
        is_streaming: bool = False,
    ) -> Version:
        """Put content as the next version of an artifact; durable when this returns.

        Args:
            model: Name or id; an unknown name gets an automatic definition.
            name: The artifact.
            content: Read to its end, in constant memory.
            model_type: Type of the automatic definition.
            spec: Which of the model's resource specs the data follows.
            content_type: MIME type.
            tags: Free texts; they win over `type`, `specName` and `modelName`.
            lifetime: `30d`, `infinite`, …; by default that of the version before.
            garbage_collection: How many versions gc keeps, or a duration; by default as the version before.
            is_streaming: Whether later appends may extend the version.

        Raises:
            InvalidInput: A name, tag, lifetime or cap cannot be used; nothing was written.
            Conflict: The artifact belongs to another owner, or the namespace to another repo.
            LockTimeout: Somebody else is writing the model.
        """
        check_name(name)
        cap = parse_cap(garbage_collection)
        namespace, owner = self.require_model(model, model_type)
        store = self._parts.store_of(namespace)
        with self._lock(namespace, owner, "data put") as lease:
            before = store.scan(owner, name).latest_metadata
            draft = Draft(
                content_type=content_type,
                lifetime=lifetime or (before.lifetime if before else DEFAULT_LIFETIME),
                garbage_collection=cap or (before.garbage_collection if before else DEFAULT_VERSIONS_KEPT),
                streaming=is_streaming,
                tags=make_tags(owner, content_type=content_type, spec=spec, tags=tags or {}),
                owner=Owner(owner_type="manual", owner_ref=owner.id),
            )
            metadata = store.put(
                owner, name, content, draft, floor=self._floor(namespace, owner, name), check=lease.check
            )
            self._record(namespace, owner, [metadata])
        return self._version(namespace, owner, metadata)

    def append(self, model: str, name: str, content: BinaryIO) -> Version:
        """Add bytes to the latest version of a streaming artifact; its number stays.

        Raises:
            NotFound: There is no such model or artifact.
            InvalidInput: The latest version was not put as streaming data.
        """
        check_name(name)
        namespace, owner = self.require_model(model, None, is_created=False)
        with self._lock(namespace, owner, "data put --append") as lease:
            metadata = self._parts.store_of(namespace).append(owner, name, content, check=lease.check)
            self._record(namespace, owner, [metadata])
        return self._version(namespace, owner, metadata)

    def import_directory(
        self,
        directory: str,
        model: str,
        *,
        model_type: str | None = None,
        tags: Mapping[str, str] | None = None,
        guess_content_type: Callable[[str], str] | None = None,
        progress: Progress | None = None,
    ) -> ImportResult:
        """Put every file below a directory, each as an artifact named by its path with `/` made `-`.

        All of them are durable when this returns. Names that an artifact cannot have are left out and reported.

        Raises:
            NotFound: There is no such directory.
            InvalidInput: Two paths make the same name; nothing was written.
        """
        root = posixpath.join(self._parts.config.repo_dir, directory) if not directory.startswith("/") else directory
        named, skipped = self._plan_import(root, directory)
        namespace, owner = self.require_model(model, model_type)
        store = self._parts.store_of(namespace)
        disk = self._parts.world.disk
        items = []
        for name, relative in sorted(named.items()):
            content_type = guess_content_type(relative) if guess_content_type else "application/octet-stream"
            draft = Draft(
                content_type=content_type,
                lifetime=DEFAULT_LIFETIME,
                garbage_collection=DEFAULT_VERSIONS_KEPT,
                tags=make_tags(owner, content_type=content_type, spec=None, tags=tags or {}),
                owner=Owner(owner_type="manual", owner_ref=owner.id),
            )
            path = posixpath.join(root, relative)
            items.append(
                BatchItem(
                    model=owner,
                    name=name,
                    open_content=partial(disk.open_read, path),
                    draft=draft,
                    floor=self._floor(namespace, owner, name),
                )
            )
        with self._lock(namespace, owner, "data import") as lease:
            written = 0

            def on_written(_metadata: Metadata) -> None:
                nonlocal written
                written += 1
                if progress is not None:
                    progress(written, len(items))

            versions = store.put_many(items, check=lease.check, on_written=on_written)
            self._record(namespace, owner, versions)
        return ImportResult(owner, tuple(versions), tuple(skipped))

    def _plan_import(self, root: str, shown: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
        named: dict[str, str] = {}
        skipped: list[tuple[str, str]] = []
        try:
            for relative, kind in walk_files(self._parts.world.disk, root):
                name = relative.replace("/", "-")
                problem = "is no regular file" if kind is not Kind.FILE else find_name_problem(name)
                if problem is not None:
                    skipped.append((relative, problem))
                elif name in named:
                    raise InvalidInput(
                        f"`{named[name]}` and `{relative}` would both become the artifact `{name}`",
                        hint="rename one of the files, or import the directories one by one",
                        key=relative,
                    )
                else:
                    named[name] = relative
        except NotADirectoryError:
            raise InvalidInput(
                f"`{shown}` is no directory", hint=f"swamp data put MODEL NAME {shown}", key=shown
            ) from None
        except FileNotFoundError:
            raise NotFound(f"no such directory: `{shown}`", key=shown) from None
        return named, skipped

    # --- delete and rename -------------------------------------------------------------------------

    def plan_delete(
        self, model: str, *, name: str | None = None, version: int | None = None, prefix: str | None = None
    ) -> DeletePlan:
        """Decide which versions to delete: one, all of an artifact, or all of the artifacts with a prefix.

        Raises:
            NotFound: There is nothing to delete; an existing artifact's versions are named.
        """
        namespace, owner = self.find_model(model)
        store = self._parts.store_of(namespace)
        if name is not None:
            numbers = _numbers(store, owner, name) if find_name_problem(name) is None else ()
            if not numbers:
                raise NotFound(f'No data named "{name}" exists for model {model}', hint=f"swamp data list {model}")
            if version is not None and version not in numbers:
                available = ", ".join(map(str, reversed(numbers)))
                raise NotFound(f'Version {version} does not exist for "{name}" (available versions: {available})')
            return DeletePlan(namespace, owner, ((name, (version,) if version is not None else numbers),))
        names = [found for found in self._names(namespace, owner) if found.startswith(prefix or "")]
        if not names:
            what = f'prefix "{prefix}"' if prefix else "any data"
            raise NotFound(f"No data matching {what} found for model {model}", hint=f"swamp data list {model}")
        return DeletePlan(namespace, owner, tuple((found, _numbers(store, owner, found)) for found in names))

    def _names(self, namespace: Namespace, model: Model) -> list[str]:
        layout = self._parts.layout.of(namespace)
        disk = self._parts.world.disk
        names: set[str] = set()
        for root in layout.data_roots():
            directory = posixpath.join(root, model.type, model.id)
            try:
                entries = disk.scandir(directory)
            except (FileNotFoundError, NotADirectoryError):
                continue
            for entry in entries:
                path = posixpath.join(directory, entry.name)
                if entry.kind is Kind.DIRECTORY and list_numbers(disk, path):
                    names.add(entry.name)
        return sorted(names)

    def apply_delete(self, plan: DeletePlan) -> DeleteResult:
        """Delete what was planned, and nothing that came since.

        One artifact that cannot be deleted does not keep the others; it is reported.

        Raises:
            LockTimeout: Somebody else is writing the model.
        """
        self._require_member(plan.namespace)
        store = self._parts.store_of(plan.namespace)
        artifacts = versions = 0
        failed: list[tuple[str, str]] = []
        with self._lock(plan.namespace, plan.model, "data delete") as lease:
            for name, numbers in plan.targets:
                try:
                    versions += len(store.delete_versions(plan.model, name, numbers, check=lease.check).versions)
                    artifacts += 1
                except NotFound:
                    continue
                except OSError as error:
                    failed.append((name, error.strerror or str(error)))
                self._recatalogue(plan.namespace, plan.model, name)
        return DeleteResult(plan.model, artifacts, versions, tuple(failed))

    def rename(self, model: str, old_name: str, new_name: str) -> RenameResult:
        """Give an artifact a new name: its latest version is copied, and the old name forwards there.

        Raises:
            NotFound: There is no such artifact.
            Conflict: The new name is taken.
        """
        check_name(new_name)
        namespace, owner = self.require_model(model, None, is_created=False)
        store = self._parts.store_of(namespace)
        with self._lock(namespace, owner, "data rename") as lease:
            floors = (self._floor(namespace, owner, old_name), self._floor(namespace, owner, new_name))
            try:
                done = store.rename(owner, old_name, new_name, floors=floors, check=lease.check)
            except NotFound as error:
                raise NotFound(f'Data "{old_name}" not found', hint=f"swamp data list {model}", key=old_name) from error
            except Conflict as error:
                raise Conflict(f'Data "{new_name}" already exists', hint=error.hint, key=new_name) from error
            self._recatalogue(namespace, owner, old_name)
            self._recatalogue(namespace, owner, new_name)
        return RenameResult(owner, old_name, new_name, done.copied.version, done.new.version)

    # --- what all of them do -----------------------------------------------------------------------

    def require_model(self, text: str, model_type: str | None, *, is_created: bool = True) -> tuple[Namespace, Model]:
        """Find the model to write to, and create its automatic definition if nobody defined it.

        Raises:
            NotFound: There is no such model and `is_created` is false.
            InvalidInput: A new model cannot have that name, or an existing one has another type.
            Conflict: This repo is no member of the namespace.
        """
        wanted = normalise_type(model_type) if model_type is not None else None
        try:
            namespace, model = self.find_model(text)
        except NotFound:
            if not is_created or ":" in text:
                raise
            self._require_member(self._parts.namespace)
            return self._parts.namespace, self._parts.create_definition(text, wanted or DEFAULT_TYPE)
        if wanted is not None and wanted != model.type:
            raise Conflict(
                f"model `{model.name}` has the type `{model.type}`, not `{wanted}`",
                hint="leave --type out, or choose another model name",
                key=text,
            )
        self._require_member(namespace)
        return namespace, model

    def _require_member(self, namespace: Namespace) -> None:
        self._parts.require_member(namespace)

    def _lock(self, namespace: Namespace, model: Model, command: str) -> AbstractContextManager[HeldLocks]:
        return self._parts.guard_of(namespace).model_lock([(model.type, model.id)], command=command)

    def _floor(self, namespace: Namespace, model: Model, name: str) -> int:
        return self._parts.state.highest.find(ArtifactKey(namespace.name, model.type, model.id, name))

    def _record(self, namespace: Namespace, model: Model, versions: Sequence[Metadata]) -> None:
        rows = [row_from_metadata(namespace, model.type, model.id, m, is_latest=True) for m in versions]
        self._parts.catalog.upsert_latest_many(rows)
        keys = [(artifact_key(row), row.version) for row in rows]
        self._parts.state.highest.raise_to(keys)
        self._parts.state.feed.record((UPSERT, key, version) for key, version in keys)

    def _recatalogue(self, namespace: Namespace, model: Model, name: str) -> None:
        self._parts.refresh(namespace, Scope(model.type, model.id, name))


def parse_cap(text: str | int | None) -> int | str | None:
    """Parse what `--gc` takes: how many versions to keep, or how old they may become.

    Raises:
        InvalidInput: It is neither a number above zero nor a duration.
    """
    if text is None or isinstance(text, int):
        if text is not None and text < 1:
            raise InvalidInput(f"at least one version has to be kept, not {text}", hint="--gc 10, or --gc 30d")
        return text
    if text.isascii() and text.isdigit():
        return parse_cap(int(text))
    if not parse_duration(text):
        raise InvalidInput(f"a retention of `{text}` keeps nothing", hint="--gc 10, or --gc 30d")
    return text


def _numbers(store: ArtifactStore, model: Model, name: str) -> tuple[int, ...]:
    found = store.scan(model, name)
    return tuple(sorted({*(m.version for m in found.versions), *found.incomplete}))


def make_tags(model: Model, *, content_type: str, spec: str | None, tags: Mapping[str, str]) -> dict[str, str]:
    """Make the tags of a version in swamp's order; what the user chose wins."""
    made = {"type": "resource" if content_type == JSON else "file"}
    if spec is not None:
        made["specName"] = spec
    made["modelName"] = model.name
    for key in tags:
        if not key.strip():
            raise InvalidInput("a tag's name cannot be blank", hint="--tag env=prod")
    return made | dict(tags)
