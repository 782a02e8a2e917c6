"""Credentials are kept until they end, renewed in time, and shown to nobody."""

from __future__ import annotations

import errno
import os
import stat
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest

from swampsync.backends.base import CredentialsExpired
from swampsync.backends.s3_credential_cache import CredentialCache
from swampsync.backends.s3_credentials import AwsCredentials
from swampsync.backends.s3_keys import S3Keys
from swampsync.backends.s3_profiles import CredentialPlaces
from swampsync.disk import DiskFile, LocalDisk, WriteMode
from swampsync.errors import AccessDenied, Unavailable

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class StepClock:
    """A clock that tells what it is told."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def uptime(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError

    def wait(self, event: object, timeout_seconds: float) -> bool:
        raise AssertionError


class Portal:
    """Gives keys for an hour, or refuses."""

    def __init__(self, clock: StepClock) -> None:
        self.clock = clock
        self.asked: list[str | None] = []
        self.refusal: Exception | None = None
        self.ends = True

    def __call__(self, profile: str | None, places: CredentialPlaces) -> S3Keys:
        self.asked.append(profile)
        if self.refusal is not None:
            raise self.refusal
        expires_at = self.clock.now() + timedelta(hours=1) if self.ends else None
        return S3Keys(f"ASIA{len(self.asked)}", "portal-secret", "portal-token", expires_at)


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest.fixture
def portal(clock: StepClock) -> Portal:
    return Portal(clock)


@pytest.fixture
def places(tmp_path: Path) -> CredentialPlaces:
    return CredentialPlaces.of({}, home=str(tmp_path), cache_dir=str(tmp_path / "cache"))


def make(places: CredentialPlaces, clock: StepClock, portal: Portal, profile: str | None = None) -> AwsCredentials:
    return AwsCredentials(
        profile, places, disk=LocalDisk(), clock=clock, new_id=lambda: str(uuid.uuid4()), fetch=portal
    )


def test_static_keys_are_read_once_and_nobody_is_asked(tmp_path: Path, clock: StepClock, portal: Portal) -> None:
    """With keys in the environment neither boto3 nor the cache is touched."""
    environment = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s"}
    places = CredentialPlaces.of(environment, home=str(tmp_path), cache_dir=str(tmp_path / "cache"))
    credentials = make(places, clock, portal)
    assert credentials.current() is credentials.current()
    assert portal.asked == []
    assert not (tmp_path / "cache").exists()


def test_nothing_is_read_before_it_is_needed(places: CredentialPlaces, clock: StepClock, portal: Portal) -> None:
    """Making a source of credentials asks nobody."""
    make(places, clock, portal)
    assert portal.asked == []


def test_keys_are_asked_for_once_until_they_end(places: CredentialPlaces, clock: StepClock, portal: Portal) -> None:
    """Temporary keys are renewed shortly before their end, not before."""
    credentials = make(places, clock, portal)
    assert credentials.current().access_key_id == "ASIA1"
    clock.time += timedelta(minutes=57)
    assert credentials.current().access_key_id == "ASIA1"
    clock.time += timedelta(minutes=2)
    assert credentials.current().access_key_id == "ASIA2"


def test_next_process_finds_the_keys_in_the_cache(
    places: CredentialPlaces, clock: StepClock, portal: Portal, tmp_path: Path
) -> None:
    """Temporary keys are kept in a file that only its owner can read, so that the next process asks nobody."""
    first = make(places, clock, portal).current()
    assert make(places, clock, portal).current() == first
    assert len(portal.asked) == 1
    (path,) = (tmp_path / "cache").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700
    clock.time += timedelta(hours=2)
    assert make(places, clock, portal).current().access_key_id == "ASIA2"


def test_profiles_do_not_share_a_file(
    places: CredentialPlaces, clock: StepClock, portal: Portal, tmp_path: Path
) -> None:
    """Each profile, and each role in the environment, has its own kept keys."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[profile a]\nsso_session=x\n[profile b]\nsso_session=x\n")
    names = {make(places, clock, portal, profile).current().access_key_id for profile in ("a", "b", None)}
    role = CredentialPlaces.of({"AWS_ROLE_ARN": "r"}, home=str(tmp_path), cache_dir=places.cache_dir)
    names.add(make(role, clock, portal).current().access_key_id)
    assert len(names) == 4


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.chmod(0o644),
        lambda path: path.write_text("{}"),
        lambda path: path.write_text("not JSON"),
        lambda path: path.write_bytes(b"\xff"),
        lambda path: (path.rename(path.with_suffix(".x")), path.symlink_to(path.with_suffix(".x"))),
    ],
    ids=["readable by others", "empty", "no JSON", "binary", "a link"],
)
def test_cache_that_cannot_be_trusted_is_not_used(
    damage: object, places: CredentialPlaces, clock: StepClock, portal: Portal, tmp_path: Path
) -> None:
    """A file that others could read or write, that is damaged or a link is ignored, and keys are asked for."""
    make(places, clock, portal).current()
    (path,) = (tmp_path / "cache").iterdir()
    assert callable(damage)
    damage(path)
    assert make(places, clock, portal).current().access_key_id == "ASIA2"


def test_cache_that_cannot_be_written_is_no_error(tmp_path: Path, clock: StepClock, portal: Portal) -> None:
    """Without a place for the cache the keys are used all the same."""
    (tmp_path / "file").write_text("")
    for directory in (None, str(tmp_path / "file" / "cache")):
        places = CredentialPlaces.of({}, home=str(tmp_path), cache_dir=directory)
        assert make(places, clock, portal).current().secret_access_key == "portal-secret"


class InterruptedDisk(LocalDisk):
    """Calls somebody else when a file was made and half of it is written."""

    def __init__(self, in_the_middle: Callable[[], None]) -> None:
        self.in_the_middle = in_the_middle

    def open_write(self, path: str, mode: WriteMode) -> DiskFile:
        return HalfWritten(super().open_write(path, mode), self.in_the_middle)


class HalfWritten:
    """A file that is written in two halves."""

    def __init__(self, file: DiskFile, in_the_middle: Callable[[], None]) -> None:
        self._file = file
        self._in_the_middle = in_the_middle

    def write(self, data: bytes | memoryview, /) -> int:
        half = len(data) // 2
        done = self._file.write(data[:half])
        self._in_the_middle()
        return done + self._file.write(data[half:])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()


def cache_on(disk: LocalDisk, directory: Path, clock: StepClock) -> CredentialCache:
    return CredentialCache(str(directory), "x", disk=disk, clock=clock, new_id=lambda: str(uuid.uuid4()))


def test_writers_of_one_file_do_not_meet(tmp_path: Path, clock: StepClock) -> None:
    """Two that keep keys at once, in one process or with one process id on two machines, both keep them whole."""
    ours, theirs = (S3Keys(name, "s" * 5_000, "t", NOW + timedelta(hours=1)) for name in ("ASIAOURS", "ASIATHEIRS"))
    seen: list[S3Keys | None] = []

    def save_theirs() -> None:
        other = cache_on(LocalDisk(), tmp_path, clock)
        other.save(theirs)
        seen.append(other.load())

    cache = cache_on(InterruptedDisk(save_theirs), tmp_path, clock)
    cache.save(ours)
    assert seen == [theirs]
    assert cache.load() == ours
    assert [path.name for path in tmp_path.iterdir()] == ["aws-x.json"]


def test_nobody_else_can_read_the_keys_while_they_are_written(tmp_path: Path, clock: StepClock) -> None:
    """The file is its owner's from its first byte, whatever the process lets others read."""
    modes: list[int] = []

    def look() -> None:
        modes.extend(stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir())

    old = os.umask(0)
    try:
        cache = cache_on(InterruptedDisk(look), tmp_path / "new", clock)
        cache.save(S3Keys("ASIAOURS", "s", None, NOW + timedelta(hours=1)))
    finally:
        os.umask(old)
    assert modes == [0o600]
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_writer_that_fails_leaves_the_old_keys_and_nothing_else(tmp_path: Path, clock: StepClock) -> None:
    """A full disk costs nothing but the file: what was kept stays, and no half of a secret lies beside it."""
    kept = S3Keys("ASIAOLD", "s", None, NOW + timedelta(hours=1))
    cache_on(LocalDisk(), tmp_path, clock).save(kept)

    def fill() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    cache = cache_on(InterruptedDisk(fill), tmp_path, clock)
    cache.save(S3Keys("ASIANEW", "s", None, NOW + timedelta(hours=1)))
    assert cache.load() == kept
    assert [path.name for path in tmp_path.iterdir()] == ["aws-x.json"]


def test_keys_without_an_end_are_not_kept(
    places: CredentialPlaces, clock: StepClock, portal: Portal, tmp_path: Path
) -> None:
    """Keys that never end stay where they come from."""
    portal.ends = False
    make(places, clock, portal).current()
    assert not (tmp_path / "cache").exists()


def test_old_keys_serve_while_they_are_valid_if_renewing_fails(
    places: CredentialPlaces, clock: StepClock, portal: Portal
) -> None:
    """A portal that is down for a moment hurts nobody before the keys really end."""
    credentials = make(places, clock, portal)
    credentials.current()
    portal.refusal = Unavailable("portal is down")
    clock.time += timedelta(minutes=59)
    assert credentials.current().access_key_id == "ASIA1"
    clock.time += timedelta(minutes=2)
    with pytest.raises(Unavailable, match="portal is down"):
        credentials.current()


def test_refusal_is_raised(places: CredentialPlaces, clock: StepClock, portal: Portal) -> None:
    """If there are no credentials at all, the reason is raised each time."""
    portal.refusal = AccessDenied("no credentials")
    credentials = make(places, clock, portal)
    for _ in range(2):
        with pytest.raises(AccessDenied, match="no credentials"):
            credentials.current()


def test_keys_of_the_environment_that_ended_are_named(tmp_path: Path, clock: StepClock, portal: Portal) -> None:
    """If the environment says that its keys have ended, no request is needed to find out."""
    environment = {
        "AWS_ACCESS_KEY_ID": "AKIAENV",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_CREDENTIAL_EXPIRATION": "2026-11-21T11:00:00Z",
    }
    with pytest.raises(CredentialsExpired, match="ended at 2026-11-21 11:00 UTC"):
        make(CredentialPlaces.of(environment, home=str(tmp_path)), clock, portal).current()


def test_source_shows_no_secret(places: CredentialPlaces, clock: StepClock, portal: Portal) -> None:
    """Neither the source nor what it holds shows a secret."""
    credentials = make(places, clock, portal)
    keys = credentials.current()
    assert "portal" not in repr(credentials) + repr(vars(credentials)["_keys"]) + repr(keys)
    assert os.environ.get("AWS_SECRET_ACCESS_KEY") is None
