"""Settings with where each came from, as `swamp config list` shows them."""

from __future__ import annotations

from swampsync.config.datastore import FilesystemSettings
from swampsync.config.settings import RepoConfig, Setting, SettingValue


def describe_settings(config: RepoConfig) -> list[Setting]:
    """List every setting with its value and source; lines are looked up here, since that takes a full parse."""
    values: list[tuple[str, str, SettingValue]] = [
        ("repoId", "repoId", config.repo_id),
        ("swampVersion", "swampVersion", config.swamp_version or None),
        ("autoGc", "autoGc", config.auto_gc),
        ("logLevel", "logLevel", config.log_level),
        ("datastore.type", "datastore", config.datastore.type),
        *_place(config),
        ("datastore.namespace", "namespace", config.namespace.name or None),
        ("datastore.directories", "directories", config.directories),
        ("datastore.exclude", "exclude", config.exclude),
        ("datastore.hydrationStrategy", "hydrationStrategy", config.hydration.value),
        ("datastore.autoSync", "autoSync", config.auto_sync),
        ("datastore.cacheLimit", "cacheLimit", config.cache_limit),
        ("datastore.syncTimeoutMs", "syncTimeoutMs", config.sync_timeout_ms),
        ("lockTimeoutMs", "lockTimeoutMs", config.lock_timeout_ms),
    ]
    return [Setting(name, value, _source(config, name, origin)) for name, origin, value in values]


def _place(config: RepoConfig) -> list[tuple[str, str, SettingValue]]:
    store = config.datastore
    if isinstance(store, FilesystemSettings):
        return [("datastore.path", "datastore", store.path)]
    return [
        ("datastore.config.bucket", "datastore", store.bucket),
        ("datastore.config.prefix", "datastore", store.prefix or None),
        ("datastore.config.region", "datastore", store.region),
        ("datastore.config.endpoint", "datastore", store.endpoint),
        ("datastore.config.profile", "datastore", store.profile),
        ("datastore.config.forcePathStyle", "datastore", store.force_path_style),
        ("datastore.config.concurrency", "datastore", store.concurrency),
        ("datastore.config.pullConcurrency", "datastore", store.pull_concurrency),
        ("datastore.config.pushConcurrency", "datastore", store.push_concurrency),
        ("datastore.config.requestTimeoutMs", "datastore", store.request_timeout_ms),
        ("datastore.config.sse", "datastore", store.sse),
        ("datastore.config.sseKmsKeyId", "datastore", store.sse_kms_key_id),
        ("datastore.config.caFile", "datastore", store.ca_file),
        ("datastore.config.anonymous", "datastore", store.anonymous),
        ("datastore.config.etagQuoting", "datastore", store.etag_quoting),
        ("datastore.config.checksum", "datastore", store.checksum),
    ]


def _source(config: RepoConfig, name: str, origin_name: str) -> str:
    origin = config.origins[origin_name]
    if origin.source != ".swamp.yaml":
        return origin.source
    keys = tuple(name.split(".")) if origin_name == "datastore" else origin.keys
    if not config.document.has(keys):
        return "default"
    return f".swamp.yaml:{config.document.position_of(keys).line}"
