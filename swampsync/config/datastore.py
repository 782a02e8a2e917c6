"""Where the datastore is: a directory, or a bucket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from swampsync.config.document import ConfigDocument, ConfigValue
from swampsync.config.environment import DATASTORE, expand_path
from swampsync.config.s3 import S3_KEYS, S3_TYPE, SETUP_S3, S3Settings, read_s3, refuse_secrets
from swampsync.config.schema import ConfigWarning, SettingReader, unknown_key_warning
from swampsync.errors import InvalidInput

__all__ = [
    "FILESYSTEM_TYPE",
    "KNOWN_TYPES",
    "S3_TYPE",
    "DatastoreChoice",
    "DatastoreSettings",
    "FilesystemSettings",
    "Hydration",
    "S3Settings",
    "choose_datastore",
]

FILESYSTEM_TYPE: Final = "filesystem"
KNOWN_TYPES: Final = (FILESYSTEM_TYPE, S3_TYPE)

_FOREIGN_S3_TYPES: Final = frozenset({"s3", "@swamp/s3-datastore"})


class Hydration(Enum):
    """When the bytes of a bucket are fetched."""

    FULL = "full"  # with every pull
    LAZY = "lazy"  # when they are read


@dataclass(frozen=True, slots=True)
class FilesystemSettings:
    """A datastore on a directory.

    Args:
        path: Absolute, expanded.
        written_path: As it is written down, for people to read.
    """

    path: str
    written_path: str

    @property
    def type(self) -> str:
        """What `.swamp.yaml` calls it."""
        return FILESYSTEM_TYPE


DatastoreSettings = FilesystemSettings | S3Settings


@dataclass(frozen=True, slots=True)
class DatastoreChoice:
    """Where the datastore is, and who says so.

    Args:
        settings: The place.
        source: `SWAMP_DATASTORE`, `.swamp.yaml` or `default`.
        hydration: What the same source says of it, if anything.
        warnings: Keys that are probably misspelt.
    """

    settings: DatastoreSettings
    source: str
    hydration: str | None = None
    warnings: tuple[ConfigWarning, ...] = ()


def choose_datastore(document: ConfigDocument, *, repo_dir: str, environ: Mapping[str, str]) -> DatastoreChoice:
    """Choose the datastore: `SWAMP_DATASTORE`, then the `datastore:` block, then the repo's own `.swamp`.

    Raises:
        InvalidInput: What was chosen cannot be used.
    """
    variable = environ.get(DATASTORE)
    if variable:
        return _from_variable(variable, repo_dir=repo_dir, environ=environ)
    reader = SettingReader(document)
    if not reader.section("datastore").keys() & {"type", "path", "config"}:
        # A block that only says whose or how: the place is the repo's own.
        path = f"{repo_dir}/.swamp"
        return DatastoreChoice(FilesystemSettings(path, path), "default")
    hydration = reader.choice("datastore", "hydrationStrategy", among=tuple(h.value for h in Hydration))
    kind = reader.text("datastore", "type")
    if kind is None:
        raise reader.wrong(("datastore",), "has no `type`", hint=_types_hint())
    match kind.lower():
        case "filesystem":
            return DatastoreChoice(_filesystem_from_file(reader, repo_dir, environ), ".swamp.yaml")
        case "@swampsync/s3":
            config = reader.section("datastore", "config")
            warnings = []
            for key in config:
                refuse_secrets(key)
                if key not in S3_KEYS:
                    warnings.append(unknown_key_warning(document, ("datastore", "config", key), S3_KEYS))
            settings = read_s3(reader, ("datastore", "config"), repo_dir=repo_dir, environ=environ)
            hydration = hydration or _hydration_of(reader)
            return DatastoreChoice(settings, ".swamp.yaml", hydration, tuple(w for w in warnings if w is not None))
    raise _refuse_type(kind, reader)


def _from_variable(variable: str, *, repo_dir: str, environ: Mapping[str, str]) -> DatastoreChoice:
    kind, colon, value = variable.partition(":")
    if not colon:
        raise InvalidInput(
            f"`{DATASTORE}` must be `type:value`", hint=f"export {DATASTORE}=filesystem:/path/to/datastore"
        )
    if kind.lower() == FILESYSTEM_TYPE:
        try:
            path = expand_path(value, repo_dir=repo_dir, environ=environ)
        except InvalidInput as error:
            raise InvalidInput(f"`{DATASTORE}`: {error.message}", hint=error.hint) from error
        return DatastoreChoice(FilesystemSettings(path, value), DATASTORE)
    if kind.lower() != S3_TYPE:
        raise _refuse_type(kind, None)
    try:
        config = json.loads(value)
    except ValueError as error:
        raise InvalidInput(f"`{DATASTORE}`: what follows `{kind}:` is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise InvalidInput(f"`{DATASTORE}`: what follows `{kind}:` must be a JSON object")
    for key in config:
        refuse_secrets(key)
    # One reader for both: the JSON is looked at as if it stood in the file.
    reader = SettingReader(ConfigDocument("", path=DATASTORE, values={"config": _as_values(config)}, tree=None))
    settings = read_s3(reader, ("config",), repo_dir=repo_dir, environ=environ)
    return DatastoreChoice(settings, DATASTORE, _hydration_of(reader, "config"))


def _filesystem_from_file(reader: SettingReader, repo_dir: str, environ: Mapping[str, str]) -> FilesystemSettings:
    keys = ("datastore", "path")
    written = reader.text(*keys)
    if written is None:
        raise reader.wrong(
            ("datastore",), "of type `filesystem` needs a `path`", hint="swamp config set datastore.path DIR"
        )
    try:
        return FilesystemSettings(expand_path(written, repo_dir=repo_dir, environ=environ), written)
    except InvalidInput as error:
        raise reader.wrong(keys, f"cannot be used: {error.message}", hint=error.hint) from error


def _hydration_of(reader: SettingReader, *above: str) -> str | None:
    keys = above or ("datastore", "config")
    return reader.choice(*keys, "hydrationStrategy", among=tuple(h.value for h in Hydration))


def _as_values(value: object) -> ConfigValue:
    if isinstance(value, dict):
        return {str(key): _as_values(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_values(item) for item in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _refuse_type(kind: str, reader: SettingReader | None) -> InvalidInput:
    if kind.lower() in _FOREIGN_S3_TYPES:
        problem = f"`{kind}` is swamp's own S3 datastore, whose format swampsync does not share"
        hint = f"take another bucket or prefix for swampsync: {SETUP_S3}"
    else:
        problem, hint = f"`{kind}` is no datastore type that swampsync knows", _types_hint()
    if reader is not None:
        return reader.document.error_at(("datastore", "type"), f"names {problem}", hint=hint)
    return InvalidInput(f"`{DATASTORE}` names {problem}", hint=hint)


def _types_hint() -> str:
    return f"known types: {', '.join(KNOWN_TYPES)}"
