"""`doctor backend`: are conditional puts honoured, alone and in races?

Everything rests on the first of them: a commit is published by creating its key.
"""

from __future__ import annotations

import json
import threading
from typing import Final

from swampsync.backends.base import (
    Create,
    ETag,
    IfMatch,
    NotSupported,
    ObjectExists,
    ObjectNotFound,
    ObjectStore,
    Overwrite,
    PreconditionFailed,
    PutMode,
    PutResult,
)
from swampsync.errors import Conflict, SwampsyncError, Unavailable
from swampsync.layout import ObjectKey
from swampsync.maintenance.doctor_report import Finding, Result
from swampsync.maintenance.doctor_scratch import Scratch
from swampsync.maintenance.racing import race

_CREATE_LOSS: Final = "two pushes at once can overwrite each other's commit"
_SWAP_LOSS: Final = "two repos can hold one lock, and undo each other's changes of a manifest"
_WEAKER: Final = (
    "locks are weaker: two may take one over at once when its holder died, and of two changes of a manifest at one"
    " moment one may be lost; commits are as safe as anywhere"
)
_NO_SWAP: Final = (
    "the store declares no compare-and-swap; on a directory locks rest on exclusive `link` instead, in a bucket"
    f" {_WEAKER}"
)
_MAX_TRIES: Final = 500


def check_create_only(scratch: Scratch) -> Finding:
    """Create one key twice, with another body and with the same one."""
    store = scratch.store
    if not store.capabilities.create_only:
        return Finding(Result.ABSENT, f"the store declares no create-only put: {_CREATE_LOSS}")
    key = scratch.fresh_key("create")
    first, second = scratch.nonce().encode(), scratch.nonce().encode()
    try:
        store.put(key, first, Create())
    except Unavailable:
        raise
    except Conflict:
        return Finding(Result.BROKEN, "the store refuses to create a key that nobody has: nothing can be pushed")
    except SwampsyncError as error:
        return Finding(Result.ABSENT, f"the store refuses the condition: {error}")
    is_ignored = any([_is_accepted(store, key, body, Create()) for body in (second, first)])  # noqa: C419 both are sent
    if is_ignored or store.get(key).body != first:
        return Finding(Result.BROKEN, f"`If-None-Match: *` on PUT is accepted and ignored: {_CREATE_LOSS}")
    return Finding(Result.KEPT, "a commit cannot overwrite another one")


def check_create_race(scratch: Scratch) -> Finding:
    """Create one key from many threads at once, again and again."""
    if not scratch.store.capabilities.create_only:
        return Finding(Result.ABSENT, f"the store declares no create-only put: {_CREATE_LOSS}")
    effort = scratch.effort
    for _ in range(effort.race_rounds):
        key = scratch.fresh_key("create-race")
        bodies = [scratch.nonce().encode() for _ in range(effort.race_threads)]
        results = race(
            len(bodies),
            lambda n, k=key, b=bodies: scratch.store.put(k, b[n], Create()),  # type: ignore[misc]
            spawner=scratch.spawner,
        )
        problem = find_race_problem(scratch.store, key, bodies, results)
        if problem:
            return Finding(Result.BROKEN, f"{problem}: {_CREATE_LOSS}")
    tried = f"{effort.race_rounds} races of {effort.race_threads}"
    return Finding(Result.KEPT, f"one winner in each of {tried}: commits are totally ordered")


def check_if_match(scratch: Scratch, store: ObjectStore) -> Finding:
    """Swap an object by its ETag, by a former one, and after it was removed.

    Args:
        scratch: Where.
        store: The form of the store to try, with its own quoting of ETags.
    """
    if not store.capabilities.compare_and_swap:
        return Finding(Result.ABSENT, _NO_SWAP)
    key = scratch.fresh_key("swap")
    bodies = [scratch.nonce().encode() for _ in range(4)]
    stale = store.put(key, bodies[0], Overwrite()).etag
    try:
        store.put(key, bodies[1], IfMatch(stale))
    except Unavailable:
        raise
    except Conflict:
        return Finding(Result.BROKEN, "`If-Match` with the right ETag is refused: locks cannot be kept")
    except NotSupported as error:
        if store.get(key).body != bodies[0]:
            return Finding(Result.BROKEN, f"`If-Match` on PUT is refused ({error}), and written all the same")
        return Finding(Result.ABSENT, f"the store has no compare-and-swap ({error}), so {_WEAKER}")
    except SwampsyncError as error:
        # Not the answer of a server that has no such thing: locks would fail with it.
        return Finding(Result.UNKNOWN, f"the store refuses the condition: {error}")
    wrong = [IfMatch(stale), IfMatch(ETag("0" * 32))]
    is_ignored = any([_is_accepted(store, key, bodies[2], mode) for mode in wrong])  # noqa: C419 both are sent
    if is_ignored or store.get(key).body != bodies[1]:
        return Finding(Result.BROKEN, f"`If-Match` on PUT is accepted and ignored: {_SWAP_LOSS}")
    current = store.head(key).etag or stale
    store.delete(key)
    if _is_accepted(store, key, bodies[3], IfMatch(current)):
        return Finding(Result.BROKEN, f"`If-Match` on PUT creates an object that is gone: {_SWAP_LOSS}")
    return Finding(Result.KEPT, "locks and manifests are changed by compare-and-swap")


def check_if_match_race(scratch: Scratch, store: ObjectStore) -> Finding:
    """Increment one counter by compare-and-swap from several threads, and look whether an increment was lost."""
    if not store.capabilities.compare_and_swap:
        return Finding(Result.ABSENT, _NO_SWAP)
    effort = scratch.effort
    key = scratch.fresh_key("swap-race")
    store.put(key, b"[]", Overwrite())
    nonces = [[scratch.nonce() for _ in range(effort.swap_increments)] for _ in range(effort.swap_workers)]
    together = threading.Barrier(effort.swap_workers)

    def work(worker: int) -> None:
        try:
            for nonce in nonces[worker]:
                _append_nonce(store, key, nonce, together)
        except BaseException:
            together.abort()
            raise

    results = race(effort.swap_workers, work, spawner=scratch.spawner)
    errors = [result for result in results if result is not None]
    for error in sorted(errors, key=lambda e: isinstance(e, threading.BrokenBarrierError)):  # those only follow
        raise error
    expected = {nonce for mine in nonces for nonce in mine}
    missing = expected - set(json.loads(store.get(key).body))
    if missing:
        lost = f"{len(missing)} of {len(expected)}"
        return Finding(Result.BROKEN, f"{lost} acknowledged changes were lost in a race: {_SWAP_LOSS}")
    return Finding(Result.KEPT, f"no change of {len(expected)} was lost by {effort.swap_workers} at once")


def _append_nonce(store: ObjectStore, key: ObjectKey, nonce: str, together: threading.Barrier) -> None:
    """Add a nonce to the list in an object; the bodies differ always, so that ETags do."""
    for tries in range(_MAX_TRIES):
        got = store.get(key)
        seen = json.loads(got.body)
        if nonce in seen:
            return  # an answer of `Unavailable` hid that it was done
        if tries == 0:
            together.wait()  # all have read before the first one swaps: every step is a collision
        if got.info.etag is None:
            raise Unavailable(f"object `{key}` has no ETag", key=key.text)
        try:
            store.put(key, json.dumps([*seen, nonce]).encode(), IfMatch(got.info.etag))
        except (PreconditionFailed, Unavailable):
            continue
        return
    raise Unavailable(f"object `{key}` could not be swapped in {_MAX_TRIES} tries", key=key.text)


def find_race_problem(
    store: ObjectStore, key: ObjectKey, bodies: list[bytes], results: list[PutResult | BaseException]
) -> str | None:
    """Say what is wrong with the outcome of a race to create `key`; `None` if one won and stayed."""
    winners = [number for number, result in enumerate(results) if isinstance(result, PutResult)]
    for result in results:
        if not isinstance(result, PutResult | ObjectExists | Unavailable):
            raise result
    try:
        final = store.get(key).body
    except ObjectNotFound:
        return "many raced to create an object, and it is not there"
    if len(winners) > 1:
        return f"{len(winners)} of {len(bodies)} racing writers were told that they created the same object"
    if winners and final != bodies[winners[0]]:
        return "the object is not what the one who was told that he created it has put"
    # Without a winner the object's author got a refusal or no answer: a repeated request, and no harm.
    return None


def _is_accepted(store: ObjectStore, key: ObjectKey, body: bytes, mode: PutMode) -> bool:
    try:
        store.put(key, body, mode)
    except Conflict:
        return False
    return True
