"""`doctor backend`: find out what a store really does, on the store itself.

Servers accept conditions and ignore them, compare ETags by their quotes, or check first and write later. None of that
shows in daily use until two pushes meet. So each promise is tried, with races, under scratch keys that are removed
afterwards, and a store that breaks one is named unsafe by that promise.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from typing import Final

from swampsync.backends.base import ObjectStore, Overwrite
from swampsync.backends.bucket_rules import BucketVersions, LifecycleRule
from swampsync.clock import Clock, Spawner
from swampsync.errors import SwampsyncError, Unavailable
from swampsync.maintenance import doctor_bucket, doctor_conditions, doctor_reading, doctor_unused
from swampsync.maintenance.doctor_report import DoctorReport, Finding, Promise, Result
from swampsync.maintenance.doctor_scratch import FULL, QUICK, Scratch, cleaned

_TRIES: Final = 3

Check = Callable[[Scratch], Finding]


class Thoroughness(Enum):
    """How much is tried."""

    QUICK = "quick"  # some seconds: before `setup` writes configuration
    FULL = "full"


def probe(
    store: ObjectStore,
    *,
    scratch_prefix: str,
    clock: Clock,
    rng: random.Random,
    spawner: Spawner,
    thoroughness: Thoroughness = Thoroughness.FULL,
    quotings: Mapping[str, ObjectStore] | None = None,
    lifecycle_rules: Callable[[], list[LifecycleRule]] | None = None,
    protected_prefixes: tuple[str, ...] = (),
    versions: Callable[[], BucketVersions] | None = None,
    abort_uploads: Callable[[str], list[str]] | None = None,
    unused_conditions: doctor_unused.UnusedConditions | None = None,
    on_check: Callable[[str], None] | None = None,
) -> DoctorReport:
    """Try every promise of a store.

    The store is asked as it is: a wrapper that repeats requests would hide what it does. What fails for the moment
    (`Unavailable`) is tried again by checks as a whole.

    Args:
        store: The store.
        scratch_prefix: Where scratch objects may be put, inside the namespace, ending in a slash.
        clock: For latencies, skew and the time of the report.
        rng: For nonces.
        spawner: Starts the racing threads.
        thoroughness: How much is tried.
        quotings: The same store once for each form in which it can send ETags, the preferred one first.
        lifecycle_rules: Reads the bucket's rules.
        protected_prefixes: Prefixes (`infra/_log/`, `infra/data/`) that no rule may expire.
        versions: Finds out whether the bucket keeps what is removed.
        abort_uploads: Removes the parts of uploads below a prefix that nobody has completed, and names their keys.
        unused_conditions: Sends requests with conditions that nothing rests on, where there are such requests.
        on_check: Told the name of each check as it begins.

    Returns:
        The report; `is_safe` says whether several repos may share the store.

    Raises:
        SwampsyncError: The store cannot be used at all: the very first scratch object could not be put, read, listed
            and removed (`AccessDenied`, `BucketNotFound`, `Unavailable`, ...).
    """
    scratch = Scratch(
        store,
        f"{scratch_prefix}{rng.getrandbits(64):016x}/",
        clock=clock,
        rng=rng,
        spawner=spawner,
        effort=QUICK if thoroughness is Thoroughness.QUICK else FULL,
    )
    promises: list[Promise] = []

    def run(name: str, check: Check, *, is_required: bool) -> Promise:
        if on_check is not None:
            on_check(name)
        finding = _try_check(check, scratch)
        promises.append(Promise(name, finding.result, finding.consequence, is_required))
        return promises[-1]

    with cleaned(scratch) as left:
        prove_access(scratch)
        run("create-only", doctor_conditions.check_create_only, is_required=True)
        run("create-only-race", doctor_conditions.check_create_race, is_required=True)
        chosen = _run_swaps(quotings or {"": store}, run, scratch)
        run("read-after-write", doctor_reading.check_read_after_write, is_required=True)
        run("list-after-write", doctor_reading.check_list_after_write, is_required=True)
        run("list-order", doctor_reading.check_list_order, is_required=True)
        run("list-pages", doctor_reading.check_list_pages, is_required=True)
        run("hostile-keys", doctor_reading.check_hostile_keys, is_required=False)
        run("case-sensitivity", doctor_reading.check_case_sensitivity, is_required=False)
        run("clock-skew", doctor_reading.check_clock_skew, is_required=False)
        if lifecycle_rules is not None:
            rules = partial(doctor_bucket.check_lifecycle, read_rules=lifecycle_rules, protected=protected_prefixes)
            run("lifecycle", rules, is_required=True)
        if versions is not None:
            run("removal", partial(doctor_bucket.check_removal, read_versions=versions), is_required=False)
        run("multipart", partial(doctor_bucket.check_multipart, abort_uploads=abort_uploads), is_required=False)
        if unused_conditions is not None:
            for name, check in (
                ("conditional-delete", doctor_unused.check_conditional_delete),
                ("conditional-completion", doctor_unused.check_conditional_completion),
            ):
                run(name, partial(check, conditions=unused_conditions), is_required=False)
        run("latency", doctor_reading.measure_latency, is_required=False)
        run("throughput", doctor_reading.measure_throughput, is_required=False)
    for error in left:
        text = f"scratch objects are left below `{scratch.prefix}`: {error}"
        promises.append(Promise("cleanup", Result.BROKEN, text))
    return DoctorReport(tuple(promises), clock.now(), chosen)


def prove_access(scratch: Scratch) -> None:
    """Put, read, list and remove one scratch object.

    Raises:
        SwampsyncError: One of them is not possible.
    """
    key = scratch.fresh_key("access")
    body = scratch.nonce().encode()
    scratch.store.put(key, body, Overwrite())
    scratch.store.get(key)
    next(iter(scratch.store.list(key.text)), None)
    scratch.store.delete(key)


def _run_swaps(quotings: Mapping[str, ObjectStore], run: Callable[..., Promise], scratch: Scratch) -> str | None:
    """Check compare-and-swap with each form of ETags; return the name of the first that works, if there is a choice."""
    findings = {
        name: _try_check(partial(doctor_conditions.check_if_match, store=store), scratch)
        for name, store in quotings.items()
    }
    working = [name for name, finding in findings.items() if finding.result is Result.KEPT]
    # Only a store that refuses every form says that it cannot, and gets weaker locks; whatever else fails is unsafe.
    failing = [name for name, finding in findings.items() if finding.result is not Result.ABSENT]
    best = (working or failing or list(quotings))[0]
    store = quotings[best]
    is_required = findings[best].result is not Result.ABSENT
    run("if-match", lambda _: findings[best], is_required=is_required)
    # Where even one swap alone fails, a race would fail for as long as it is tried.
    race = partial(doctor_conditions.check_if_match_race, store=store)
    reason = "it fails without a race" if is_required else "there is no compare-and-swap"
    lost = Finding(findings[best].result, f"not raced, since {reason}: {findings[best].consequence}")
    run("if-match-race", race if working else lambda _: lost, is_required=is_required)
    if len(quotings) == 1:
        form = Finding(Result.NOT_RELIED_ON, "the store has one form of ETags, there is nothing to choose")
    elif not is_required:
        form = Finding(Result.NOT_RELIED_ON, "the store has no `If-Match` on PUT, so there is nothing to choose")
    elif not working:
        form = Finding(Result.BROKEN, f"no form of ETags in `If-Match` works: tried {', '.join(quotings)}")
    elif len(working) == len(quotings):
        form = Finding(Result.KEPT, f"every form of ETags works in `If-Match`; they are sent {best}")
    else:
        form = Finding(Result.KEPT, f"`If-Match` works with {best} ETags only; they are sent {best}")
    run("etag-form", lambda _: form, is_required=False)
    return best if working and len(quotings) > 1 else None


def _try_check(check: Check, scratch: Scratch) -> Finding:
    for _ in range(_TRIES - 1):
        try:
            return check(scratch)
        except Unavailable:
            scratch.clock.sleep(scratch.rng.uniform(0.2, 1.0))
        except SwampsyncError as error:
            return Finding(Result.UNKNOWN, f"it could not be found out: {error}")
    try:
        return check(scratch)
    except SwampsyncError as error:
        return Finding(Result.UNKNOWN, f"it could not be found out: {error}")
