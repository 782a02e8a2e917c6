"""Conditions that nothing rests on: what a server does with them is told, and never held against it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from swampsync.backends.base import (
    Create,
    ETag,
    NotSupported,
    ObjectExists,
    ObjectStoreRefused,
    Overwrite,
    PreconditionFailed,
)
from swampsync.backends.memory import MemoryStore
from swampsync.clock import spawn_daemon
from swampsync.errors import AccessDenied, SwampsyncError
from swampsync.layout import ObjectKey
from swampsync.maintenance import doctor_backend
from swampsync.maintenance.doctor_report import Finding, Result
from swampsync.maintenance.doctor_scratch import FULL, QUICK, Effort, Scratch
from swampsync.maintenance.doctor_unused import (
    UnusedConditions,
    check_conditional_completion,
    check_conditional_delete,
)
from swampsync.testing.manual_clock import ManualClock

NAMES = ("conditional-delete", "conditional-completion")


class Server:
    """Honours both conditions."""

    error: SwampsyncError = NotSupported("501 NotImplemented")

    def __init__(self) -> None:
        self.store = MemoryStore(ManualClock())

    def delete(self, key: str, etag: ETag) -> None:
        if self.store.head(ObjectKey(key)).etag != etag:
            raise PreconditionFailed("412")
        self.store.delete(ObjectKey(key))

    def upload(self, key: str, body: bytes) -> None:
        self.store.put(ObjectKey(key), body, Create())


class Ignoring(Server):
    """Takes both conditions for decoration."""

    def delete(self, key: str, etag: ETag) -> None:
        self.store.delete(ObjectKey(key))

    def upload(self, key: str, body: bytes) -> None:
        self.store.put(ObjectKey(key), body, Overwrite())


class Pretending(Ignoring):
    """Says no, and does it."""

    def delete(self, key: str, etag: ETag) -> None:
        super().delete(key, etag)
        raise PreconditionFailed("412")

    def upload(self, key: str, body: bytes) -> None:
        super().upload(key, body)
        raise ObjectExists("412")


class Contrary(Server):
    """Says no to everything."""

    def delete(self, key: str, etag: ETag) -> None:
        raise PreconditionFailed("412")

    def upload(self, key: str, body: bytes) -> None:
        raise ObjectExists("412")


class Deaf(Server):
    """Answers a removal whose condition holds with success, and removes nothing."""

    def delete(self, key: str, etag: ETag) -> None:
        if self.store.head(ObjectKey(key)).etag != etag:
            raise PreconditionFailed("412")


class Refusing(Server):
    """Does not know the conditions."""

    def delete(self, key: str, etag: ETag) -> None:
        raise self.error

    def upload(self, key: str, body: bytes) -> None:
        raise self.error


class Invalid(Refusing):
    error = ObjectStoreRefused("400 InvalidArgument")


class Denied(Refusing):
    error = AccessDenied("403")


def conditions_of(server: Server) -> UnusedConditions:
    return UnusedConditions(server.delete, server.upload)


def ask(server: Server, effort: Effort = FULL) -> list[Finding]:
    clock = ManualClock()
    scratch = Scratch(
        server.store, "infra/_doctor/", clock=clock, rng=random.Random(3), spawner=spawn_daemon, effort=effort
    )
    conditions = conditions_of(server)
    found = [check_conditional_delete(scratch, conditions), check_conditional_completion(scratch, conditions)]
    assert all(info.key.text.startswith("infra/_doctor/") for info in server.store.list(""))
    return found


DELETE, COMPLETION = "`If-Match` on DELETE", "`If-None-Match: *` on the completion of an upload"


@pytest.mark.parametrize(
    ("make", "result", "deletion", "completion"),
    [
        (Server, Result.KEPT, "is honoured", "is honoured"),
        (Ignoring, Result.IGNORED, "is accepted and ignored", "is accepted and ignored"),
        (Pretending, Result.IGNORED, "is accepted and ignored", "is accepted and ignored"),
        (Contrary, Result.ABSENT, "is refused (also where it holds)", "is refused (also where it holds)"),
        (Refusing, Result.ABSENT, "is refused (501 NotImplemented)", "is refused (501 NotImplemented)"),
        (Invalid, Result.ABSENT, "is refused (400 InvalidArgument)", "is refused (400 InvalidArgument)"),
    ],
)
def test_conditions_that_nothing_rests_on_are_told(
    make: Callable[[], Server], result: Result, deletion: str, completion: str
) -> None:
    """Each is kept, ignored or absent."""
    assert ask(make()) == [
        Finding(result, f"{DELETE} {deletion}; nothing relies on it"),
        Finding(result, f"{COMPLETION} {completion}; nothing relies on it"),
    ]


def test_removal_that_is_answered_and_not_done_is_told() -> None:
    """Success is looked at too."""
    assert ask(Deaf())[0] == Finding(
        Result.ABSENT, f"{DELETE} is refused (the object stays where it holds); nothing relies on it"
    )


def test_quick_probe_does_not_ask() -> None:
    """Set-up waits only for what something rests on."""
    server = Ignoring()
    assert {finding.result for finding in ask(server, QUICK)} == {Result.NOT_CHECKED}
    assert list(server.store.list("")) == []


@pytest.mark.parametrize(("make", "result"), [(Ignoring, Result.IGNORED), (Denied, Result.UNKNOWN)])
def test_conditions_that_nothing_rests_on_make_no_store_unsafe(
    make: Callable[[], Server], result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is ignored, or could not be asked for want of rights, is in the report; the store is safe and left clean."""
    monkeypatch.setattr(doctor_backend, "FULL", replace(QUICK, throughput_bytes=1 << 20))
    server = make()
    report = doctor_backend.probe(
        server.store,
        scratch_prefix="infra/_doctor/",
        clock=ManualClock(),
        rng=random.Random(3),
        spawner=spawn_daemon,
        unused_conditions=conditions_of(server),
    )
    assert [(p.name, p.result) for p in report.promises if p.name in NAMES] == [(name, result) for name in NAMES]
    assert report.is_safe
    assert list(server.store.list("")) == []
