"""What commands send does not grow with what a namespace holds: counted on the wire, at 1,000 and 100,000 versions."""

from __future__ import annotations

import io
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from integration.bench.bench_log import draft, make_version
from integration.bench.counting_wire import CountingWire
from integration.bench.sync_repos import MODEL, NAMESPACE, BenchRepo, fill_namespace, make_repo
from swampsync import Repo
from swampsync.clock import SystemClock
from swampsync.layout import Layout
from swampsync.log.append import Appender
from swampsync.log.log import Log
from swampsync.log.tail import BEGINNING, Position, tail
from swampsync.namespace import Namespace
from swampsync.testing.s3_side_channel import S3Server

COMMITS = 60  # a few more, and a checkpoint falls due
DATABASES = {f".swamp/data/{name}" for name in ("_catalog.db", "_sync.db")}


@dataclass(frozen=True)
class Scene:
    """A namespace of so many versions, and a repo that has cloned it; every byte of its commands is counted.

    Args:
        versions: How many there are.
        repo: The clone.
        wire: Between it and the server.
        server: Behind that.
        cloning: What the first sync said, and its requests and bytes on the wire.
        came: The files that it made.
    """

    versions: int
    repo: BenchRepo
    wire: CountingWire
    server: S3Server
    cloning: tuple[dict[str, Any], int, int]
    came: set[str]

    def checkpoints(self) -> int:
        """Count the checkpoints in the bucket, past the wire."""
        store = self.server.store(self.repo.bucket, self.repo.prefix)
        return len(list(store.list(f"{NAMESPACE}/_checkpoints/")))

    def cost(self, *words: str) -> tuple[dict[str, Any], int, int]:
        """Run a command; return its document, and its requests and bytes on the wire."""
        self.wire.take()
        document, _ = self.repo.json(*words)
        return (document, *self.wire.take())


def files_of(repo: BenchRepo) -> set[str]:
    return {path.relative_to(repo.path).as_posix() for path in repo.path.rglob("*") if path.is_file()}


@pytest.fixture(scope="module", params=[1_000, 100_000])
def scene(
    request: pytest.FixtureRequest, moto_server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """A clone that was synced once, lazily."""
    root: Path = tmp_path_factory.mktemp("costs")
    bucket = f"costs-{uuid.uuid4().hex[:12]}"
    client = moto_server.client()
    client.create_bucket(Bucket=bucket)
    client.close()
    make_repo(root / "owner", moto_server, bucket, "p", joins=False, hydration="lazy")
    fill_namespace(moto_server, bucket, "p", request.param)
    made = make_repo(root / "clone", moto_server, bucket, "p", joins=True, hydration="lazy")
    with CountingWire(moto_server.endpoint) as wire:
        repo = made.through(wire.endpoint)
        before = files_of(repo)
        document, _ = repo.json("datastore", "sync")
        cloning = (document, *wire.take())
        yield Scene(request.param, repo, wire, moto_server, cloning, files_of(repo) - before)


def test_a_lazy_clone_takes_twelve_requests_and_two_files(scene: Scene) -> None:
    """Twelve requests, and one for each commit since the checkpoint, tell of everything; no content is written."""
    document, requests, _ = scene.cloning
    assert document["requests"] == requests <= 12 + document["commitsPulled"]
    assert document["commitsPulled"] <= 1
    models = scene.repo.json("data", "list")[0]["models"]
    assert sum(model["versions"] for model in models) == scene.versions
    kept = {name for name in scene.came if not name.endswith(("-wal", "-shm", ".lock"))}
    assert kept - DATABASES == set()


def test_nothing_to_do_takes_one_request(scene: Scene) -> None:
    """A sync that finds nothing new asks once, and gets less than a few KiB."""
    scene.cost("datastore", "sync")  # whatever another test left
    document, requests, size = scene.cost("datastore", "sync")
    assert (document["requests"], requests) == (1, 1)
    assert size < 4 * 1024


def test_one_change_takes_six_requests_and_64_kib(scene: Scene) -> None:
    """A new version of an artifact that is there goes up so: by a sync of what is pending, and by the put itself."""
    content = scene.repo.path / "content"
    content.write_bytes(b"0" * 1024)
    put = ("data", "put", MODEL, "changed", "content")
    scene.cost(*put)  # the model's definition goes with it
    content.write_bytes(b"1" * 1024)
    _, requests, _ = scene.cost(*put, "--no-sync")
    assert requests == 0
    document, requests, size = scene.cost("datastore", "sync")
    assert (document["filesPushed"], document["requests"]) == (1, requests)
    assert requests <= 6
    assert size <= 64 * 1024
    content.write_bytes(b"2" * 1024)
    document, requests, size = scene.cost(*put)
    assert document["version"] == 3
    assert requests <= 6
    assert size <= 64 * 1024


def test_a_checkpoint_is_paid_by_many(scene: Scene) -> None:
    """A put that finds a checkpoint due writes it, and shared by the commits before it stays below 64 KiB for each."""
    append_commits(scene, COMMITS)
    scene.cost("datastore", "sync")
    before = scene.checkpoints()
    sizes: list[int] = []
    with Repo.open(str(scene.repo.path), environ=scene.repo.env) as repo:
        while scene.checkpoints() == before:
            assert len(sizes) < 10, "no checkpoint was written"
            scene.wire.take()
            repo.data.put("m", f"one-{len(sizes)}", io.BytesIO(b"x" * 1024))
            sizes.append(scene.wire.take()[1])
    assert sizes[-1] > max(sizes[:-1])
    assert (COMMITS * max(sizes[:-1]) + sum(sizes)) / (COMMITS + len(sizes)) <= 64 * 1024


def append_commits(scene: Scene, number: int) -> None:
    """Let somebody publish, as far as the log is concerned."""
    rng, clock = random.Random(number), SystemClock()
    store = scene.server.store(scene.repo.bucket, scene.repo.prefix)
    log = Log(store, Layout("/r", "/r/c", Namespace.parse(NAMESPACE)))
    appender = Appender(
        log, clock, rng, lambda: str(uuid.UUID(int=rng.getrandbits(128))), lambda *, seq, commit_id: None
    )
    head = tail(log, BEGINNING, limit=None).position
    for n in range(number):
        plan = draft(make_version(2 * 10**7 + n, rng))
        appended = appender.append(plan, lambda _newer, same: same, position=head, tailed_at=clock.uptime())
        assert appended.published is not None
        head = Position.of(appended.published)
