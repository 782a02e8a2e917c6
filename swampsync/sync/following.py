"""Which other namespaces a clone keeps catalogued: its own choice, kept in `_sync.db` and shared with nobody."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from swampsync.catalog.state import SyncState
from swampsync.clock import Clock, parse_timestamp

_KEY: Final = "follow"


@dataclass(frozen=True, slots=True)
class Following:
    """What every sync looks at besides its own namespace.

    Args:
        is_all: Whether everything that is registered is followed, also what comes later.
        names: The namespaces that were chosen; with `is_all` those that the last sync found.
        problems: Why the last sync could not read some of them.
    """

    is_all: bool = False
    names: tuple[str, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def mode(self) -> str:
        """`all`, `some` or `none`."""
        return "all" if self.is_all else "some" if self.names else "none"


@dataclass(frozen=True, slots=True)
class FollowedNamespace:
    """How a followed namespace stands here.

    Args:
        namespace: Its name.
        seq: The last commit that is catalogued; 0 for none.
        synced_at: When its log was last read; `None` for never.
        age_seconds: How long ago that is.
        problem: Why the last sync could not read it.
    """

    namespace: str
    seq: int
    synced_at: str | None
    age_seconds: float | None
    problem: str | None

    def to_json(self) -> dict[str, Any]:
        """Make a document of it."""
        return {
            "namespace": self.namespace,
            "seq": self.seq,
            "syncedAt": self.synced_at,
            "ageSeconds": None if self.age_seconds is None else round(self.age_seconds, 3),
            "problem": self.problem,
        }


def read_following(state: SyncState) -> Following:
    """Read what is followed; nothing unless it was chosen."""
    text = state.settings.find(_KEY)
    if text is None:
        return Following()
    document = json.loads(text)
    return Following(document["all"], tuple(document["names"]), document["problems"])


def write_following(state: SyncState, following: Following) -> None:
    """Keep what is followed from now on; writes nothing if that is what is kept."""
    if following == read_following(state):
        return
    document = {"all": following.is_all, "names": list(following.names), "problems": dict(following.problems)}
    state.settings.put(_KEY, json.dumps(document))


def describe_following(state: SyncState, clock: Clock, following: Following) -> tuple[FollowedNamespace, ...]:
    """Say how each followed namespace stands, from what is known here."""
    found = []
    for name in following.names:
        position = state.positions.find(name)
        at = None if position is None else position.at
        age = None if at is None else (clock.now() - parse_timestamp(at)).total_seconds()
        seq = 0 if position is None else position.seq
        found.append(FollowedNamespace(name, seq, at, age, following.problems.get(name)))
    return tuple(found)
