"""Everything that is configured for one repo, read once, from `.swamp.yaml`, the environment and flags."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from swampsync.config.config_file import read_config_file
from swampsync.config.datastore import DatastoreSettings, FilesystemSettings, Hydration, choose_datastore
from swampsync.config.document import ConfigDocument
from swampsync.config.environment import (
    HOME,
    LOCK_TIMEOUT,
    LOG_LEVEL,
    SYNC_TIMEOUT,
    find_swamp_home,
    parse_positive_integer,
)
from swampsync.config.exclude import ExcludeRules
from swampsync.config.namespace_choice import NamespaceChoice, resolve_namespace
from swampsync.config.schema import LOG_LEVELS, ConfigWarning, SettingReader, find_unknown_keys
from swampsync.config.sizes import CACHE_LIMIT, read_cache_limit
from swampsync.config.tier import read_directories, read_exclude
from swampsync.disk import Disk
from swampsync.errors import InvalidInput
from swampsync.layout import CONFIG_NAME, Layout
from swampsync.namespace import Namespace, derive_namespace

DEFAULT_LOCK_TIMEOUT_MS: Final = 60_000
DEFAULT_SYNC_TIMEOUT_MS: Final = 300_000
DEFAULT_LOG_LEVEL: Final = "warning"

_VERSION: Final = r"(\d+)\.(\d+)\.(\d+)(?:-[\w.]+)?"

SettingValue = str | bool | int | tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What the command line says; `None` where it says nothing."""

    namespace: str | None = None
    log_level: str | None = None
    sync_timeout_ms: int | None = None
    lock_timeout_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Who set a value.

    Args:
        source: `flag`, the name of an environment variable, `.swamp.yaml` or `default`.
        keys: Where in `.swamp.yaml`.
    """

    source: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """One value, for people to read.

    Args:
        name: As `swamp config get` takes it.
        value: In effect.
        source: `flag`, the name of an environment variable, `.swamp.yaml:LINE` or `default`.
    """

    name: str
    value: SettingValue
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoConfig:
    """What one command knows about its repo; nothing here was written or created.

    Args:
        repo_dir: Absolute.
        document: The configuration as it was read.
        repo_id: `None` until a writing command makes one (`ensure_repo_id`).
        swamp_version: As written; empty if missing.
        auto_gc: Whether old versions are removed after writing.
        log_level: One of `LOG_LEVELS`.
        datastore: The place.
        namespace_choice: Whose tree, and why.
        directories: The subdirectories that lie in the datastore.
        exclude: Patterns of what stays in the repo all the same.
        hydration: When a bucket's bytes are fetched.
        auto_sync: Whether writing commands pull and push.
        lock_timeout_ms: How long to wait for a lock.
        sync_timeout_ms: How long one direction of a sync may take.
        swamp_home: swamp's own directory; `None` without a home directory.
        cache_limit: How many bytes of it are kept.
        cache_dir: Where fetched content of others is kept if `SWAMP_HOME` says so; else the platform decides.
        origins: Who set each value, by the setting's name.
        warnings: What is probably not meant.
    """

    repo_dir: str
    document: ConfigDocument
    repo_id: str | None
    swamp_version: str
    auto_gc: bool
    log_level: str
    datastore: DatastoreSettings
    namespace_choice: NamespaceChoice
    directories: tuple[str, ...]
    exclude: tuple[str, ...]
    hydration: Hydration
    auto_sync: bool
    lock_timeout_ms: int
    sync_timeout_ms: int
    swamp_home: str | None
    cache_dir: str | None
    cache_limit: int
    origins: Mapping[str, Origin]
    warnings: tuple[ConfigWarning, ...]

    @property
    def namespace(self) -> Namespace:
        """Whose tree."""
        return self.namespace_choice.namespace

    @property
    def is_remote(self) -> bool:
        """Whether the datastore is a bucket."""
        return not isinstance(self.datastore, FilesystemSettings)

    @property
    def base(self) -> str:
        """The datastore's directory, or the local copy of a bucket."""
        if isinstance(self.datastore, FilesystemSettings):
            return self.datastore.path
        return posixpath.join(self.repo_dir, ".swamp", "remote")


def load_config(disk: Disk, repo_dir: str, *, environ: Mapping[str, str], flags: Flags | None = None) -> RepoConfig:
    """Read a repo's configuration; reads one file and writes none.

    Args:
        disk: Where `.swamp.yaml` lies.
        repo_dir: Absolute; see `discovery.find_repo`.
        environ: The environment, as a value.
        flags: What the command line says.

    Raises:
        NotFound: There is no `.swamp.yaml`.
        InvalidInput: It cannot be parsed, or a value in it, in the environment or in a flag cannot be used.
    """
    document = read_config_file(disk, posixpath.join(repo_dir, CONFIG_NAME))
    return make_config(document, repo_dir=repo_dir, environ=environ, flags=flags or Flags())


def make_config(document: ConfigDocument, *, repo_dir: str, environ: Mapping[str, str], flags: Flags) -> RepoConfig:
    """Read a configuration out of values only; see `load_config`."""
    reader = SettingReader(document)
    origins: dict[str, Origin] = {}
    datastore = choose_datastore(document, repo_dir=repo_dir, environ=environ)
    origins["datastore"] = Origin(datastore.source, ("datastore",))
    choice = _choose_namespace(reader, environ, flags)
    origins["namespace"] = Origin(choice.source, ("datastore", "namespace"))
    lock_timeout = _lock_timeout(environ, flags, origins)
    sync_timeout = _sync_timeout(reader, environ, flags, origins)
    log_level = _log_level(reader, environ, flags, origins)
    hydration = datastore.hydration or _file_hydration(reader)
    origins["hydrationStrategy"] = _file_or_default(reader, "datastore", "hydrationStrategy")
    if datastore.hydration is not None and datastore.source != ".swamp.yaml":
        origins["hydrationStrategy"] = Origin(datastore.source)
    auto_sync = reader.flag("datastore", "autoSync")
    origins["autoSync"] = _file_or_default(reader, "datastore", "autoSync")
    origins["cacheLimit"] = _file_or_default(reader, *CACHE_LIMIT)
    origins["autoGc"] = _file_or_default(reader, "autoGc")
    origins["directories"] = _file_or_default(reader, "datastore", "directories")
    origins["exclude"] = _file_or_default(reader, "datastore", "exclude")
    for name in ("repoId", "swampVersion"):
        origins[name] = _file_or_default(reader, name)
    return RepoConfig(
        repo_dir=repo_dir,
        document=document,
        repo_id=reader.text("repoId"),
        swamp_version=_swamp_version(reader),
        auto_gc=reader.flag("autoGc") or False,
        log_level=log_level,
        datastore=datastore.settings,
        namespace_choice=choice,
        directories=read_directories(reader),
        exclude=read_exclude(reader),
        hydration=Hydration(hydration) if hydration else Hydration.FULL,
        auto_sync=True if auto_sync is None else auto_sync,
        lock_timeout_ms=lock_timeout,
        sync_timeout_ms=sync_timeout,
        swamp_home=find_swamp_home(environ),
        cache_dir=posixpath.join(environ[HOME], "cache") if environ.get(HOME) else None,
        cache_limit=read_cache_limit(reader),
        origins=origins,
        warnings=(*find_unknown_keys(document), *datastore.warnings),
    )


def build_layout(config: RepoConfig, namespace: Namespace | None = None) -> Layout:
    """Make the one resolver of all paths and keys for a configuration.

    Args:
        config: Read before.
        namespace: Another one than the configured; `SOLO` for none.
    """
    layout = Layout(
        config.repo_dir, config.base, config.namespace if namespace is None else namespace, config.directories
    )
    rules = ExcludeRules(config.exclude)
    return layout if rules.is_empty else Layout(layout.repo_dir, layout.base, layout.namespace, layout.subdirs, rules)


def _choose_namespace(reader: SettingReader, environ: Mapping[str, str], flags: Flags) -> NamespaceChoice:
    file_value = reader.text("datastore", "namespace")
    try:
        return resolve_namespace(flag=flags.namespace, environ=environ, file_value=file_value)
    except InvalidInput as error:
        if not error.message.startswith("`datastore.namespace`"):
            raise
        # `namespace set` reads this file too, so the way out goes around the name in it.
        name = _suggest_namespace(file_value or "")
        hint = f"swamp -n {name} datastore namespace set {name}"
        problem = error.message.replace(" of `.swamp.yaml`", "")
        raise reader.document.error_at(("datastore", "namespace"), problem, hint=hint) from error


def _suggest_namespace(text: str) -> str:
    try:
        return derive_namespace(text).name
    except InvalidInput:
        return "NAME"


def _lock_timeout(environ: Mapping[str, str], flags: Flags, origins: dict[str, Origin]) -> int:
    if flags.lock_timeout_ms is not None:
        origins["lockTimeoutMs"] = Origin("flag")
        return flags.lock_timeout_ms
    number = parse_positive_integer(environ.get(LOCK_TIMEOUT, ""))
    origins["lockTimeoutMs"] = Origin(LOCK_TIMEOUT if number else "default")
    return number or DEFAULT_LOCK_TIMEOUT_MS


def _sync_timeout(reader: SettingReader, environ: Mapping[str, str], flags: Flags, origins: dict[str, Origin]) -> int:
    keys = ("datastore", "syncTimeoutMs")
    candidates = (
        (Origin("flag"), flags.sync_timeout_ms),
        (Origin(".swamp.yaml", keys), reader.positive(*keys)),
        (Origin(SYNC_TIMEOUT), parse_positive_integer(environ.get(SYNC_TIMEOUT, ""))),
        (Origin("default"), DEFAULT_SYNC_TIMEOUT_MS),
    )
    origin, number = next((origin, number) for origin, number in candidates if number is not None)
    origins["syncTimeoutMs"] = origin
    return number


def _log_level(reader: SettingReader, environ: Mapping[str, str], flags: Flags, origins: dict[str, Origin]) -> str:
    written = reader.choice("logLevel", among=LOG_LEVELS)
    for source, level in (("flag", flags.log_level), (LOG_LEVEL, environ.get(LOG_LEVEL))):
        if level:
            if level.lower() not in LOG_LEVELS:
                where = "`--log-level`" if source == "flag" else f"`{source}`"
                raise InvalidInput(f"{where} must be one of {', '.join(LOG_LEVELS)}")
            origins["logLevel"] = Origin(source)
            return level.lower()
    origins["logLevel"] = _file_or_default(reader, "logLevel")
    return written or DEFAULT_LOG_LEVEL


def _file_hydration(reader: SettingReader) -> str | None:
    return reader.choice("datastore", "hydrationStrategy", among=tuple(h.value for h in Hydration))


def _swamp_version(reader: SettingReader) -> str:
    version = reader.text("swampVersion") or ""
    if version and re.fullmatch(_VERSION, version) is None:
        raise reader.wrong(("swampVersion",), "must be three numbers, as in `20260206.200442.0`")
    return version


def _file_or_default(reader: SettingReader, *keys: str) -> Origin:
    is_there = reader.document.get(keys) not in (None, "")
    return Origin(".swamp.yaml", keys) if is_there else Origin("default")
