"""`doctor backend`: what the bucket does with objects on its own, and with uploads that never end."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from swampsync.backends.base import Overwrite
from swampsync.backends.bucket_rules import BucketVersions, LifecycleEffect, LifecycleRule
from swampsync.errors import SwampsyncError, Unavailable
from swampsync.maintenance.doctor_report import Finding, Result
from swampsync.maintenance.doctor_scratch import Scratch

# More than one part, whatever the store's size of parts for such a body.
_PARTS_BYTES: Final = 9 << 20
_PIECE_BYTES: Final = 1 << 20
_BEFORE: Final = b"what was there before"


def check_lifecycle(
    _scratch: Scratch, read_rules: Callable[[], list[LifecycleRule]], protected: tuple[str, ...]
) -> Finding:
    """Look for rules by which the bucket removes or hides what must stay."""
    try:
        rules = read_rules()
    except SwampsyncError as error:
        return Finding(Result.NOT_CHECKED, f"the bucket's lifecycle rules could not be read: {error}")
    for rule in rules:
        hit = [p for p in protected if p.startswith(rule.prefix) or rule.prefix.startswith(p)]
        if hit and rule.effect is LifecycleEffect.EXPIRE:
            return Finding(Result.BROKEN, f"rule `{rule.name}` expires objects below `{hit[0]}`: data would be lost")
        if hit and rule.effect is LifecycleEffect.ARCHIVE:
            return Finding(Result.BROKEN, f"rule `{rule.name}` archives objects below `{hit[0]}`: unreadable")
    return Finding(Result.KEPT, f"none of the bucket's {len(rules)} lifecycle rules removes or archives data")


def check_removal(_scratch: Scratch, read_versions: Callable[[], BucketVersions]) -> Finding:
    """Say whether what is removed frees its room."""
    try:
        versions = read_versions()
    except SwampsyncError as error:
        return Finding(Result.NOT_CHECKED, f"whether the bucket keeps versions could not be found out: {error}")
    if versions.retention is not None:
        text = f"Object Lock keeps what is removed or replaced for {versions.retention}, and it takes room until then"
        return Finding(Result.ABSENT, text)
    if versions.is_kept:
        text = "the bucket keeps versions: what is removed or replaced takes room until a lifecycle rule expires it"
        return Finding(Result.ABSENT, text)
    return Finding(Result.KEPT, "what is removed or replaced is gone, and frees its room")


class _Breaking(io.BytesIO):
    """A body that cannot be read to its end."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0 or self.tell() == _PARTS_BYTES:
            raise _Broken
        return super().read(min(size, _PIECE_BYTES))


class _Broken(Exception):
    pass


def check_multipart(scratch: Scratch, abort_uploads: Callable[[str], list[str]] | None) -> Finding:
    """Break an upload off before its last part, then let one end.

    Args:
        scratch: Where.
        abort_uploads: Removes the parts of uploads below a prefix that nobody has completed, and names their keys;
            `None` where there are no such things.
    """
    if not scratch.effort.throughput_bytes:
        return Finding(Result.NOT_CHECKED, "the quick probe sends nothing that large")
    store = scratch.store
    fresh, former = scratch.fresh_key("multipart"), scratch.fresh_key("multipart")
    store.put(former, _BEFORE, Overwrite())
    body = scratch.rng.randbytes(_PARTS_BYTES)
    try:
        for key in (fresh, former):
            with suppress(_Broken):
                store.put_stream(key, _Breaking(body))
        if scratch.exists(fresh) or store.get(former).body != _BEFORE:
            return Finding(Result.BROKEN, "an upload that broke off is visible: half a file may be read")
        store.put_stream(fresh, io.BytesIO(body))
    except Unavailable:
        raise
    except SwampsyncError as error:
        return Finding(Result.ABSENT, f"large content cannot be pushed: {error}")
    with store.open(fresh) as (_, chunks):
        if b"".join(chunks) != body:
            return Finding(Result.BROKEN, "what went up in parts comes back as something else: large content is lost")
    return _judge_parts(scratch, abort_uploads)


def _judge_parts(scratch: Scratch, abort_uploads: Callable[[str], list[str]] | None) -> Finding:
    """Look for what the uploads of this probe left, and remove it."""
    whole = "an upload is visible whole or not at all"
    unseen = f"{whole}; whether parts are left when it breaks off could not be looked at"
    if abort_uploads is None:
        return Finding(Result.KEPT, unseen)
    try:
        count = len(abort_uploads(scratch.prefix))
    except Unavailable:
        raise
    except SwampsyncError as error:
        return Finding(Result.KEPT, f"{unseen}: {error}")
    if count:
        left = f"{count} upload{'' if count == 1 else 's'}"
        return Finding(Result.BROKEN, f"parts of {left} that broke off were left behind; they cost money until removed")
    return Finding(Result.KEPT, f"{whole}, and leaves no parts when it breaks off")
