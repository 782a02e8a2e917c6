"""Which numbers versions get where they move to: a union with what is there, decided over values only.

ours                              at the target                      what becomes of it
version N                         the same, under any number         it is there already
version N                         another version N                  the next free number, and all behind it too
version N, above its highest      nothing                            keeps its number
version N, at most its highest    nothing, and both know a higher    it was removed there: it stays where it is
version N, at most its highest    nothing otherwise                  as if N were taken: N was somebody's once
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


class Placing(Enum):
    """What becomes of a version."""

    PRESENT = "present"
    MOVES = "moves"
    REMOVED = "removed"  # at the target, after both had it


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells versions apart: the id that their writer gave them, and the digest of their content if it is known."""

    id: str
    digest: str | None

    def is_same(self, other: Identity) -> bool:
        """Say whether two are one version; content that grew makes another one of it."""
        if self.id != other.id:
            return False
        return self.digest is None or other.digest is None or self.digest == other.digest


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a version goes, or is."""

    placing: Placing
    number: int


def place_versions(
    ours: Sequence[tuple[int, Identity]], theirs: Mapping[int, Identity], *, highest: int
) -> list[Placement]:
    """Decide on each version of one artifact.

    Args:
        ours: Numbers and identities, lowest first.
        theirs: What the target has, by number.
        highest: The highest number that the target ever had, as far as is known.
    """
    by_id = {identity.id: (number, identity) for number, identity in theirs.items()}
    both_know = max((n for n, identity in ours if n in theirs and identity.is_same(theirs[n])), default=0)
    next_free = max([highest, *theirs, *(number for number, _ in ours)]) + 1
    placements: list[Placement] = []
    is_moving = False
    for number, identity in ours:
        found = by_id.get(identity.id)
        if found is not None and identity.is_same(found[1]):
            placements.append(Placement(Placing.PRESENT, found[0]))
            continue
        if number not in theirs and number < both_know and not is_moving:
            placements.append(Placement(Placing.REMOVED, number))
            continue
        # Versions behind the first that moves must move too, or the older content would become the latest.
        is_moving = is_moving or number in theirs or number <= highest
        if is_moving:
            placements.append(Placement(Placing.MOVES, next_free))
            next_free += 1
        else:
            placements.append(Placement(Placing.MOVES, number))
    return placements
