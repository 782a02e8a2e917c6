"""The bucket that a datastore lies in: from configuration to an `ObjectStore` with repetitions and a guard.

    S3Store             the requests themselves; told apart and counted
    Retrying            repeats what is safe to repeat, and finds out what became of the rest
    Prefixed            refuses every write outside one namespace

Only repos whose datastore is a bucket import this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

from swampsync.backends.base import ETag, ObjectStore, RequestObserver
from swampsync.backends.bucket_rules import BucketVersions, LifecycleRule
from swampsync.backends.costs import TransferCosts
from swampsync.backends.counting import RequestCounter
from swampsync.backends.prefixed import Prefixed
from swampsync.backends.retrying import Retrying
from swampsync.config.datastore import S3Settings
from swampsync.config.settings import RepoConfig
from swampsync.layout import Layout
from swampsync.namespace import Namespace
from swampsync.repo.world import World

if TYPE_CHECKING:
    from swampsync.backends.s3_profiles import CredentialPlaces
    from swampsync.backends.s3_settings import S3Options
    from swampsync.locks.bucket_guard import BucketGuard
    from swampsync.locks.keeper import KeeperParts
    from swampsync.registry.bucket import BucketRegistry

DEFAULT_REGION: Final = "us-east-1"
REGION_VARIABLES: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")
# Where nobody has a home directory: a place where no file is.
_NO_HOME: Final = "/nonexistent"


class BucketAdmin(Protocol):
    """What is asked of a bucket as a whole."""

    def has_bucket(self) -> bool:
        """Say whether the bucket exists and we may see it."""
        ...

    def create_bucket(self) -> None:
        """Create the bucket; that it is ours already is success."""
        ...

    def lifecycle_rules(self) -> list[LifecycleRule]:
        """Return the rules that may touch what lies below the prefix."""
        ...

    def versions(self) -> BucketVersions:
        """Say whether the bucket keeps what is replaced or removed."""
        ...

    def abort_stale_uploads(self, prefix: str, *, older_than: datetime) -> list[str]:
        """Remove the parts of uploads below a prefix that were begun before a time and never completed."""
        ...

    def delete_if_match(self, key: str, etag: ETag) -> None:
        """Ask for an object to be removed if it still has an ETag."""
        ...

    def upload_if_absent(self, key: str, body: bytes) -> None:
        """Upload one part, and ask for it to become an object if there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket as it is, without repetitions and without a guard.

    Args:
        where: The server, for people.
        plain: The store; keys are relative to the prefix.
        quotings: The same store once for each form in which it can send ETags, the preferred one first.
        administer: Opens its administration, which loads boto3.
        wants_checksums: Says whether the bucket was found to want a checksum with every put.
        costs: Of large objects, in requests.
    """

    where: str
    plain: ObjectStore
    quotings: Mapping[str, ObjectStore]
    administer: Callable[[], AbstractContextManager[BucketAdmin]]
    wants_checksums: Callable[[], bool] = bool
    costs: TransferCosts = field(default_factory=TransferCosts)


def open_bucket(
    settings: S3Settings,
    *,
    environ: Mapping[str, str],
    world: World,
    cache_dir: str | None,
    on_request: RequestObserver | None,
) -> Bucket:
    """Open a bucket on S3; sends nothing.

    Args:
        settings: Where it is.
        environ: Variables that say whose credentials sign, and the home directory with AWS's files.
        world: Reads those files, and tells the time.
        cache_dir: Where temporary credentials are kept until they end; `None` for nowhere.
        on_request: Told every request.

    Raises:
        InvalidInput: The settings cannot be used.
    """
    from swampsync.backends.s3 import S3Store
    from swampsync.backends.s3_credentials import AwsCredentials
    from swampsync.backends.s3_profiles import CredentialPlaces
    from swampsync.backends.s3_settings import Checksum, ETagQuoting

    places = CredentialPlaces.of(environ, home=environ.get("HOME") or _NO_HOME, cache_dir=cache_dir)
    options = make_options(settings, places=places, world=world)
    credentials = AwsCredentials(settings.profile, places, disk=world.disk, clock=world.clock, new_id=world.new_id)
    store = S3Store(options, credentials, on_request=on_request, read_file=world.disk.read_bytes)

    def administer() -> AbstractContextManager[BucketAdmin]:
        from swampsync.backends.s3_admin import S3Admin

        return S3Admin(options, credentials)

    return Bucket(
        where=options.where,
        plain=store,
        quotings={quoting.value: store.with_quoting(quoting) for quoting in (ETagQuoting.QUOTED, ETagQuoting.BARE)},
        administer=administer,
        wants_checksums=lambda: store.options.checksum is Checksum.SHA256,
    )


def make_options(settings: S3Settings, *, places: CredentialPlaces, world: World) -> S3Options:
    """Make the backend's options of what is configured.

    Without `etagQuoting` the first swap finds the form out, at two requests on a server that wants bare ETags: cheaper
    than to read a record of it for every command.

    Raises:
        InvalidInput: The settings cannot be used.
    """
    from swampsync.backends.s3_profiles import find_region
    from swampsync.backends.s3_settings import Checksum, ETagQuoting, S3Options

    defaults = S3Options(bucket=settings.bucket, endpoint=settings.endpoint)
    timeout = settings.request_timeout_ms
    region = settings.region or next(
        (places.environment[v] for v in REGION_VARIABLES if places.environment.get(v)), None
    )
    return S3Options(
        bucket=settings.bucket,
        prefix=settings.prefix,
        region=region or find_region(settings.profile, places, world.disk) or DEFAULT_REGION,
        endpoint=settings.endpoint,
        profile=settings.profile,
        path_style=settings.force_path_style,
        concurrency=settings.concurrency or defaults.concurrency,
        request_timeout_seconds=defaults.request_timeout_seconds if timeout is None else timeout / 1000,
        sse=settings.sse,
        sse_kms_key=settings.sse_kms_key_id,
        ca_file=settings.ca_file,
        anonymous=settings.anonymous,
        etag_quoting=ETagQuoting(settings.etag_quoting or ETagQuoting.AUTO.value),
        checksum=Checksum(settings.checksum or Checksum.AUTO.value),
    )


def find_signing_region(settings: S3Settings, *, environ: Mapping[str, str], world: World) -> str:
    """Find the region that requests to a bucket are signed for; sends nothing."""
    from swampsync.backends.s3_profiles import CredentialPlaces

    places = CredentialPlaces.of(environ, home=environ.get("HOME") or _NO_HOME)
    return make_options(settings, places=places, world=world).region


class Remote:
    """The bucket of one repo; everything is made when first used, and nothing is sent before it is asked.

    Args:
        config: With a bucket as its datastore.
        environ: See `open_bucket`.
        world: The machine, and what opens buckets.
        cache_dir: See `open_bucket`.
        on_request: Told every request, besides `requests`.

    Attributes:
        requests: Counts every request.
    """

    def __init__(
        self,
        config: RepoConfig,
        *,
        environ: Mapping[str, str],
        world: World,
        cache_dir: str | None = None,
        on_request: RequestObserver | None = None,
    ) -> None:
        assert isinstance(config.datastore, S3Settings)
        self.settings = config.datastore
        self.requests = RequestCounter()
        self._environ = environ
        self._world = world
        self._cache_dir = cache_dir
        self._on_request = on_request

    @cached_property
    def bucket(self) -> Bucket:
        """The bucket as it is: for probes, and for one try only."""
        return self._world.open_bucket(
            self.settings,
            environ=self._environ,
            world=self._world,
            cache_dir=self._cache_dir,
            on_request=self._count,
        )

    def _count(self, kind: str, bytes_up: int, bytes_down: int) -> None:
        self.requests(kind, bytes_up, bytes_down)
        if self._on_request is not None:
            self._on_request(kind, bytes_up, bytes_down)

    @cached_property
    def unguarded(self) -> ObjectStore:
        """The bucket with repetitions; only for what puts a guard in front itself."""
        return Retrying(self.bucket.plain, clock=self._world.clock, rng=self._world.rng)

    def store_of(self, namespace: Namespace) -> ObjectStore:
        """The bucket as a command in one namespace uses it: reads everything, writes only there."""
        return Prefixed(self.unguarded, namespace)

    def make_registry(self, layout: Layout) -> BucketRegistry:
        """Make the registry of the bucket's namespaces."""
        from swampsync.registry.bucket import BucketRegistry

        world = self._world
        return BucketRegistry(
            self.unguarded, world.clock, layout, new_id=world.new_id, rng=world.rng, make_pool=world.make_pool
        )

    def make_guard(self, layout: Layout, parts: KeeperParts) -> BucketGuard:
        """Make the locks of a layout's namespace."""
        from swampsync.locks.bucket_guard import BucketGuard

        return BucketGuard(layout, self._world.disk, self.store_of(layout.namespace), parts)


def open_remote(
    config: RepoConfig,
    *,
    environ: Mapping[str, str],
    world: World,
    namespace: Namespace,
    cache_dir: str | None = None,
    on_request: RequestObserver | None = None,
) -> ObjectStore:
    """Open the bucket that a repo's datastore lies in, for a command that acts in one namespace; sends nothing.

    Args:
        config: With a bucket as its datastore.
        environ: See `open_bucket`.
        world: The machine.
        namespace: Where the command may write.
        cache_dir: See `open_bucket`.
        on_request: Told every request.

    Raises:
        InvalidInput: The settings cannot be used.
    """
    remote = Remote(config, environ=environ, world=world, cache_dir=cache_dir, on_request=on_request)
    return remote.store_of(namespace)
