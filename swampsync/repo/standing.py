"""How a repo stands to its datastore now: can it be used, what is not published, and how far others have gone on.

A bucket is asked for two listings: the first also loads the client and opens the connection, the second is the tail of
the namespace's log, which tells the latency and what is new. Then come one read of the newest commit, if there is one
that was not read yet, and one listing for each namespace that is followed. Nothing is repeated and nothing is applied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from swampsync.namespace import Namespace
from swampsync.repo.health import Health, read_health
from swampsync.repo.parts import Parts

if TYPE_CHECKING:
    from swampsync.log.log import Log
    from swampsync.log.tail import Position
    from swampsync.sync.behind import Behind
    from swampsync.sync.following import FollowedNamespace
    from swampsync.sync.status import SyncStatus


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything that `datastore status` shows.

    Args:
        health: Whether the datastore can be used.
        sync: How the clone stands; `None` on a directory.
        followed: How the namespaces stand that are followed.
        behind: By namespace (empty in solo mode), how far its log has gone on.
    """

    health: Health
    sync: SyncStatus | None = None
    followed: tuple[FollowedNamespace, ...] = ()
    behind: Mapping[str, Behind] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Make the document that `datastore status` prints."""
        if self.sync is None:
            return self.health.to_json()
        followed = [one.to_json() | {"behind": self._behind(one.namespace)} for one in self.followed]
        sync = self.sync.to_json() | {"behind": self._behind(self.sync.namespace), "followed": followed}
        return self.health.to_json() | {"sync": sync}

    def _behind(self, namespace: str) -> dict[str, Any] | None:
        found = self.behind.get(namespace)
        return None if found is None else found.to_json()


def read_standing(parts: Parts) -> Standing:
    """Look how a repo stands; what is known here is told also where the datastore cannot be reached."""
    if not parts.config.is_remote:
        return Standing(read_health(parts))
    from swampsync.repo.following import Follower
    from swampsync.sync.behind import Behind, read_newest

    own = parts.namespace
    behind: dict[str, Behind] = {}

    def look() -> str | None:
        behind[own.name] = found = _look(parts, own)
        return found.problem

    health = read_health(parts, probe=look)
    followed = Follower(parts).show().namespaces
    names = [one.namespace for one in followed if one.namespace != own.name]
    if health.problem is None:
        behind[own.name] = read_newest(_log_of(parts, own), behind[own.name])
        behind |= _look_at_all(parts, names)
    else:
        behind = dict.fromkeys([own.name, *names], Behind(commits=None, problem=health.problem))
    return Standing(health, parts.syncing.syncer_of(own).status(), followed, behind)


def _log_of(parts: Parts, namespace: Namespace) -> Log:
    """The log as a probe reads it: a question that fails is not repeated, the answer is wanted now."""
    from swampsync.log.log import Log

    return Log(parts.remote.bucket.plain, parts.layout.of(namespace))


def _look(parts: Parts, namespace: Namespace) -> Behind:
    from swampsync.sync.behind import look_behind

    return look_behind(_log_of(parts, namespace), _position_of(parts, namespace), clock=parts.world.clock)


def _look_at_all(parts: Parts, names: Sequence[str]) -> dict[str, Behind]:
    """Look at the logs of namespaces side by side."""
    from swampsync.sync.behind import look_behind

    namespaces = [Namespace.parse(name) for name in names]
    if len(namespaces) < 2:
        return {namespace.name: _look(parts, namespace) for namespace in namespaces}
    positions = {namespace: _position_of(parts, namespace) for namespace in namespaces}

    def look(namespace: Namespace) -> Behind:
        return look_behind(_log_of(parts, namespace), positions[namespace], clock=parts.world.clock)

    return dict(zip(names, parts.syncing.pool.map(look, namespaces), strict=True))


def _position_of(parts: Parts, namespace: Namespace) -> Position:
    from swampsync.sync.position import read_position

    return read_position(parts.syncing.syncer_of(namespace).clone)
