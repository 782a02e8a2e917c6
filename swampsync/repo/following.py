"""`namespace follow`, and what a sync does about other namespaces: look at their logs and report each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from swampsync.errors import InvalidInput, Refused, SwampsyncError
from swampsync.namespace import Namespace
from swampsync.repo.parts import Parts
from swampsync.sync.following import (
    FollowedNamespace,
    Following,
    describe_following,
    read_following,
    write_following,
)

ALL: Final = "all"
NONE: Final = "none"


@dataclass(frozen=True, slots=True)
class FollowReport:
    """What a repo follows.

    Args:
        mode: `all`, `some` or `none`; on a directory always `all`, since it is read where it lies.
        namespaces: Each with how it stands.
        dropped: What was followed before and is not any more; its rows stay as they are.
    """

    mode: str
    namespaces: tuple[FollowedNamespace, ...]
    dropped: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Make the document that `namespace follow` prints."""
        return {
            "follow": self.mode,
            "namespaces": [followed.to_json() for followed in self.namespaces],
            "dropped": list(self.dropped),
        }


class Follower:
    """Keeps other namespaces of a bucket catalogued here."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def show(self) -> FollowReport:
        """Say what is followed, and how old each is; makes no request."""
        if not self._parts.config.is_remote:
            return FollowReport(ALL, ())
        return self._report(read_following(self._parts.state))

    def _report(self, following: Following, dropped: Sequence[str] = ()) -> FollowReport:
        state, clock = self._parts.state, self._parts.world.clock
        return FollowReport(following.mode, describe_following(state, clock, following), tuple(dropped))

    def follow(self, names: Sequence[str]) -> FollowReport:
        """Follow these namespaces from now on, and no others; each is looked at now.

        Args:
            names: Of namespaces; or only `all` (also those that come later) or only `none`.

        Raises:
            InvalidInput: A name cannot be used, or is the repo's own.
            NotFound: Nobody has claimed one of them.
            Refused: The datastore is a directory.
            AccessDenied: One of them may not be read; nothing was changed.
        """
        parts = self._parts
        if not parts.config.is_remote:
            raise Refused(
                "the datastore is a directory, where every namespace is read as it lies: there is nothing to follow",
                hint="swamp data list --all-namespaces",
            )
        before = read_following(parts.state)
        if len(names) > 1 and (odd := {ALL, NONE} & set(names)):
            raise InvalidInput(f"`{min(odd)}` stands alone", hint=f"swamp namespace follow {min(odd)}")
        check = parts.syncing.deadline()
        if names[0] == ALL:
            chosen = Following(is_all=True, names=tuple(self._registered()))
            write_following(parts.state, chosen)
            self.look(chosen.names, check=check)
        else:
            wanted = [] if names[0] == NONE else sorted(set(names))
            chosen = Following(names=tuple(self._require(name, check) for name in wanted))
            write_following(parts.state, chosen)
        dropped = sorted(set(before.names) - set(chosen.names))
        return self._report(read_following(parts.state), dropped)

    def _require(self, name: str, check: Callable[[], None]) -> str:
        """Look at a namespace before anything is kept: the error says why it cannot be followed."""
        namespace = Namespace.parse(name)
        if namespace == self._parts.home:
            raise InvalidInput(f"`{name}` is this repo's own namespace: every sync looks at it", hint="leave it out")
        self._parts.registry.read_manifest(namespace)
        self._parts.syncing.look_at(namespace, check=check)
        return namespace.name

    def _registered(self) -> list[str]:
        """Name the other namespaces: one listing, and one request for each that was never looked at."""
        registry = self._parts.remote.make_registry(self._parts.layout)
        known = {namespace.name for namespace in self._parts.syncing.known_namespaces()}
        return sorted(set(registry.find_names(known=known)) - {self._parts.home.name})

    # --- what a sync does --------------------------------------------------------------------------

    def tail(self, *, everything: bool, check: Callable[[], None]) -> dict[str, int | str]:
        """Look at the logs of what is followed, or of every registered namespace.

        Returns:
            For each the number of commits that came, or why it could not be read; `all` stands for the list of
            namespaces itself if that could not be read.
        """
        following = read_following(self._parts.state)
        names = list(following.names)
        outcome: dict[str, int | str] = {}
        if everything or following.is_all:
            try:
                names = sorted({*self._registered(), *(() if following.is_all else names)})
            except SwampsyncError as error:
                outcome[ALL] = f"the namespaces cannot be listed: {error.message}"
            else:
                if following.is_all:
                    write_following(self._parts.state, replace(following, names=tuple(names)))
        acting = self._parts.namespace.name  # with `-n` it was looked at already
        return outcome | self.look([name for name in names if name != acting], check=check)

    def look(self, names: Sequence[str], *, check: Callable[[], None]) -> dict[str, int | str]:
        """Look at some logs; one that cannot be read is reported, and noted for `datastore status`."""
        outcome: dict[str, int | str] = {}
        for name in names:
            try:
                outcome[name] = self._parts.syncing.look_at(Namespace.parse(name), check=check)
            except SwampsyncError as error:
                outcome[name] = error.message
        following = read_following(self._parts.state)
        kept = {name: text for name, text in following.problems.items() if name not in outcome}
        failed = {n: o for n, o in outcome.items() if isinstance(o, str) and n in following.names}
        write_following(self._parts.state, replace(following, problems=kept | failed))
        return outcome
