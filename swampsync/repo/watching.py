"""`datastore sync --watch`: a sync every few seconds, and what is new in each."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Generic, Protocol, TypeVar

from swampsync.clock import Clock
from swampsync.errors import PlaceChanged, SwampsyncError
from swampsync.repo.directory_sync import DirectoryReport, refresh_directory
from swampsync.repo.parts import Parts
from swampsync.repo.sync_report import SyncOptions, SyncReport

DEFAULT_SECONDS: Final = 10.0
_LONGEST_PAUSE_SECONDS: Final = 300.0


class Event(StrEnum):
    """What one line of a watch tells."""

    PULLED = "pulled"
    REMOVED = "removed"
    PUSHED = "pushed"
    WITHDREW = "withdrew"  # our removal was published
    FETCHED = "fetched"
    ADOPTED = "adopted"
    RENUMBERED = "renumbered"
    CONFLICT = "conflict"
    MERGED = "merged"
    KEPT = "kept"
    KEPT_ASIDE = "kept aside"  # changed here without a command, and replaced or removed by others
    STARTED_OVER = "started over"
    REFRESHED = "refreshed"
    NAMESPACE = "namespace"
    UNREADABLE = "unreadable"  # a namespace that is looked at besides
    READABLE = "readable"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Line:
    """One change.

    Args:
        event: What happened.
        path: To what.
        detail: Where it is now, or why.
    """

    event: Event
    path: str
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """Make a document of it."""
        return {"event": self.event.value, "path": self.path} | ({"detail": self.detail} if self.detail else {})


class Report(Protocol):
    """What a round gives back."""

    @property
    def failures(self) -> list[tuple[str, str]]:
        """Path and reason of what could not be done."""
        ...

    @property
    def unreadable(self) -> dict[str, str] | None:
        """Namespaces that could not be read, and why; `None` if the round did not come to look at them."""
        ...


R = TypeVar("R", bound=Report)


@dataclass(frozen=True, slots=True)
class Trouble:
    """The store cannot be reached.

    Args:
        error: Why.
        pause_seconds: When it is tried again.
    """

    error: SwampsyncError
    pause_seconds: float


class Watcher(Generic[R]):
    """Syncs again and again.

    Args:
        sync: One round. If it fails it first tells what it was given what it had done by then, unless that is nothing.
        describe: Names what is new in a round, failures left out.
        clock: Waits.
        rng: Spreads the pauses while the store cannot be reached.
        interval_seconds: From the end of a round to the next.
        on_trouble: Told when a round failed for a reason that may pass, again when it fails for another one, and with
            `None` once that is over.
    """

    def __init__(
        self,
        sync: Callable[[Callable[[R], None]], R],
        describe: Callable[[R], list[Line]],
        *,
        clock: Clock,
        rng: random.Random,
        interval_seconds: float = DEFAULT_SECONDS,
        on_trouble: Callable[[Trouble | None], None],
    ) -> None:
        self._sync = sync
        self._describe = describe
        self._clock = clock
        self._rng = rng
        self._interval = interval_seconds
        self._on_trouble = on_trouble
        self._failed: set[tuple[str, str]] = set()
        self._unreadable: dict[str, str] = {}

    def rounds(self, stop: threading.Event) -> Iterator[tuple[R, list[Line]]]:
        """Sync until `stop` is set; yield every round that has something new, with its lines.

        What cannot be transferred or read is new once, not in every round that tries it again. What a round did before
        it failed, or before a signal ended it, is yielded first: no later round would tell it.

        Raises:
            SwampsyncError: For a reason that does not pass by itself.
        """
        failed = 0
        told = ""
        while not stop.is_set():
            pause = self._interval
            stopped: list[R] = []
            try:
                report = self._sync(stopped.append)
            except SwampsyncError as error:
                yield from self._news(stopped)
                if not error.is_retryable or isinstance(error, PlaceChanged):  # this repo is open in the old place
                    raise
                failed += 1
                pause = self._back_off(failed)
                if error.message != told:
                    self._on_trouble(Trouble(error, pause))
                told = error.message
            except BaseException:  # a signal
                yield from self._news(stopped)
                raise
            else:
                if failed:
                    failed, told = 0, ""
                    self._on_trouble(None)
                yield from self._news([report])
            self._clock.wait(stop, pause)

    def _news(self, reports: list[R]) -> Iterator[tuple[R, list[Line]]]:
        for report in reports:
            lines = self._describe(report) + self._new_failures(report) + self._changed_namespaces(report)
            if lines:
                yield report, lines

    def _back_off(self, failed: int) -> float:
        longest = max(_LONGEST_PAUSE_SECONDS, self._interval)
        pause = min(longest, max(self._interval, 1.0) * 2.0 ** min(failed - 1, 20))
        return pause * self._rng.uniform(0.75, 1.0)

    def _new_failures(self, report: R) -> list[Line]:
        failures = set(report.failures)
        new = failures - self._failed
        # A round that did not come to its end does not show what has arrived since.
        self._failed = failures if report.unreadable is not None else self._failed | failures
        return [Line(Event.FAILED, path, reason) for path, reason in sorted(new)]

    def _changed_namespaces(self, report: R) -> list[Line]:
        """Name the namespaces that cannot be read since this round, and those that can again."""
        now, before = report.unreadable, self._unreadable
        if now is None:
            return []
        self._unreadable = now
        lines = [Line(Event.UNREADABLE, name, why) for name, why in sorted(now.items()) if name not in before]
        return lines + [Line(Event.READABLE, name) for name in sorted(before.keys() - now.keys())]


def describe_sync(report: SyncReport) -> list[Line]:
    """Name what is new in a round with a bucket."""
    lines: list[Line] = []
    if report.scanned is not None:
        lines += [Line(Event.ADOPTED, finding.path, finding.change.value) for finding in report.scanned.adopted]
    if report.checkpoint or report.is_replaced:
        why = "the log is another one" if report.is_replaced else f"checkpoint {report.checkpoint}"
        lines.append(Line(Event.STARTED_OVER, report.namespace, why))
    lines += [Line(Event.PULLED, path) for path in report.came]
    lines += [Line(Event.REMOVED, path) for path in report.went]
    if report.fetched:
        lines.append(Line(Event.FETCHED, report.namespace, f"content of {report.fetched}"))
    lines += [Line(Event.RENUMBERED, old, new) for old, new in report.renumbered]
    lines += [Line(Event.CONFLICT, old, new) for old, new in report.conflicts]
    lines += [Line(Event.MERGED, path) for path in report.merged]
    lines += [Line(Event.KEPT, path, "somebody changed what was removed here") for path in report.kept]
    lines += [Line(Event.KEPT_ASIDE, path, where) for path, where in report.kept_aside]
    lines += [Line(Event.PUSHED, path) for path in report.sent]
    lines += [Line(Event.WITHDREW, path) for path in report.withdrawn]
    lines += [
        Line(Event.NAMESPACE, name, f"{outcome} commits")
        for name, outcome in report.others.items()
        if isinstance(outcome, int) and outcome
    ]
    return lines


def describe_refresh(report: DirectoryReport) -> list[Line]:
    """Name what is new in a round on a directory."""
    lines: list[Line] = []
    for name, one in report.refreshed.items():
        if not one.rows.is_empty:
            added, changed, removed = one.rows
            lines.append(Line(Event.REFRESHED, name, f"{added} added, {changed} changed, {removed} removed"))
    return lines


def make_watcher(
    parts: Parts, options: SyncOptions, *, interval_seconds: float, on_trouble: Callable[[Trouble | None], None]
) -> Watcher[Any]:
    """Make what syncs a repo again and again, whatever its datastore is.

    Args:
        parts: Of the repo.
        options: Of every round; on a directory only whose rows follow the tree.
        interval_seconds: From the end of a round to the next.
        on_trouble: See `Watcher`.
    """
    world = parts.world
    if parts.config.is_remote:
        from swampsync.repo.synchronising import Synchroniser

        synchroniser = Synchroniser(parts)
        return Watcher(
            lambda on_stop: synchroniser.sync(options, on_stop=on_stop),
            describe_sync,
            clock=world.clock,
            rng=world.rng,
            interval_seconds=interval_seconds,
            on_trouble=on_trouble,
        )
    return Watcher(
        lambda _: refresh_directory(parts, all_namespaces=options.all_namespaces, is_dry_run=False),
        describe_refresh,
        clock=world.clock,
        rng=world.rng,
        interval_seconds=interval_seconds,
        on_trouble=on_trouble,
    )
