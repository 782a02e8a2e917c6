"""Writing data: under the model's lock, in a namespace that this repo is a member of."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Final

from swampsync.artifacts.batch import BatchItem
from swampsync.artifacts.lifetimes import find_surplus, parse_duration
from swampsync.artifacts.metadata import Draft, Metadata, Owner
from swampsync.artifacts.model import Model
from swampsync.artifacts.names import check_name, find_name_problem
from swampsync.disk import Kind
from swampsync.errors import InvalidInput, NotFound
from swampsync.maintenance.relocate import walk_files
from swampsync.namespace import Namespace
from swampsync.repo.reading import Progress
from swampsync.repo.removing import DataRemover
from swampsync.repo.values import ImportResult, Version

if TYPE_CHECKING:
    from swampsync.artifacts.staged import Staged

DEFAULT_LIFETIME: Final = "infinite"
DEFAULT_VERSIONS_KEPT: Final = 10  # what swamp's own model types choose
JSON: Final = "application/json"


class DataWriter(DataRemover):
    """Everything that can be done with data: reading, removing and putting."""

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
            content: Read to its end, in constant memory, before the model is locked.
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
        check_tags(tags or {})
        with self._staged(model, content, model_type=model_type) as staged, self._publishing(model):
            namespace, owner = self.require_model(model, model_type, created_by="put")
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
                floor = self._floor(namespace, owner, name)
                metadata = store.put(owner, name, staged, draft, floor=floor, check=lease.check)
                self._record(namespace, owner, [metadata])
                self._collect(namespace, metadata, owner, check=lease.check)
        return self._find_again(self._version(namespace, owner, metadata))

    def _collect(self, namespace: Namespace, written: Metadata, model: Model, *, check: Callable[[], None]) -> None:
        """Remove versions above a numeric cap where `autoGc` asks for it, as swamp does; gc does everything else."""
        config = self._parts.config
        if not config.auto_gc or config.is_remote or not isinstance(written.garbage_collection, int):
            return
        store = self._parts.store_of(namespace)
        surplus = find_surplus(store.list_versions(model, written.name), self._parts.world.clock.now())
        if surplus:
            store.delete_versions(model, written.name, surplus, check=check)
            self._recatalogue(namespace, model, written.name)

    def append(self, model: str, name: str, content: BinaryIO) -> Version:
        """Add bytes to the latest version of a streaming artifact; its number stays.

        Raises:
            NotFound: There is no such model or artifact.
            InvalidInput: The latest version was not put as streaming data.
        """
        check_name(name)
        with self._staged_for_append(model, content) as ready, self._publishing(model):
            namespace, owner = self.require_model(model)
            with self._lock(namespace, owner, "data put --append") as lease:
                metadata = self._parts.store_of(namespace).append(owner, name, ready, check=lease.check)
                self._record(namespace, owner, [metadata])
        return self._find_again(self._version(namespace, owner, metadata))

    def _staged_for_append(self, model: str, content: BinaryIO) -> AbstractContextManager[BinaryIO | Staged]:
        """Read content before the lock is taken, unless it comes from a disk and would only be copied twice."""
        if content.seekable() and not self._parts.config.is_remote:
            return contextlib.nullcontext(content)
        return self._staged(model, content)

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

        All of them are durable when this returns, in a bucket as one commit. Names that an artifact cannot have are
        left out and reported. Lifetime and retention of an artifact that is there already stay as they are.

        Raises:
            NotFound: There is no such directory.
            InvalidInput: Two paths make the same name; nothing was written.
        """
        root = posixpath.join(self._parts.config.repo_dir, directory) if not directory.startswith("/") else directory
        with self._publishing(model):
            named, skipped = self._plan_import(root, directory)
            namespace, owner = self.require_model(model, model_type, created_by="import")
            store = self._parts.store_of(namespace)
            disk = self._parts.world.disk
            with self._lock(namespace, owner, "data import") as lease:
                items = []
                earlier = self._find_earlier(namespace, owner, named)
                for name, relative in sorted(named.items()):
                    before = earlier.get(name)
                    content_type = guess_content_type(relative) if guess_content_type else "application/octet-stream"
                    draft = Draft(
                        content_type=content_type,
                        lifetime=before.lifetime if before else DEFAULT_LIFETIME,
                        garbage_collection=before.garbage_collection if before else DEFAULT_VERSIONS_KEPT,
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
                written = 0

                def on_written(_metadata: Metadata) -> None:
                    nonlocal written
                    written += 1
                    if progress is not None:
                        progress(written, len(items))

                versions = store.put_many(items, check=lease.check, on_written=on_written)
                self._record(namespace, owner, versions)
                for metadata in versions:
                    self._collect(namespace, metadata, owner, check=lease.check)
        published = tuple(self._find_again(self._version(namespace, owner, m)).metadata for m in versions)
        return ImportResult(owner, published, tuple(skipped))

    def _find_earlier(self, namespace: Namespace, model: Model, names: Iterable[str]) -> dict[str, Metadata]:
        """Find the latest versions of the artifacts that are there already: what they say of retention stays true."""
        store = self._parts.store_of(namespace)
        present = self._present(namespace, model)
        found = {name: store.scan(model, name).latest_metadata for name in names if name in present}
        return {name: metadata for name, metadata in found.items() if metadata is not None}

    def _present(self, namespace: Namespace, model: Model) -> set[str]:
        """Name what may be artifacts of a model; every other name is none."""
        present: set[str] = set()
        for root in self._parts.layout.of(namespace).data_roots():
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                entries = self._parts.world.disk.scandir(posixpath.join(root, model.type, model.id))
                present.update(entry.name for entry in entries)
        return present

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


def make_tags(model: Model, *, content_type: str, spec: str | None, tags: Mapping[str, str]) -> dict[str, str]:
    """Make the tags of a version in swamp's order; what the user chose wins."""
    made = {"type": "resource" if content_type == JSON else "file"}
    if spec is not None:
        made["specName"] = spec
    made["modelName"] = model.name
    check_tags(tags)
    return made | dict(tags)


def check_tags(tags: Iterable[str]) -> None:
    """Refuse names of tags that nobody could ask for.

    Raises:
        InvalidInput: One is blank.
    """
    if any(not name.strip() for name in tags):
        raise InvalidInput("a tag's name cannot be blank", hint="--tag env=prod")
