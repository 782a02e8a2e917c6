"""The checker of histories, on histories written by hand."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from integration.locks.lock_history import (
    KILLED,
    LOST,
    RELEASED,
    STOPPED,
    TAKEN,
    TOOK,
    WRITTEN,
    Claim,
    HistoryFile,
    Kill,
    Stop,
    count_in_doubt,
    find_killed_holds,
    find_malformed,
    find_overlaps,
    find_slow_heals,
    find_undisturbed_stops,
    parse_lines,
    read_history,
    read_kills,
    read_stops,
)

SAFE = 0.75
EVENTS = (TAKEN, WRITTEN, RELEASED)


def write_history(order: str, **took: float) -> list[Claim]:
    """Make the history of holds named by letters, one line a letter; each is `taken`, `written`, `released`.

    An upper-case letter is a line that took as long as `took` says of its hold, or whose process was killed.
    """
    claims = list[Claim]()
    for at, letter in enumerate(order):
        nonce = letter.lower()
        counter = sum(claim.nonce == nonce for claim in claims)
        seconds = took.get(nonce) if letter.isupper() else 0.01
        claims.append(
            Claim(
                event=EVENTS[counter],
                nonce=nonce,
                counter=counter,
                worker=ord(nonce) - ord("a"),
                host=nonce,
                pid=ord(nonce),
                at=float(at),
                took=seconds,
            )
        )
    return claims


@pytest.mark.parametrize("order", sorted({"".join(order) for order in itertools.permutations("aaabbb")}))
def test_every_interleaving_of_two_holds_is_found(order: str) -> None:
    """Of all orders of two holds' lines, only the two in which one follows the other are none of an overlap."""
    expected = 0 if order in {"aaabbb", "bbbaaa"} else 1
    assert len(find_overlaps(write_history(order), safe_seconds=SAFE)) == expected


@pytest.mark.parametrize("order", ["abba", "aba", "aabab", "aabcccbb", "abcccab", "aaabcccb"])
def test_overlap_of_cut_or_nested_holds_is_found(order: str) -> None:
    """A hold that lies within another one, or was cut, is found as well."""
    assert find_overlaps(write_history(order), safe_seconds=SAFE) != []


def test_holds_that_were_cut_and_followed_are_no_overlap() -> None:
    """A holder that was killed or noticed its loss writes no more, so its successor overlaps nothing."""
    assert find_overlaps(write_history("aabccc"), safe_seconds=SAFE) == []


def test_line_that_took_too_long_is_counted_not_judged() -> None:
    """A late line among another hold's lines is in doubt; one line later, with a check between, it is an overlap."""
    late = write_history("aabbAb", a=3.0)
    assert (find_overlaps(late, safe_seconds=SAFE), count_in_doubt(late, safe_seconds=SAFE)) == ([], 1)
    first = write_history("bbAb", a=3.0)
    assert (find_overlaps(first, safe_seconds=SAFE), count_in_doubt(first, safe_seconds=SAFE)) == ([], 1)
    again = write_history("abAba", a=3.0)
    assert len(find_overlaps(again, safe_seconds=SAFE)) == 1
    assert len(find_overlaps(write_history("aabbAb", a=0.5), safe_seconds=SAFE)) == 1


def test_slow_line_among_own_lines_is_not_in_doubt() -> None:
    """A line that took long while nobody else wrote proves and disproves nothing, and is not counted."""
    assert count_in_doubt(write_history("aAabbb", a=3.0), safe_seconds=SAFE) == 0


def test_line_whose_writer_was_killed_is_in_doubt() -> None:
    """Nobody knows how long a line took whose writer did not live to tell."""
    cut = write_history("aabbAb")
    assert (find_overlaps(cut, safe_seconds=SAFE), count_in_doubt(cut, safe_seconds=SAFE)) == ([], 1)


def test_kill_of_a_holder_must_be_followed_in_time() -> None:
    """A killed holder's successor is late after the limit, and missing if there is none."""
    claims = write_history("aabbb")
    kills = [Kill(ord("a"), 1.5)]
    assert len(find_killed_holds(claims, kills)) == 1
    assert find_slow_heals(claims, kills, heal_seconds=0.5) == []
    assert "after 0.5 s" in find_slow_heals(claims, kills, heal_seconds=0.4)[0]
    assert find_slow_heals(claims[:2], kills, heal_seconds=9)[0].startswith("nobody followed")


@pytest.mark.parametrize("order", ["bbbaccc", "bbbaaaccc", "bbbccc"], ids=["taken", "released", "entering"])
def test_holder_that_killed_itself_counts_wherever_it_was(order: str) -> None:
    """Whoever says that it had the lock is a killed holder, after its first line, its last, or before any."""
    claims = write_history(order)
    at = order.index("c") - 0.5
    kills = [Kill(ord("a"), at, "a")]
    ((_, successor),) = find_killed_holds(claims, kills)
    assert successor is not None
    assert (successor.event, successor.nonce, successor.at) == (TAKEN, "c", at + 0.5)
    assert find_slow_heals(claims, kills, heal_seconds=0.5) == []
    assert len(find_slow_heals(claims, kills, heal_seconds=0.4)) == 1
    assert find_slow_heals([c for c in claims if c.nonce != "c"], kills, heal_seconds=9) == ["nobody followed pid 97"]


def test_holder_that_was_succeeded_before_it_killed_itself_does_not_count() -> None:
    """A hold that had ended for others already is nothing that anybody has to heal."""
    assert find_killed_holds(write_history("abbb"), [Kill(ord("a"), 2.5, "a")]) == []


def test_kill_of_anybody_else_heals_nothing() -> None:
    """Who had released, had noticed its loss, had been succeeded or had never written was no holder."""
    released = write_history("aaa")
    lost = parse_lines([_line(TAKEN, "a", 0, at=0.0), _line(LOST, "a", 0)])
    succeeded = write_history("aabb")
    assert lost[0].is_lost
    for claims, kill in (
        (released, Kill(97, 5)),
        (lost, Kill(97, 5)),
        (succeeded, Kill(97, 5)),
        (released, Kill(1, 5)),
    ):
        assert find_killed_holds(claims, [kill]) == []
        assert find_slow_heals(claims, [kill], heal_seconds=1) == []


def test_malformed_hold_is_found() -> None:
    """A hold whose lines have a gap, begin late or go on after the release is found."""
    good = write_history("aaabb")
    assert find_malformed(good) == []
    assert len(find_malformed([good[0], *good[2:]])) == 1
    assert len(find_malformed(good[1:])) == 1
    after = Claim(event=WRITTEN, nonce="a", counter=3, worker=0, host="a", pid=97, at=9)
    assert len(find_malformed([*good, after])) == 1


def test_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    """What two files append comes back in their order, with how long each line took, and so do the kills."""
    path = tmp_path / "history"
    assert read_history(path) == []
    one, two = (HistoryFile(str(path), worker=n, host=f"host-{n}") for n in (1, 2))
    one.append(TAKEN, "x", 0, at=1.0)
    two.append(TAKEN, "y", 0, at=2.0)
    one.append(TOOK, "x", 0, seconds=0.25)
    two.append(KILLED, "y", -1, at=3.0)
    claims = read_history(path)
    assert [(claim.nonce, claim.event) for claim in claims] == [("x", TAKEN), ("y", TAKEN)]
    assert (claims[0].took, claims[0].host, claims[0].pid, claims[1].took) == (0.25, "host-1", os.getpid(), None)
    assert read_kills(path) == [Kill(os.getpid(), 3.0, "y")]


def _line(event: str, nonce: str, counter: int, **more: float) -> bytes:
    who = {"worker": 1, "host": nonce, "pid": ord(nonce)}
    return json.dumps({"event": event, "nonce": nonce, "counter": counter} | who | more).encode()


@pytest.mark.parametrize(
    ("order", "is_lost", "expected"),
    [("ab", False, 0), ("acccb", False, 0), ("aaa", False, 1), ("a", True, 0), ("aabbb", True, 0)],
)
def test_stopped_holder_is_followed_or_notices_its_loss(order: str, is_lost: bool, expected: int) -> None:  # noqa: FBT001
    """Whoever went on as if nothing had been, with nobody after it, is found."""
    claims = [replace(c, is_lost=is_lost and c.nonce == "a") for c in write_history(order)]
    stop = Stop(ord("a"), 0.5, "a")
    assert len(find_undisturbed_stops(claims, [stop], heal_seconds=4)) == expected


def test_follower_that_came_too_late_is_found() -> None:
    """A stopped holder's lock is free after its TTL, whatever the holder does later."""
    claims = write_history("ab")
    assert find_undisturbed_stops(claims, [Stop(ord("a"), 0.5, "a")], heal_seconds=0.4) != []


def test_stops_are_read_from_the_history(tmp_path: Path) -> None:
    """A holder says which lock it held when it stopped itself; kills are told apart."""
    path = tmp_path / "history"
    history = HistoryFile(str(path), worker=1, host="h")
    history.append(STOPPED, "n", -1, at=2.0)
    history.append(KILLED, "m", -1, at=3.0)
    assert [(stop.pid, stop.at, stop.nonce) for stop in read_stops(path)] == [(os.getpid(), 2.0, "n")]
    assert [kill.nonce for kill in read_kills(path)] == ["m"]
