"""The real disk, clocks, randomness and threads, where a caller does not bring its own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Protocol

from swampsync.clock import Clock, Spawner, SystemClock, spawn_daemon
from swampsync.disk import Disk, LocalDisk

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from swampsync.backends.base import RequestObserver
    from swampsync.config.datastore import S3Settings
    from swampsync.repo.remote import Bucket


class BucketOpener(Protocol):
    """What opens the bucket that a configuration names (`swampsync.repo.remote.open_bucket`)."""

    def __call__(
        self,
        settings: S3Settings,
        *,
        environ: Mapping[str, str],
        world: World,
        cache_dir: str | None,
        on_request: RequestObserver | None,
    ) -> Bucket:
        """Open it; nothing is sent by that."""
        ...


def _random_uuid() -> str:
    """Make a random UUID as text."""
    return str(uuid.uuid4())


def _make_threads(width: int) -> Executor:
    """Make as many threads; they end when the executor is shut down."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(width, thread_name_prefix="swampsync")


def _make_scratch() -> AbstractContextManager[str]:
    """Make a directory where the machine keeps what is not kept; it is removed at the end."""
    from tempfile import TemporaryDirectory

    return TemporaryDirectory(prefix="swampsync-")


def _open_s3(
    settings: S3Settings,
    *,
    environ: Mapping[str, str],
    world: World,
    cache_dir: str | None,
    on_request: RequestObserver | None,
) -> Bucket:
    """Open a bucket on S3; nothing is sent by that."""
    from swampsync.repo.remote import open_bucket

    return open_bucket(settings, environ=environ, world=world, cache_dir=cache_dir, on_request=on_request)


@dataclass(frozen=True)
class World:
    """Everything that a repo needs of the machine; a test or a simulator replaces any of it.

    Args:
        disk: Files.
        clock: Time and waiting.
        rng: Jitter.
        spawn: Background threads.
        new_id: Makes a random UUID as text.
        pid: The process, as locks name it.
        make_pool: Threads for many requests at a time, as many as it is asked for; whoever asks shuts them down.
        open_bucket: Opens the bucket that a configuration names.
        make_scratch: Makes a directory outside of every repo, which is gone when its context ends.
    """

    disk: Disk = field(default_factory=LocalDisk)
    clock: Clock = field(default_factory=SystemClock)
    rng: Random = field(default_factory=SystemRandom)
    spawn: Spawner = spawn_daemon
    new_id: Callable[[], str] = _random_uuid
    pid: int = field(default_factory=os.getpid)
    make_pool: Callable[[int], Executor] = _make_threads
    open_bucket: BucketOpener = _open_s3
    make_scratch: Callable[[], AbstractContextManager[str]] = _make_scratch
