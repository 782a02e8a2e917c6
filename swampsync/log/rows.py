"""Rows: what commits, segments and checkpoints consist of.

They are named tuples and not dataclasses because a new clone decodes hundreds of thousands of them and hands them to
SQLite as they are. Each is checked where it enters, whether from a store or from a caller.

A version's `raw` is a `FilePut`; its `metadata.yaml` is an `ArtifactRow`, which stands for that file too.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from swampsync.errors import DataError, printable
from swampsync.layout import Layout
from swampsync.log.paths import METADATA_FILE, find_path_problem, parse_version_path

MAX_SIZE: Final = 2**63 - 1
_HEX: Final = "0123456789abcdef"


class FilePut(NamedTuple):
    """A file that a commit publishes.

    Args:
        path: Relative to the namespace.
        size: In bytes.
        sha256: Of the content, lower-case hex.
        key: Where the object lies, relative to the namespace, if not at `path`.
        base: The digest that this content replaced, if it replaced any.
    """

    path: str
    size: int
    sha256: str
    key: str | None = None
    base: str | None = None

    @property
    def object_path(self) -> str:
        """Where the object lies, relative to the namespace."""
        return self.key or self.path


class Removal(NamedTuple):
    """A path that a commit removes."""

    path: str


class ArtifactRow(NamedTuple):
    """The metadata of an artifact's version.

    Args:
        model_type: Normalised, may hold slashes.
        model_id: One segment.
        metadata: `metadata.yaml` as JSON, every field, camelCase.
        text: The exact text of `metadata.yaml` where rendering `metadata` would give other bytes.
        key: Where the `metadata.yaml` object lies, relative to the namespace, if not at `path`.
    """

    model_type: str
    model_id: str
    metadata: dict[str, Any]
    text: str | None = None
    key: str | None = None

    @property
    def name(self) -> str:
        """The artifact's name."""
        name: str = self.metadata["name"]
        return name

    @property
    def version(self) -> int:
        """The version's number."""
        version: int = self.metadata["version"]
        return version

    @property
    def artifact(self) -> str:
        """The artifact's path: `data/{type…}/{id}/{name}`."""
        return Layout.artifact_path(self.model_type, self.model_id, self.name)

    @property
    def path(self) -> str:
        """The path of the `metadata.yaml` that the row stands for."""
        return f"{self.artifact}/{self.version}/{METADATA_FILE}"

    @property
    def object_path(self) -> str:
        """Where the `metadata.yaml` object lies, relative to the namespace."""
        return self.key or self.path


class Highest(NamedTuple):
    """In checkpoints: an artifact once had this number, whether or not the version still exists."""

    artifact: str
    number: int


class UsedPath(NamedTuple):
    """In checkpoints: this path of another file was used once, whether or not the file still exists."""

    path: str


Row = FilePut | Removal | ArtifactRow
StateRow = FilePut | ArtifactRow | Highest | UsedPath
AnyRow = Row | Highest | UsedPath


def find_row_problem(row: AnyRow) -> str | None:
    """Say what is wrong with a row, or `None`."""
    if isinstance(row, FilePut):
        return _find_put_problem(row)
    if isinstance(row, ArtifactRow):
        return _find_artifact_problem(row)
    if isinstance(row, Highest):
        artifact, number = row
        if type(artifact) is not str or type(number) is not int or number < 1:
            return "has a malformed highest number"
        parsed = parse_version_path(f"{artifact}/{number}/{METADATA_FILE}")
        return "is no path of an artifact" if parsed is None else _prefixed(artifact)
    return _prefixed(row.path) if type(row.path) is str else "has a path that is no text"


def _find_put_problem(row: FilePut) -> str | None:
    path, size, sha256, key, base = row
    if type(path) is not str:
        return "has a path that is no text"
    problem = find_path_problem(path)
    if problem is not None:
        return f"names path `{printable(path[:200])}`, which {problem}"
    if type(size) is not int or not 0 <= size <= MAX_SIZE:
        return f"has no valid size for `{path}`"
    if not is_digest(sha256) or (base is not None and not is_digest(base)):
        return f"has no valid digest for `{path}`"
    return None if key is None else _key_problem(key)


def _find_artifact_problem(row: ArtifactRow) -> str | None:
    model_type, model_id, metadata, text, key = row
    if type(model_type) is not str or type(model_id) is not str or type(metadata) is not dict:
        return "has a malformed artifact"
    name = metadata.get("name")
    version = metadata.get("version")
    if type(name) is not str or type(version) is not int or type(metadata.get("id")) is not str:
        return "has an artifact without id, name or version"
    if not name or "/" in name or not model_id or "/" in model_id:
        return (
            f"has an artifact with an impossible name `{printable(name[:200])}` or model `{printable(model_id[:200])}`"
        )
    if not 0 < version < 10**15:
        return f"has an artifact with version {version}"
    path = row.path
    problem = find_path_problem(path)
    if problem is not None:
        return f"names path `{printable(path[:200])}`, which {problem}"
    if text is not None and type(text) is not str:
        return f"has no valid text for `{path}`"
    return None if key is None else _key_problem(key)


def _key_problem(key: object) -> str | None:
    return _prefixed(key) if type(key) is str else "has a key that is no text"


def _prefixed(path: str) -> str | None:
    problem = find_path_problem(path)
    return None if problem is None else f"names path `{printable(path[:200])}`, which {problem}"


def is_digest(text: object) -> bool:
    """Say whether `text` is a SHA-256 in lower-case hex."""
    return type(text) is str and len(text) == 64 and not text.strip(_HEX)


# --- rows as lines of a segment ------------------------------------------------------------------------------

_ARITY: Final = {"p": (3, 5), "r": (1, 1), "a": (3, 5), "h": (2, 2), "u": (1, 1)}
_KINDS: Final[dict[str, type[AnyRow]]] = {"p": FilePut, "r": Removal, "a": ArtifactRow, "h": Highest, "u": UsedPath}
_LETTERS: Final[dict[type[AnyRow], str]] = {kind: letter for letter, kind in _KINDS.items()}


def row_to_list(row: AnyRow) -> list[Any]:
    """Turn a row into what a segment holds: a letter for its kind, then its fields, without `None` at the end."""
    fields: list[Any] = [_LETTERS[type(row)], *row]
    while fields[-1] is None:
        fields.pop()
    return fields


def row_from_list(fields: Any, *, key: str) -> AnyRow:
    """Turn a decoded line of a segment into a row.

    Args:
        fields: As `orjson` decoded it.
        key: The segment's key, for errors.

    Raises:
        DataError: The line is no valid row.
    """
    if type(fields) is not list or not fields or type(fields[0]) is not str or fields[0] not in _KINDS:
        raise DataError(f"segment `{key}` holds a line that is no row", key=key)
    letter = fields[0]
    low, high = _ARITY[letter]
    if not low < len(fields) <= high + 1:
        raise DataError(f"segment `{key}` holds a row of a wrong length", key=key)
    row: AnyRow = _KINDS[letter](*fields[1:])
    problem = find_row_problem(row)
    if problem is not None:
        raise DataError(f"segment `{key}` holds a row that {problem}", key=key)
    return row
