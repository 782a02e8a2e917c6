"""Telling a datastore whose directory is not mounted from one that holds nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swampsync.errors import Unavailable
from swampsync.namespace import Namespace

if TYPE_CHECKING:
    from swampsync.repo.parts import Parts


def require_mounted(parts: Parts, namespace: Namespace) -> None:
    """Make sure that the datastore's directory is there, if it ever held data of a namespace.

    Raises:
        Unavailable: It is missing or empty, and the catalog knows data in it.
    """
    if parts.config.is_remote:
        return
    base = parts.layout.base
    try:
        is_there = bool(parts.world.disk.scandir(base))
    except (FileNotFoundError, NotADirectoryError):
        is_there = False
    if not is_there and parts.catalog.has_rows(namespace.name):
        raise Unavailable(
            f"the datastore's directory `{base}` is missing or empty", hint=f"is it mounted? ls {base}", key=base
        )
