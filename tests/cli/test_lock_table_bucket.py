"""Which locks commands take where the datastore is a bucket: objects that are put, and files that come into being."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from swampsync.backends.base import ObjectStore, Overwrite
from swampsync.layout import ObjectKey
from swampsync.locks.table import LockKind, find_lock_kind
from swampsync.repo.world import World
from swampsync.testing.faulty_store import Call, Faulty
from tests.cli.conftest import Outcome, Place, Swamp
from tests.cli.test_lock_table import CASES as ON_DIRECTORIES
from tests.cli.test_lock_table import Case, Spy, spy
from tests.unit.repo.buckets import MemoryBuckets

__all__ = ["spy"]

# What works on a bucket only, or otherwise there.
CASES = ON_DIRECTORIES | {
    "datastore undelete": Case(("m", "gone")),
    "datastore sync": Case(),
    "datastore log": Case(),
}
# Moving out of a bucket and joining have tests of their own; a bucket's copy has no links of old versions of swamp.
LEFT_OUT = {"datastore setup filesystem", "repo upgrade", "datastore namespace migrate", "datastore namespace join"}
# Refused where there is no namespace, or data in it.
REFUSED = {"datastore namespace set", "datastore namespace unset"}


@dataclass
class LockObjects:
    """Remembers the locks in the bucket that were written, and by which method."""

    keys: list[str] = field(default_factory=list)

    def __call__(self, call: Call) -> None:
        is_lock = call.key == ".datastore.lock" or call.key.startswith(".locks/")
        if is_lock and call.method not in {"get", "head", "list"}:
            self.keys.append(f"{call.method} {call.key}")


@dataclass(frozen=True)
class BucketRepo:
    """A repo on a bucket in memory, alone in it or in a namespace, and who sees what it locks."""

    path: Path
    namespace: str
    buckets: MemoryBuckets
    objects: LockObjects
    swamp: Swamp

    def __call__(self, *words: str, stdin: str = "1", **more: dict[str, str]) -> Outcome:
        return self.swamp(self.path, *words, stdin=stdin, **more)

    @property
    def key(self) -> str:
        return f".locks/{self.namespace}.lock" if self.namespace else ".datastore.lock"

    def lock_record(self) -> dict[str, object]:
        (info,) = [info for info in self.buckets.store().list("") if info.key.text == self.key]
        return dict(json.loads(self.buckets.store().get(info.key).body))


@pytest.fixture
def make(tmp_path: Path, swamp: Swamp, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], BucketRepo]:
    objects = LockObjects()

    def wrap(store: ObjectStore) -> ObjectStore:
        return Faulty(store, objects)

    buckets = MemoryBuckets(wrap=wrap)
    monkeypatch.setattr("swampsync.repo.repo.World", lambda: World(open_bucket=buckets.open))

    def make(namespace: str) -> BucketRepo:
        path = tmp_path / (namespace or "solo")
        path.mkdir()
        swamp(path, "repo", "init").ok()
        with (path / ".swamp.yaml").open("a") as file:
            file.write('datastore:\n  type: "@swampsync/s3"\n  config:\n    bucket: team\n')
            file.write(f"  namespace: {namespace}\n" if namespace else "")
        return BucketRepo(path, namespace, buckets, objects, swamp)

    return make


@pytest.fixture(params=["", "infra"], ids=["solo", "namespaced"])
def repo(request: pytest.FixtureRequest, make: Callable[[str], BucketRepo]) -> BucketRepo:
    return make(str(request.param))


@pytest.mark.holds("I8")
@pytest.mark.parametrize("command", [c for c in CASES if c not in LEFT_OUT])
def test_command_takes_the_lock_of_the_table_on_a_bucket(repo: BucketRepo, command: str, spy: Spy) -> None:
    """The structural lock is one object in the bucket, models' locks are files of the copy; reads take neither."""
    case = CASES[command]
    repo("data", "put", "m", "x").ok()
    repo("data", "put", "m", "gone").ok()
    repo("data", "delete", "m", "gone", "--yes").ok()
    case.prepare(Place(repo.path, repo.path, None, repo.namespace, ""))
    spy.paths.clear()
    repo.objects.keys.clear()
    words = command.removesuffix(" --lock").split()
    outcome = repo(*words, *case.arguments)
    if command not in REFUSED:
        assert outcome.status == 0, outcome.err
    wanted = find_lock_kind(command)
    assert spy.kinds == ({LockKind.MODEL} if wanted is LockKind.MODEL else set()), spy.paths
    # Taken by one put, given back by another; never deleted.
    assert repo.objects.keys == ([f"put {repo.key}"] * 2 if wanted is LockKind.STRUCTURAL else [])
    if wanted is LockKind.STRUCTURAL:
        assert repo.lock_record()["released"] is True
    root = repo.path / ".swamp" / "remote" / repo.namespace
    for path in spy.paths:
        assert Path(path).is_relative_to(root), path
        assert not Path(path).exists()


def test_appending_takes_the_models_lock_in_the_copy(repo: BucketRepo, spy: Spy) -> None:
    """An append is a write like any other."""
    repo("data", "put", "m", "log", "--streaming").ok()
    spy.paths.clear()
    repo("data", "put", "m", "log", "--append").ok()
    assert (spy.kinds, len(spy.paths), repo.objects.keys) == ({LockKind.MODEL}, 1, [])


@pytest.mark.parametrize("command", ["data gc", "data prune", "data delete m x", "datastore reindex"])
def test_dry_run_takes_none_on_a_bucket(repo: BucketRepo, command: str, spy: Spy) -> None:
    """What only shows its plan never waits, and writes no lock."""
    repo("data", "put", "m", "x").ok()
    spy.paths.clear()
    repo(*command.split(), "--dry-run").ok()
    assert (spy.paths, repo.objects.keys) == ([], [])


def test_two_namespaces_of_a_bucket_never_wait_for_each_other(make: Callable[[str], BucketRepo]) -> None:
    """While one namespace's lock is held, commands of the other one take theirs; those of the first give up."""
    infra, app = make("infra"), make("app")
    for repo in (infra, app):
        repo("data", "put", "m", "x").ok()
        repo("data", "gc", "--yes").ok()
    record = infra.lock_record() | {"released": False, "ttlMs": 600_000, "hostname": "elsewhere"}
    infra.buckets.store().put(ObjectKey(infra.key), json.dumps(record).encode(), Overwrite())
    infra.objects.keys.clear()
    impatient = {"SWAMP_LOCK_TIMEOUT_MS": "1"}
    for command in ("data gc --yes", "data prune --yes", "datastore compact", "data put m x", "data delete m x --yes"):
        app(*command.split(), env=impatient).ok()
    assert set(infra.objects.keys) == {"put .locks/app.lock"}
    for command in ("data gc --yes", "data prune --yes", "datastore compact"):
        assert infra(*command.split(), env=impatient).status == 75
    # Writers of models are no concern of a bucket's structural lock: the log decides.
    infra("data", "put", "m", "x", env=impatient).ok()
