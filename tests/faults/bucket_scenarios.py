"""What every command that writes to a bucket must survive: being killed between any two things that it does.

A process dies before each writing step on its disk, before each request that writes, and after it, before the answer is
used. Then a second clone looks, a new process of the first one goes on, and both must agree.
"""

from __future__ import annotations

import io
import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from swampsync.backends.base import Create
from swampsync.backends.memory import MemoryStore
from swampsync.clock import SystemClock
from swampsync.errors import NotFound
from swampsync.log.catch_up import read_state
from swampsync.log.verify import verify
from swampsync.repo import Repo
from swampsync.repo.selecting import Selection
from swampsync.repo.sync_report import SyncOptions
from swampsync.sync.push_plan import PushLimits
from tests.stateful.team import Member, Office

MODEL: Final = "m"
NAMES: Final = ("state", "renamed", "stream", "kept", "offline", "file-0", "file-1", "file-2")
ALL: Final = SyncOptions(hydrate=True, limits=PushLimits(is_confirmed=True))
DELETABLE: Final = frozenset({"one", "two", "three"})


def body(text: str) -> io.BytesIO:
    return io.BytesIO(text.encode())


@dataclass(frozen=True)
class Scenario:
    """One command, and what of its work may be there after a kill.

    Args:
        act: The command.
        before: What its repo did before, acknowledged, and did not publish.
        written: Contents that may be there besides; each at most once.
        doubled: Contents that may be there twice.
        days: How long the repo was left alone before the command.
    """

    name: str
    act: Callable[[Repo], Any]
    before: Callable[[Repo], Any] | None = None
    written: frozenset[str] = frozenset()
    doubled: frozenset[str] = frozenset()
    days: float = 0.0


def _import(repo: Repo) -> Any:
    return repo.data.import_directory("../source", MODEL)


def _put_offline(repo: Repo) -> None:
    """Work that a sync has to renumber: the other repo publishes under the same numbers."""
    repo.leave_pending()
    repo.data.put(MODEL, "state", body("offline 1"))
    repo.data.put(MODEL, "offline", body("offline 2"))
    repo.data.apply_delete(repo.data.plan_delete(MODEL, name="state", version=2))


def _append_offline(repo: Repo) -> None:
    repo.leave_pending()
    repo.data.append(MODEL, "stream", body("pending"))


def _append_more_offline(repo: Repo) -> None:
    repo.leave_pending()
    repo.data.append(MODEL, "stream", body(" more"))


def _delete(version: int | None) -> Callable[[Repo], Any]:
    def act(repo: Repo) -> Any:
        return repo.data.apply_delete(repo.data.plan_delete(MODEL, name="state", version=version))

    return act


def _delete_and_put(repo: Repo) -> None:
    _delete(None)(repo)
    repo.data.put(MODEL, "offline", body("offline 2"))


def _undelete(repo: Repo) -> Any:
    wanted = Selection((MODEL,), None, MODEL, (), (), None)
    undeleter = repo.history.undeleter
    return undeleter.apply(undeleter.plan(wanted))


def _write_behind(repo: Repo) -> None:
    """Let another program write into the copy: a file, and content of a version that nobody has seen."""
    root = Path(repo._parts.layout.root)
    (root / "outputs").mkdir(parents=True, exist_ok=True)
    (root / "outputs" / "report.txt").write_text("report")
    (version,) = root.rglob("kept/1/raw")
    shutil.copytree(version.parent, version.parent.parent / "2")
    metadata = version.parent.parent / "2" / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace("version: 1", "version: 2").replace("id: ", "id: ", 1))


SCENARIOS: Final = (
    Scenario("put", lambda r: r.data.put(MODEL, "state", body("new")), written=frozenset({"new"})),
    Scenario("put-new-model", lambda r: r.data.put("fresh", "state", body("new")), written=frozenset({"new"})),
    Scenario("append", lambda r: r.data.append(MODEL, "stream", body(" more")), written=frozenset({" more"})),
    Scenario(
        "append-pending",
        _append_more_offline,
        before=_append_offline,
        written=frozenset({"pending", "pending more", " more"}),
    ),
    Scenario("delete-version", _delete(2)),
    Scenario("delete-artifact", _delete(None)),
    Scenario("rename", lambda r: r.data.rename(MODEL, "state", "renamed"), doubled=frozenset({"three"})),
    Scenario("gc", lambda r: r.structural.gc()),
    Scenario("import", _import, written=frozenset(f"content {n}" for n in range(3))),
    Scenario(
        "sync",
        lambda r: r.synchroniser.sync(ALL),
        before=_put_offline,
        written=frozenset({"offline 1", "offline 2", "bob"}),
    ),
    Scenario(
        "vacuum",
        lambda r: r.vacuumer().vacuum(),
        before=_delete_and_put,
        written=frozenset({"offline 2", "bob"}),
        days=30.0,
    ),
    Scenario("undelete", _undelete, before=_delete_and_put, written=frozenset({"offline 2", "bob"})),
    Scenario(
        "scan",
        lambda r: r.synchroniser.sync(replace(ALL, is_scanning=True)),
        before=_write_behind,
        written=frozenset({"bob"}),
        doubled=frozenset({"kept"}),
    ),
)


@dataclass
class Template:
    """An office as it is before a command, of which each kill gets a copy."""

    root: Path
    namespace: str
    memory: MemoryStore
    days: float

    def copy(self, target: Path) -> tuple[Office, Member, Member]:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.root, target)
        memory = MemoryStore(SystemClock())
        for info in self.memory.list(""):
            memory.put(info.key, self.memory.get(info.key).body, Create())
        office = Office(target, memory, random.Random(1))
        office.dated.begin_now()
        office.clock.suspend(self.days * 86_400.0)
        return office, Member(office, target / "ann", self.namespace), Member(office, target / "bob", self.namespace)


def make_template(root: Path, scenario: Scenario, *, is_shared: bool) -> Template:
    """Let two repos work until one of them is about to run the command."""
    memory = MemoryStore(SystemClock())
    office = Office(root, memory)
    namespace = "infra" if is_shared else ""
    ann = office.member("ann", namespace=namespace)
    bob = office.member("bob", namespace=namespace)
    (root / "source").mkdir()
    for number in range(3):
        (root / "source" / f"file-{number}").write_text(f"content {number}")
    with ann.process() as repo:
        for text in ("one", "two", "three"):
            repo.data.put(MODEL, "state", body(text), garbage_collection=2)
        repo.data.put(MODEL, "stream", body("begin"), is_streaming=True)
        repo.data.put(MODEL, "kept", body("kept"))
    with bob.process() as repo:
        repo.synchroniser.sync(ALL)
    if scenario.before is not None:
        with ann.process() as repo:
            scenario.before(repo)
        with bob.process() as repo:
            repo.data.put(MODEL, "state", body("bob"), garbage_collection=2)
    return Template(root, namespace, memory, scenario.days)


def contents(repo: Repo) -> Counter[str]:
    """Read every version, verified, and count the contents."""
    found: Counter[str] = Counter()
    for model, name in (*((MODEL, name) for name in NAMES), ("fresh", "state")):
        try:
            versions = repo.data.versions(model, name)[1]
        except NotFound:
            continue
        for metadata in versions:
            if not metadata.is_deleted:
                version = repo.data.get(model, name, version=metadata.version)
                found[b"".join(repo.data.read(version)).decode()] += 1
    return found


def kill_everywhere(root: Path, scenario: Scenario, *, is_shared: bool, first: int = 0, stride: int = 1) -> int:
    """Kill a command at `first`, `first + stride`, … of the things that it does; check what is left each time.

    Returns:
        How many things it does.
    """
    template = make_template(root / "template", scenario, is_shared=is_shared)
    office, ann, bob = template.copy(root / "run")
    with ann.process() as repo:
        before = contents(repo)
    lives = first
    while True:
        office, ann, bob = template.copy(root / "run")
        operations = ann.run(scenario.act, lives=lives)
        is_killed = operations > lives
        check_what_is_left(office, ann, bob, scenario, before=before, lives=lives)
        if not is_killed:
            return operations
        lives += stride


def check_what_is_left(
    office: Office, ann: Member, bob: Member, scenario: Scenario, *, before: Counter[str], lives: int
) -> None:
    """Nothing acknowledged is lost, nothing is seen by halves, and the next command heals what is left."""
    log = office.log(ann.namespace)
    # What the other clone sees is whole, whatever the killed one has left.
    assert verify(log).problems == (), lives
    with bob.process() as repo:
        assert repo.synchroniser.sync(ALL).failures == [], lives
        check_contents(contents(repo), scenario, before=None, lives=lives)
    # A new process has everything that was acknowledged, published or not, before it heals anything.
    with ann.process() as repo:
        repo.leave_pending()
        check_contents(contents(repo), scenario, before=before, lives=lives)
    with ann.process() as repo:
        assert repo.synchroniser.sync(ALL).failures == [], lives
    with bob.process() as repo:
        assert repo.synchroniser.sync(ALL).failures == [], lives
    check_agreement(office, ann, bob, lives)
    with ann.process() as repo:
        check_contents(contents(repo), scenario, before=before, lives=lives)
        # Nobody waits for the dead: the next writer of the same model, and a structural command, go through.
        repo.data.put(MODEL, "kept", body("after"))
        repo.structural.gc()
        assert b"".join(repo.data.read(repo.data.get(MODEL, "kept"))) == b"after", lives
    assert office.rewritten_keys() == [], lives


def check_contents(found: Counter[str], scenario: Scenario, *, before: Counter[str] | None, lives: int) -> None:
    known = {"one", "two", "three", "begin", "kept", "bob"} | scenario.written
    assert found.keys() <= known, (lives, found)
    for content, times in found.items():
        assert times == 1 or (times == 2 and content in scenario.doubled), (lives, found)
    for content in () if before is None else before:
        is_extended = any(other.startswith(content) for other in found)
        assert is_extended or content in DELETABLE, (lives, content, found)


def check_agreement(office: Office, ann: Member, bob: Member, lives: int) -> None:
    """Both catalogs are equal to each other and to the replay of the log, and so are the copies."""
    log = office.log(ann.namespace)
    state, head = read_state(log)
    prefix = f"{ann.namespace}/" if ann.namespace else ""
    bodies = {f"{prefix}{p}": office.dated.get(log.layout.key(f.key or p)).body for p, f in state.files.items()}
    rows = []
    for member in (ann, bob):
        with member.process() as repo:
            assert repo.synchroniser.sync(ALL).seq == head.seq, lives
            status = repo.synchroniser.status()
            assert (status.pending_puts, status.pending_removals, status.dead_letters) == (0, 0, ()), (lives, status)
            rows.append(list(repo._parts.catalog.rows(ann.namespace)))
        tree = member.tree()
        assert {path: tree.get(path) for path in bodies} == bodies, lives
    assert rows[0] == rows[1], lives
