"""`doctor backend` on object stores: honest ones, liars, and those in between."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta

import pytest

from swampsync.backends.base import (
    Capabilities,
    Create,
    ETag,
    GetResult,
    IfMatch,
    NotSupported,
    ObjectExists,
    ObjectInfo,
    ObjectStore,
    ObjectStoreRefused,
    Overwrite,
    PreconditionFailed,
    PutMode,
    PutResult,
)
from swampsync.backends.bucket_rules import LifecycleEffect, LifecycleRule
from swampsync.backends.memory import MemoryStore
from swampsync.backends.prefixed import Prefixed
from swampsync.clock import spawn_daemon
from swampsync.errors import AccessDenied, SwampsyncError, Unavailable
from swampsync.layout import ObjectKey
from swampsync.maintenance.doctor_backend import Thoroughness, probe
from swampsync.maintenance.doctor_conditions import find_race_problem
from swampsync.maintenance.doctor_report import DoctorReport, Promise, Result
from swampsync.namespace import Namespace
from swampsync.testing.faulty_store import Call, Fault, Faulty, SimulatedCrash, fault_at
from swampsync.testing.liars import CheckThenWriter, CreateIgnorer, MatchIgnorer
from swampsync.testing.manual_clock import ManualClock

NAMES = [
    "create-only",
    "create-only-race",
    "if-match",
    "if-match-race",
    "etag-form",
    "read-after-write",
    "list-after-write",
    "list-order",
    "list-pages",
    "hostile-keys",
    "case-sensitivity",
    "clock-skew",
    "multipart",
    "latency",
    "throughput",
]


def examine(
    store: ObjectStore,
    *,
    clock: ManualClock | None = None,
    thoroughness: Thoroughness = Thoroughness.QUICK,
    quotings: dict[str, ObjectStore] | None = None,
    rules: Callable[[], list[LifecycleRule]] | None = None,
) -> DoctorReport:
    return probe(
        store,
        scratch_prefix="infra/_doctor/",
        clock=clock or ManualClock(),
        rng=random.Random(11),
        spawner=spawn_daemon,
        thoroughness=thoroughness,
        quotings=quotings,
        lifecycle_rules=rules,
        protected_prefixes=("infra/_log/", "infra/data/"),
    )


def results(report: DoctorReport) -> dict[str, Result]:
    return {promise.name: promise.result for promise in report.promises}


@pytest.mark.holds("I4")
@pytest.mark.parametrize("thoroughness", Thoroughness)
def test_honest_store_is_safe_and_left_as_it_was(thoroughness: Thoroughness) -> None:
    """Every promise is kept, no key outside the scratch prefix is touched, and nothing is left."""
    memory = MemoryStore(ManualClock())
    memory.put(ObjectKey("infra/data/x"), b"theirs", Create())
    watched = Faulty(memory)
    report = examine(Prefixed(watched, Namespace.parse("infra")), thoroughness=thoroughness)
    assert report.is_safe
    assert list(results(report)) == NAMES
    assert Result.BROKEN not in results(report).values()
    assert [info.key.text for info in memory.list("")] == ["infra/data/x"]
    assert all(call.key.startswith("infra/_doctor/") for call in watched.calls)


def test_full_probe_leaves_nothing_out() -> None:
    """Only the quick probe has promises that it did not check."""
    full = results(examine(MemoryStore(ManualClock()), thoroughness=Thoroughness.FULL))
    quick = results(examine(MemoryStore(ManualClock())))
    assert Result.NOT_CHECKED not in full.values()
    assert {name for name, result in quick.items() if result is Result.NOT_CHECKED} == {
        "list-pages",
        "multipart",
        "throughput",
    }


def test_document_has_the_promised_shape() -> None:
    """`--json` is `{safe, promises: [{name, result, consequence}]}`, each consequence one sentence."""
    document = json.loads(json.dumps(examine(CreateIgnorer(ManualClock())).to_json()))
    assert list(document) == ["safe", "promises"]
    assert document["safe"] is False
    assert document["promises"][0] == {
        "name": "create-only",
        "result": "broken",
        "consequence": "`If-None-Match: *` on PUT is accepted and ignored: "
        "two pushes at once can overwrite each other's commit",
    }
    for promise in document["promises"]:
        assert list(promise) == ["name", "result", "consequence"]
        assert promise["consequence"]
        assert not promise["consequence"].endswith(".")


def test_record_keeps_results_for_later() -> None:
    """What is kept with a namespace names every result and the time, and no sentence."""
    record = examine(MemoryStore(ManualClock())).to_record()
    assert record["safe"] is True
    assert record["checkedAt"].startswith("2026-01-01T00:00:")
    assert record["promises"]["create-only-race"] == "kept"
    assert "etagQuoting" not in record


# --- liars -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("liar", "missing"),
    [
        (CreateIgnorer, ("create-only", "create-only-race")),
        (MatchIgnorer, ("if-match", "if-match-race")),
        (CheckThenWriter, ("create-only-race", "if-match-race")),
    ],
)
def test_liar_is_unsafe_by_name_of_its_lie(liar: type[MemoryStore], missing: tuple[str, ...]) -> None:
    """A store that accepts a condition and ignores it, or checks and then writes, is refused for just that."""
    if liar is CheckThenWriter:
        # The window is the lie itself: long enough for another thread to get in.
        store: MemoryStore = CheckThenWriter(ManualClock(), window=lambda: time.sleep(0.001))
    else:
        store = liar(ManualClock())
    report = examine(store)
    assert not report.is_safe
    assert report.missing == missing
    assert list(store.list("")) == []


@pytest.mark.parametrize(
    ("winners", "author", "is_kept"),
    [
        ([1], 1, True),
        ([1], 2, False),  # the one who was told so is not the author
        ([1, 2], 1, False),
        ([1, 2], 2, False),
        ([], 0, True),  # the author's answer was lost, or answered its repetition
        ([1], None, False),
        ([], None, False),
    ],
)
def test_outcome_of_a_race_is_judged(winners: list[int], author: int | None, is_kept: bool) -> None:  # noqa: FBT001
    """Kept is a race whose only winner is the author, or whose author was told nothing or no."""
    store = MemoryStore(ManualClock())
    key, bodies = ObjectKey("k"), [b"0", b"1", b"2"]
    if author is not None:
        store.put(key, bodies[author], Create())
    results: list[PutResult | BaseException] = [
        PutResult(ETag("x")) if number in winners else ObjectExists("412") for number in range(3)
    ]
    assert (find_race_problem(store, key, bodies, results) is None) == is_kept


class Refusing(MemoryStore):
    """Answers 501 to conditions."""

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        if not isinstance(mode, Overwrite):
            raise ObjectStoreRefused("501 NotImplemented")
        return super().put(key, body, mode)


def test_store_that_refuses_conditions_is_unsafe_and_said_to_lack_them() -> None:
    """A store that says no is no liar, but nobody can push to it either."""
    report = examine(Refusing(ManualClock()))
    assert results(report)["create-only"] is Result.ABSENT
    assert results(report)["if-match"] is Result.UNKNOWN
    assert {"create-only", "create-only-race", "if-match", "if-match-race"} <= set(report.missing)


class SwapRefusing(MemoryStore):
    """Answers swaps with an error of the test's choice, and may write all the same."""

    error: SwampsyncError = NotSupported("501 NotImplemented")
    writes = False

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        if isinstance(mode, IfMatch):
            if self.writes:
                super().put(key, body, Overwrite())
            raise self.error
        return super().put(key, body, mode)


def test_store_that_says_that_it_cannot_swap_is_safe_and_the_consequence_named() -> None:
    """Commits rest on create-only; locks and manifests are weaker, and the report says how."""
    report = examine(SwapRefusing(ManualClock()))
    assert report.is_safe
    promise = report.find("if-match")
    assert promise is not None
    assert promise.result is Result.ABSENT
    assert "locks are weaker" in promise.consequence
    assert results(report)["if-match-race"] is Result.ABSENT
    assert results(report)["etag-form"] is Result.NOT_RELIED_ON
    assert report.etag_quoting is None


def test_store_that_refuses_swaps_in_another_way_is_unsafe() -> None:
    """Only a plain "not implemented" is an answer to rely on: locks go on without swaps after that and nothing else."""
    store = SwapRefusing(ManualClock())
    store.error = ObjectStoreRefused("400 InvalidArgument")
    report = examine(store)
    assert report.missing == ("if-match", "if-match-race")
    assert results(report)["if-match"] is Result.UNKNOWN


def test_store_that_says_no_to_a_swap_and_writes_is_unsafe() -> None:
    """What pretends to refuse is a liar like what pretends to honour."""
    store = SwapRefusing(ManualClock())
    store.writes = True
    report = examine(store)
    assert report.missing == ("if-match", "if-match-race")
    assert results(report)["if-match"] is Result.BROKEN


def test_absence_of_swaps_must_hold_for_every_form_of_etags() -> None:
    """A store that lacks swaps with quoted ETags and breaks them with bare ones is not taken for an honest one."""
    store = MatchIgnorer(ManualClock())
    report = examine(store, quotings=views(SwapRefusing(ManualClock()), store))
    assert {"if-match", "if-match-race"} <= set(report.missing)
    assert results(report)["if-match"] is Result.BROKEN


class Undeclared(MemoryStore):
    """Declares that it lacks an ability."""

    lacks = "compare_and_swap"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(create_only=self.lacks != "create_only", compare_and_swap=self.lacks != "compare_and_swap")


def test_declared_absence_of_swaps_is_safe_that_of_creates_is_not() -> None:
    """Without compare-and-swap a directory has other locks; without create-only there is no log."""
    without_swap = examine(Undeclared(ManualClock()))
    assert without_swap.is_safe
    assert results(without_swap)["if-match"] is Result.ABSENT
    store = Undeclared(ManualClock())
    store.lacks = "create_only"
    assert examine(store).missing == ("create-only", "create-only-race")


class CreateRefuser(MemoryStore):
    """Answers 412 to every create."""

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        if isinstance(mode, Create):
            raise ObjectExists("412")
        return super().put(key, body, mode)


def test_store_that_refuses_every_create_is_unsafe() -> None:
    """Where nobody can create a key, nothing can be pushed."""
    report = examine(CreateRefuser(ManualClock()))
    assert report.missing == ("create-only", "create-only-race")
    assert "nothing can be pushed" in report.promises[0].consequence


# --- forms of ETags ----------------------------------------------------------------------------------


class QuoteMinding(MemoryStore):
    """Refuses every ETag in `If-Match`, as Ceph 16 does with quoted ones."""

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        if isinstance(mode, IfMatch):
            raise PreconditionFailed("412", key=key.text)
        return super().put(key, body, mode)


def views(first: MemoryStore, second: MemoryStore) -> dict[str, ObjectStore]:
    """Make two views of one store, named by how they send ETags."""
    second._objects, second._order, second._lock = first._objects, first._order, first._lock
    return {"quoted": first, "bare": second}


@pytest.mark.parametrize(
    ("kinds", "chosen", "form"),
    [
        ((QuoteMinding, MemoryStore), "bare", Result.KEPT),
        ((MemoryStore, QuoteMinding), "quoted", Result.KEPT),
        ((MemoryStore, MemoryStore), "quoted", Result.KEPT),
        ((QuoteMinding, QuoteMinding), None, Result.BROKEN),
        ((MatchIgnorer, MatchIgnorer), None, Result.BROKEN),
    ],
)
def test_form_of_etags_that_works_is_recommended(
    kinds: tuple[type[MemoryStore], type[MemoryStore]], chosen: str | None, form: Result
) -> None:
    """The first form that works is used for the race, recommended and kept; where none works it is unsafe."""
    clock = ManualClock()
    quotings = views(kinds[0](clock), kinds[1](clock))
    report = examine(quotings["quoted"], quotings=quotings)
    assert report.etag_quoting == chosen
    assert results(report)["etag-form"] is form
    assert report.is_safe == (chosen is not None)
    if chosen is None:
        assert report.missing == ("if-match", "if-match-race")
        race = report.find("if-match-race")
        assert race is not None
        assert race.consequence.startswith("not raced, since it fails without a race")
    else:
        assert report.to_record()["etagQuoting"] == chosen


# --- other weaknesses --------------------------------------------------------------------------------


class StaleReads(MemoryStore):
    """Gives the state before the last put of a key."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.former: dict[ObjectKey, GetResult] = {}

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        if key.text in self._objects:
            self.former[key] = super().get(key)
        return super().put(key, body, mode)

    def get(self, key: ObjectKey, *, start: int = 0, length: int | None = None) -> GetResult:
        return self.former.pop(key, None) or super().get(key, start=start, length=length)


class StaleListings(MemoryStore):
    """Lists the last object late."""

    def list(self, prefix: str, *, start: str | None = None) -> Iterator[ObjectInfo]:
        found = list(super().list(prefix, start=start))
        yield from found[: len(found) - 1] if "/list/" in prefix else found


class Unordered(MemoryStore):
    """Lists in the order of a dictionary for people."""

    def list(self, prefix: str, *, start: str | None = None) -> Iterator[ObjectInfo]:
        yield from sorted(super().list(prefix, start=start), key=lambda info: info.key.text.lower())


class StartExcluding(MemoryStore):
    """Takes the start for the last key already known."""

    def list(self, prefix: str, *, start: str | None = None) -> Iterator[ObjectInfo]:
        return (info for info in super().list(prefix, start=start) if info.key.text != start)


class Mangling(MemoryStore):
    """Decodes percent signs in keys."""

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        return super().put(ObjectKey(key.text.replace("%2F", "/")), body, mode)


class Narrow(MemoryStore):
    """Refuses what is no ASCII."""

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        if "hostile" in key.text and not key.text.isascii():
            raise ObjectStoreRefused("400", key=key.text)
        return super().put(key, body, mode)


class CaseBlind(MemoryStore):
    """Takes upper case for lower case."""

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        return super().put(ObjectKey(key.text.lower()), body, mode)

    def get(self, key: ObjectKey, *, start: int = 0, length: int | None = None) -> GetResult:
        return super().get(ObjectKey(key.text.lower()), start=start, length=length)


@pytest.mark.parametrize(
    ("store", "name", "result", "is_safe"),
    [
        (StaleReads, "read-after-write", Result.BROKEN, False),
        (StaleListings, "list-after-write", Result.BROKEN, False),
        (Unordered, "list-order", Result.BROKEN, False),
        (StartExcluding, "list-order", Result.BROKEN, False),
        (Mangling, "hostile-keys", Result.BROKEN, True),
        (Narrow, "hostile-keys", Result.ABSENT, True),
        (CaseBlind, "case-sensitivity", Result.BROKEN, True),
    ],
)
def test_weakness_is_found(store: type[MemoryStore], name: str, result: Result, is_safe: bool) -> None:  # noqa: FBT001
    """Each weakness is found under its name; those that could lose a commit make the store unsafe."""
    report = examine(store(ManualClock()))
    assert results(report)[name] is result
    assert (name not in report.missing) == is_safe


@pytest.mark.parametrize(
    ("minutes", "result"), [(0, Result.KEPT), (4, Result.KEPT), (-6, Result.BROKEN), (20, Result.BROKEN)]
)
def test_clock_skew_is_told(minutes: int, result: Result) -> None:
    """A store's clock more than five minutes off is reported, with the direction, and is no danger to data."""
    clock, other = ManualClock(), ManualClock()
    other.step_wall(timedelta(minutes=minutes).total_seconds())
    report = examine(MemoryStore(other), clock=clock)
    promise = report.find("clock-skew")
    assert promise is not None
    assert promise.result is result
    assert f"{abs(minutes) * 60:.1f} s {'ahead of' if minutes >= 0 else 'behind'} ours" in promise.consequence
    assert report.is_safe


@pytest.mark.parametrize(
    ("prefix", "effect", "result"),
    [
        ("", LifecycleEffect.EXPIRE, Result.BROKEN),
        ("infra/", LifecycleEffect.EXPIRE, Result.BROKEN),
        ("infra/_log/", LifecycleEffect.EXPIRE, Result.BROKEN),
        ("infra/data/tmp", LifecycleEffect.EXPIRE, Result.BROKEN),
        ("infra/data/", LifecycleEffect.ARCHIVE, Result.BROKEN),
        ("infra/logs/", LifecycleEffect.EXPIRE, Result.KEPT),
        ("other/", LifecycleEffect.EXPIRE, Result.KEPT),
        ("", LifecycleEffect.OTHER, Result.KEPT),
    ],
)
def test_lifecycle_rule_that_removes_data_is_refused(prefix: str, effect: LifecycleEffect, result: Result) -> None:
    """A rule that expires or archives what must stay makes the bucket unsafe, and is named."""
    report = examine(MemoryStore(ManualClock()), rules=lambda: [LifecycleRule("tidy", prefix, effect)])
    promise = report.find("lifecycle")
    assert promise is not None
    assert promise.result is result
    assert ("tidy" in promise.consequence) == (result is Result.BROKEN)
    assert report.is_safe == (result is Result.KEPT)


def test_lifecycle_rules_that_may_not_be_read_are_said_so() -> None:
    """Keys that may not read the rules are no danger; the report says that they were not read."""

    def deny() -> list[LifecycleRule]:
        raise AccessDenied("403")

    report = examine(MemoryStore(ManualClock()), rules=deny)
    assert results(report)["lifecycle"] is Result.NOT_CHECKED
    assert report.is_safe


# --- trouble on the way ------------------------------------------------------------------------------


def test_passing_trouble_is_tried_again() -> None:
    """A check that failed for the moment is done again from its begin, and the report is clean."""
    for number in (6, 40, 90):
        memory = MemoryStore(ManualClock())
        report = examine(Faulty(memory, fault_at(number, Fault.LOST_ANSWER)))
        assert report.is_safe, number
        assert list(memory.list("")) == []


def test_lasting_trouble_is_unknown_and_so_unsafe() -> None:
    """What could not be found out is not taken for granted."""

    def plan(call: Call) -> Fault | None:
        return Fault.LOST_REQUEST if "/create-race/" in call.key and call.method == "get" else None

    report = examine(Faulty(MemoryStore(ManualClock()), plan))
    assert results(report)["create-only-race"] is Result.UNKNOWN
    assert report.missing == ("create-only-race",)


@pytest.mark.parametrize("method", ["put", "get", "list", "delete"])
def test_store_without_access_is_an_error(method: str) -> None:
    """A store that cannot be put to, read, listed or deleted from raises its own error instead of a report."""
    clock = ManualClock()
    with pytest.raises(Unavailable):
        examine(Faulty(MemoryStore(clock), lambda call: Fault.LOST_REQUEST if call.method == method else None))


@pytest.mark.parametrize("number", [1, 30, 120, 150])
def test_scratch_objects_are_removed_after_a_crash(number: int) -> None:
    """Whatever ends the probe, an interruption too, its scratch objects are removed."""
    memory = MemoryStore(ManualClock())
    faulty = Faulty(memory)

    def plan(call: Call) -> Fault | None:
        return Fault.CRASH_AFTER if call.number == number and call.method != "list" else None

    faulty.plan = plan
    with suppress(SimulatedCrash):
        examine(faulty)
    assert list(memory.list("")) == []


def test_objects_that_cannot_be_removed_are_reported() -> None:
    """Where cleaning up fails the report says what is left where."""
    memory = MemoryStore(ManualClock())
    faulty = Faulty(memory, lambda call: Fault.CUT if call.method == "delete_many" else None)
    report = examine(faulty)
    promise = report.find("cleanup")
    assert promise is not None
    assert promise.result is Result.BROKEN
    assert "infra/_doctor/" in promise.consequence
    assert report.is_safe


def test_progress_is_told() -> None:
    """Each check announces itself before it begins."""
    told: list[str] = []
    clock = ManualClock()
    probe(
        MemoryStore(clock),
        scratch_prefix="infra/_doctor/",
        clock=clock,
        rng=random.Random(1),
        spawner=spawn_daemon,
        thoroughness=Thoroughness.QUICK,
        on_check=told.append,
    )
    assert told == NAMES


def test_only_required_promises_make_a_store_unsafe() -> None:
    """A broken promise that nothing rests on is reported and harms nobody; an unknown required one does."""
    at = ManualClock().now()
    for result in Result:
        is_bad = result in {Result.BROKEN, Result.ABSENT, Result.UNKNOWN}
        assert DoctorReport((Promise("p", result, "c", is_required=True),), at).is_safe != is_bad
        assert DoctorReport((Promise("p", result, "c"),), at).is_safe
    assert ETag.parse('W/"x"') == ETag("x")
