"""What commands do on a bucket while another command of the same clone syncs and does not end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

import pytest

from swampsync.clock import SystemClock
from swampsync.locks.clone_lock import CloneLock
from swampsync.locks.table import waits_for_clone
from swampsync.repo.syncing import LOCK_NAME
from tests.cli.test_lock_table_bucket import CASES, LEFT_OUT, BucketRepo, make

__all__ = ["make"]

IMPATIENT = {"SWAMP_LOCK_TIMEOUT_MS": "1"}
WAITING = "waiting for another command in this clone"
ASKING = {"data gc", "data prune", "data delete m x", "datastore reindex"}  # the log, where nobody is at it
AS_IT_WAS = "another command in this clone is syncing: `{}` is taken as it was last looked at"


@contextmanager
def syncing(repo: BucketRepo) -> Iterator[None]:
    """Hold the clone's lock as another process of it would."""
    (path,) = (repo.path / ".swamp").rglob(LOCK_NAME)
    with CloneLock(str(path), clock=SystemClock(), rng=Random(0), wait_seconds=0).hold():
        yield


@pytest.mark.parametrize("command", [c for c in CASES if c not in LEFT_OUT | {"exec --lock"}])
def test_command_waits_for_the_clone_as_the_table_says(make: Callable[[str], BucketRepo], command: str) -> None:
    """What changes the copy, or what is known of the log, waits; what only shows something does not."""
    repo = make("infra")
    repo("data", "put", "m", "x").ok()
    repo("data", "put", "m", "gone").ok()
    repo("data", "delete", "m", "gone", "--yes").ok()
    words = command.removesuffix(" --repair").split()
    with syncing(repo):
        outcome = repo(*words, *CASES[command].arguments, env=IMPATIENT)
    assert (WAITING in outcome.err) is waits_for_clone(command), outcome.err
    if not waits_for_clone(command):
        assert outcome.status != 75, outcome.err
    elif command != "datastore verify":  # it says what it left out
        assert outcome.status == 75


@pytest.mark.parametrize(
    "command",
    ["data gc", "data prune", "data delete m x", "datastore reindex", "datastore sync", "datastore vacuum"],
)
def test_dry_run_takes_what_is_known(make: Callable[[str], BucketRepo], command: str) -> None:
    """A plan that is only shown is made of the last look at the log, and that is said where a new one was due."""
    repo = make("infra")
    for content in "ab":
        repo("data", "put", "m", "x", "--gc", "1", stdin=content).ok()
    words = command.split()
    free = repo(*words, "--dry-run", "--json").json
    with syncing(repo):
        busy = repo(*words, "--dry-run", "--json", env=IMPATIENT).ok()
    assert WAITING not in busy.err
    assert (AS_IT_WAS.format("infra") in busy.err) is (command in ASKING)
    assert busy.json == free
    assert not waits_for_clone(" ".join(words[:2]), is_dry_run=True)


def test_another_namespace_is_shown_as_it_was(make: Callable[[str], BucketRepo]) -> None:
    """One namespace's sync keeps nobody from reading another one in the same clone; what is old is said to be."""
    infra, app = make("infra"), make("app")
    app("data", "put", "m", "x").ok()
    infra("data", "put", "m", "x").ok()
    infra("data", "list", "-n", "app").ok()
    app("data", "put", "m", "y").ok()
    reads = (("list", "app:m"), ("list", "-n", "app"), ("versions", "app:m", "x"), ("query", "-n", "app", 'name != ""'))
    with syncing(infra):
        for words in reads:
            outcome = infra("data", *words, env=IMPATIENT).ok()
            assert AS_IT_WAS.format("app") in outcome.err
            assert "y" not in outcome.text.split()
        assert infra("data", "put", "m", "z", "-n", "app", env=IMPATIENT).status == 75  # a writer does wait
    outcome = infra("data", "list", "app:m").ok()
    assert "y" in outcome.text.split()
    assert "syncing" not in outcome.err


def test_what_is_not_known_is_waited_for(make: Callable[[str], BucketRepo]) -> None:
    """Content that is not here yet, a log that was never looked at, and one that is chosen to be followed."""
    infra, app = make("infra"), make("app")
    app("data", "put", "m", "x").ok()
    infra("data", "put", "m", "x").ok()
    (raw,) = infra.path.rglob("raw")
    raw.unlink()
    with syncing(infra):
        for words in ("data get m x", "data list -n app", "datastore namespace follow app"):
            outcome = infra(*words.split(), env=IMPATIENT)
            assert (outcome.status, WAITING in outcome.err) == (75, True), words
    assert waits_for_clone("datastore namespace follow NAME")
    assert not waits_for_clone("datastore namespace follow")


def test_repairs_wait_also_to_be_shown(make: Callable[[str], BucketRepo]) -> None:
    """A verification that did not compare the clone says so."""
    repo = make("infra")
    repo("data", "put", "m", "x").ok()
    with syncing(repo):
        outcome = repo("datastore", "verify", "--repair", "--dry-run", env=IMPATIENT)
    assert "this clone was not compared" in outcome.err
    assert waits_for_clone("datastore verify --repair", is_dry_run=True)


@pytest.mark.parametrize(
    "typed",
    [
        "datastore setup filesystem --path elsewhere",
        "datastore setup s3 --bucket other --create-bucket -n infra",
        "datastore vacuum --yes",
        "namespace join app",
        "exec -- true",
    ],
)
def test_command_without_a_case_waits_as_the_table_says(make: Callable[[str], BucketRepo], typed: str) -> None:
    """Moving out of the bucket takes everything along, so it waits; a vacuum and a join ask the bucket only."""
    repo, app = make("infra"), make("app")
    for each in (repo, app):
        each("data", "put", "m", "x").ok()
    words = typed.split()
    command = " ".join(words[:3] if words[1] == "setup" else words[:1] if words[0] == "exec" else words[:2])
    with syncing(repo):
        outcome = repo(*words, env=IMPATIENT)
    assert (WAITING in outcome.err) is waits_for_clone(command), outcome.err
    assert outcome.status == (75 if waits_for_clone(command) else 0), outcome.err
