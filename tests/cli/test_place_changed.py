"""A command that waits for a lock while the data is moved elsewhere writes nothing to the old place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from swampsync.locks.clone_lock import CloneLock
from swampsync.locks.directory_guard import DirectoryGuard
from tests.cli.conftest import BucketPlace, Place, Swamp

Inject = Callable[[type[Any], str, int, Callable[[], object]], None]


@pytest.fixture
def inject(monkeypatch: pytest.MonkeyPatch) -> Inject:
    """Let something happen before the n-th time that a lock is taken, once, as if the lock had been waited for."""

    def install(owner: type[Any], method: str, number: int, happening: Callable[[], object]) -> None:
        real = getattr(owner, method)
        taken = 0

        @contextmanager
        def take(self: object, *arguments: Any, **more: Any) -> Iterator[Any]:
            nonlocal taken
            taken += 1
            if taken == number:
                monkeypatch.setattr(owner, method, real)
                happening()
            lock: AbstractContextManager[Any] = real(self, *arguments, **more)
            with lock as held:
                yield held

        monkeypatch.setattr(owner, method, take)

    return install


def files_in(directory: Path) -> set[str]:
    """Name the files of versions below a directory."""
    return {p.relative_to(directory).as_posix() for p in directory.rglob("*") if p.name in {"raw", "metadata.yaml"}}


def put(swamp: Swamp, repo: Path, content: str, *flags: str) -> Any:
    return swamp(repo, "data", "put", "vpc", "state", "-", *flags, stdin=content)


def get(swamp: Swamp, repo: Path) -> str:
    return swamp(repo, "data", "get", "vpc", "state", "--output", "-").ok().text


@pytest.mark.parametrize("lock", ["model_lock", "definition_lock"])
def test_put_that_waited_for_a_set_up_writes_nothing_to_the_old_place(
    swamp: Swamp, solo: Path, tmp_path: Path, inject: Inject, lock: str
) -> None:
    """It ends with exit status 75, names the file and what to do, and the same command again uses the new place."""
    if lock == "model_lock":
        put(swamp, solo, "one").ok()
    new = tmp_path / "new"

    def move() -> None:
        swamp(solo, "-n", "infra", "datastore", "setup", "filesystem", "--path", str(new)).ok()

    inject(DirectoryGuard, lock, 1, move)
    refused = put(swamp, solo, "two", "--json")
    assert refused.status == 75
    assert refused.error["code"] == "place_changed"
    assert ".swamp.yaml" in refused.error["error"]
    assert files_in(solo / ".swamp") == set()
    assert len(files_in(new)) == (2 if lock == "model_lock" else 0)
    put(swamp, solo, "two").ok()
    assert files_in(solo / ".swamp") == set()
    assert get(swamp, solo) == "two"


def test_a_structural_command_that_waited_for_a_migration_plans_nothing_there(
    swamp: Swamp, pair: Place, inject: Inject
) -> None:
    """`data gc` that waited while the data went into another datastore leaves both as they are."""
    for content in ("one", "two"):
        put(swamp, pair.first, content, "--gc", "1").ok()
    assert pair.datastore is not None
    new = pair.datastore.with_name("new")
    inject(
        DirectoryGuard, "structural_lock", 1,
        lambda: swamp(pair.first, "datastore", "setup", "filesystem", "--path", str(new)).ok(),
    )  # fmt: skip
    assert swamp(pair.first, "data", "gc", "-y").status == 75
    assert len(files_in(new)) == 4
    swamp(pair.first, "data", "gc", "-y").ok()
    assert len(files_in(new)) == 2


def test_other_changes_of_the_configuration_are_no_other_place(swamp: Swamp, solo: Path, inject: Inject) -> None:
    """What is written while a put waits, and says nothing of where the data is, does not disturb it."""
    put(swamp, solo, "one").ok()
    config = solo / ".swamp.yaml"

    def change() -> None:
        config.write_text(f"# a remark\n{config.read_text()}")
        swamp(solo, "config", "set", "autoGc", "true").ok()

    inject(DirectoryGuard, "model_lock", 1, change)
    put(swamp, solo, "two").ok()
    assert get(swamp, solo) == "two"


def test_a_set_up_that_waited_for_another_one_moves_nothing(
    swamp: Swamp, solo: Path, tmp_path: Path, inject: Inject
) -> None:
    """Of two set-ups of one repo, the one that came second is told so before it has carried anything."""
    put(swamp, solo, "one").ok()
    first, second = tmp_path / "first", tmp_path / "second"
    setup = ("-n", "infra", "datastore", "setup", "filesystem", "--path")
    inject(DirectoryGuard, "structural_lock", 1, lambda: swamp(solo, *setup, str(first)).ok())
    assert swamp(solo, *setup, str(second)).status == 75
    assert (len(files_in(first)), files_in(second)) == (2, set())
    assert get(swamp, solo) == "one"


@pytest.mark.parametrize("number", [1, 2, 3])
def test_put_to_a_bucket_that_was_left_meanwhile_loses_nothing(
    swamp: Swamp, bucket_pair: Place, bucket: BucketPlace, inject: Inject, number: int
) -> None:
    """Before it pulls or records, it is refused; what it had recorded went along, and is not pushed where it was."""
    repo = bucket_pair.first
    new = repo.with_name("new")
    put(swamp, repo, "one").ok()
    commits = bucket.keys("infra/_log/")
    inject(
        CloneLock, "hold", number, lambda: swamp(repo, "datastore", "setup", "filesystem", "--path", str(new)).ok()
    )  # fmt: skip
    refused = put(swamp, repo, "two", "--json")
    assert refused.status == 75, refused.err
    assert refused.error["code"] == ("sync_incomplete" if number == 3 else "place_changed")
    assert bucket.keys("infra/_log/") == commits
    assert get(swamp, repo) == ("two" if number == 3 else "one")
    put(swamp, repo, "three").ok()
    assert get(swamp, repo) == "three"
    assert bucket.keys("infra/_log/") == commits
