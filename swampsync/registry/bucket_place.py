"""What lies already where a repo wants to begin in a bucket.

A log tells swampsync's objects from everybody else's, and vacuum removes what is in no commit. So a place with other
people's objects is refused before anything is written there, and so is one with swamp's own index, which would be taken
over by neither program. Other namespaces of the same bucket are no obstacle.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from swampsync.backends.base import ObjectStore
from swampsync.errors import Refused
from swampsync.layout import Layout

_LOG: Final = "_log"
_SWAMPS_DIRECTORY: Final = "_index"
_SWAMPS_FILE: Final = ".datastore-index.json"
_SHOWN: Final = 5
_LOOKED_AT: Final = 1_000


def require_free_place(store: ObjectStore, layout: Layout, *, others: Iterable[str] = ()) -> None:
    """Make sure that nobody else's data lies where a namespace, or solo, is about to begin.

    A place with a log of ours is a namespace whose manifest was removed: it may be claimed again and goes on. What
    begins with a dot is left alone by everybody and does not count.

    Args:
        store: The bucket; only read from.
        layout: Of the place.
        others: For solo: names of the directories that are namespaces.

    Raises:
        Refused: Something is there; what, is said.
    """
    prefix = layout.prefix_of("")
    directories = set(store.list_dirs(prefix))
    index = layout.prefix_of("") + _SWAMPS_FILE
    if _SWAMPS_DIRECTORY in directories or any(i.key.text == index for i in islice(store.list(index), 1)):
        raise Refused(
            f"{_name(layout)} holds swamp's own index (`{prefix}{_SWAMPS_DIRECTORY}/`, `{index}`): its format and"
            " swampsync's cannot share one place",
            hint=_way_out(layout),
            key=prefix or None,
        )
    if _LOG in directories and not layout.namespace.is_solo:
        return
    found = [f"{name}/" for name in sorted(directories - set(others)) if not name.startswith(".")]
    for info in islice(store.list(prefix), _LOOKED_AT):
        name = info.key.text[len(prefix) :]
        if "/" not in name and not name.startswith("."):
            found.append(name)
    if found:
        shown = ", ".join(f"`{prefix}{name}`" for name in found[:_SHOWN]) + (" …" if len(found) > _SHOWN else "")
        raise Refused(
            f"{_name(layout)} holds objects that are not this repo's: {shown}",
            hint=_way_out(layout),
            key=prefix or None,
        )


def solo_taken(layout: Layout, members: Iterable[str]) -> Refused:
    """Make the error for an un-namespaced place that another repo uses."""
    shown = ", ".join(f"`{member}`" for member in members)
    return Refused(f"{_name(layout)} holds the data of another project: repo {shown}", hint=_way_out(layout))


def _name(layout: Layout) -> str:
    return "the un-namespaced place" if layout.namespace.is_solo else f"the place of namespace `{layout.namespace}`"


def _way_out(layout: Layout) -> str:
    if layout.namespace.is_solo:
        return "take a namespace or a prefix of your own there: add --namespace NAME, or --prefix PREFIX"
    return "take another namespace or a prefix of your own there: --namespace NAME, or --prefix PREFIX"
