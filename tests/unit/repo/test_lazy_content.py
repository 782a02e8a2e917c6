"""Content of a lazy clone comes when it is read: many at once for a query, and verified."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from swampsync.backends.base import GetResult, ObjectStore
from swampsync.errors import DataError, SwampsyncError
from swampsync.layout import ObjectKey
from swampsync.repo import Repo
from swampsync.repo.sync_report import SyncOptions
from swampsync.sync.progress import Progress
from swampsync.testing.faulty_store import Call, Faulty
from tests.unit.repo.buckets import MemoryBuckets, make_repo

CONFIG = 'datastore:\n  type: "@swampsync/s3"\n  hydrationStrategy: lazy\n  config:\n    bucket: team\n'
COUNT = 40


@dataclass
class Watch:
    """Counts reads of contents, and how many of them were under way at once."""

    calls: list[Call] = field(default_factory=list)
    most: int = 0
    waits: bool = False
    _now: int = 0
    _met: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wrap(self, store: ObjectStore) -> ObjectStore:
        watch, whole = self, store.get

        def get(key: ObjectKey, *, start: int = 0, length: int | None = None) -> GetResult:
            with watch._lock:
                watch._now += 1
                watch.most = max(watch.most, watch._now)
            try:
                if key.text.endswith("/raw") and watch.waits:
                    # The first one lasts until another has begun beside it.
                    watch._met.set() if watch._now > 1 else watch._met.wait(5)
                return whole(key, start=start, length=length)
            finally:
                with watch._lock:
                    watch._now -= 1

        watched = Faulty(store, self.calls.append)
        watched.get = get  # type: ignore[method-assign]
        return watched


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def buckets() -> MemoryBuckets:
    return MemoryBuckets()


@pytest.fixture
def writer(tmp_path: Path, buckets: MemoryBuckets) -> Iterator[Repo]:
    with Repo.open(str(make_repo(tmp_path / "w", "w", CONFIG)), world=buckets.world()) as repo:
        yield repo


@pytest.fixture
def reader(tmp_path: Path, buckets: MemoryBuckets, watch: Watch, writer: Repo) -> Iterator[Repo]:
    """A clone that has the catalog and no content."""
    source = tmp_path / "source"
    source.mkdir()
    for number in range(COUNT):
        (source / f"a{number:02d}").write_text(json.dumps({"n": number}))
    writer.data.import_directory(str(source), "vpc", guess_content_type=lambda _: "application/json")
    buckets.wrap = watch.wrap
    with Repo.open(str(make_repo(tmp_path / "r", "r", CONFIG)), world=buckets.world()) as repo:
        repo.synchroniser.sync(SyncOptions())
        watch.most = 0
        yield repo


def requests(repo: Repo) -> dict[str, int]:
    counts = repo._parts.remote.requests.snapshot()
    return {kind.value: tally.requests for kind, tally in counts.by_kind.items()}


def test_query_fetches_many_contents_at_once(reader: Repo, watch: Watch) -> None:
    """Content that a predicate reads is fetched side by side, each once, and the order of results is as ever."""
    seen: list[tuple[int, int | None]] = []

    @contextmanager
    def stages(title: str) -> Iterator[Progress]:
        assert title == "Fetching"
        yield lambda done, _total=None, size=None: seen.append((done, size))

    watch.waits = True
    before = requests(reader)["get"]
    with reader.query("attributes.n >= 10", select="name", order_by="name", stages=stages) as run:
        assert list(run) == [f"a{number:02d}" for number in range(10, COUNT)]
    assert requests(reader)["get"] - before == COUNT
    assert 1 < watch.most <= 16
    assert seen[-1] == (COUNT, sum(len(json.dumps({"n": number})) for number in range(COUNT)))
    with reader.query("attributes.n < 10", select="name") as run:
        assert len(list(run)) == 10
    assert requests(reader)["get"] - before == COUNT


def test_evaluator_and_selection_fetch_ahead_too(reader: Repo, watch: Watch) -> None:
    """Where SQL cannot look into content, or only what is shown is content, batches are fetched; a limit is kept to."""
    watch.waits = True
    before = requests(reader)["get"]
    with reader.query('name < "a20"', select="content", order_by="name", limit=4) as run:
        assert list(run) == [{"n": number} for number in range(4)]
    assert requests(reader)["get"] - before == 5  # one more tells that there are more
    assert watch.most > 1
    with reader.query("attributes.n == 39", select="name") as run:
        run.evaluate_everything()
        assert list(run) == ["a39"]
    assert requests(reader)["get"] - before == COUNT


def test_query_without_content_fetches_none(reader: Repo) -> None:
    """A query of metadata makes no request for content."""
    before = requests(reader)
    with reader.query('name < "a20"', select="name") as run:
        assert len(list(run)) == 20
    assert requests(reader) == before


@pytest.mark.parametrize("body", [None, b'{"n":"wrong"}'], ids=["missing", "wrong"])
def test_get_of_content_that_is_not_what_the_log_names_asks_the_log_once(
    reader: Repo, buckets: MemoryBuckets, body: bytes | None
) -> None:
    """A 404 and a wrong digest are tried once more after one look at the log, then told; nothing wrong is kept."""
    memory = buckets.store()
    (key,) = [info.key for info in memory.list("data/") if info.key.text.endswith("/a00/1/raw")]
    memory.delete(key)
    if body is not None:
        memory.put_stream(key, io.BytesIO(body))
    before = requests(reader)
    with pytest.raises((DataError, SwampsyncError)):
        list(reader.data.read(reader.data.get("vpc", "a00")))
    after = requests(reader)
    assert (after["get"] - before["get"], after["list"] - before["list"]) == (2, 1)
    memory.delete(key)
    memory.put_stream(key, io.BytesIO(b'{"n": 0}'))
    assert b"".join(reader.data.read(reader.data.get("vpc", "a00"))) == b'{"n": 0}'


def test_content_that_moved_is_read_where_it_is_now(reader: Repo, writer: Repo, buckets: MemoryBuckets) -> None:
    """What was removed since the last look is told as gone, not as damage of the bucket."""
    version = reader.data.get("vpc", "a00")
    writer.data.apply_delete(writer.data.plan_delete("vpc", name="a00"))
    writer.synchroniser.sync(SyncOptions())
    memory = buckets.store()
    for info in list(memory.list("data/")):
        if "/a00/1/" in info.key.text:
            memory.delete(info.key)
    with pytest.raises(SwampsyncError, match="is gone"):
        list(reader.data.read(version))


def test_import_keeps_what_unfetched_versions_say_of_retention(
    tmp_path: Path, buckets: MemoryBuckets, writer: Repo
) -> None:
    """Lifetime and retention of an artifact stay when a clone that has no content of it imports the next version."""
    for name in ("kept", "other"):
        put = writer.data.put("vpc", name, io.BytesIO(b"one"), lifetime="30d", garbage_collection=3)
        assert (put.metadata.lifetime, put.metadata.garbage_collection) == ("30d", 3)
    source = tmp_path / "source"
    source.mkdir()
    for name in ("kept", "new"):
        (source / name).write_text("two")
    with Repo.open(str(make_repo(tmp_path / "r", "w", CONFIG)), world=buckets.world()) as repo:
        repo.synchroniser.sync(SyncOptions())
        assert not list((tmp_path / "r").rglob("raw"))
        found = {m.name: m for m in repo.data.import_directory(str(source), "vpc").versions}
    kept, new = found["kept"], found["new"]
    assert (kept.version, kept.lifetime, kept.garbage_collection) == (2, "30d", 3)
    assert (new.version, new.lifetime, new.garbage_collection) == (1, "infinite", 10)
