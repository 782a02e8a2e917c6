"""A store in which things go wrong by plan: before the store acted, after it acted, or in the middle of a body.

The difference matters: a put that failed before it was done and one whose answer was lost look the same to the
caller, and must both end well. Plans are functions of the call, so that a test can hit exactly the n-th call
(`fault_at`) or throw seeded dice (`RandomFaults`).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO, TypeVar

from swampsync.backends.base import (
    Capabilities,
    GetResult,
    NotConnected,
    ObjectInfo,
    ObjectStore,
    PutMode,
    PutResult,
    Throttled,
)
from swampsync.backends.places import Places
from swampsync.errors import SwampsyncError, Unavailable
from swampsync.layout import ObjectKey

T = TypeVar("T")


class Fault(Enum):
    """What goes wrong."""

    LOST_REQUEST = "lost request"  # nothing was done; the caller gets `Unavailable`
    LOST_ANSWER = "lost answer"  # it was done; the caller gets `Unavailable`
    NO_CONNECTION = "no connection"  # nothing was sent; the caller gets `NotConnected`
    THROTTLE = "throttle"  # nothing was done; the caller gets `Throttled`
    DUPLICATE = "duplicate"  # done twice, as by a proxy that repeats; the caller gets the second answer
    CUT = "cut"  # a body or listing ends in the middle with `Unavailable`; elsewhere as LOST_ANSWER
    CRASH_BEFORE = "crash before"  # `SimulatedCrash`, nothing was done
    CRASH_AFTER = "crash after"  # `SimulatedCrash`, it was done


class SimulatedCrash(BaseException):
    """The process dies here; no `except Exception` may survive it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a store's method.

    Args:
        number: From 0, in the order of calls of this store.
        method: The method's name.
        key: The key or prefix; of `delete_many` the first key.
    """

    number: int
    method: str
    key: str


FaultPlan = Callable[[Call], Fault | None]


def no_faults(_call: Call) -> Fault | None:
    """Let everything pass."""
    return None


def fault_at(number: int, fault: Fault) -> FaultPlan:
    """Plan one fault at one call."""
    return lambda call: fault if call.number == number else None


def faults_at(faults: Mapping[int, Fault]) -> FaultPlan:
    """Plan faults by the number of the call."""
    return lambda call: faults.get(call.number)


class RandomFaults:
    """Faults at random, the same ones for the same seed and order of calls.

    Args:
        rng: The dice.
        rates: The probability of each fault; their sum is at most 1.
        methods: Only these methods; all if `None`.
    """

    def __init__(
        self, rng: random.Random, *, rates: Mapping[Fault, float], methods: frozenset[str] | None = None
    ) -> None:
        self._rng = rng
        self._rates = rates
        self._methods = methods

    def __call__(self, call: Call) -> Fault | None:
        """Throw the dice for one call."""
        dice = self._rng.random()
        if self._methods is not None and call.method not in self._methods:
            return None
        for fault, rate in self._rates.items():
            dice -= rate
            if dice < 0:
                return fault
        return None


class Faulty:
    """A store over another one, whose calls go wrong as planned.

    Args:
        store: What is asked where nothing goes wrong.
        plan: Says for each call what goes wrong.
    """

    def __init__(self, store: ObjectStore, plan: FaultPlan = no_faults) -> None:
        self._store = store
        self._lock = threading.Lock()
        self.plan = plan
        self.calls: list[Call] = []
        self.faults: list[tuple[Call, Fault]] = []

    @property
    def capabilities(self) -> Capabilities:
        """What the store declares it can do."""
        return self._store.capabilities

    def get(self, key: ObjectKey, *, start: int = 0, length: int | None = None) -> GetResult:
        """Read an object or a range of it."""
        return self._act("get", key.text, lambda: self._store.get(key, start=start, length=length))

    @contextmanager
    def open(self, key: ObjectKey) -> Iterator[tuple[ObjectInfo, Iterator[bytes]]]:
        """Read an object as chunks; `CUT` gives half of the first one."""
        call, fault = self._plan_call("open", key.text)
        if fault is Fault.CUT:
            with self._store.open(key) as (info, chunks):
                yield info, _cut_body(call, chunks)
        else:
            self._fail(call, fault, is_done=False)
            with self._store.open(key) as opened:
                self._fail(call, fault, is_done=True)
                yield opened

    @contextmanager
    def download(self, key: ObjectKey, target: Places) -> Iterator[tuple[ObjectInfo, Iterator[int]]]:
        """Read an object to its places; `CUT` tells of half of what it puts there."""
        call, fault = self._plan_call("download", key.text)
        if fault is not Fault.CUT:
            self._fail(call, fault, is_done=False)
        with self._store.download(key, target) as (info, extents):
            if fault is not Fault.CUT:
                self._fail(call, fault, is_done=True)
            with closing(_cut_extents(call, extents)) as cut:
                yield info, cut if fault is Fault.CUT else extents

    def head(self, key: ObjectKey) -> ObjectInfo:
        """Describe an object."""
        return self._act("head", key.text, lambda: self._store.head(key))

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        """Write an object."""
        return self._act("put", key.text, lambda: self._store.put(key, body, mode))

    def put_stream(self, key: ObjectKey, body: BinaryIO) -> PutResult:
        """Write a large object; a duplicate cannot be had of a stream, so it passes."""
        call, fault = self._plan_call("put_stream", key.text)
        self._fail(call, fault, is_done=False)
        result = self._store.put_stream(key, body)
        self._fail(call, fault, is_done=True)
        return result

    def delete(self, key: ObjectKey) -> None:
        """Remove an object."""
        self._act("delete", key.text, lambda: self._store.delete(key))

    def delete_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SwampsyncError]:
        """Remove many objects; `CUT` removes the first half and reports the others."""
        call, fault = self._plan_call("delete_many", keys[0].text if keys else "")
        if fault is Fault.CUT:
            half = len(keys) // 2
            failures = self._store.delete_many(keys[:half])
            return failures | {key: _unavailable(call, Fault.CUT, key.text) for key in keys[half:]}
        self._fail(call, fault, is_done=False)
        result = self._store.delete_many(keys)
        self._fail(call, fault, is_done=True)
        return result

    def list(self, prefix: str, *, start: str | None = None) -> Iterator[ObjectInfo]:
        """List objects; `CUT` ends after the third."""
        call, fault = self._plan_call("list", prefix)
        self._fail(call, fault, is_done=False)
        listing = self._store.list(prefix, start=start)
        if fault is not Fault.CUT:
            self._fail(call, fault, is_done=True)
            yield from listing
            return
        for _, info in zip(range(3), listing, strict=False):
            yield info
        raise _unavailable(call, Fault.CUT, prefix)

    def list_dirs(self, prefix: str) -> Iterable[str]:
        """Name directories."""
        return self._act("list_dirs", prefix, lambda: list(self._store.list_dirs(prefix)))

    # --- the plan ----------------------------------------------------------------------------------

    def _plan_call(self, method: str, key: str) -> tuple[Call, Fault | None]:
        with self._lock:
            call = Call(len(self.calls), method, key)
            self.calls.append(call)
            fault = self.plan(call)
            if fault is not None:
                self.faults.append((call, fault))
        return call, fault

    def _act(self, method: str, key: str, ask: Callable[[], T]) -> T:
        call, fault = self._plan_call(method, key)
        self._fail(call, fault, is_done=False)
        if fault is Fault.DUPLICATE:
            # The first answer, good or bad, is lost on the way.
            try:
                ask()
            except SwampsyncError:
                return ask()
        result = ask()
        self._fail(call, fault, is_done=True)
        return result

    def _fail(self, call: Call, fault: Fault | None, *, is_done: bool) -> None:
        before = {Fault.LOST_REQUEST, Fault.NO_CONNECTION, Fault.THROTTLE, Fault.CRASH_BEFORE}
        after = {Fault.LOST_ANSWER, Fault.CUT, Fault.CRASH_AFTER}
        if fault is None or fault not in (after if is_done else before):
            return
        if fault in {Fault.CRASH_BEFORE, Fault.CRASH_AFTER}:
            raise SimulatedCrash(f"{fault.value}: {call.method} {call.key}")
        raise _unavailable(call, fault, call.key)


def _cut_body(call: Call, chunks: Iterator[bytes]) -> Iterator[bytes]:
    first = next(chunks, b"")
    if len(first) > 1:
        yield first[: len(first) // 2]
    raise _unavailable(call, Fault.CUT, call.key)


def _cut_extents(call: Call, extents: Iterator[int]) -> Generator[int]:
    first = next(extents, 0)
    if first > 1:
        yield first // 2
    raise _unavailable(call, Fault.CUT, call.key)


def _unavailable(call: Call, fault: Fault, key: str) -> Unavailable:
    message = f"injected fault at call {call.number}: {fault.value}, {call.method} `{key}`"
    error = {Fault.THROTTLE: Throttled, Fault.NO_CONNECTION: NotConnected}.get(fault, Unavailable)
    return error(message, key=key)
