"""Which locks commands really take: every lock file that comes into being is seen, whoever makes it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from swampsync.cli.console import Console
from swampsync.cli.table import COMMANDS
from swampsync.disk import LocalDisk
from swampsync.locks.table import LockKind, find_lock_kind
from swampsync.repo.structural import Structural
from swampsync.repo.world import World
from tests.cli.conftest import Place, Swamp
from tests.unit.repo.buckets import MemoryBuckets

NOBODY = "command/shell/683cc951-709e-43d0-afee-c4859dba39a6"


@dataclass
class Spy:
    """Remembers locks by kind, and whose they were."""

    paths: list[str] = field(default_factory=list)

    @property
    def kinds(self) -> set[LockKind]:
        return {self.kind_of(path) for path in self.paths}

    def kind_of(self, path: str) -> LockKind:
        if "/.auto-definition-create/" in path:
            return LockKind.MODEL  # of a model that is about to be: a part of writing it
        return LockKind.MODEL if path.endswith("/.lock") else LockKind.STRUCTURAL


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    seen = Spy()
    link, open_write = LocalDisk.link, LocalDisk.open_write

    def spying_link(self: LocalDisk, source: str, target: str) -> None:
        link(self, source, target)
        if target.endswith((".lock", ".lock.child")):
            seen.paths.append(target)

    def spying_open(self: LocalDisk, path: str, *rest: object, **more: object) -> object:
        if path.endswith(".lock"):
            seen.paths.append(path)
        return open_write(self, path, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(LocalDisk, "link", spying_link)
    monkeypatch.setattr(LocalDisk, "open_write", spying_open)
    return seen


def make_old_link(place: Place) -> None:
    """Leave a marker as old versions of swamp did."""
    base = place.datastore or place.first
    (marker,) = [path for path in base.rglob("latest") if path.parent.name == "x"]
    marker.unlink()
    marker.symlink_to("1")


def nothing(_place: Place) -> None:
    pass


@dataclass(frozen=True)
class Case:
    """How to run a command so that it does something."""

    arguments: tuple[str, ...] = ()
    prepare: Callable[[Place], None] = nothing
    status: int = 0


CASES: dict[str, Case] = {
    "init": Case(("--force",)),
    "repo init": Case(("--force",)),
    "repo status": Case(),
    "repo upgrade": Case(prepare=make_old_link),
    "repo deinit": Case(("--yes",)),
    "config get": Case(("datastore.namespace",)),
    "config set": Case(("autoGc", "true")),
    "config unset": Case(("autoGc",)),
    "config list": Case(),
    "data put": Case(("fresh", "y")),
    "data import": Case((".", "--model", "fresh")),
    "data delete": Case(("m", "x", "--yes")),
    "data rename": Case(("m", "x", "z")),
    "data gc": Case(("--yes",)),
    "data prune": Case(("--yes",)),
    "data get": Case(("m", "x")),
    "data list": Case(),
    "data versions": Case(("m", "x")),
    "data search": Case(),
    "data query": Case(('name == "x"',)),
    "datastore status": Case(),
    "datastore setup filesystem": Case(("--path", "elsewhere")),
    "datastore reindex": Case(),
    "datastore compact": Case(),
    "datastore sync": Case(),
    "datastore log": Case(),
    "datastore verify": Case(),
    "datastore verify --repair": Case(("--repair", "--yes")),
    "datastore lock status": Case(),
    "datastore lock release": Case(("--force",)),
    "datastore namespace set": Case(("infra",)),
    "datastore namespace unset": Case(("-n", "infra")),
    "datastore namespace list": Case(),
    "datastore namespace describe": Case(),
    "datastore namespace join": Case(("app",)),
    "datastore namespace migrate": Case(("--yes", "--absorb")),
    "datastore namespace follow": Case(),
    "datastore namespace policy": Case(("--bucket", "team")),
    "datastore namespace resolve": Case(),
    "datastore namespace validate": Case(),
    "model create": Case(("command/shell", "made")),
    "model list": Case(),
    "doctor backend": Case(("--quick",)),
    "exec": Case(("--", "true")),
    "exec --lock": Case(("--lock", "--", "true")),
    "completion": Case(("bash",)),
}
# What is true in one mode only, or has a test of its own below.
ONLY_NAMESPACED = {"datastore namespace join", "datastore namespace migrate"}
REFUSED = {"datastore namespace unset"}  # two namespaces share the directory, or there is none: refused, and no lock
OF_BUCKETS = {
    "datastore sync",
    "datastore log",
    "datastore undelete",
}  # some are refused on a directory; either way nothing is locked
ELSEWHERE = {"datastore setup s3", "demo", "datastore undelete", "datastore vacuum"}


def test_no_command_is_left_out() -> None:
    """A new command needs a case here."""
    missing = []
    for words in COMMANDS:
        typed = " ".join(words)
        typed = f"datastore {typed}" if typed.startswith("namespace ") else typed
        if typed not in CASES and typed not in ELSEWHERE:
            missing.append(typed)
    assert missing == []


@pytest.mark.holds("I8")
@pytest.mark.parametrize("command", CASES)
def test_command_takes_the_lock_of_the_table(swamp: Swamp, place: Place, command: str, spy: Spy) -> None:
    """What a command locks is what the table says, in solo mode and in its own namespace."""
    if command in ONLY_NAMESPACED and place.is_solo:
        return
    case = CASES[command]
    swamp(place.first, "data", "put", "m", "x", stdin="1").ok()
    case.prepare(place)
    spy.paths.clear()
    words = command.removesuffix(" --lock").removesuffix(" --repair").split()
    outcome = swamp(place.first, *words, *case.arguments, stdin="1")
    if command not in OF_BUCKETS:
        assert (outcome.status == 0) != (command in REFUSED), outcome.err
    wanted = find_lock_kind(command)
    assert spy.kinds == ({wanted} if wanted is not LockKind.NONE else set()), spy.paths
    if place.datastore is not None:
        mine = "app" if command.endswith(" join") else "infra"
        if command.endswith(" migrate"):  # the un-namespaced place is changed too
            spy.paths.remove(f"{place.datastore}/.datastore.lock")
        for path in spy.paths:
            assert path.startswith((f"{place.datastore}/{mine}/", f"{place.datastore}/.locks/{mine}.lock")) or (
                "/elsewhere/" in path
            ), path
    assert not [path for path in spy.paths if os.path.exists(path)]


@pytest.mark.parametrize("command", ["data gc", "data prune", "data delete", "datastore reindex"])
def test_dry_run_takes_none(swamp: Swamp, place: Place, command: str, spy: Spy) -> None:
    """What only shows its plan never waits."""
    swamp(place.first, "data", "put", "m", "x", stdin="1").ok()
    spy.paths.clear()
    more = ("m", "x") if command == "data delete" else ()
    swamp(place.first, *command.split(), *more, "--dry-run").ok()
    assert spy.paths == []
    assert find_lock_kind(command, is_dry_run=True) is LockKind.NONE


@pytest.mark.parametrize("command", ["gc", "prune"])
def test_empty_plan_takes_the_lock_all_the_same(swamp: Swamp, place: Place, command: str, spy: Spy) -> None:
    """That there is nothing to do is only certain under the lock."""
    outcome = swamp(place.first, "data", command, "--json").json
    assert outcome["versionsDeleted"] == 0
    assert spy.kinds == {LockKind.STRUCTURAL}


@pytest.mark.parametrize("command", ["gc", "prune"])
def test_yes_plans_once_and_under_the_lock(
    swamp: Swamp, place: Place, command: str, spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has agreed beforehand is shown no preview, so that nothing is read twice."""
    swamp(place.first, "data", "put", "m", "x", stdin="1").ok()
    spy.paths.clear()
    planned: list[list[str]] = []
    plan = getattr(Structural, f"plan_{command}")

    def watch(structural: Structural) -> object:
        planned.append(list(spy.paths))
        return plan(structural)

    monkeypatch.setattr(Structural, f"plan_{command}", watch)
    swamp(place.first, "data", command, "--yes").ok()
    assert planned == [spy.paths]
    assert len(spy.paths) == 1


def test_appending_takes_the_models_lock(swamp: Swamp, place: Place, spy: Spy) -> None:
    """An append is a write like any other."""
    swamp(place.first, "data", "put", "m", "log", "--streaming", stdin="1").ok()
    spy.paths.clear()
    swamp(place.first, "data", "put", "m", "log", "--append", stdin="2").ok()
    assert spy.kinds == {LockKind.MODEL}
    assert len(spy.paths) == 1


@pytest.mark.parametrize("command", ["data gc", "data prune", "data delete m", "repo deinit"])
def test_prompt_holds_no_lock(
    swamp: Swamp, place: Place, command: str, spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While somebody thinks about the answer, nobody waits; with the answer no, nothing was ever locked."""
    for _ in range(3):
        swamp(place.first, "data", "put", "m", "x", "--gc", "1", stdin="1").ok()
    if command == "data prune":
        for definition in (place.datastore or place.first).rglob("auto-definitions/**/*.yaml"):
            definition.unlink()
    spy.paths.clear()
    asked: list[list[str]] = []

    def answer(_console: Console, _question: str, *, is_confirmed: bool) -> bool:
        assert not is_confirmed
        base = place.datastore or place.first / ".swamp"
        asked.append([str(path) for path in base.rglob("*.lock")])
        return False

    monkeypatch.setattr(Console, "confirm", answer)
    words = command.split()
    if command == "data delete m":
        words.append("--all")
    swamp(place.first, *words)
    assert asked == [[]]
    assert spy.paths == []


def test_joining_a_bucket_takes_its_structural_lock(
    swamp: Swamp, pair: Place, monkeypatch: pytest.MonkeyPatch, spy: Spy
) -> None:
    """A claim has one winner without a lock; a join takes that of the namespace; the place that is left is locked."""
    buckets = MemoryBuckets()
    monkeypatch.setattr("swampsync.repo.repo.World", lambda: World(open_bucket=buckets.open))
    spy.paths.clear()
    swamp(pair.first, "datastore", "setup", "s3", "--bucket", "team", "-n", "infra").ok()
    assert [key for key in buckets.keys("team") if ".locks" in key] == []
    swamp(pair.second, "datastore", "setup", "s3", "--bucket", "team", "-n", "infra", "--join").ok()
    (lock,) = buckets.store().list(".locks/")
    assert lock.key.text == ".locks/infra.lock"
    assert b'"released": true' in buckets.store().get(lock.key).body
    assert {os.path.basename(path) for path in spy.paths} == {"infra.lock", "app.lock"}
    assert not [path for path in spy.paths if os.path.exists(path)]
    assert find_lock_kind("datastore setup s3") is LockKind.STRUCTURAL


def test_commands_of_two_namespaces_touch_only_their_own_locks(swamp: Swamp, pair: Place, spy: Spy) -> None:
    """Every writing command of one namespace leaves the other one's locks alone, so neither can wait for the other."""
    for repo, mine in ((pair.first, "infra"), (pair.second, "app")):
        spy.paths.clear()
        swamp(repo, "data", "put", "m", "x", stdin="1").ok()
        swamp(repo, "data", "rename", "m", "x", "y").ok()
        for command in ("gc", "prune"):
            swamp(repo, "data", command, "--yes").ok()
        swamp(repo, "data", "delete", "m", "--all", "--yes").ok()
        swamp(repo, "datastore", "compact").ok()
        assert len(spy.paths) >= 6
        for path in spy.paths:
            assert path.startswith((f"{pair.datastore}/{mine}/", f"{pair.datastore}/.locks/{mine}.lock")), path
