"""`doctor backend`: conditions that nothing rests on, for those who choose a server or write for one.

Removals and completions of uploads are unconditional here, because servers accept the conditions and ignore them. What
this server does is told all the same, and never makes it unsafe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from swampsync.backends.base import (
    ETag,
    NotSupported,
    ObjectExists,
    ObjectStoreRefused,
    Overwrite,
    PreconditionFailed,
)
from swampsync.maintenance.doctor_report import Finding, Result
from swampsync.maintenance.doctor_scratch import Scratch

_UNUSED: Final = "nothing relies on it"
_QUICK: Final = Finding(Result.NOT_CHECKED, f"the quick probe does not ask: {_UNUSED}")


@dataclass(frozen=True, slots=True)
class UnusedConditions:
    """Requests with conditions that `ObjectStore` does not have; keys as the store's.

    Args:
        delete_if_match: Removes an object if it has an ETag, else raises `PreconditionFailed`.
        upload_if_absent: Uploads a body as parts that become an object if there is none, else raises `ObjectExists`.
    """

    delete_if_match: Callable[[str, ETag], None]
    upload_if_absent: Callable[[str, bytes], None]


def check_conditional_delete(scratch: Scratch, conditions: UnusedConditions) -> Finding:
    """Remove an object by a former ETag, then by the one it has."""
    if not scratch.effort.throughput_bytes:
        return _QUICK
    what = "`If-Match` on DELETE"
    key = scratch.fresh_key("delete-if-match")
    former = scratch.store.put(key, scratch.nonce().encode(), Overwrite()).etag
    current = scratch.store.put(key, scratch.nonce().encode(), Overwrite()).etag
    try:
        conditions.delete_if_match(key.text, former)
    except PreconditionFailed:
        if not scratch.exists(key):
            return _ignored(what)
    except (NotSupported, ObjectStoreRefused) as error:
        return _refused(what, str(error))
    else:
        return _ignored(what)
    try:
        conditions.delete_if_match(key.text, current)
    except PreconditionFailed:
        return _refused(what, "also where it holds")
    return _refused(what, "the object stays where it holds") if scratch.exists(key) else _kept(what)


def check_conditional_completion(scratch: Scratch, conditions: UnusedConditions) -> Finding:
    """Complete an upload where an object is, then one where none is."""
    if not scratch.effort.throughput_bytes:
        return _QUICK
    what = "`If-None-Match: *` on the completion of an upload"
    taken, free = scratch.fresh_key("complete-if-absent"), scratch.fresh_key("complete-if-absent")
    before, body = scratch.nonce().encode(), scratch.nonce().encode()
    scratch.store.put(taken, before, Overwrite())
    try:
        conditions.upload_if_absent(taken.text, body)
    except ObjectExists:
        if scratch.store.get(taken).body != before:
            return _ignored(what)
    except (NotSupported, ObjectStoreRefused) as error:
        return _refused(what, str(error))
    else:
        return _ignored(what)
    try:
        conditions.upload_if_absent(free.text, body)
    except ObjectExists:
        return _refused(what, "also where it holds")
    return _kept(what)


def _kept(what: str) -> Finding:
    return Finding(Result.KEPT, f"{what} is honoured; {_UNUSED}")


def _ignored(what: str) -> Finding:
    return Finding(Result.IGNORED, f"{what} is accepted and ignored; {_UNUSED}")


def _refused(what: str, how: str) -> Finding:
    return Finding(Result.ABSENT, f"{what} is refused ({how}); {_UNUSED}")
