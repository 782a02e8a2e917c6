"""The one place where a path or an object key is made.

A layout knows the repo's directory, the datastore's base, the namespace, which subdirectories lie in the
datastore, and what is excluded from it. `<namespace>/` is prepended here and nowhere else; in solo mode there
is no prefix, and everything is byte-identical to having no namespaces at all.

Paths on a disk are absolute strings; keys in a bucket are `ObjectKey`s relative to the bucket's prefix. Both
come from the same relative path, so the two layouts cannot drift apart.
"""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from swampsync.errors import InvalidInput, printable
from swampsync.namespace import ALWAYS_LOCAL_SUBDIRS, DATASTORE_SUBDIRS, SOLO, Namespace

MAX_KEY_BYTES: Final = 1_024
SEQUENCE_DIGITS: Final = 20

MANIFEST_NAME: Final = ".namespace.json"
MEMBERS_NAME: Final = ".swampsync.json"
MODEL_LOCK_NAME: Final = ".lock"
CONFIG_NAME: Final = ".swamp.yaml"


@dataclass(frozen=True, order=True, slots=True)
class ObjectKey:
    """A validated key: forward slashes, NFC, no empty, `.` or `..` segment, no control character."""

    text: str

    @classmethod
    def parse(cls, text: str) -> ObjectKey:
        """Validate a key that comes from outside.

        Raises:
            InvalidInput: The key could escape its prefix, or not every store and disk can hold it.
        """
        problem = find_key_problem(text)
        if problem is not None:
            shown = printable(text[:200])
            raise InvalidInput(f"key `{shown}` {problem}", key=shown)
        return cls(text)

    def __str__(self) -> str:
        return self.text


def find_key_problem(text: str) -> str | None:
    """Say what is wrong with a key (`has an empty segment`), or `None` if it is fine."""
    if not text:
        return "is empty"
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return "is not valid Unicode"
    if len(encoded) > MAX_KEY_BYTES:
        return f"is longer than {MAX_KEY_BYTES} bytes"
    if "\\" in text:
        return "holds a backslash"
    if not text.isascii() and not unicodedata.is_normalized("NFC", text):
        return "is not in Unicode normal form C"
    # ASCII that can be printed has none; nearly every key is that, and looking at each character takes far longer.
    if not (text.isascii() and text.isprintable()) and any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in text):
        return "holds a control character"
    for segment in text.split("/"):
        if not segment:
            return "has an empty segment"
        if segment in {".", ".."}:
            return f"has a `{segment}` segment"
    return None


def _join(root: str, *parts: str) -> str:
    """Join below a root; `posixpath.join` would let an absolute part or `..` lead out of it."""
    if not parts:
        return root
    relative = "/".join(parts)
    framed = f"/{relative}/"
    if "//" in framed or "/./" in framed or "/../" in framed or "\0" in framed:
        shown = printable(relative[:200])
        raise InvalidInput(f"path `{shown}` has an empty, `.` or `..` segment, or a NUL character", key=shown)
    return f"{root}{relative}" if root.endswith("/") else f"{root}/{relative}"


def _never(_path: str) -> bool:
    return False


@dataclass(frozen=True)
class Layout:
    """Where everything of one repo lies.

    Args:
        repo_dir: The repo's directory, absolute.
        base: The datastore's directory: the shared directory, `{repo}/.swamp`, or the local copy of a bucket.
        namespace: Whose tree; `SOLO` for none.
        subdirs: The subdirectories that lie in the datastore; always-local ones are dropped from it.
        is_excluded: Whether a relative path (`data/x/y`) stays local although its subdirectory does not.
    """

    repo_dir: str
    base: str
    namespace: Namespace = SOLO
    subdirs: tuple[str, ...] = DATASTORE_SUBDIRS
    is_excluded: Callable[[str], bool] = field(default=_never, compare=False)

    def __post_init__(self) -> None:
        kept = tuple(s for s in self.subdirs if s not in ALWAYS_LOCAL_SUBDIRS)
        object.__setattr__(self, "subdirs", kept)

    def of(self, namespace: Namespace) -> Layout:
        """Return the layout of another namespace of the same datastore."""
        return replace(self, namespace=namespace)

    @property
    def has_exclusions(self) -> bool:
        """Whether any path may be excluded from the datastore."""
        return self.is_excluded is not _never

    # --- the datastore tier ------------------------------------------------------------------------

    @property
    def root(self) -> str:
        """The namespace's directory: `{base}/{ns}`, or `{base}` in solo mode."""
        return self.datastore_path()

    def datastore_path(self, *parts: str) -> str:
        """Make a path in the datastore, with the namespace in front.

        Raises:
            InvalidInput: The path would lead elsewhere.
        """
        return _join(self.base, *self._prefix, *parts)

    def local_path(self, *parts: str) -> str:
        """Make a path in the repo's own `.swamp`, never namespaced.

        Raises:
            InvalidInput: The path would lead elsewhere.
        """
        return _join(self.repo_dir, ".swamp", *parts)

    def is_local(self, relative: str) -> bool:
        """Say whether a relative path (`data/x/y`) lies in the repo instead of the datastore."""
        return relative.partition("/")[0] not in self.subdirs or self.is_excluded(relative)

    def resolve(self, *parts: str) -> str:
        """Make the path of `subdir/rest…`, in the repo or in the datastore as configured."""
        relative = "/".join(parts)
        return self.local_path(relative) if self.is_local(relative) else self.datastore_path(relative)

    def data_roots(self) -> tuple[str, ...]:
        """Return the directories that may hold artifacts, the datastore's first.

        There are two only where patterns exclude part of `data/` from the datastore.
        """
        local = self.local_path("data")
        if self.is_local("data"):
            return (local,)
        shared = self.datastore_path("data")
        return (shared,) if not self.has_exclusions or local == shared else (shared, local)

    def staging_path(self) -> str:
        """Return the directory for content that is not published yet, on the file system of the data."""
        return posixpath.dirname(self.data_roots()[0]) + "/.staging"

    # --- artifacts, relative to the namespace's root -----------------------------------------------

    @staticmethod
    def model_path(model_type: str, model_id: str) -> str:
        """Make the relative path of a model's data: `data/{type…}/{id}`."""
        return f"data/{model_type}/{model_id}"

    @staticmethod
    def artifact_path(model_type: str, model_id: str, name: str) -> str:
        """Make the relative path of an artifact: `data/{type…}/{id}/{name}`."""
        return f"data/{model_type}/{model_id}/{name}"

    @staticmethod
    def version_path(model_type: str, model_id: str, name: str, version: int) -> str:
        """Make the relative path of a version: `data/{type…}/{id}/{name}/{N}`."""
        return f"data/{model_type}/{model_id}/{name}/{version}"

    # --- locks -------------------------------------------------------------------------------------

    def structural_lock_key(self) -> str:
        """Make the structural lock's key, relative to the base: `.locks/{ns}.lock`, solo `.datastore.lock`."""
        return ".datastore.lock" if self.namespace.is_solo else f".locks/{self.namespace}.lock"

    def model_lock_key(self, model_type: str, model_id: str) -> str:
        """Make a model lock's key, relative to the base: `[{ns}/]data/{type…}/{id}/.lock`."""
        return posixpath.join(*self._prefix, self.model_path(model_type, model_id), MODEL_LOCK_NAME)

    def lock_path(self, key: str) -> str:
        """Make the path of a lock key on a directory."""
        return _join(self.base, key)

    def definition_lock_path(self, name: str) -> str:
        """Make the path of the lock that guards the creation of an automatic definition."""
        return self.resolve("auto-definitions", ".auto-definition-create", name.replace("/", "--") + ".lock")

    # --- registry ----------------------------------------------------------------------------------

    def manifest_path(self) -> str:
        """Make the path of swamp's manifest of the namespace."""
        return self.datastore_path(MANIFEST_NAME)

    def manifest_path_of(self, directory: str) -> str:
        """Make the path of swamp's manifest in a directory that was found at the base, whatever its name."""
        return _join(self.base, directory, MANIFEST_NAME)

    def members_path(self) -> str:
        """Make the path of our own manifest of the namespace."""
        return self.datastore_path(MEMBERS_NAME)

    # --- the repo ----------------------------------------------------------------------------------

    def catalog_path(self) -> str:
        """Make the path of the catalog: always in the repo, never namespaced."""
        return self.local_path("data", "_catalog.db")

    def state_path(self) -> str:
        """Make the path of our own state database: beside the catalog."""
        return self.local_path("data", "_sync.db")

    def config_path(self) -> str:
        """Make the path of the repo's configuration."""
        return posixpath.join(self.repo_dir, CONFIG_NAME)

    def models_path(self) -> str:
        """Make the path of the repo's model definitions."""
        return posixpath.join(self.repo_dir, "models")

    # --- keys in a bucket, relative to its prefix --------------------------------------------------

    def key(self, relative: str) -> ObjectKey:
        """Make the key of a relative path (`data/…/raw`) of the namespace."""
        return ObjectKey.parse(posixpath.join(*self._prefix, relative))

    def manifest_key(self) -> ObjectKey:
        """Make the key of the namespace's manifest: `{ns}/.namespace.json`."""
        return self.key(MANIFEST_NAME)

    @staticmethod
    def manifest_key_of(directory: str) -> ObjectKey:
        """Make the key of the manifest in a directory that was found at the root, whatever its name."""
        return ObjectKey.parse(posixpath.join(directory, MANIFEST_NAME))

    def members_key(self) -> ObjectKey:
        """Make the key of our own manifest: `{ns}/.swampsync.json`."""
        return self.key(MEMBERS_NAME)

    def log_key(self, seq: int) -> ObjectKey:
        """Make the key of a commit: `{ns}/_log/{seq:020d}.json`."""
        return self.key(f"_log/{seq:0{SEQUENCE_DIGITS}d}.json")

    def checkpoint_key(self, seq: int) -> ObjectKey:
        """Make the key of a checkpoint; the newest lists first: `{ns}/_checkpoints/{10^20-1-seq:020d}.json`."""
        return self.key(f"_checkpoints/{10**SEQUENCE_DIGITS - 1 - seq:0{SEQUENCE_DIGITS}d}.json")

    def segment_key(self, identifier: str) -> ObjectKey:
        """Make the key of a segment: `{ns}/_segments/{uuid}.jsonl.gz`."""
        return self.key(f"_segments/{identifier}.jsonl.gz")

    def prefix_of(self, relative_directory: str) -> str:
        """Make a listing prefix, with its slash: `{ns}/_log/`; empty for the root of solo."""
        joined = posixpath.join(*self._prefix, relative_directory) if relative_directory else "/".join(self._prefix)
        return f"{joined}/" if joined else ""

    @property
    def _prefix(self) -> tuple[str, ...]:
        return () if self.namespace.is_solo else (self.namespace.name,)
