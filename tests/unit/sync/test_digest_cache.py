from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import BinaryIO

import pytest

from swampsync.clock import SystemClock
from swampsync.disk import Disk, LocalDisk
from swampsync.sync.digest_cache import DigestCache
from swampsync.sync.local_copy import WrongContent
from swampsync.testing.dying_disk import DyingDisk, Killed

BLOCK = 4_096
LIMIT = 64 * BLOCK
_numbers = count()


class Cache(DigestCache):
    """A cache under test, with what tests ask of it."""

    def keep(self, body: bytes) -> str:
        digest = hashlib.sha256(body).hexdigest()
        with self.put(digest, (body[:3], body[3:]), size=len(body)) as file:
            assert file.read() == body
        return digest

    def holds(self, body: bytes) -> bool:
        with opened(self.find(hashlib.sha256(body).hexdigest(), size=len(body))) as found:
            return found is not None and found.read() == body


class opened:  # noqa: N801 - used like a function
    """Close a file if there is one."""

    def __init__(self, file: BinaryIO | None) -> None:
        self.file = file

    def __enter__(self) -> BinaryIO | None:
        return self.file

    def __exit__(self, *exc: object) -> None:
        if self.file is not None:
            self.file.close()


def make(root: Path, *, limit: int = LIMIT, disk: Disk | None = None) -> Cache:
    return Cache(
        str(root / "content"),
        limit=limit,
        disk=disk or LocalDisk(),
        clock=SystemClock(),
        new_id=lambda: f"id-{next(_numbers)}",
    )


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return make(tmp_path)


def files(root: Path) -> list[Path]:
    return [path for path in (root / "content").rglob("*") if path.is_file() and path.name != "written"]


def body_of(number: int, blocks: int = 1) -> bytes:
    return bytes([number % 256, number // 256]) * (BLOCK * blocks // 2)


def taken(root: Path) -> int:
    return sum(-(-path.stat().st_size // BLOCK) * BLOCK for path in files(root))


def test_content_is_kept_by_its_digest(cache: Cache, tmp_path: Path) -> None:
    """What was put is found by another cache on the same directory, and nothing else is."""
    digest = cache.keep(b"hello")
    other = make(tmp_path)
    assert other.holds(b"hello")
    assert other.has(digest, size=5)
    assert not other.has(digest, size=6)
    assert not other.holds(b"other")
    assert [str(path) for path in files(tmp_path)] == [cache.path_of(digest)]


def test_wrong_bytes_are_never_kept(cache: Cache, tmp_path: Path) -> None:
    """Another digest, too few and too many bytes raise, and leave no file at all."""
    digest = hashlib.sha256(b"hello").hexdigest()
    for chunks in ((b"hell0",), (b"hell",), (b"hello", b"!")):
        with pytest.raises(WrongContent):
            cache.put(digest, chunks, size=5)
    assert files(tmp_path) == []


def test_body_that_breaks_off_leaves_nothing(cache: Cache, tmp_path: Path) -> None:
    """An error while the bytes come is passed on, and nothing of them stays."""

    def broken() -> Iterator[bytes]:
        yield b"hel"
        raise OSError("the wire")

    with pytest.raises(OSError, match="the wire"):
        cache.put(hashlib.sha256(b"hello").hexdigest(), broken(), size=5)
    assert files(tmp_path) == []


@pytest.mark.parametrize("damage", [b"hell0", b"hell", b"hello and more", b""])
def test_damaged_content_is_not_served(cache: Cache, tmp_path: Path, damage: bytes) -> None:
    """A file that does not have its digest any more is removed, and counts as missing."""
    digest = cache.keep(b"hello")
    Path(cache.path_of(digest)).write_bytes(damage)
    assert cache.find(digest, size=5) is None
    assert files(tmp_path) == []
    cache.keep(b"hello")
    assert cache.holds(b"hello")


def test_cache_stays_within_its_limit(cache: Cache, tmp_path: Path) -> None:
    """However much is put, the files never take more than the limit, and the newest are there."""
    for number in range(150):
        cache.keep(body_of(number))
        assert taken(tmp_path) <= LIMIT
    assert cache.holds(body_of(149))
    assert not cache.holds(body_of(0))
    assert taken(tmp_path) > LIMIT // 2


def test_small_files_count_as_the_blocks_they_take(tmp_path: Path) -> None:
    """A thousand files of a byte do not take a thousand bytes."""
    cache = make(tmp_path)
    for number in range(200):
        cache.keep(str(number).encode())
    assert len(files(tmp_path)) <= LIMIT // BLOCK


def test_least_recently_used_goes_first(cache: Cache) -> None:
    """What is read again and again stays while as much as fits three times over comes and goes."""
    cache.keep(b"dear")
    for number in range(200):
        cache.keep(body_of(number))
        assert cache.holds(b"dear")


def test_content_above_the_limit_is_read_and_not_kept(cache: Cache, tmp_path: Path) -> None:
    """One object larger than the cache is served from a file without a name, and evicts nothing."""
    cache.keep(b"hello")
    cache.keep(body_of(1, blocks=65))
    assert cache.holds(b"hello")
    assert not cache.holds(body_of(1, blocks=65))
    assert len(files(tmp_path)) == 1
    nothing = make(tmp_path / "none", limit=0)
    nothing.keep(b"x")
    assert files(tmp_path / "none") == []


def test_eviction_does_not_break_a_reader(cache: Cache) -> None:
    """Who opened content reads it to its end although everybody else's puts have evicted it."""
    body = body_of(7, blocks=16)
    digest = cache.keep(body)
    reader = cache.find(digest, size=len(body))
    assert reader is not None
    with reader:
        begin = reader.read(100)
        for number in range(200):
            cache.keep(body_of(number))
        assert not cache.has(digest, size=len(body))
        assert begin + reader.read() == body


def test_half_files_are_never_seen_by_many_at_once(tmp_path: Path) -> None:
    """Threads that put, read and evict the same few digests in a tiny cache only ever get whole content."""
    limit = 4 * 16 * BLOCK
    bodies = [body_of(number, blocks=16) for number in range(8)]

    def work(seed: int) -> int:
        cache, seen = make(tmp_path, limit=limit), 0
        for step in range(12):
            body = bodies[(seed * 5 + step * 3) % len(bodies)]
            digest = hashlib.sha256(body).hexdigest()
            with opened(cache.find(digest, size=len(body)) or cache.put(digest, (body,), size=len(body))) as file:
                assert file is not None
                assert file.read() == body
                seen += 1
        return seen

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [12] * 4
    assert taken(tmp_path) <= limit + 4 * 16 * BLOCK  # each thread may have written one while another measured


def test_leftovers_of_dead_writers_are_removed(cache: Cache, tmp_path: Path) -> None:
    """A temporary file of yesterday goes with the next eviction; one that is being written now stays."""
    cache.keep(b"hello")
    shard = tmp_path / "content" / "ab"
    shard.mkdir()
    old, young = shard / ".dead.tmp", shard / ".alive.tmp"
    for path in (old, young):
        path.write_bytes(b"x")
    os.utime(old, (1, 1))
    cache.evict()
    assert (old.exists(), young.exists()) == (False, True)
    assert cache.holds(b"hello")


@pytest.mark.holds("I11")
def test_put_that_is_killed_anywhere_leaves_whole_content_or_none(tmp_path: Path) -> None:
    """Whatever step on the disk is the last, the next process finds the content or fetches it again."""
    body = body_of(1, blocks=3)
    found, lives = set(), 0
    while True:
        root = tmp_path / str(lives)
        dying = DyingDisk(LocalDisk(), lives=lives)
        with contextlib.suppress(Killed):
            make(root, disk=dying).keep(body)
        other = make(root)
        found.add(other.holds(body))
        other.keep(body)
        assert other.holds(body)
        if not dying.is_dead:
            break
        lives += 1
    assert found == {True, False}
