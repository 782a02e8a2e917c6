"""Which directories of the tree changed since they were last catalogued.

Nothing is read but directories, and only those whose stat signature differs from the one on record: for the others
the record says what they hold. Directories of types hold models, models hold artifacts; the tree itself does not say
which is which, so a directory counts as a model's when a child of it has versions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from swampsync.artifacts.model import normalise_type
from swampsync.artifacts.scan import parse_version
from swampsync.catalog.signatures import ARTIFACT, MODEL, TYPE, Signature
from swampsync.disk import Disk, DiskEntry, Kind
from swampsync.errors import InvalidInput
from swampsync.layout import MODEL_LOCK_NAME


class ModelVisit(NamedTuple):
    """A model's directory, and what changed in it."""

    model_type: str
    model_id: str
    root: int
    names: list[str]  # every artifact's directory
    changed: list[str]  # those that must be read
    is_changed: bool  # whether the names were listed anew


class TreeWalk:
    """One walk over one data root, from the record to the disk.

    Args:
        disk: Where the tree lies.
        top: The data root, absolute.
        root: Its number on record.
        known: The signatures on record, by path.
        is_settled: Whether a directory with this ctime (nanoseconds) cannot change again without its time changing.
        skips: Whether an artifact (path relative to the data root) lies in the other root.
    """

    def __init__(
        self,
        disk: Disk,
        top: str,
        *,
        root: int,
        known: Mapping[str, Signature],
        is_settled: Callable[[int], bool],
        skips: Callable[[str], bool],
    ) -> None:
        self._disk = disk
        self._top = top
        self._root = root
        self._known = known
        self._is_settled = is_settled
        self._skips = skips
        self._children: dict[str, list[str]] = {}
        for path in sorted(known):
            if path:
                parent, _, name = path.rpartition("/")
                self._children.setdefault(parent, []).append(name)
        self.fresh: list[tuple[str, str, tuple[int, int, int], bool]] = []  # path, kind, signature, is complete
        self.gone: list[str] = []
        self.problems: list[tuple[str, str]] = []

    def walk(self) -> Iterator[ModelVisit]:
        """Visit every model under the root."""
        yield from self._visit("")

    def visit_model(self, model_type: str, model_id: str) -> Iterator[ModelVisit]:
        """Visit one model, if its directory exists."""
        yield from self._visit(f"{model_type}/{model_id}", kind=MODEL)

    def is_artifact_changed(self, path: str) -> bool | None:
        """Say whether an artifact's directory must be read; `None` if it is not there."""
        try:
            found = self._disk.stat(f"{self._top}/{path}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        if found.kind is not Kind.DIRECTORY:
            return None
        on_record = self._known.get(path)
        if on_record is None or on_record.kind != ARTIFACT or not on_record.is_complete:
            return True
        if on_record.own != found.signature:
            return True
        if not on_record.watched:
            return False
        try:
            return self._disk.stat(f"{self._top}/{path}/{on_record.watched}").signature != on_record.inner
        except FileNotFoundError:
            return True

    def _visit(self, path: str, *, kind: str | None = None) -> Iterator[ModelVisit]:
        directory = f"{self._top}/{path}" if path else self._top
        on_record = self._known.get(path)
        try:
            found = self._disk.stat(directory)
            is_changed = on_record is None or not on_record.is_complete or on_record.own != found.signature
            if is_changed:
                names, kind, is_complete = self._list(path, directory, kind)
                is_complete = is_complete and self._is_settled(found.ctime_ns)
                self.fresh.append((path, kind, found.signature, is_complete))
                self._forget(path, names)
            else:
                names = self._children.get(path, [])
                kind = on_record.kind if on_record is not None else TYPE
        except (FileNotFoundError, NotADirectoryError):
            self._forget(path, [])
            if path in self._known:
                self.gone.append(path)
            return
        except OSError as error:
            # Not to be read now is not gone: its rows stay, and it is looked at again next time.
            self.problems.append((directory, f"`{directory}`: {error.strerror}"))
            return
        if kind == MODEL:
            if not _is_normalised(path.rpartition("/")[0]):
                return  # neither swamp nor we would find it again by its type
            yield self._visit_artifacts(path, names, is_changed=is_changed)
            return
        for name in names:
            yield from self._visit(f"{path}/{name}" if path else name)

    def _visit_artifacts(self, path: str, names: list[str], *, is_changed: bool) -> ModelVisit:
        model_type, _, model_id = path.rpartition("/")
        present, changed = [], []
        for name in names:
            artifact = f"{path}/{name}"
            if self._skips(artifact):
                continue
            answer = self.is_artifact_changed(artifact)
            if answer is None:
                self.gone.append(artifact)
                is_changed = True
                continue
            present.append(name)
            if answer:
                changed.append(name)
        return ModelVisit(model_type, model_id, self._root, present, changed, is_changed)

    def _list(self, path: str, directory: str, kind: str | None) -> tuple[list[str], str, bool]:
        """List a directory's sub-directories and say what kind it is and whether that is certain."""
        entries = self._disk.scandir(directory)
        names = sorted(_directories(entries))
        is_locked = any(entry.name == MODEL_LOCK_NAME for entry in entries)
        on_record = self._known.get(path)
        if kind == MODEL or is_locked or (on_record is not None and on_record.kind == MODEL):
            return names, MODEL, not is_locked
        if "/" not in path:
            return names, TYPE, True
        is_certain = True
        for name in names:
            answer = self._holds_versions(f"{directory}/{name}")
            if answer:
                return names, MODEL, True
            is_certain = is_certain and answer is False
        return names, TYPE, is_certain

    def _holds_versions(self, directory: str) -> bool | None:
        """Say whether a directory holds versions; `None` if it holds numbers that are not versions yet."""
        try:
            numbers = [name for name in _directories(self._disk.scandir(directory)) if parse_version(name)]
        except OSError:
            return None
        for number in numbers:
            try:
                self._disk.stat(f"{directory}/{number}/metadata.yaml")
            except FileNotFoundError:
                continue
            return True
        return None if numbers else False

    def _forget(self, path: str, names: list[str]) -> None:
        """Note what is on record below `path` and no longer listed there."""
        listed = set(names)
        for name in self._children.get(path, []):
            if name not in listed:
                self._forget_all(f"{path}/{name}" if path else name)

    def _forget_all(self, path: str) -> None:
        self.gone.append(path)
        for name in self._children.get(path, []):
            self._forget_all(f"{path}/{name}")


def _directories(entries: list[DiskEntry]) -> list[str]:
    return [entry.name for entry in entries if entry.kind is Kind.DIRECTORY and not entry.name.startswith(".")]


def _is_normalised(model_type: str) -> bool:
    try:
        return normalise_type(model_type) == model_type
    except InvalidInput:
        return False
