"""`datastore sync --watch` on a bucket: rounds that fail half-way, and namespaces that cannot be read for a while."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from swampsync.cli.interruption import Interrupted
from swampsync.testing.manual_clock import ManualClock
from tests.cli.conftest import Swamp
from tests.cli.memory_team import Team, put


class ScriptedClock(ManualClock):
    """Between two rounds of a watch the next step of a script is done; after the last one a signal comes."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Callable[[], None]] = []

    def wait(self, event: threading.Event, timeout_seconds: float) -> bool:
        if threading.current_thread() is not threading.main_thread():  # a lease's heartbeat
            return super().wait(event, timeout_seconds)
        if not self.steps:
            raise Interrupted(15)
        self.steps.pop(0)()
        return super().wait(event, timeout_seconds)


@pytest.fixture
def clock() -> ScriptedClock:
    return ScriptedClock()


@pytest.fixture
def team(swamp: Swamp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: ScriptedClock) -> Team:
    return Team(swamp, tmp_path, clock).installed(monkeypatch)


@pytest.mark.parametrize("namespace", ["", "infra"])
def test_round_that_fails_at_the_push_has_told_what_it_pulled(team: Team, clock: ScriptedClock, namespace: str) -> None:
    """What came before the push failed is a line of that round, then the reason; the next round tells only the rest."""
    ann, bob = team.repo("ann", namespace), team.repo("bob", namespace)
    put(ann, "one")
    bob("datastore", "sync").ok()

    def publish_and_break() -> None:
        put(ann, "two")
        put(bob, "mine", "--no-sync")
        team.unwritable = True

    def mend() -> None:
        team.unwritable = False

    clock.steps = [publish_and_break, mend, lambda: None]
    outcome = bob("datastore", "sync", "--watch", "5", "--json")
    assert outcome.status == 143
    news = [json.loads(line) for line in outcome.text.splitlines()]
    pulled, trouble, over, pushed = news
    events = [(change["event"], change["path"].split("/")[-2:][0]) for change in pulled["changes"]]
    assert ("pulled", "two") in events
    assert [event for event, _ in events if event == "pushed"] == []
    assert (trouble["reachable"], "nothing can be written now" in trouble["error"]) == (False, True)
    assert over["reachable"] is True
    events = [(change["event"], change["path"].split("/")[-2:][0]) for change in pushed["changes"]]
    assert events == [("pushed", "mine")]


def test_followed_namespace_that_cannot_be_read_is_told_once(team: Team, clock: ScriptedClock) -> None:
    """One line when it cannot be read any more, with the reason, and one when it can again."""
    app, web = team.repo("app", "app"), team.repo("web", "web")
    put(web, "one")
    put(app, "one")
    app("namespace", "follow", "web").ok()

    def shut() -> None:
        team.unreadable = ("web/",)

    def mend() -> None:
        team.unreadable = ()

    clock.steps = [shut, lambda: None, mend, lambda: None]
    lines = app("datastore", "sync", "--watch", "5").text.splitlines()
    assert [line.split("Z  ")[1].split() for line in lines] == [
        ["unreadable", "web", "(no", "answer", "about", "web/_log/)"],
        ["readable", "web"],
    ]


def test_signal_in_the_middle_of_a_round_loses_no_line(team: Team, clock: ScriptedClock) -> None:
    """A signal that comes while something is uploaded ends the watch after what was pulled is told."""
    ann, bob = team.repo("ann", ""), team.repo("bob", "")
    put(ann, "one")
    bob("datastore", "sync").ok()
    put(ann, "two")
    put(bob, "mine", "--no-sync")
    team.interrupts = True
    outcome = bob("datastore", "sync", "--watch", "5")
    assert outcome.status == 143
    assert [line.split()[1] for line in outcome.text.splitlines()] == ["pulled", "fetched"]
    team.interrupts = False
    assert bob("datastore", "sync", "--json").json["filesPushed"] == 1
