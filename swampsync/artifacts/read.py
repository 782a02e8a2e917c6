"""Reading versions: metadata, forwards of renamed names, history, and content that is verified while it streams."""

from __future__ import annotations

import hashlib
import io
from typing import BinaryIO, Final

from swampsync.artifacts.latest import latest_of
from swampsync.artifacts.metadata import Metadata, Owner
from swampsync.artifacts.model import Model
from swampsync.artifacts.names import find_name_problem
from swampsync.artifacts.scan import RAW_NAME, Problem, list_numbers, read_version, scan_artifact
from swampsync.artifacts.tree import Tree
from swampsync.disk import Kind
from swampsync.errors import Conflict, DataError, NotFound

MAX_FORWARDS: Final = 5


def read_metadata(tree: Tree, model: Model, name: str, *, version: int | None = None) -> Metadata:
    """Read metadata of one version as it is, or of the latest one, following forwards.

    Raises:
        NotFound: There is no such artifact or version, or it was renamed more than five times.
        DataError: The version is damaged; the message names the file.
    """
    if version is None:
        return follow(tree, model, name)
    path = tree.artifact_path(model, name)
    found = read_version(tree.disk, path, name, version)
    if isinstance(found, Metadata):
        return found
    if isinstance(found, Problem):
        raise _damaged(found)
    available = ", ".join(str(m.version) for m in scan_artifact(tree.disk, path).versions)
    if not available:
        raise _missing(model, name)
    raise NotFound(f"version {version} does not exist for `{name}` (available versions: {available})", key=path)


def follow(tree: Tree, model: Model, name: str) -> Metadata:
    """Return the latest version of a name, or of what it was renamed to.

    Raises:
        NotFound: There is no version, or there are more than five forwards.
        DataError: All that there is is damaged, or a forward names no artifact.
    """
    current = name
    for _ in range(MAX_FORWARDS + 1):
        path = tree.artifact_path(model, current)
        latest = latest_of(tree, path)
        if latest is None:
            problems = scan_artifact(tree.disk, path).problems
            if problems:
                raise _damaged(problems[0])
            raise _missing(model, current)
        if not latest.is_deleted or latest.renamed_to is None:
            return latest
        if "/" in latest.renamed_to or find_name_problem(latest.renamed_to) is not None:
            raise DataError(f"`{path}` was renamed to `{latest.renamed_to!a}`, which is no artifact's name", key=path)
        current = latest.renamed_to
    raise NotFound(
        f"`{name}` was renamed more than {MAX_FORWARDS} times; the trail ends at `{current}`",
        hint=f"swamp data get {model.name} {current}",
    )


def find_latest(tree: Tree, model: Model, name: str) -> Metadata | None:
    """Return what `follow` returns, or `None` where it finds nothing that can be read."""
    try:
        return follow(tree, model, name)
    except (NotFound, DataError):
        return None


def check_owner(tree: Tree, model: Model, name: str, owner: Owner) -> None:
    """Refuse to write where the latest version, forwards followed, has another owner.

    Raises:
        Conflict: Owner type or reference differ.
    """
    latest = find_latest(tree, model, name)
    if latest is not None:
        require_owner(latest, name, owner)


def require_owner(latest: Metadata, name: str, owner: Owner) -> None:
    """Refuse to write after a version of another owner.

    Raises:
        Conflict: Owner type or reference differ.
    """
    if (latest.owner.owner_type, latest.owner.owner_ref) != (owner.owner_type, owner.owner_ref):
        raise Conflict(
            f"`{name}` belongs to {latest.owner.owner_type} `{latest.owner.owner_ref}`, "
            f"not to {owner.owner_type} `{owner.owner_ref}`",
            hint="choose another name, or write as the owner",
            key=name,
        )


def read_history(tree: Tree, model: Model, name: str, *, is_following: bool) -> tuple[Metadata, ...]:
    """Return the whole versions of a name, newest first, then those of the names that were renamed to it."""
    versions: list[Metadata] = []
    pending = [name]
    seen = {name}
    for _ in range(MAX_FORWARDS + 1):
        for current in pending:
            versions += reversed(scan_artifact(tree.disk, tree.artifact_path(model, current)).versions)
        if not is_following:
            break
        pending = [old for target in pending for old in _renamed_to(tree, model, target) if old not in seen]
        seen.update(pending)
    return tuple(versions)


def _renamed_to(tree: Tree, model: Model, target: str) -> list[str]:
    found = []
    for root in tree.layout.data_roots():
        directory = f"{root}/{model.type}/{model.id}"
        try:
            entries = tree.disk.scandir(directory)
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            if entry.kind is Kind.DIRECTORY and list_numbers(tree.disk, f"{directory}/{entry.name}"):
                latest = latest_of(tree, f"{directory}/{entry.name}")
                if latest is not None and latest.is_deleted and latest.renamed_to == target:
                    found.append(entry.name)
    return sorted(found)


def open_content(tree: Tree, model: Model, metadata: Metadata) -> BinaryIO:
    """Open the content of a version: exactly its bytes, checked at the end.

    Raises:
        NotFound: The version is gone.
    """
    path = f"{tree.artifact_path(model, metadata.name)}/{metadata.version}/{RAW_NAME}"
    try:
        raw = tree.disk.open_read(path)
    except FileNotFoundError as error:
        raise NotFound(f"`{path}` is gone", key=path) from error
    return io.BufferedReader(ContentStream(raw, path=path, size=metadata.size, checksum=metadata.checksum), 1 << 17)


class ContentStream(io.RawIOBase):
    """A version's bytes, hashed while they are read; the end is only reached if size and checksum are right.

    Args:
        raw: The open file; closed with the stream.
        path: The file, for errors.
        size: How many bytes belong to the version, `None` for all there are; what lies beyond is being appended.
        checksum: SHA-256 of them, `None` where it is not known.
    """

    def __init__(self, raw: BinaryIO, *, path: str, size: int | None, checksum: str | None) -> None:
        super().__init__()
        self._raw = raw
        self._path = path
        self._left = size
        self._checksum = checksum
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Read some bytes; at the end, verify.

        Raises:
            DataError: The file is shorter than its metadata says, or holds other bytes.
        """
        wanted = len(buffer) if self._left is None else min(len(buffer), self._left)
        chunk = self._raw.read(wanted) if wanted else b""
        if chunk:
            buffer[: len(chunk)] = chunk
            if self._left is not None:
                self._left -= len(chunk)
            if self._checksum is not None:
                self._digest.update(chunk)
        elif len(buffer):
            self._verify()
        return len(chunk)

    def close(self) -> None:
        """Close the file too."""
        if not self.closed:
            self._raw.close()
        super().close()

    def _verify(self) -> None:
        if self._left:
            raise DataError(f"`{self._path}` is {self._left} bytes shorter than its metadata says", key=self._path)
        if self._checksum is not None and self._digest.hexdigest() != self._checksum.lower():
            raise DataError(
                f"`{self._path}` does not have the SHA-256 that its metadata says: it was changed after it was written",
                key=self._path,
            )


def _missing(model: Model, name: str) -> NotFound:
    return NotFound(f"no data named `{name}` exists for model `{model.name}`", key=name)


def _damaged(problem: Problem) -> DataError:
    if problem.path in problem.reason:
        return DataError(problem.reason, key=problem.path)
    return DataError(f"`{problem.path}` {problem.reason}", key=problem.path)
