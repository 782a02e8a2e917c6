"""The history that holders of one lock write into one file, and what must be true of it.

The file is opened with O_APPEND, so that the file system orders the lines of all processes. A hold is one acquisition,
named by its nonce. It writes `taken` first, `written` in between and `released` before it gives the lock back, each
after a `check` and each followed by a line that says how long check and write took. From its first to its last line
the hold claims to be alone; `find_overlaps` reports every two holds of which one wrote between lines of the other.

A worker that is to kill or to stop itself while it holds the lock writes a line `killed` or `stopped` first.

A process that stands still between the check and the write may write late (`design/locks.md`, not covered on a
directory). A line that took longer than what a check promises therefore proves nothing; it is left out, and
`count_in_doubt` counts those of them that lie among another hold's lines.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

TAKEN: Final = "taken"
WRITTEN: Final = "written"
RELEASED: Final = "released"
LOST: Final = "lost"
TOOK: Final = "took"
KILLED: Final = "killed"
STOPPED: Final = "stopped"
CLAIMS: Final = frozenset({TAKEN, WRITTEN, RELEASED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One line that says: now I hold the lock.

    Args:
        event: `taken`, `written` or `released`.
        nonce: Of the hold.
        counter: 0 for the hold's first line, and so on.
        worker: The number of the worker.
        host: What the worker says its host is.
        pid: The worker's process.
        at: The uptime just before the line was written.
        took: Seconds from before the check to after the write; `None` if the process did not live to tell.
        is_lost: Whether the holder noticed, after this line, that it had lost the lock.
    """

    event: str
    nonce: str
    counter: int
    worker: int
    host: str
    pid: int
    at: float
    took: float | None = None
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class Kill:
    """A process that was killed.

    Args:
        pid: Which.
        at: The uptime just before.
        nonce: Of the lock that it held, where that is certain.
    """

    pid: int
    at: float
    nonce: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """A holder that stopped itself, for longer than its TTL.

    Args:
        pid: Of its process.
        at: The uptime just before.
        nonce: Of the lock that it held.
    """

    pid: int
    at: float
    nonce: str


class HistoryFile:
    """What one process appends to the history.

    Args:
        path: Of the history.
        worker: The number of the worker.
        host: What it says its host is.
    """

    def __init__(self, path: str, *, worker: int, host: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._who = {"worker": worker, "host": host, "pid": os.getpid()}

    def append(self, event: str, nonce: str, counter: int, **more: float) -> None:
        """Append one line with one write, so that a killed process leaves no half of one."""
        line = {"event": event, "nonce": nonce, "counter": counter} | self._who | more
        os.write(self._descriptor, json.dumps(line).encode() + b"\n")


def read_history(path: Path) -> list[Claim]:
    """Read the claims in the order in which they were written."""
    return parse_lines(path.read_bytes().splitlines()) if path.exists() else []


def read_kills(path: Path) -> list[Kill]:
    """Read which holders killed themselves."""
    documents = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [Kill(line["pid"], line["at"], line["nonce"]) for line in documents if line["event"] == KILLED]


def read_stops(path: Path) -> list[Stop]:
    """Read which holders stopped themselves."""
    documents = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [Stop(line["pid"], line["at"], line["nonce"]) for line in documents if line["event"] == STOPPED]


def parse_lines(lines: Sequence[bytes]) -> list[Claim]:
    """Put lines together: each claim with how long it took, and with whether the hold was lost after it."""
    claims: dict[tuple[str, int], Claim] = {}
    for line in lines:
        document: dict[str, Any] = json.loads(line)
        event = document.pop("event")
        key = (document["nonce"], document["counter"])
        if event in CLAIMS:
            assert key not in claims, f"{key} was written twice"
            claims[key] = Claim(event=event, **document)
        elif event == TOOK and key in claims:
            claims[key] = replace(claims[key], took=document["seconds"])
        elif event == LOST and key in claims:
            claims[key] = replace(claims[key], is_lost=True)
    return list(claims.values())


def find_malformed(claims: Sequence[Claim]) -> list[str]:
    """Find holds whose lines are not `taken`, `written` …, `released`, numbered without a gap; the end may lack."""
    problems = []
    for nonce, lines in _by_hold(claims).items():
        events = [claim.event for _, claim in lines]
        counters = [claim.counter for _, claim in lines]
        middle = events[1:-1] if events[-1] == RELEASED else events[1:]
        if events[0] != TAKEN or set(middle) - {WRITTEN} or counters != list(range(len(counters))):
            problems.append(f"{nonce}: {events} {counters}")
    return problems


def find_overlaps(claims: Sequence[Claim], *, safe_seconds: float) -> list[str]:
    """Find holds of which one wrote between the first and the last line of another.

    Args:
        claims: In the order in which they were written.
        safe_seconds: For how long a check that succeeded promises that nobody else can have the lock.
    """
    spans = _spans([(at, claim) for at, claim in enumerate(claims) if _is_safe(claim, safe_seconds)])
    overlaps = []
    until = -1
    for first, last in sorted(spans.values()):
        if first < until:
            overlaps.append(f"{_name(claims[first])} came before {_name(claims[until])}")
        until = max(until, last)
    return overlaps


def count_in_doubt(claims: Sequence[Claim], *, safe_seconds: float) -> int:
    """Count lines that took too long to prove anything and that would be overlaps if they did."""
    placed = list(enumerate(claims))
    spans = _spans([(at, claim) for at, claim in placed if _is_safe(claim, safe_seconds)])
    count = 0
    for at, claim in placed:
        if _is_safe(claim, safe_seconds):
            continue
        own_first, own_last = spans.get(claim.nonce, (at, at))
        first, last = min(at, own_first), max(at, own_last)
        count += any(f < last and first < t for nonce, (f, t) in spans.items() if nonce != claim.nonce)
    return count


def find_killed_holds(claims: Sequence[Claim], kills: Sequence[Kill]) -> list[tuple[Kill, Claim | None]]:
    """Find the kills that hit a holder, each with the first line of whoever had the lock next.

    A process that had given the lock back, had noticed its loss, or had been succeeded already, was no holder. One that
    killed itself knew what it held, whether it had written all of its lines or none.
    """
    found = []
    for kill in kills:
        own = [at for at, claim in enumerate(claims) if kill.nonce in {"", claim.nonce} and claim.pid == kill.pid]
        if own:
            last = claims[own[-1]]
            if last.is_lost or (last.event == RELEASED and not kill.nonce):
                continue
            successor = next((c for c in claims[own[-1] + 1 :] if c.event == TAKEN and c.nonce != last.nonce), None)
            if successor is not None and successor.at < kill.at:
                continue
        elif kill.nonce:
            successor = next((c for c in claims if c.event == TAKEN and c.at >= kill.at), None)
        else:
            continue
        found.append((kill, successor))
    return found


def find_slow_heals(claims: Sequence[Claim], kills: Sequence[Kill], *, heal_seconds: float) -> list[str]:
    """Find kills of holders after which nobody took the lock within `heal_seconds`, or nobody at all.

    Whoever is killed while it holds the lock has not finished, and is started again: somebody must follow.
    """
    slow = []
    for kill, successor in find_killed_holds(claims, kills):
        if successor is None:
            slow.append(f"nobody followed pid {kill.pid}")
        elif successor.at - kill.at > heal_seconds:
            slow.append(f"{_name(successor)} followed pid {kill.pid} after {successor.at - kill.at:.1f} s")
    return slow


def find_undisturbed_stops(claims: Sequence[Claim], stops: Sequence[Stop], *, heal_seconds: float) -> list[str]:
    """Find stopped holders whom nobody succeeded within `heal_seconds`, and who noticed no loss when they went on."""
    undisturbed = []
    for stop in stops:
        is_lost = any(claim.is_lost for claim in claims if claim.nonce == stop.nonce)
        takers = [c.at for c in claims if c.event == TAKEN and c.nonce != stop.nonce and c.at >= stop.at]
        if not is_lost and (not takers or min(takers) - stop.at > heal_seconds):
            after = f"after {min(takers) - stop.at:.1f} s" if takers else "never"
            undisturbed.append(f"pid {stop.pid} stopped, noticed nothing, and was followed {after} ({stop.nonce})")
    return undisturbed


def _is_safe(claim: Claim, safe_seconds: float) -> bool:
    return claim.took is not None and claim.took <= safe_seconds


def _by_hold(claims: Sequence[Claim]) -> dict[str, list[tuple[int, Claim]]]:
    holds: dict[str, list[tuple[int, Claim]]] = {}
    for at, claim in enumerate(claims):
        holds.setdefault(claim.nonce, []).append((at, claim))
    return holds


def _spans(placed: Sequence[tuple[int, Claim]]) -> dict[str, tuple[int, int]]:
    spans: dict[str, tuple[int, int]] = {}
    for at, claim in placed:
        spans[claim.nonce] = (spans.get(claim.nonce, (at, at))[0], at)
    return spans


def _name(claim: Claim) -> str:
    return f"{claim.event} {claim.counter} of worker {claim.worker} (pid {claim.pid}, {claim.nonce})"
