"""Repos as processes use them, over one bucket: each command is a process of its own, which may be killed anywhere."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from swampsync.backends.base import (
    GetResult,
    ObjectExists,
    ObjectInfo,
    ObjectStore,
    PreconditionFailed,
    PutMode,
    PutResult,
    RequestObserver,
)
from swampsync.backends.counting import Counting
from swampsync.clock import Clock, Thread
from swampsync.config.datastore import S3Settings
from swampsync.disk import LocalDisk
from swampsync.errors import Unavailable
from swampsync.layout import Layout, ObjectKey
from swampsync.log.log import Log
from swampsync.namespace import Namespace
from swampsync.repo import Repo, World
from swampsync.repo.remote import Bucket
from swampsync.testing.dying_disk import DyingDisk, Killed
from swampsync.testing.dying_store import DyingStore
from swampsync.testing.faulty_store import Faulty
from tests.stateful.interleaving import Interleaver, TurnClock, TurnStore
from tests.unit.log.conftest import Ids

# A process that is certainly gone: its locks are taken over at once.
DEAD_PID = (1 << 22) - 1
IMMORTAL = 1 << 60
DATABASES = ("_sync.db", "_catalog.db")
CONFIG = """\
swampVersion: 20260206.200442.0
repoId: {repo_id}
datastore:
  type: "@swampsync/s3"
  config:
    bucket: team
"""


class _NoThread:
    def join(self, timeout: float | None = None) -> None:
        del timeout


def no_thread(target: Callable[[], None], *, name: str) -> Thread:
    """Start nothing: a killed process beats no heart, and others are too quick to need one."""
    del target, name
    return _NoThread()


class InTurn(Executor):
    """Does everything at once in the caller's thread, so that runs repeat themselves exactly."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - as a thread of a pool does
            future.set_exception(error)
        return future


class Dated:
    """A store whose times are those of a clock that tests move, and which counts how often each key was written.

    Args:
        store: Where the objects are.
        clock: Everybody's.
    """

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._times: dict[str, datetime] = {}
        self.written: Counter[str] = Counter()
        self.capabilities = store.capabilities

    def begin_now(self) -> None:
        """Take what is there as written just now."""
        self._times = {info.key.text: self._clock.now() for info in self._store.list("")}

    def _date(self, info: ObjectInfo) -> ObjectInfo:
        return replace(info, modified_at=self._times.get(info.key.text, info.modified_at))

    def get(self, key: ObjectKey, *, start: int = 0, length: int | None = None) -> GetResult:
        got = self._store.get(key, start=start, length=length)
        return replace(got, info=self._date(got.info))

    @contextmanager
    def open(self, key: ObjectKey) -> Iterator[tuple[ObjectInfo, Iterator[bytes]]]:
        with self._store.open(key) as (info, chunks):
            yield self._date(info), chunks

    def head(self, key: ObjectKey) -> ObjectInfo:
        return self._date(self._store.head(key))

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        try:
            result = self._store.put(key, body, mode)
        except (ObjectExists, PreconditionFailed):
            raise
        except BaseException:
            self._times.setdefault(key.text, self._clock.now())
            raise
        self._note(key)
        return result

    def put_stream(self, key: ObjectKey, body: BinaryIO) -> PutResult:
        result = self._store.put_stream(key, body)
        self._note(key)
        return result

    def _note(self, key: ObjectKey) -> None:
        self._times[key.text] = self._clock.now()
        self.written[key.text] += 1

    def list(self, prefix: str, *, start: str | None = None) -> Iterator[ObjectInfo]:
        return map(self._date, self._store.list(prefix, start=start))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@dataclass
class Office:
    """A bucket, a clock, and the repos that work with them.

    Args:
        root: Where the repos lie.
        store: The bucket.
        rng: Everybody's dice.
    """

    root: Path
    store: ObjectStore
    rng: random.Random = field(default_factory=lambda: random.Random(0))

    def __post_init__(self) -> None:
        self.turns = Interleaver()
        self.clock = TurnClock(self.turns)
        self.dated = Dated(self.store, self.clock)
        self.faulty = Faulty(self.dated)
        self.ids = Ids(self.rng.getrandbits(64))
        self.members: list[Member] = []
        self.written: list[tuple[str, str]] = []
        """What processes wrote or removed since somebody emptied this: the namespace they acted in, and the key."""

    def member(self, name: str, *, repo_id: str | None = None, namespace: str = "infra", more: str = "") -> Member:
        """Make a repo; one that gives another's id is a second clone of that."""
        directory = self.root / name
        directory.mkdir(parents=True)
        config = CONFIG.format(repo_id=repo_id or f"repo-{name}") + more
        (directory / ".swamp.yaml").write_text(config)
        made = Member(self, directory, namespace)
        if namespace:
            with made.process() as repo:
                is_new = not [m for m in self.members if m.namespace == namespace]
                (repo.namespaces.set if is_new else repo.namespaces.join)(namespace)
        self.members.append(made)
        return made

    def log(self, namespace: str = "infra") -> Log:
        """The log as nobody's process sees it: without faults."""
        return Log(self.dated, Layout("/r", "/r/.swamp/remote", Namespace(namespace)))

    def strange_writes(self) -> list[tuple[str, str]]:
        """Take note of what was written, and name what a process had no business with: other than in its namespace."""
        strange = [
            (namespace, key)
            for namespace, key in self.written
            if not key.startswith(f"{namespace}/") and key != f".locks/{namespace}.lock"
        ]
        self.written.clear()
        return strange

    def rewritten_keys(self) -> list[str]:
        """Name the keys that were written more than once although nothing may be; locks and manifests may."""
        mutable = (".namespace.json", ".swampsync.json", ".lock")
        return [key for key, times in self.dated.written.items() if times > 1 and not key.endswith(mutable)]


@dataclass
class Member:
    """A repo of an office. Every command is a process of its own."""

    office: Office
    directory: Path
    namespace: str

    @property
    def databases(self) -> Path:
        return self.directory / ".swamp" / "data"

    def world(self, disk: DyingDisk, *, is_doomed: bool = False) -> World:
        """Make a process's world; everything that it does to disk and bucket counts its lives down."""
        office = self.office

        def open_bucket(
            settings: S3Settings,
            *,
            environ: Mapping[str, str],
            world: World,
            cache_dir: str | None,
            on_request: RequestObserver | None,
        ) -> Bucket:
            del settings, environ, world, cache_dir
            store: ObjectStore = DyingStore(office.faulty, disk)
            store = TurnStore(store, office.turns, lambda key: office.written.append((self.namespace, key)))
            if on_request is not None:
                store = Counting(store, on_request)
            return Bucket(where="team", plain=store, quotings={"quoted": store}, administer=_no_administration)

        return World(
            disk=disk,
            clock=office.clock,
            rng=office.rng,
            spawn=no_thread,
            new_id=office.ids,
            pid=DEAD_PID if is_doomed else World().pid,
            make_pool=lambda _width: InTurn(),
            open_bucket=open_bucket,
        )

    @contextmanager
    def process(self) -> Iterator[Repo]:
        """Run a process that nobody kills."""
        with Repo.open(str(self.directory), world=self.world(DyingDisk(LocalDisk(), lives=IMMORTAL))) as repo:
            yield repo

    def run(self, command: Callable[[Repo], Any], *, lives: int = IMMORTAL) -> int:
        """Run a command as a process of its own, killed before it does one thing too many to disk or bucket.

        What the dying process would still write into its databases while it unwinds is undone.

        Returns:
            How many things it did.
        """
        disk = DyingDisk(LocalDisk(), lives=lives, on_death=self._stash)
        repo = Repo.open(str(self.directory), world=self.world(disk, is_doomed=lives < IMMORTAL))
        try:
            command(repo)
        except Killed:
            pass
        finally:
            with suppress(Killed):
                repo.close()
            if disk.is_dead:
                self._bring_back()
        return disk.operations

    def _stash(self) -> None:
        stash = self.databases / "stash"
        shutil.rmtree(stash, ignore_errors=True)
        stash.mkdir(parents=True)
        for name in DATABASES:
            for path in self.databases.glob(f"{name}*"):
                if not path.name.endswith("-shm"):
                    shutil.copy2(path, stash / path.name)

    def _bring_back(self) -> None:
        stash = self.databases / "stash"
        for name in DATABASES:
            for path in self.databases.glob(f"{name}*"):
                path.unlink()
        for path in stash.iterdir():
            shutil.move(path, self.databases / path.name)
        stash.rmdir()

    def copy_of(self, path: str) -> Path:
        """Say where the local copy has a file of the namespace."""
        return self.directory / ".swamp" / "remote" / self.namespace / path

    def kept_aside(self) -> set[bytes]:
        """Read everything that was kept aside."""
        return {p.read_bytes() for p in (self.directory / ".swamp" / "kept-aside").rglob("*") if p.is_file()}

    def tree(self) -> dict[str, bytes]:
        """Read every file of the copy that is not a lock or the rest of a killed write."""
        base = self.directory / ".swamp" / "remote"
        found = {}
        for path in base.rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                found[path.relative_to(base).as_posix()] = path.read_bytes()
        return found


def _no_administration() -> Any:
    raise Unavailable("nobody administers this bucket")
