"""Buckets in memory, in place of S3, for whole repos."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from swampsync.backends.base import BucketNotFound, Create, ETag, ObjectStore, PreconditionFailed, RequestObserver
from swampsync.backends.bucket_rules import BucketVersions, LifecycleRule
from swampsync.backends.counting import Counting
from swampsync.backends.memory import MemoryStore
from swampsync.clock import SystemClock
from swampsync.config.datastore import S3Settings
from swampsync.config.settings import Flags, load_config
from swampsync.disk import LocalDisk
from swampsync.layout import ObjectKey
from swampsync.repo.parts import Parts
from swampsync.repo.remote import Bucket
from swampsync.repo.world import World
from swampsync.testing.faulty_store import Call, Faulty


def _plain(store: ObjectStore) -> ObjectStore:
    return store


@dataclass
class MemoryBuckets:
    """A server with buckets in memory.

    Args:
        names: The buckets that exist.
        rules: Their lifecycle rules.
        wrap: Put before each store: faults, lies, watching.
        quotings: The forms of ETags, each with what it does to a store.
        uploads: Keys of uploads that were never completed, and when they were begun.
        versions: Whether the buckets keep what is removed.
        wants_checksums: Whether they take no put without a checksum.
    """

    names: set[str] = field(default_factory=lambda: {"team"})
    rules: list[LifecycleRule] = field(default_factory=list)
    wrap: Callable[[ObjectStore], ObjectStore] = _plain
    quotings: Mapping[str, Callable[[ObjectStore], ObjectStore]] = field(default_factory=lambda: {"quoted": _plain})
    stores: dict[tuple[str, str], MemoryStore] = field(default_factory=dict)
    opened: list[tuple[S3Settings, str | None]] = field(default_factory=list)
    uploads: dict[str, datetime] = field(default_factory=dict)
    versions: BucketVersions = field(default_factory=lambda: BucketVersions(is_kept=False))
    wants_checksums: bool = False

    def store(self, bucket: str = "team", prefix: str = "") -> MemoryStore:
        return self.stores.setdefault((bucket, prefix), MemoryStore(SystemClock()))

    def keys(self, bucket: str = "team", prefix: str = "") -> list[str]:
        return [info.key.text for info in self.store(bucket, prefix).list("")]

    def open(
        self,
        settings: S3Settings,
        *,
        environ: Mapping[str, str],
        world: World,
        cache_dir: str | None,
        on_request: RequestObserver | None,
    ) -> Bucket:
        self.opened.append((settings, cache_dir))
        store: ObjectStore = self.wrap(self.store(settings.bucket, settings.prefix))
        if on_request is not None:
            store = Counting(store, on_request)

        def require_bucket(_call: Call) -> None:
            if settings.bucket not in self.names:
                raise BucketNotFound(f"bucket `{settings.bucket}` does not exist")

        store = Faulty(store, require_bucket)
        return Bucket(
            where="memory",
            plain=store,
            quotings={name: change(store) for name, change in self.quotings.items()},
            administer=lambda: self._administer(settings),
            wants_checksums=lambda: self.wants_checksums,
        )

    @contextmanager
    def _administer(self, settings: S3Settings) -> Iterator[_Admin]:
        yield _Admin(self, settings.bucket, settings.prefix)

    def world(self) -> World:
        return World(open_bucket=self.open)

    def parts(self, repo: Path, **environ: str) -> Parts:
        """Open a repo as a command does."""
        config = load_config(LocalDisk(), str(repo), environ=environ, flags=Flags())
        return Parts(config, self.world(), environ)


def write_settings(repo: Path, namespace: str) -> None:
    """Write by hand that a repo's datastore is the bucket `team`."""
    with (repo / ".swamp.yaml").open("a") as file:
        file.write('datastore:\n  type: "@swampsync/s3"\n  config:\n    bucket: team\n')
        file.write(f"  namespace: {namespace}\n" if namespace else "")


@dataclass
class _Admin:
    server: MemoryBuckets
    name: str
    prefix: str

    def has_bucket(self) -> bool:
        return self.name in self.server.names

    def create_bucket(self) -> None:
        self.server.names.add(self.name)

    def lifecycle_rules(self) -> list[LifecycleRule]:
        return self.server.rules

    def versions(self) -> BucketVersions:
        return self.server.versions

    def abort_stale_uploads(self, prefix: str, *, older_than: datetime) -> list[str]:
        stale = [key for key, at in self.server.uploads.items() if key.startswith(prefix) and at < older_than]
        for key in stale:
            del self.server.uploads[key]
        return stale

    def delete_if_match(self, key: str, etag: ETag) -> None:
        store = self.server.store(self.name, self.prefix)
        if store.head(ObjectKey(key)).etag != etag:
            raise PreconditionFailed(f"object `{key}` is not what it was", key=key)
        store.delete(ObjectKey(key))

    def upload_if_absent(self, key: str, body: bytes) -> None:
        self.server.store(self.name, self.prefix).put(ObjectKey(key), body, Create())


def make_repo(path: Path, repo_id: str | None = "repo-1", more: str = "") -> Path:
    """Write a repo's configuration."""
    path.mkdir(parents=True)
    line = f"repoId: {repo_id}\n" if repo_id else ""
    (path / ".swamp.yaml").write_text(f"# ours\nswampVersion: 20260206.200442.0\n{line}{more}")
    return path
