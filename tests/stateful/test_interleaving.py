"""Commands that are interleaved run one at a time, in the order that was drawn, and what they write is seen."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from swampsync.backends.base import Create
from swampsync.backends.memory import MemoryStore
from swampsync.clock import SystemClock
from swampsync.layout import ObjectKey
from swampsync.namespace import Namespace
from tests.stateful.interleaving import Interleaver, TurnClock, TurnStore
from tests.stateful.team import Office


def take_turns(order: list[int], *, steps: int = 3) -> str:
    """Let three pieces of work write their letters, step by step."""
    turns, written = Interleaver(), []

    def work(letter: str) -> None:
        for _ in range(steps):
            written.append(letter)
            turns.turn()

    turns.run([lambda letter=letter: work(letter) for letter in "abc"], order)  # type: ignore[misc]
    return "".join(written)


@pytest.mark.parametrize(
    ("order", "written"),
    [([], "aaabbbccc"), ([0, 1, 1, 1], "abcaabbcc"), ([2, 2, 2, 2], "cbaccaabb"), ([1], "bbbcccaaa")],
)
def test_works_take_the_steps_that_were_drawn(order: list[int], written: str) -> None:
    """The same order makes the same run; zeros, which follow it, let whoever runs go on."""
    assert take_turns(order) == take_turns(order)
    assert take_turns(order) == written


def test_a_failure_is_raised_once_all_have_ended() -> None:
    """A work that fails ends its own turns only, and what it raised reaches whoever runs all."""
    turns, ended = Interleaver(), []

    def fail() -> None:
        turns.turn()
        raise LookupError("here")

    def go_on() -> None:
        turns.turn()
        turns.turn()
        ended.append(True)

    with pytest.raises(LookupError, match="here"):
        turns.run([fail, go_on], [0, 0])
    assert ended == [True]


def test_two_works_see_each_others_writes_between_their_own() -> None:
    """Whoever lost the race to a key is told so by the store, although both looked before either wrote."""
    turns = Interleaver()
    store = TurnStore(MemoryStore(TurnClock(turns)), turns)
    seen: list[object] = []

    def write(body: bytes) -> None:
        seen.append(len(list(store.list("a/"))))
        try:
            store.put(ObjectKey("a/x"), body, Create())
            seen.append("won")
        except Exception as error:  # noqa: BLE001 - which one is asserted
            seen.append(type(error).__name__)

    turns.run([lambda: write(b"1"), lambda: write(b"2")], [0, 0, 1, 0, 1, 0, 0])
    assert seen[:2] == [0, 0]
    assert sorted(map(str, seen[2:])) == ["ObjectExists", "won"]


@pytest.mark.holds("I4")
def test_a_write_into_another_namespace_is_noticed(tmp_path: Path) -> None:
    """What the machine asks after every step finds a process that writes beyond its namespace and its lock."""
    office = Office(tmp_path, MemoryStore(SystemClock()), random.Random(1))
    member = office.member("ann")
    assert any(namespace == "infra" for namespace, _ in office.written)
    assert office.strange_writes() == []
    with member.process() as repo:
        store = repo._parts.remote.unguarded
        # Below what refuses it to every command.
        for key in ("infra/x", ".locks/infra.lock", "app/x", ".locks/app.lock", "x"):
            store.put(ObjectKey(key), b"", Create())
    assert office.strange_writes() == [("infra", "app/x"), ("infra", ".locks/app.lock"), ("infra", "x")]
    assert Namespace("infra").name == member.namespace
