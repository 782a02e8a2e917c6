"""What `doctor backend` found: promises, results, consequences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from swampsync.clock import format_timestamp


class Result(Enum):
    """How a promise fared."""

    KEPT = "kept"
    BROKEN = "broken"
    IGNORED = "ignored"  # accepted and not honoured, but nothing of ours rests on it
    ABSENT = "absent"  # the store says that it cannot, and does not pretend
    UNKNOWN = "unknown"  # it could not be found out
    MEASURED = "measured"  # a figure, no promise
    NOT_CHECKED = "not checked"  # the quick probe leaves it out
    NOT_RELIED_ON = "not relied on"  # nothing of ours rests on it


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Args:
        result: How the promise fared.
        consequence: One sentence: what follows for whoever uses this store.
    """

    result: Result
    consequence: str


@dataclass(frozen=True, slots=True)
class Promise:
    """One thing that a store should do.

    Args:
        name: A stable name, as in `doctor backend --json`.
        result: How it fared.
        consequence: One sentence: what follows for whoever uses this store.
        is_required: Whether shared use is unsafe without it.
    """

    name: str
    result: Result
    consequence: str
    is_required: bool = False

    @property
    def is_missing(self) -> bool:
        """Whether it is required and not known to be kept."""
        return self.is_required and self.result in {Result.BROKEN, Result.ABSENT, Result.UNKNOWN}


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """Everything that a probe found.

    Args:
        promises: In the order they were checked.
        checked_at: When, by our clock.
        etag_quoting: The form of ETags that conditional puts need here, if the store has more than one.
    """

    promises: tuple[Promise, ...]
    checked_at: datetime
    etag_quoting: str | None = None

    @property
    def is_safe(self) -> bool:
        """Whether several repos may share this store."""
        return not self.missing

    @property
    def missing(self) -> tuple[str, ...]:
        """Name the required promises that are not kept."""
        return tuple(promise.name for promise in self.promises if promise.is_missing)

    def find(self, name: str) -> Promise | None:
        """Return a promise by name."""
        return next((promise for promise in self.promises if promise.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """Return the document of `doctor backend --json`."""
        promises = [{"name": p.name, "result": p.result.value, "consequence": p.consequence} for p in self.promises]
        return {"safe": self.is_safe, "promises": promises}

    def to_record(self) -> dict[str, Any]:
        """Return what is worth keeping with a namespace: what this store was found to keep, and when."""
        record: dict[str, Any] = {
            "checkedAt": format_timestamp(self.checked_at),
            "safe": self.is_safe,
            "promises": {p.name: p.result.value for p in self.promises},
        }
        if self.etag_quoting is not None:
            record["etagQuoting"] = self.etag_quoting
        return record
