"""A watch syncs again and again, says what is new once, and waits longer while the store cannot be reached."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from swampsync.catalog.catalog import RowChange
from swampsync.errors import AccessDenied, LockTimeout, SwampsyncError, Unavailable
from swampsync.repo.directory_sync import DirectoryReport, Refreshed
from swampsync.repo.sync_report import SyncReport
from swampsync.repo.watching import Event, Line, Trouble, Watcher, describe_refresh, describe_sync
from swampsync.testing.manual_clock import ManualClock


@dataclass
class Scene:
    """A watcher over scripted rounds; it stops when the script ends."""

    script: Sequence[SyncReport | BaseException | tuple[SyncReport, BaseException]]
    interval: float = 10.0
    clock: ManualClock = field(default_factory=ManualClock)
    times: list[float] = field(default_factory=list)
    troubles: list[Trouble | None] = field(default_factory=list)
    rounds: list[list[Line]] = field(default_factory=list)

    def run(self) -> list[list[Line]]:
        stop = threading.Event()
        began = self.clock.uptime()
        rounds = iter(self.script)

        def sync(on_stop: Callable[[SyncReport], None]) -> SyncReport:
            self.times.append(self.clock.uptime() - began)
            outcome = next(rounds)
            if len(self.times) == len(self.script):
                stop.set()
            if isinstance(outcome, tuple):
                on_stop(outcome[0])
                raise outcome[1]
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        watcher = Watcher(
            sync,
            describe_sync,
            clock=self.clock,
            rng=random.Random(1),
            interval_seconds=self.interval,
            on_trouble=self.troubles.append,
        )
        for _, lines in watcher.rounds(stop):
            self.rounds.append(lines)
        return self.rounds


def report(**values: object) -> SyncReport:
    made = SyncReport("infra")
    for name, value in values.items():
        setattr(made, name, value)
    return made


def test_nothing_new_says_nothing() -> None:
    """Rounds without news yield nothing, and follow each other at the interval."""
    scene = Scene([report(), report(), report()])
    assert scene.run() == []
    assert scene.times == [0.0, 10.0, 20.0]


def test_every_change_is_a_line() -> None:
    """What came and went both ways, what was renumbered, kept, merged or in conflict is a line each, in order."""
    news = report(
        came=["data/a/b/c/1"],
        went=["files/x"],
        fetched=2,
        renumbered=[("data/a/b/c/1", "data/a/b/c/2")],
        conflicts=[("files/y", "files/y.conflict-1")],
        merged=["audit/l.jsonl"],
        kept=["files/z"],
        sent=["data/a/b/c/2"],
        withdrawn=["files/w"],
        others={"app": 3, "idle": 0, "denied": "no access"},
        checkpoint=64,
    )
    (lines,) = Scene([report(), news]).run()
    assert [(line.event, line.path) for line in lines] == [
        (Event.STARTED_OVER, "infra"),
        (Event.PULLED, "data/a/b/c/1"),
        (Event.REMOVED, "files/x"),
        (Event.FETCHED, "infra"),
        (Event.RENUMBERED, "data/a/b/c/1"),
        (Event.CONFLICT, "files/y"),
        (Event.MERGED, "audit/l.jsonl"),
        (Event.KEPT, "files/z"),
        (Event.PUSHED, "data/a/b/c/2"),
        (Event.WITHDREW, "files/w"),
        (Event.NAMESPACE, "app"),
        (Event.UNREADABLE, "denied"),
    ]
    assert lines[4].to_json() == {"event": "renumbered", "path": "data/a/b/c/1", "detail": "data/a/b/c/2"}


def test_failure_is_told_once_until_it_changes() -> None:
    """A file that fails in every round is a line in the first, and again when it failed after it had arrived."""
    bad = [("files/x", "missing")]
    rounds = [report(failures=bad), report(failures=bad), report(), report(failures=bad)]
    assert Scene(list(rounds)).run() == [[Line(Event.FAILED, "files/x", "missing")]] * 2


@pytest.mark.parametrize("make", [lambda: Unavailable("no route"), lambda: LockTimeout("busy")], ids=["store", "lock"])
def test_trouble_is_told_once_and_waited_out(make: Callable[[], SwampsyncError]) -> None:
    """While the store cannot be reached the pauses grow to five minutes; one line says so, and one that it is over."""
    scene = Scene([make() for _ in range(9)] + [report(sent=["files/x"]), report()])
    assert scene.run() == [[Line(Event.PUSHED, "files/x")]]
    pauses = [later - earlier for earlier, later in zip(scene.times, scene.times[1:], strict=False)]
    assert all(0.75 * want <= got <= want for got, want in zip(pauses, (10, 20, 40, 80, 160, 300, 300), strict=False))
    assert pauses[-1] == 10.0
    first, last = scene.troubles
    assert first is not None
    assert first.pause_seconds == pytest.approx(pauses[0])
    assert last is None


def test_other_trouble_is_told_again() -> None:
    """While rounds keep failing, a new reason is told, and the same one is not."""
    scene = Scene([Unavailable("no route"), Unavailable("no route"), Unavailable("no answer"), report()])
    assert scene.run() == []
    assert [None if trouble is None else trouble.error.message for trouble in scene.troubles] == [
        "no route", "no answer", None,
    ]  # fmt: skip


@pytest.mark.parametrize("end", [Unavailable("no route"), AccessDenied("no more"), KeyboardInterrupt()], ids=repr)
def test_what_a_round_did_before_it_failed_is_told(end: BaseException) -> None:
    """What came before an error that passes, one that lasts, or a signal, is told at once; no later round would."""
    done = report(came=["files/x"], renumbered=[("data/a/1", "data/a/2")], is_complete=False)
    scene = Scene([(done, end), report()])
    if isinstance(end, Unavailable):
        scene.run()
        assert [trouble is None for trouble in scene.troubles] == [False, True]
    else:
        with pytest.raises(type(end)):
            scene.run()
    assert scene.rounds == [
        [Line(Event.PULLED, "files/x"), Line(Event.RENUMBERED, "data/a/1", "data/a/2")],
    ]


def test_failure_is_not_told_again_after_a_round_that_was_cut_off() -> None:
    """A round that ended early has not tried everything: what it does not mention still fails."""
    bad = [("files/x", "missing")]
    cut = (report(came=["files/y"], is_complete=False), Unavailable("no route"))
    scene = Scene([report(failures=bad), cut, report(failures=bad)])
    assert scene.run() == [[Line(Event.FAILED, "files/x", "missing")], [Line(Event.PULLED, "files/y")]]


def test_namespace_that_cannot_be_read_is_told_when_that_begins_and_ends() -> None:
    """One line when a followed namespace cannot be read any more, one when it can again, none in between."""
    shut = report(others={"infra": "no access", "web": 0})
    cut = (report(came=["files/y"], is_complete=False), Unavailable("no route"))
    scene = Scene([shut, shut, cut, shut, report(others={"infra": 0, "web": 0}), report(others={"infra": 0})])
    assert scene.run() == [
        [Line(Event.UNREADABLE, "infra", "no access")],
        [Line(Event.PULLED, "files/y")],
        [Line(Event.READABLE, "infra")],
    ]


def test_lasting_error_ends_the_watch() -> None:
    """What does not pass by itself is raised, with its own message and exit status."""
    with pytest.raises(AccessDenied, match="no more"):
        Scene([report(), AccessDenied("no more"), report()]).run()


def test_directory_tells_what_was_refreshed() -> None:
    """On a directory a round has something new where rows changed."""
    made = DirectoryReport("filesystem", "infra")
    made.refreshed["infra"] = Refreshed(RowChange(1, 0, 2), 1, 5)
    made.refreshed["app"] = Refreshed(RowChange(), 0, 7)
    assert describe_refresh(made) == [Line(Event.REFRESHED, "infra", "1 added, 0 changed, 2 removed")]
