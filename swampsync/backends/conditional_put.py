"""What a conditional put that did not simply succeed has really done: decided by looking, never guessed.

A client, a proxy or a load balancer may have repeated our request, so that a refusal answers the repetition of a put
that was done. A store may answer 500 to a loser, and a time-out says nothing at all. The object itself knows.
"""

from __future__ import annotations

from enum import Enum

from swampsync.backends.base import Create, GetResult, IfMatch


class Seen(Enum):
    """What was found under the key afterwards."""

    ABSENT = "absent"
    OURS = "ours"  # exactly the bytes that we put; bodies that claim something carry a nonce
    UNCHANGED = "unchanged"  # still the state that `IfMatch` names
    OTHER = "other"


class Verdict(Enum):
    """What follows."""

    DONE = "done"  # the put was done
    CONFLICT = "conflict"  # somebody else's state is there: the caller must read it
    REPEAT = "repeat"  # nothing was done, and the condition still holds


def judge_conditional_put(mode: Create | IfMatch, seen: Seen) -> Verdict:
    """Decide what to do after a conditional put was refused or got no answer.

    | mode    | seen      | verdict  | because
    |---------|-----------|----------|---------------------------------------------------------------
    | any     | ours      | done     | the first try won, only its answer was lost
    | Create  | absent    | repeat   | nobody has it: two tries collided (409), it never arrived, or was removed
    | Create  | other     | conflict | somebody was faster
    | IfMatch | unchanged | repeat   | nobody swapped: two tries collided (409), or ours never arrived
    | IfMatch | absent    | conflict | it was removed; a swap never creates
    | IfMatch | other     | conflict | somebody was faster, or came after us: it is not ours any more

    How the put failed makes no difference to what was found, so it is no argument.
    """
    if seen is Seen.OURS:
        return Verdict.DONE
    if isinstance(mode, Create):
        return Verdict.REPEAT if seen is Seen.ABSENT else Verdict.CONFLICT
    return Verdict.REPEAT if seen is Seen.UNCHANGED else Verdict.CONFLICT


def look_at(mode: Create | IfMatch, body: bytes, found: GetResult | None) -> Seen:
    """Say what was found, `None` for nothing, seen from a put of `body` under `mode`.

    `found` may be the range of the object that is as long as `body`.
    """
    if found is None:
        return Seen.ABSENT
    if found.info.size == len(body) and found.body == body:
        return Seen.OURS
    if isinstance(mode, IfMatch) and found.info.etag == mode.etag:
        return Seen.UNCHANGED
    return Seen.OTHER
