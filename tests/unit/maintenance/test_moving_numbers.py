from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from swampsync.maintenance.moving_numbers import Identity, Placement, Placing, place_versions

MOVES, PRESENT, REMOVED = Placing.MOVES, Placing.PRESENT, Placing.REMOVED


def versions(*pairs: tuple[int, str]) -> list[tuple[int, Identity]]:
    return [(number, Identity(name, f"digest of {name}")) for number, name in pairs]


def place(
    ours: list[tuple[int, Identity]], theirs: list[tuple[int, Identity]], highest: int = 0
) -> list[tuple[Placing, int]]:
    placed = place_versions(ours, dict(theirs), highest=max([highest, *dict(theirs)]))
    return [(p.placing, p.number) for p in placed]


def test_versions_keep_their_numbers_where_nothing_is() -> None:
    """Gaps stay gaps."""
    assert place(versions((1, "a"), (3, "c")), []) == [(MOVES, 1), (MOVES, 3)]


def test_equal_versions_are_there_already() -> None:
    """The id tells, whatever number it has there; what comes after keeps its number if that is free."""
    assert place(versions((1, "a"), (2, "b"), (3, "c")), versions((1, "a"), (2, "b"))) == [
        (PRESENT, 1),
        (PRESENT, 2),
        (MOVES, 3),
    ]
    assert place(versions((2, "b")), versions((2, "x"), (7, "b"))) == [(PRESENT, 7)]


def test_taken_number_moves_all_behind_it_too() -> None:
    """The order of ours stays, above everything of theirs."""
    assert place(versions((1, "a"), (2, "b"), (3, "c")), versions((1, "a"), (2, "x"))) == [
        (PRESENT, 1),
        (MOVES, 4),
        (MOVES, 5),
    ]


def test_versions_that_were_removed_there_do_not_come_back() -> None:
    """Below a version that both know, a gap of theirs is a removal; without one, the number was somebody else's."""
    assert place(versions((1, "a"), (2, "b"), (3, "c")), versions((3, "c")), highest=3) == [
        (REMOVED, 1),
        (REMOVED, 2),
        (PRESENT, 3),
    ]
    assert place(versions((1, "a")), [], highest=3) == [(MOVES, 4)]


def test_content_that_grew_is_another_version() -> None:
    """The same id with another digest is kept beside; without a digest the id tells."""
    grown = {1: Identity("a", "short")}
    assert place_versions([(1, Identity("a", "longer"))], grown, highest=1) == [Placement(MOVES, 2)]
    assert place_versions([(1, Identity("a", None))], grown, highest=1) == [Placement(PRESENT, 1)]


NAMES = st.sampled_from("abcdef")
TREES = st.dictionaries(st.integers(1, 8), NAMES, max_size=6).filter(lambda d: len(set(d.values())) == len(d))


@given(TREES, TREES, st.integers(0, 10))
def test_union_loses_and_doubles_nothing_whatever_is_there(
    ours: dict[int, str], theirs: dict[int, str], highest: int
) -> None:
    """Each of ours is there, moves to a free number, or was removed there; the order stays; again is no change."""
    mine = sorted(versions(*ours.items()))
    there = dict(versions(*theirs.items()))
    top = max([highest, *theirs, 0])
    placed = place_versions(mine, there, highest=top)
    moved = {p.number: identity for p, (_, identity) in zip(placed, mine, strict=True) if p.placing is MOVES}
    assert not moved.keys() & there.keys()
    assert len(moved) == sum(p.placing is MOVES for p in placed)
    assert list(moved) == sorted(moved)
    for p, (number, identity) in zip(placed, mine, strict=True):
        if p.placing is PRESENT:
            assert there[p.number].id == identity.id
        if p.placing is REMOVED:
            assert number <= top
            assert number not in there
    union = there | moved
    again = place_versions(mine, union, highest=max([top, *moved]))
    assert not any(p.placing is MOVES for p in again)
